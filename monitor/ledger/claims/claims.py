"""Claims: opened by ticket, refused if late, answered by mail (6.1 to 6.3, docs/contract.md#claims-and-answers).

A claim consists of its facts in the journal: opened, refused, answered. Its deadline and the time by which it must be
answered are recorded with it, as computed by the calendar of that day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from monitor.errors import InputError
from monitor.formatting import format_instant
from monitor.ledger.outage_history import next_number, outage_extents
from monitor.ledger.recorded_by import recorded_by
from monitor.ledger.terms import terms_versions
from monitor.model import CheckKey, Span
from monitor.sla import claims as rules
from monitor.sla.calendar import answer_deadline, claim_deadline
from monitor.sla.claims import Claim, ClaimRefusalReason, ClaimState
from monitor.sla.terms import segments, terms_at
from monitor.store import journal

if TYPE_CHECKING:
    from sqlite_utils import Database

    from monitor.ledger.context import LedgerContext
    from monitor.ledger.outage_history import OutageExtent
    from monitor.model import Millis

OPENED, REFUSED, ANSWERED = CLAIM_EVENTS = ("claim-opened", "claim-refused", "claim-answered")


def claims(db: Database, at: Millis) -> tuple[Claim, ...]:
    """Return the claims that were recorded by ``at``, in order of their numbers."""
    return rules.claims_from(_event(entry) for entry in journal.entries(db, *CLAIM_EVENTS, until=at))


def _event(entry: journal.JournalEntry) -> rules.ClaimEvent:
    body = entry.body
    number, by = body["claim"], body["recorded_by"]
    if entry.kind == REFUSED:
        return rules.ClaimRefused(number, entry.at, ClaimRefusalReason(body["why"]), by)
    if entry.kind == ANSWERED:
        return rules.ClaimAnswered(number, entry.at, body["final"], entry.number, by)
    return rules.ClaimOpened(
        id=number,
        at=entry.at,
        subscription=body["subscription"],
        outage=body["outage"],
        check=CheckKey(body["server"], body["check"]),
        outage_start=body["began"],
        opened_at=body["opened_at"],
        deadline=body["deadline"],
        answer_due=body["answer_due"],
        by=by,
    )


def claim_of(db: Database, number: int, at: Millis) -> Claim:
    """Return one claim by its number. Raises InputError if there is no such claim."""
    for claim in claims(db, at):
        if claim.id == number:
            return claim
    raise InputError(f"claim {number} does not exist; see `monitor claim list`")


class PendingClaims(NamedTuple):
    """The claims that wait for an answer."""

    open: tuple[Claim, ...]
    overdue: tuple[Claim, ...]
    """Those of ``open`` whose answer is overdue (6.3)."""
    next_due: Millis | None
    """After this moment another answer is overdue."""


def pending_claims(db: Database, at: Millis) -> PendingClaims:
    """Return the claims that wait for an answer."""
    open_claims = tuple(claim for claim in claims(db, at) if claim.state is ClaimState.OPEN)
    due = (claim.answer_due for claim in open_claims if not claim.overdue(at))
    return PendingClaims(
        open_claims, tuple(claim for claim in open_claims if claim.overdue(at)), min(due, default=None)
    )


def open_claim(
    db: Database, context: LedgerContext, subscription: str, outage: int, opened_at: Millis | None, at: Millis
) -> tuple[Claim, ClaimRefusalReason | None]:
    """Record a claim; ``opened_at`` is the time of the customer's ticket, by default now.

    Return the claim and the reason to refuse it, if there is one: the claim is late (6.2), or the outage's check does
    not measure the subscription. The caller records the refusal in the same transaction. Raises InputError if the
    request is not valid; then nothing is recorded.
    """
    extent = outage_extents(db, [outage], at, ()).get(outage)
    if extent is None:
        raise InputError(f"--outage {outage}: no such outage; see `monitor outages list`")
    measured = _is_measured(db, context, subscription, extent, at)
    claimed_at = _claimed_at(context, extent, opened_at, at)
    existing = claims(db, at)
    _reject_duplicate(db, existing, subscription, extent, at)
    number = next_number(claim.id for claim in existing)
    body: dict[str, Any] = {
        "claim": number,
        "subscription": subscription,
        "outage": extent.id,
        "server": extent.check.server,
        "check": extent.check.name,
        "began": extent.start,
        "opened_at": claimed_at,
        "deadline": claim_deadline(extent.start, context.zone),
        "answer_due": answer_deadline(claimed_at, context.zone),
        "recorded_by": recorded_by(),
    }
    journal.append(db, at, OPENED, body)
    claim = claim_of(db, number, at)
    if not claim.in_time:
        return claim, ClaimRefusalReason.LATE
    return claim, None if measured else ClaimRefusalReason.NOT_MEASURED


def _claimed_at(context: LedgerContext, extent: OutageExtent, opened_at: Millis | None, at: Millis) -> Millis:
    if opened_at is None:
        return at
    if opened_at > at:
        raise InputError("--at: a claim cannot have been made in the future")
    if opened_at < extent.start:
        began = format_instant(extent.start, context.zone)
        raise InputError(f"--at: a claim cannot have been made before outage {extent.id} began, at {began}")
    return opened_at


def _is_measured(db: Database, context: LedgerContext, subscription: str, extent: OutageExtent, at: Millis) -> bool:
    """Return whether the outage's check measures the subscription.

    See docs/contract.md#products-targets-and-credit-tables. Raises InputError if the subscription is unknown or was not
    on the outage's server during the outage.
    """
    versions = terms_versions(db, at, context.terms)
    subscriptions = [terms.subscriptions[subscription] for terms in versions if subscription in terms.subscriptions]
    if not subscriptions:
        raise InputError(f"--subscription {subscription}: no such subscription in the configuration or the records")
    end = at if extent.end is None else extent.end
    window = Span(extent.start, max(end, extent.start + 1))
    parts = [
        part for part in segments(versions, subscription, window, window.end) if part.server == extent.check.server
    ]
    if parts:
        return any(extent.check.name in part.checks for part in parts)
    outage = f"--outage {extent.id}: it is an outage of {extent.check}"
    if all(each.server != extent.check.server for each in subscriptions):
        raise InputError(f"{outage}, and {subscription} is on server {subscriptions[-1].server}")
    raise InputError(f"{outage}, and {subscription} was not in force there during the outage")


def _reject_duplicate(
    db: Database, existing: tuple[Claim, ...], subscription: str, extent: OutageExtent, at: Millis
) -> None:
    # an import may have joined a claimed outage to this one
    own_claims = [claim for claim in existing if claim.subscription == subscription]
    extents = outage_extents(db, {claim.outage for claim in own_claims}, at, ())
    for claim in own_claims:
        claimed = extents.get(claim.outage)
        if claimed is not None and claimed.id == extent.id:
            raise InputError(
                f"outage {extent.id} was claimed for {subscription} already: claim {claim.id} is {claim.state};"
                f" see `monitor claim show {claim.id}`"
            )


def customer_of(db: Database, context: LedgerContext, claim: Claim, at: Millis) -> str | None:
    """Return the customer of a claim: by the terms at the start of the outage, or the first terms that name one."""
    versions = terms_versions(db, at, context.terms)
    first = terms_at(versions, claim.outage_start).subscriptions.get(claim.subscription)
    subscriptions = [
        terms.subscriptions[claim.subscription] for terms in versions if claim.subscription in terms.subscriptions
    ]
    return (first or subscriptions[0]).customer if first or subscriptions else None
