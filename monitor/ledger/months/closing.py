"""Closes months: a journal entry freezes all accounts of the month, with the terms that they were computed with.

Results count until two intervals before the closing, since these have all been recorded by then. So the ledger as of
the closing yields the same figures at any later time (docs/contract.md#closing).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from monitor.errors import InputError
from monitor.ledger.accounts.accounts import LedgerView, account_fields
from monitor.ledger.terms import record_terms, terms_in_force
from monitor.model import Span
from monitor.sla.calendar import month_after, month_of, month_span, month_text, parse_month
from monitor.sla.terms import month_window
from monitor.store import journal, result_origin

if TYPE_CHECKING:
    from sqlite_utils import Database

    from monitor.model import Millis
    from monitor.sla.terms import Terms

CLOSED: Final = "month-closed"
_ACCOUNT_EVENTS = (
    "terms",
    "exclusion-added",
    "exclusion-withdrawn",
    "maintenance-announced",
    "maintenance-extended",
    "maintenance-cancelled",
)
"""The journal kinds that affect accounts, besides results and outages."""


@dataclass(frozen=True, slots=True)
class Closing:
    """The closing of a month."""

    month: str
    entry: int
    at: Millis
    window: Span
    measured_until: Millis
    """Later results are not included."""
    terms_entry: int
    """The number of the journal entry of the terms in force."""
    recorded_by: str
    subscriptions: dict[str, dict[str, Any]]
    """The figures by subscription, as returned by ``account_fields``."""


def closing_of(db: Database, month: str, at: Millis | None = None) -> Closing | None:
    """Return a month's closing, if it was closed by ``at``."""
    for entry in journal.entries_of_month(db, "month-closed", month):
        if at is None or entry.at <= at:
            return _closing_from(entry)
    return None


def _closing_from(entry: journal.JournalEntry) -> Closing:
    body = entry.body
    return Closing(
        month=body["month"],
        entry=entry.number,
        at=entry.at,
        window=Span(body["start"], body["end"]),
        measured_until=body["measured_until"],
        terms_entry=body["terms"],
        recorded_by=body["recorded_by"],
        subscriptions=body["subscriptions"],
    )


def last_finished_month(zone: str, at: Millis) -> tuple[int, int]:
    """Return the last month that is over at ``at``."""
    year, month = month_of(at, zone)
    return month_of(month_span(year, month, zone).start - 1, zone)


def close(db: Database, current: Terms, when: tuple[int, int], at: Millis, by: str) -> tuple[Closing, bool]:
    """Close a month, inside a transaction; return its closing and whether it is new.

    A month is closed once. If no terms were recorded yet, ``current`` is recorded. Raises InputError if the month is
    still running, or if its last results may not have been recorded yet.
    """
    month = month_text(*when)
    if (existing := closing_of(db, month)) is not None:
        return existing, False
    in_force = terms_in_force(db, at)
    if in_force is None:
        record_terms(db, current, at)
        in_force = terms_in_force(db, at)
    assert in_force is not None
    entry, terms = in_force
    measured_until = at - terms.hold
    ledger = LedgerView(db, at, terms, measured_until)
    window = month_window(ledger.versions, *when)
    if at < window.end:
        raise InputError(f"{month} is not over: only a finished month can be closed")
    if measured_until < window.end:
        raise InputError(f"{month} is over, but its last results may not be recorded yet: try again in two intervals")
    body = {
        "month": month,
        "start": window.start,
        "end": window.end,
        "measured_until": measured_until,
        "terms": entry,
        "recorded_by": by,
        "subscriptions": {
            account.subscription.id: account_fields(account) for account in ledger.month(*when).subscriptions
        },
    }
    journal.append(db, at, CLOSED, body)
    closing = closing_of(db, month)
    assert closing is not None
    return closing, True


def close_with_recorded_terms(db: Database, when: tuple[int, int], at: Millis, by: str) -> tuple[Closing, bool]:
    """Close a month of ``months_due`` with the recorded terms."""
    in_force = terms_in_force(db, at)
    assert in_force is not None
    return close(db, in_force[1], when, at, by)


def months_due(db: Database, at: Millis) -> list[tuple[int, int]]:
    """Return the months to close now: those that are over and not closed, from that of the first journal entry on.

    If the first entry is later than the last finished month, that month is included if it has imported results. Earlier
    months are closed by command only.
    """
    in_force, first = terms_in_force(db, at), journal.first(db)
    if in_force is None or first is None:
        return []
    zone, hold = in_force[1].timezone, in_force[1].hold
    last = last_finished_month(zone, at - hold)
    months, month = [], month_of(first.at, zone)
    while month <= last:
        months.append(month)
        month = month_after(*month)
    window = month_span(*last, zone)
    if not months and result_origin.has_results(db, window.start, window.end):
        months.append(last)
    return [month for month in months if closing_of(db, month_text(*month)) is None]


def find_closing_mismatch(db: Database, month: str) -> str | None:
    """Recompute a closed month as of its closing; return the first figure that differs, None if none does.

    If the clock ran backwards, later facts have earlier times and the state at the closing cannot be reconstructed:
    then return None.
    """
    closing = closing_of(db, month)
    if closing is None:
        return "the closing is missing"
    if journal.any_backdated(db, _ACCOUNT_EVENTS, closing.entry, closing.at):
        return None
    in_force = terms_in_force(db, closing.at)
    if in_force is None or in_force[0] != closing.terms_entry:
        return f"journal entry {closing.entry}: the terms in force are not those of entry {closing.terms_entry}"
    ledger = LedgerView(db, closing.at, in_force[1], closing.measured_until)
    accounts = ledger.month(*parse_month(closing.month))
    recomputed = {account.subscription.id: account_fields(account) for account in accounts.subscriptions}
    for name in sorted(recomputed.keys() | closing.subscriptions.keys()):
        frozen, computed = closing.subscriptions.get(name, {}), recomputed.get(name, {})
        for field in sorted(frozen.keys() | computed.keys()):
            if frozen.get(field) != computed.get(field):
                frozen_text = f"{field} was closed as {frozen.get(field)}"
                return f"journal entry {closing.entry}: {name}: {frozen_text}, recomputed it is {computed.get(field)}"
    return None
