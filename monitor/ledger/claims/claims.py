"""Claims: opened by ticket, refused if late, answered by mail (6.1 to 6.3, docs/contract.md#claims-and-answers).

A claim is nothing but the facts in the journal: that it was opened, refused, answered. Its deadline and the time by
which it must be answered are written down with it, as the calendar had them on that day.
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
    """Return the claims as the books stood at a moment, by their number; none recorded after it exists."""
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
    """Return one claim by its number. Raises InputError for one that is not there."""
    for claim in claims(db, at):
        if claim.id == number:
            return claim
    raise InputError(f"claim {number}: there is none; `monitor claim list` shows them")


class PendingClaims(NamedTuple):
    """The claims that wait for their answer."""

    open: tuple[Claim, ...]
    overdue: tuple[Claim, ...]
    """Those of them whose answer should have been given by now (6.3)."""
    next_due: Millis | None
    """After this moment one more is overdue."""


def pending_claims(db: Database, at: Millis) -> PendingClaims:
    """Return the claims that wait for their answer."""
    still_open = tuple(claim for claim in claims(db, at) if claim.state is ClaimState.OPEN)
    due = (claim.answer_due for claim in still_open if not claim.overdue(at))
    return PendingClaims(still_open, tuple(claim for claim in still_open if claim.overdue(at)), min(due, default=None))


def open_claim(
    db: Database, context: LedgerContext, subscription: str, outage: int, opened_at: Millis | None, at: Millis
) -> tuple[Claim, ClaimRefusalReason | None]:
    """Record a claim; ``opened_at`` is when the customer's ticket came, else it comes now.

    Gives with it why it has to be refused, which is for the caller to record in the same transaction: it came too late
    (6.2), or the subscription's availability is not read on the outage's check. Raises InputError where it cannot be
    as asked; then nothing is recorded.
    """
    extent = outage_extents(db, [outage], at, ()).get(outage)
    if extent is None:
        raise InputError(f"--outage {outage}: there is none; `monitor outages list` shows them")
    measured = _is_measured(db, context, subscription, extent, at)
    made = _claimed_at(context, extent, opened_at, at)
    known = claims(db, at)
    _reject_duplicate(db, known, subscription, extent, at)
    number = next_number(claim.id for claim in known)
    body: dict[str, Any] = {
        "claim": number,
        "subscription": subscription,
        "outage": extent.id,
        "server": extent.check.server,
        "check": extent.check.name,
        "began": extent.start,
        "opened_at": made,
        "deadline": claim_deadline(extent.start, context.zone),
        "answer_due": answer_deadline(made, context.zone),
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
    """Whether the outage's check is one that the subscription is measured on.

    See docs/contract.md#products-targets-and-credit-tables.

    Raises InputError for an unknown subscription, and for one that was not on the outage's server while it lasted.
    """
    known = terms_versions(db, at, context.terms)
    stood = [terms.subscriptions[subscription] for terms in known if subscription in terms.subscriptions]
    if not stood:
        raise InputError(f"--subscription {subscription}: no such subscription in the configuration or the records")
    end = at if extent.end is None else extent.end
    window = Span(extent.start, max(end, extent.start + 1))
    parts = [part for part in segments(known, subscription, window, window.end) if part.server == extent.check.server]
    if parts:
        return any(extent.check.name in part.checks for part in parts)
    outage = f"--outage {extent.id}: it is one of {extent.check}"
    if all(one.server != extent.check.server for one in stood):
        raise InputError(f"{outage}, and {subscription} is on server {stood[-1].server}")
    raise InputError(f"{outage}, and {subscription} was not in force there while it lasted")


def _reject_duplicate(
    db: Database, known: tuple[Claim, ...], subscription: str, extent: OutageExtent, at: Millis
) -> None:
    # an import may have joined an outage that was claimed to this one
    mine = [claim for claim in known if claim.subscription == subscription]
    meant = outage_extents(db, {claim.outage for claim in mine}, at, ())
    for claim in mine:
        found = meant.get(claim.outage)
        if found is not None and found.id == extent.id:
            raise InputError(
                f"outage {extent.id} was claimed for {subscription} already: claim {claim.id} is {claim.state};"
                f" see `monitor claim show {claim.id}`"
            )


def customer_of(db: Database, context: LedgerContext, claim: Claim, at: Millis) -> str | None:
    """Return the customer whose claim it is: by the terms of the outage's beginning, or the first that know of it."""
    known = terms_versions(db, at, context.terms)
    first = terms_at(known, claim.outage_start).subscriptions.get(claim.subscription)
    found = [terms.subscriptions[claim.subscription] for terms in known if claim.subscription in terms.subscriptions]
    return (first or found[0]).customer if first or found else None
