"""Where a single result comes from: which batch brought it, and which entry of the journal vouches for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from monitor.model import CheckKey, Outcome, Result

if TYPE_CHECKING:
    from sqlite_utils import Database

    from monitor.model import Millis


class Evidence(NamedTuple):
    """One result with its origin."""

    result: Result
    source: str
    """``probe`` or ``import``."""
    batch: int
    opened: Millis
    """When its batch began: for an import, when it was recorded."""
    entry: int | None
    """The journal's entry with its digest; None while its sweep is not over."""


def of_result(db: Database, key: CheckKey, at: Millis) -> Evidence | None:
    """Give the result of a check at exactly one moment."""
    row = db.execute(
        "SELECT r.outcome, r.attempts, r.latency, coalesce(t.text, ''), b.source, b.id, b.opened, b.entry"
        " FROM result r JOIN batch b ON b.id = r.batch LEFT JOIN reason t ON t.id = r.reason"
        " WHERE r.at = ? AND r.probed = (SELECT id FROM probed WHERE server = ? AND name = ?)",
        [at, *key],
    ).fetchone()
    if row is None:
        return None
    outcome, attempts, latency, reason, source, batch, opened, entry = row
    return Evidence(Result(key, at, Outcome(outcome), attempts, latency, reason), source, batch, opened, entry)


def next_at(db: Database, key: CheckKey, after: Millis, until: Millis) -> Millis | None:
    """Find the first result of a check later than ``after`` and earlier than ``until``."""
    row = db.execute(
        "SELECT at FROM result WHERE at > ? AND at < ?"
        " AND probed = (SELECT id FROM probed WHERE server = ? AND name = ?) ORDER BY at LIMIT 1",
        [after, until, *key],
    ).fetchone()
    return row[0] if row else None
