"""The origin of a single result: its batch, and the journal entry with its digest."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from monitor.model import CheckKey, Outcome, Result
from monitor.store import results
from monitor.store.archive import hours

if TYPE_CHECKING:
    from sqlite_utils import Database

    from monitor.model import Millis


class ResultOrigin(NamedTuple):
    """One result with its origin."""

    result: Result
    source: str
    """``probe`` or ``import``."""
    batch: int
    batch_opened_at: Millis
    """When its batch was opened; for an import, when it was recorded."""
    entry: int | None
    """The journal entry with its digest; None while its sweep is running."""


def origin_of(db: Database, key: CheckKey, at: Millis) -> ResultOrigin | None:
    """Return the result of a check at exactly one moment, with its origin."""
    found = next(results.rows_of_check(db, key, at, at + 1), None)
    if found is None:
        return None
    _, outcome, attempts, latency, reason, batch = found
    row = db.execute("SELECT source, opened, entry FROM batch WHERE id = ?", [batch]).fetchone()
    if row is None:
        return None
    source, opened, entry = row
    return ResultOrigin(Result(key, at, Outcome(outcome), attempts, latency, reason), source, batch, opened, entry)


def next_result_at(db: Database, key: CheckKey, after: Millis, until: Millis) -> Millis | None:
    """Return the time of the first result of a check later than ``after`` and earlier than ``until``."""
    return next((row[0] for row in results.rows_of_check(db, key, after + 1, until)), None)


def has_results(db: Database, start: Millis, end: Millis) -> bool:
    """Return whether any check has a result in ``[start, end)``."""
    if db.execute("SELECT 1 FROM fresh WHERE at >= ? AND at < ? LIMIT 1", [start, end]).fetchone():
        return True
    return any(start <= at < end for hour in hours.hours_between(db, start, end) for at in hour.times())


def surrounding_oks(db: Database, server: str, first: Millis, last: Millis) -> tuple[Millis, Millis | None]:
    """Return the interval that results of a server from ``first`` to ``last`` may change.

    It begins at the last ok before (0 if a check has none) and ends at the first ok after (None if a check has none),
    whichever of the checks reaches further.
    """
    numbers = [row[0] for row in db.execute("SELECT id FROM probed WHERE server = ?", [server])]
    before = "SELECT min(last, ?) FROM run WHERE probed = ? AND outcome = 0 AND first <= ? ORDER BY first DESC LIMIT 1"
    after = "SELECT max(first, ?) FROM run WHERE probed = ? AND outcome = 0 AND last > ? ORDER BY first LIMIT 1"
    begins = [db.execute(before, [first, number, first]).fetchone() for number in numbers]
    ends = [db.execute(after, [last, number, last]).fetchone() for number in numbers]
    begin = min((row[0] if row else 0 for row in begins), default=0)
    return begin, max(row[0] for row in ends) if ends and all(ends) else None


def last_batch_id(db: Database) -> int:
    """Return the number of the newest batch; 0 if there is none."""
    number: int | None = db.execute("SELECT max(id) FROM batch").fetchone()[0]
    return number or 0
