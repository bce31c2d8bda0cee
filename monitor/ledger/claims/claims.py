"""Claims (clauses 6.1 to 6.3, reading.md 7): made by ticket, refused where they come too late, answered by a letter.

A claim is nothing but the facts in the journal: that it was opened, refused, answered. Its deadline and the time by
which it must be answered are written down with it, as the calendar had them on that day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from monitor.errors import InputError
from monitor.formatting import instant
from monitor.ledger.outage_history import extents, next_number
from monitor.ledger.recorded_by import recorder
from monitor.ledger.terms import versions
from monitor.model import CheckKey, Span
from monitor.sla import claims as rules
from monitor.sla.calendar import answer_due, claim_deadline
from monitor.sla.claims import Claim, ClaimState, Refusal
from monitor.sla.segments import segments, terms_at
from monitor.store import journal

if TYPE_CHECKING:
    from sqlite_utils import Database

    from monitor.ledger.context import Context
    from monitor.ledger.outage_history import Extent
    from monitor.model import Millis

OPENED, REFUSED, ANSWERED = KINDS = ("claim-opened", "claim-refused", "claim-answered")


def claims(db: Database, at: Millis) -> tuple[Claim, ...]:
    """Give the claims as the books stood at a moment, by their number; none recorded after it exists."""
    return rules.fold(_fact(entry) for entry in journal.entries(db, *KINDS, until=at))


def _fact(entry: journal.Entry) -> rules.Fact:
    body = entry.body
    number, by = body["claim"], body["recorded_by"]
    if entry.kind == REFUSED:
        return rules.Refused(number, entry.at, Refusal(body["why"]), by)
    if entry.kind == ANSWERED:
        return rules.Answered(number, entry.at, body["final"], entry.number, by)
    return rules.Opened(
        id=number,
        at=entry.at,
        subscription=body["subscription"],
        outage=body["outage"],
        check=CheckKey(body["server"], body["check"]),
        began=body["began"],
        opened_at=body["opened_at"],
        deadline=body["deadline"],
        answer_due=body["answer_due"],
        by=by,
    )


def claim_of(db: Database, number: int, at: Millis) -> Claim:
    """Give one claim by its number. Raises InputError for one that is not there."""
    for claim in claims(db, at):
        if claim.id == number:
            return claim
    raise InputError(f"claim {number}: there is none; `monitor claim list` shows them")


class Waiting(NamedTuple):
    """The claims that wait for their answer."""

    open: tuple[Claim, ...]
    overdue: tuple[Claim, ...]
    """Those of them whose answer should have been given by now (6.3)."""
    next_due: Millis | None
    """After this moment one more is overdue."""


def waiting(db: Database, at: Millis) -> Waiting:
    """Give the claims that wait for their answer."""
    still_open = tuple(claim for claim in claims(db, at) if claim.state is ClaimState.OPEN)
    due = (claim.answer_due for claim in still_open if not claim.overdue(at))
    return Waiting(still_open, tuple(claim for claim in still_open if claim.overdue(at)), min(due, default=None))


def open_claim(
    db: Database, context: Context, subscription: str, outage: int, opened_at: Millis | None, at: Millis
) -> tuple[Claim, Refusal | None]:
    """Record a claim; ``opened_at`` is when the customer's ticket came, else it comes now.

    Gives with it why it has to be refused, which is for the caller to record in the same transaction: it came too late
    (6.2), or the subscription's availability is not read on the outage's check. Raises InputError where it cannot be
    as asked; then nothing is recorded.
    """
    extent = extents(db, [outage], at, ()).get(outage)
    if extent is None:
        raise InputError(f"--outage {outage}: there is none; `monitor outages list` shows them")
    measured = _is_measured(db, context, subscription, extent, at)
    made = _made_at(context, extent, opened_at, at)
    known = claims(db, at)
    _refuse_repeated(db, known, subscription, extent, at)
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
        "answer_due": answer_due(made, context.zone),
        "recorded_by": recorder(),
    }
    journal.append(db, at, OPENED, body)
    claim = claim_of(db, number, at)
    if not claim.in_time:
        return claim, Refusal.LATE
    return claim, None if measured else Refusal.NOT_MEASURED


def _made_at(context: Context, extent: Extent, opened_at: Millis | None, at: Millis) -> Millis:
    if opened_at is None:
        return at
    if opened_at > at:
        raise InputError("--at: a claim cannot have been made in the future")
    if opened_at < extent.start:
        began = instant(extent.start, context.zone, "en")
        raise InputError(f"--at: a claim cannot have been made before outage {extent.id} began, at {began}")
    return opened_at


def _is_measured(db: Database, context: Context, subscription: str, extent: Extent, at: Millis) -> bool:
    """Whether the subscription's availability is read on the outage's check (reading.md 2).

    Raises InputError for an unknown subscription, and for one that was not on the outage's server while it lasted.
    """
    known = versions(db, at, context.terms)
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


def _refuse_repeated(db: Database, known: tuple[Claim, ...], subscription: str, extent: Extent, at: Millis) -> None:
    # an import may have joined an outage that was claimed to this one
    mine = [claim for claim in known if claim.subscription == subscription]
    meant = extents(db, {claim.outage for claim in mine}, at, ())
    for claim in mine:
        found = meant.get(claim.outage)
        if found is not None and found.id == extent.id:
            raise InputError(
                f"outage {extent.id} was claimed for {subscription} already: claim {claim.id} is {claim.state};"
                f" see `monitor claim show {claim.id}`"
            )


def customer_of(db: Database, context: Context, claim: Claim, at: Millis) -> str | None:
    """Give the customer whose claim it is: by the terms of the outage's beginning, or the first that know of it."""
    known = versions(db, at, context.terms)
    first = terms_at(known, claim.began).subscriptions.get(claim.subscription)
    found = [terms.subscriptions[claim.subscription] for terms in known if claim.subscription in terms.subscriptions]
    return (first or found[0]).customer if first or found else None
