"""Corrections: the changes that a later fact causes in a closed month, recorded in the transaction of the fact.

The closing never changes. Each correction states the old and new value of each figure, when, by whom and why. The
figures of a closed month with all its corrections applied are the present figures (docs/contract.md#closing).
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
"""The ``recorded_by`` of facts that the daemon records by itself."""


@dataclass(frozen=True, slots=True)
class CorrectionScope:
    """The range that a fact may change: a time span, and the servers or subscriptions that it concerns."""

    span: Span
    servers: Collection[str] = ()
    subscriptions: Collection[str] = ()
    everything: bool = False
    """All servers and subscriptions."""


@dataclass(frozen=True, slots=True)
class Correction:
    """One correction of a closed month."""

    month: str
    entry: int
    at: Millis
    reason: str
    recorded_by: str
    changes: dict[str, dict[str, tuple[Any, Any]]]
    """The old and new value by subscription and figure; None if the figure did not exist."""


def corrections_of(db: Database, month: str, at: Millis | None = None) -> list[Correction]:
    """Return the corrections of a month that were recorded by ``at``."""
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
    """Return the figures of a closed month after all its corrections."""
    figures = {name: dict(frozen) for name, frozen in closing.subscriptions.items()}
    for correction in corrections_of(db, closing.month):
        for name, changed in correction.changes.items():
            figures.setdefault(name, {}).update((field, after) for field, (_, after) in changed.items())
    return figures


def find_correction_mismatch(db: Database, month: str) -> str | None:
    """Return the first correction of a closed month whose old value is not the figure before it; None if all match."""
    closing = closing_of(db, month)
    figures = closing.subscriptions if closing is not None else {}
    for correction in corrections_of(db, month):
        for name, changed in correction.changes.items():
            own_figures = figures.setdefault(name, {})
            for field, (before, after) in changed.items():
                if own_figures.get(field) != before:
                    label = f"journal entry {correction.entry}: {name}: {field}"
                    return f"{label} is corrected from {before}, but the figure was {own_figures.get(field)}"
                own_figures[field] = after
    return None


def differences(db: Database, at: Millis, scope: CorrectionScope) -> dict[str, dict[str, dict[str, list[Any]]]]:
    """Compare the closed months in a scope, with their corrections, to the present figures.

    Return what differs by month, subscription and figure: the recorded and the present value.
    """
    closings = list(_closings_in(db, at, scope.span))
    in_force = terms_in_force(db, at)
    if not closings or in_force is None:
        return {}
    ledger = LedgerView(db, at, in_force[1])
    names = _subscriptions_in(ledger, scope)
    months = {}
    for closing in closings:
        recorded, month = corrected_figures(db, closing), parse_month(closing.month)
        changes = {}
        for name in names:
            accounts = ledger.month(*month, name)
            present = account_fields(accounts.subscriptions[0]) if accounts.subscriptions else {}
            if changed_fields := _changed_fields(recorded.get(name, {}), present):
                changes[name] = changed_fields
        if changes:
            months[closing.month] = changes
    return months


def record_corrections(db: Database, at: Millis, scope: CorrectionScope, reason: str, by: str) -> list[int]:
    """Record the changes in the closed months of a scope, in the fact's transaction; return the entries."""
    return [
        journal.append(db, at, CORRECTED, {"month": month, "why": reason, "recorded_by": by, "changes": changes})
        for month, changes in differences(db, at, scope).items()
    ]


def last_month_differs(db: Database, at: Millis) -> bool:
    """Return whether results recorded later change the month that was closed last."""
    scope = _last_month_scope(db, at)
    return scope is not None and bool(differences(db, at, scope))


def correct_last_month(db: Database, at: Millis) -> None:
    """Record the changes that later results cause in the month that was closed last."""
    scope = _last_month_scope(db, at)
    if scope is not None:
        record_corrections(db, at, scope, LATER_RESULTS, DAEMON)


def _last_month_scope(db: Database, at: Millis) -> CorrectionScope | None:
    in_force = terms_in_force(db, at)
    if in_force is None:
        return None
    closing = closing_of(db, month_text(*last_finished_month(in_force[1].timezone, at)))
    return None if closing is None else CorrectionScope(closing.window, everything=True)


def apply_terms(db: Database, terms: Terms, at: Millis, by: str) -> bool:
    """Record new terms; a new subscription may start in the past, also in months that are closed."""
    entry = record_terms(db, terms, at)
    if entry is None:
        return False
    new = terms.subscriptions.keys() - journal.keys_of(db, "terms", "subscriptions", entry)
    if new:
        record_corrections(
            db, at, CorrectionScope(Span(0, at), subscriptions=new), f"terms of journal entry {entry}", by
        )
    return True


def _closings_in(db: Database, at: Millis, span: Span) -> Iterator[Closing]:
    """Return the closings of the months that a span touches."""
    in_force, oldest = terms_in_force(db, at), journal.oldest_month(db, CLOSED)
    if in_force is None or oldest is None:
        return
    zone = in_force[1].timezone
    # the zone may have been another one: extend the span by a day at each end
    month = max(month_of(max(span.start - DAY_MS, 0), zone), parse_month(oldest))
    last = month_of(min(span.end + DAY_MS, at), zone)
    while month <= last:
        closing = closing_of(db, month_text(*month))
        if closing is not None and closing.window.start < span.end and span.start < closing.window.end:
            yield closing
        month = month_after(*month)


def _subscriptions_in(ledger: LedgerView, scope: CorrectionScope) -> list[str]:
    names = set(scope.subscriptions)
    if scope.everything:  # earlier versions of the terms do not affect the scope
        since = index_at(ledger.versions, scope.span.start)
        return sorted(names.union(*(ledger.versions[at].subscriptions for at in range(since, len(ledger.versions)))))
    for terms in ledger.versions:
        names |= {
            subscription.id for subscription in terms.subscriptions.values() if subscription.server in scope.servers
        }
    return sorted(names)


def _changed_fields(before: dict[str, Any], after: dict[str, Any]) -> dict[str, list[Any]]:
    return {
        field: [before.get(field), after.get(field)]
        for field in sorted(before.keys() | after.keys())
        if before.get(field) != after.get(field)
    }
