"""Results that an operator took back because the clock was ahead: set aside as evidence, and read by no account.

They keep their batches, so that the digests in the journal can still be recomputed from both tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.model import CheckKey, Outcome, Result
from monitor.store.archive import compaction, hours
from monitor.store.archive.codec import HOUR_MS
from monitor.store.results import last_result_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlite_utils import Database

    from monitor.model import Millis
    from monitor.store.archive.codec import ResultRow

_COLUMNS = "at, probed, outcome, attempts, latency, reason, batch"


def set_results_aside(db: Database, after: Millis, entry: int) -> frozenset[int]:
    """Move every result later than ``after`` to the rejected ones of a journal entry; return the numbers of the checks.

    The packed hours from that moment on become rows again, so that packing goes on from there.
    """
    _unpack_from(db, after // HOUR_MS * HOUR_MS)
    db.execute(
        f"INSERT INTO rejected_result (entry, {_COLUMNS}) SELECT ?, {_COLUMNS} FROM result WHERE at > ?", [entry, after]
    )
    db.execute("DELETE FROM result WHERE at > ?", [after])
    return frozenset(
        row[0] for row in db.execute("SELECT DISTINCT probed FROM rejected_result WHERE entry = ?", [entry])
    )


def count_results_after(db: Database, after: Millis) -> int:
    """Count the results later than a moment."""
    rows: int = db.execute("SELECT count(*) FROM fresh WHERE at > ?", [after]).fetchone()[0]
    return rows + sum(at > after for hour in hours.hours_between(db, after, 1 << 62) for at in hour.times())


def _unpack_from(db: Database, hour_start: Millis) -> None:
    compaction.discard_unfinished(db)
    until = hours.packed_until(db)
    if until <= hour_start:
        return
    # rows before the boundary are packed and wait to be cleared away: they must not appear twice
    db.execute("DELETE FROM result WHERE at < ?", [until])
    for hour in hours.hours_between(db, hour_start, until):
        _insert_rows(db, hour.check_id, list(hour.rows()))
    db.execute("DELETE FROM packed WHERE id >= ?", [hours.hour_key(hour_start, 0)])
    db.execute("UPDATE packing SET until = ?", [hour_start])


def _insert_rows(db: Database, check_id: int, rows: list[ResultRow]) -> None:
    reasons = hours.reason_ids(db, (row[4] for row in rows))
    db.conn.executemany(
        f"INSERT INTO result ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (at, check_id, outcome, attempts, latency, reasons[reason], batch)
            for at, outcome, attempts, latency, reason, batch in rows
        ],
    )


def rejected_with_batches(db: Database) -> Iterator[tuple[Result, int]]:
    """Stream every rejected result with its batch, by rejection and then ordered by time, server and check."""
    rows = db.execute(
        "SELECT r.at, p.server, p.name, r.outcome, r.attempts, r.latency, coalesce(t.text, ''), r.batch"
        " FROM rejected_result r JOIN probed p ON p.id = r.probed LEFT JOIN reason t ON t.id = r.reason"
        " ORDER BY r.entry, r.at, p.server, p.name"
    )
    for at, server, name, outcome, attempts, latency, reason, batch in rows:
        yield Result(CheckKey(server, name), at, Outcome(outcome), attempts, latency, reason), batch


def cut_runs(db: Database, after: Millis) -> None:
    """End every run at its newest result that is left; runs that began after that moment are removed."""
    db.execute("DELETE FROM run WHERE first > ?", [after])
    for check_id, first in db.execute("SELECT probed, first FROM run WHERE last > ?", [after]).fetchall():
        newest = last_result_at(db, check_id, first, after)
        db.execute("UPDATE run SET last = ? WHERE probed = ? AND first = ?", [newest, check_id, first])


def remove_outage(db: Database, number: int) -> None:
    """Remove an outage that only rejected results made; mails about it stay."""
    db.execute("DELETE FROM told WHERE outage = ?", [number])
    db.execute("DELETE FROM outage WHERE id = ?", [number])
