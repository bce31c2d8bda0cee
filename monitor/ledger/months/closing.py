"""Closing a month: its accounts are frozen, whole, in an entry of the journal, with the terms they were read with.

Results are taken until two intervals before the closing: what was measured until then is written down by now. So
the ledger as of the closing gives the same figures to the last digit at any later time.
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
"""The kinds that accounts hang on, besides results and outages."""


@dataclass(frozen=True, slots=True)
class Closing:
    """A month as it was closed."""

    month: str
    entry: int
    at: Millis
    window: Span
    measured_until: Millis
    """Results later than this are not in it."""
    terms_entry: int
    """The journal's number of the terms in force."""
    recorded_by: str
    subscriptions: dict[str, dict[str, Any]]
    """The figures, as ``account_fields`` gives them, by subscription."""


def closing_of(db: Database, month: str, at: Millis | None = None) -> Closing | None:
    """Return a month's closing, if it was closed until a moment."""
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
    """Return the last month that is over at a moment."""
    year, month = month_of(at, zone)
    return month_of(month_span(year, month, zone).start - 1, zone)


def close(db: Database, current: Terms, when: tuple[int, int], at: Millis, by: str) -> tuple[Closing, bool]:
    """Close a month, inside a transaction; gives its closing and whether it is new.

    A month is closed once. Where no terms were recorded yet, ``current`` come into force. Raises InputError for a month
    that runs still, or whose last results may be on their way.
    """
    month = month_text(*when)
    if (known := closing_of(db, month)) is not None:
        return known, False
    found = terms_in_force(db, at)
    if found is None:
        record_terms(db, current, at)
        found = terms_in_force(db, at)
    assert found is not None
    entry, terms = found
    measured = at - terms.hold
    books = LedgerView(db, at, terms, measured)
    window = month_window(books.versions, *when)
    if at < window.end:
        raise InputError(f"{month} is not over: only a month that is over can be closed")
    if measured < window.end:
        raise InputError(f"{month} is over, and its last results may be on their way still: try again in two intervals")
    body = {
        "month": month,
        "start": window.start,
        "end": window.end,
        "measured_until": measured,
        "terms": entry,
        "recorded_by": by,
        "subscriptions": {each.subscription.id: account_fields(each) for each in books.month(*when).subscriptions},
    }
    journal.append(db, at, CLOSED, body)
    made = closing_of(db, month)
    assert made is not None
    return made, True


def close_with_recorded_terms(db: Database, when: tuple[int, int], at: Millis, by: str) -> tuple[Closing, bool]:
    """Close a month with the terms that were recorded; ``months_due`` gives those for which there are any."""
    found = terms_in_force(db, at)
    assert found is not None
    return close(db, found[1], when, at, by)


def months_due(db: Database, at: Millis) -> list[tuple[int, int]]:
    """Return the months that are over and not closed: those in which the books were open.

    The last one too where the books were opened after it and it has results, for they were imported. Earlier ones are
    closed when somebody asks for it.
    """
    found, first = terms_in_force(db, at), journal.first(db)
    if found is None or first is None:
        return []
    zone, hold = found[1].timezone, found[1].hold
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
    """Compute a closed month again as of its closing; gives the first figure that differs, None where none does.

    Where the clock ran backwards later facts bear earlier times, so that the moment cannot be told from them: then
    nothing is said.
    """
    closing = closing_of(db, month)
    if closing is None:
        return "which was closed, cannot be found"
    if journal.any_backdated(db, _ACCOUNT_EVENTS, closing.entry, closing.at):
        return None
    found = terms_in_force(db, closing.at)
    if found is None or found[0] != closing.terms_entry:
        return f"journal entry {closing.entry}: the terms in force were not those of entry {closing.terms_entry}"
    books = LedgerView(db, closing.at, found[1], closing.measured_until)
    accounts = books.month(*parse_month(closing.month))
    again = {each.subscription.id: account_fields(each) for each in accounts.subscriptions}
    for name in sorted(again.keys() | closing.subscriptions.keys()):
        frozen, computed = closing.subscriptions.get(name, {}), again.get(name, {})
        for field in sorted(frozen.keys() | computed.keys()):
            if frozen.get(field) != computed.get(field):
                was = f"{field} was closed as {frozen.get(field)}"
                return f"journal entry {closing.entry}: {name}: {was}, the records give {computed.get(field)}"
    return None
