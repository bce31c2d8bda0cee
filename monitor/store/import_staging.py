"""Temporary tables that hold an import until all its rows are validated: on disk, so it may have any length."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from monitor.model import CheckKey, Outcome, Result, Span
from monitor.store.archive import hours
from monitor.store.archive.codec import HOUR_MS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlite_utils import Database

    from monitor.model import Millis


class StagedRow(NamedTuple):
    """One line of an import."""

    line_number: int
    server: str
    name: str
    at: Millis
    outcome: int
    latency: int | None
    """Microseconds."""
    attempts: int = 1
    reason: str | None = None
    """None if the file has no reason."""


class RowConflict(NamedTuple):
    """A line that contradicts another line or a recorded result of the same moment."""

    line_number: int
    row_outcome: Outcome
    other_line: int | None
    """The number of the other line; None for a recorded result."""
    other_outcome: Outcome
    """The outcome of the other line or of the recorded result."""


def create_tables(db: Database) -> None:
    """Create the tables; drop those of an earlier import of this connection."""
    db.execute("PRAGMA temp_store = FILE")
    db.execute("DROP TABLE IF EXISTS temp.staged")
    db.execute(
        "CREATE TEMP TABLE staged (line INTEGER PRIMARY KEY, server TEXT NOT NULL, name TEXT NOT NULL,"
        " at INTEGER NOT NULL, outcome INTEGER NOT NULL, latency INTEGER, attempts INTEGER NOT NULL, reason TEXT)"
    )
    db.execute("DROP TABLE IF EXISTS temp.known")
    db.execute(
        "CREATE TEMP TABLE known (at INTEGER NOT NULL, probed INTEGER NOT NULL, outcome INTEGER NOT NULL,"
        " PRIMARY KEY (at, probed)) WITHOUT ROWID"
    )


def stage_rows(db: Database, rows: Iterable[StagedRow]) -> None:
    """Insert lines."""
    db.conn.executemany("INSERT INTO staged VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)


def find_conflicts(db: Database, limit: int) -> tuple[list[RowConflict], int]:
    """Return the first lines that contradict an earlier line or a recorded result, and the number of all of them."""
    db.execute("CREATE INDEX temp.staged_moment ON staged (server, name, at)")
    _load_known(db)
    # if a line contradicts both, the other line is named: min() ignores null
    found = """SELECT line, said, min(other), outcome FROM (
        SELECT s.line, s.outcome AS said, f.line AS other, f.outcome FROM (
            SELECT server, name, at, min(line) AS line FROM staged
            GROUP BY server, name, at HAVING min(outcome) < max(outcome)
        ) g JOIN staged f ON f.line = g.line
            JOIN staged s ON s.server = g.server AND s.name = g.name AND s.at = g.at AND s.outcome <> f.outcome
        UNION ALL
        SELECT s.line, s.outcome, NULL, r.outcome FROM staged s JOIN probed p ON p.server = s.server AND p.name = s.name
            JOIN known r ON r.at = s.at AND r.probed = p.id WHERE r.outcome <> s.outcome
    ) GROUP BY line"""
    count: int = db.execute(f"SELECT count(*) FROM ({found})").fetchone()[0]
    rows = db.execute(f"{found} ORDER BY 1 LIMIT ?", [limit]) if count else ()
    return [RowConflict(line, Outcome(own), other, Outcome(outcome)) for line, own, other, outcome in rows], count


def drop_rows(db: Database, line_numbers: Iterable[int]) -> None:
    """Delete staged lines."""
    db.conn.executemany("DELETE FROM staged WHERE line = ?", ((number,) for number in line_numbers))


def _load_known(db: Database) -> None:
    """Load the recorded results of the lines' moments, and others of the same hours."""
    db.execute(
        "INSERT OR IGNORE INTO known SELECT r.at, r.probed, r.outcome FROM staged s"
        " JOIN probed p ON p.server = s.server AND p.name = s.name JOIN fresh r ON r.at = s.at AND r.probed = p.id"
    )
    packed = db.execute(
        "SELECT DISTINCT p.id, s.at / ? AS hour FROM staged s JOIN probed p ON p.server = s.server AND p.name = s.name"
        " WHERE s.at < (SELECT until FROM packing) ORDER BY hour, p.id",
        [HOUR_MS],
    )
    for check_id, hour in packed:
        found = hours.rows_of_check(db, check_id, hour * HOUR_MS, (hour + 1) * HOUR_MS)
        db.conn.executemany("INSERT OR IGNORE INTO known VALUES (?, ?, ?)", ((at, check_id, o) for at, o, *_ in found))


def new_checks(db: Database) -> list[tuple[CheckKey, Millis]]:
    """Return the checks with new results, each with the time of its first one."""
    rows = db.execute(f"SELECT server, name, min(at) FROM ({_NEW_ROWS}) GROUP BY server, name ORDER BY server, name")
    return [(CheckKey(server, name), first) for server, name, first in rows]


def time_spans(db: Database) -> dict[str, Span]:
    """Return the first and the last time of the lines of each server, new or not."""
    rows = db.execute("SELECT server, min(at), max(at) FROM staged GROUP BY server ORDER BY server")
    return {server: Span(first, last) for server, first, last in rows}


_NEW_ROWS = """
    SELECT s.server, s.name, s.at, s.outcome, max(s.latency) AS latency,
        max(s.attempts) AS attempts, min(s.reason) AS reason FROM staged s
    WHERE NOT EXISTS (
        SELECT 1 FROM probed p JOIN known r ON r.probed = p.id AND r.at = s.at
        WHERE p.server = s.server AND p.name = s.name
    ) GROUP BY s.server, s.name, s.at
"""


def new_results(db: Database, reason: str) -> Iterator[Result]:
    """Stream the results that are not recorded yet, in time order, each moment of a check once.

    ``reason`` is the reason of results that are not ok and have none in the file.
    """
    rows = db.execute(
        f"SELECT server, name, at, outcome, latency, attempts, coalesce(reason, ?) FROM ({_NEW_ROWS})"
        " ORDER BY at, server, name",
        [reason],
    )
    for server, name, at, outcome, latency, attempts, why in rows:
        ok = outcome == Outcome.OK
        yield Result(CheckKey(server, name), at, Outcome(outcome), attempts, latency if ok else None, "" if ok else why)
