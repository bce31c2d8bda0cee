"""Corrections: what a later fact changes in a month that was closed is written down beside it, in one transaction.

The closing stays as it is; each correction says which figure was what before, what it is after, when, by whom and why.
The figures of a closed month and all its corrections, one after the other, are the figures of today.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from monitor.ledger.accounts.accounts import LedgerView, account_fields
from monitor.ledger.months.closing import CLOSED, closing_of, last_finished_month
from monitor.ledger.terms import record_terms, terms_in_force
from monitor.model import Span
from monitor.sla.calendar import month_after, month_of, month_text, parse_month
from monitor.sla.terms import index_at
from monitor.store import journal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sqlite_utils import Database

    from monitor.ledger.months.closing import Closing
    from monitor.model import Millis
    from monitor.sla.terms import Terms

DAY_MS = 86_400_000
CORRECTED = "month-corrected"
LATER_RESULTS = "results that were measured after the closing"
DAEMON = "monitor run"
"""Who records what nobody asked for."""


@dataclass(frozen=True, slots=True)
class CorrectionScope:
    """What a fact may change: a stretch of time, and the servers, or the subscriptions, that it concerns."""

    span: Span
    servers: Collection[str] = ()
    subscriptions: Collection[str] = ()
    everything: bool = False
    """Every server and subscription that was ever known."""


@dataclass(frozen=True, slots=True)
class Correction:
    """One correction of a closed month."""

    month: str
    entry: int
    at: Millis
    reason: str
    recorded_by: str
    changes: dict[str, dict[str, tuple[Any, Any]]]
    """By subscription and figure: what it was before, and what it is after; None where there was no such figure."""


def corrections_of(db: Database, month: str, at: Millis | None = None) -> list[Correction]:
    """Return the corrections of a month that were recorded until a moment."""
    return [
        Correction(
            month=month,
            entry=entry.number,
            at=entry.at,
            reason=entry.body["why"],
            recorded_by=entry.body["recorded_by"],
            changes={
                name: {field: (before, after) for field, (before, after) in changed.items()}
                for name, changed in entry.body["changes"].items()
            },
        )
        for entry in journal.entries_of_month(db, "month-corrected", month)
        if at is None or entry.at <= at
    ]


def corrected_figures(db: Database, closing: Closing) -> dict[str, dict[str, Any]]:
    """Return the figures of a closed month with all its corrections."""
    found = {name: dict(frozen) for name, frozen in closing.subscriptions.items()}
    for correction in corrections_of(db, closing.month):
        for name, changed in correction.changes.items():
            found.setdefault(name, {}).update((field, after) for field, (_, after) in changed.items())
    return found


def find_correction_mismatch(db: Database, month: str) -> str | None:
    """Say which correction of a closed month does not begin with what stood there before; None where all do."""
    closing = closing_of(db, month)
    found = closing.subscriptions if closing is not None else {}
    for correction in corrections_of(db, month):
        for name, changed in correction.changes.items():
            known = found.setdefault(name, {})
            for field, (before, after) in changed.items():
                if known.get(field) != before:
                    place = f"journal entry {correction.entry}: {name}: {field}"
                    return f"{place} is corrected from {before}, where {known.get(field)} stood"
                known[field] = after
    return None


def differences(db: Database, at: Millis, scope: CorrectionScope) -> dict[str, dict[str, dict[str, list[Any]]]]:
    """Say what the books say otherwise today than the closed months in a scope and their corrections.

    By month, subscription and figure: what was written down, and what it is.
    """
    closings = list(_closings_in(db, at, scope.span))
    found = terms_in_force(db, at)
    if not closings or found is None:
        return {}
    books = LedgerView(db, at, found[1])
    names = _subscriptions_in(books, scope)
    months = {}
    for closing in closings:
        known, month = corrected_figures(db, closing), parse_month(closing.month)
        changes = {}
        for name in names:
            accounts = books.month(*month, name)
            today = account_fields(accounts.subscriptions[0]) if accounts.subscriptions else {}
            if changed := _changed_fields(known.get(name, {}), today):
                changes[name] = changed
        if changes:
            months[closing.month] = changes
    return months


def record_corrections(db: Database, at: Millis, scope: CorrectionScope, reason: str, by: str) -> list[int]:
    """Write down what changed in the closed months of a scope; gives the entries. Inside the fact's transaction."""
    return [
        journal.append(db, at, CORRECTED, {"month": month, "why": reason, "recorded_by": by, "changes": changes})
        for month, changes in differences(db, at, scope).items()
    ]


def last_month_differs(db: Database, at: Millis) -> bool:
    """Whether results that came later changed the month that was closed last."""
    scope = _last_month_scope(db, at)
    return scope is not None and bool(differences(db, at, scope))


def correct_last_month(db: Database, at: Millis) -> None:
    """Write down what results that came later changed in the month that was closed last."""
    scope = _last_month_scope(db, at)
    if scope is not None:
        record_corrections(db, at, scope, LATER_RESULTS, DAEMON)


def _last_month_scope(db: Database, at: Millis) -> CorrectionScope | None:
    found = terms_in_force(db, at)
    if found is None:
        return None
    closing = closing_of(db, month_text(*last_finished_month(found[1].timezone, at)))
    return None if closing is None else CorrectionScope(closing.window, everything=True)


def apply_terms(db: Database, terms: Terms, at: Millis, by: str) -> bool:
    """Put terms into force; a subscription that they have first reaches back, also into months that were closed."""
    own = record_terms(db, terms, at)
    if own is None:
        return False
    new = terms.subscriptions.keys() - journal.keys_of(db, "terms", "subscriptions", own)
    if new:
        record_corrections(db, at, CorrectionScope(Span(0, at), subscriptions=new), f"terms of journal entry {own}", by)
    return True


def _closings_in(db: Database, at: Millis, span: Span) -> Iterator[Closing]:
    """Return the closed months that a span touches."""
    found, oldest = terms_in_force(db, at), journal.oldest_month(db, CLOSED)
    if found is None or oldest is None:
        return
    zone = found[1].timezone
    # the zone may have been another one then: a day more at each end
    month = max(month_of(max(span.start - DAY_MS, 0), zone), parse_month(oldest))
    last = month_of(min(span.end + DAY_MS, at), zone)
    while month <= last:
        closing = closing_of(db, month_text(*month))
        if closing is not None and closing.window.start < span.end and span.start < closing.window.end:
            yield closing
        month = month_after(*month)


def _subscriptions_in(ledger: LedgerView, scope: CorrectionScope) -> list[str]:
    found = set(scope.subscriptions)
    if scope.everything:  # terms before those in force at its start say nothing of it
        since = index_at(ledger.versions, scope.span.start)
        return sorted(found.union(*(ledger.versions[at].subscriptions for at in range(since, len(ledger.versions)))))
    for terms in ledger.versions:
        found |= {one.id for one in terms.subscriptions.values() if one.server in scope.servers}
    return sorted(found)


def _changed_fields(before: dict[str, Any], after: dict[str, Any]) -> dict[str, list[Any]]:
    return {
        field: [before.get(field), after.get(field)]
        for field in sorted(before.keys() | after.keys())
        if before.get(field) != after.get(field)
    }
