"""Packs the rows of past hours: one moment moves over an hour once all its rows are packed.

Each function is a short piece of work, after which the process may end: incomplete work is ignored, and done again.
"""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from monitor.store.archive import hours
from monitor.store.archive.codec import HOUR_MS, pack
from monitor.store.archive.hours import HOUR_KEY_FACTOR, PackedHour

if TYPE_CHECKING:
    from sqlite_utils import Database

    from monitor.model import Millis

GRACE_PERIOD_MS = 300_000
"""Milliseconds after the end of an hour before it is packed: late results may arrive, and sweeps may be running."""


def next_hour_due(db: Database, before: Millis) -> Millis | None:
    """Return the start of the next hour to pack; None if it ends after ``before``, or there is none.

    An hour waits while a sweep with results in it is running.
    """
    row = db.execute("SELECT at FROM fresh ORDER BY at LIMIT 1").fetchone()
    if row is None:
        return None
    start: Millis = row[0] // HOUR_MS * HOUR_MS
    if start + HOUR_MS > before or start < 0:
        return None
    for (batch,) in db.execute("SELECT id FROM batch WHERE entry IS NULL").fetchall():
        found = "SELECT 1 FROM result WHERE at >= ? AND at < ? AND batch = ? LIMIT 1"
        if db.execute(found, [start, start + HOUR_MS, batch]).fetchone():
            return None
    return start


def pack_rows(db: Database, hour_start: Millis, first: int, last: int) -> list[PackedHour]:
    """Return the packed hour of each check numbered from ``first`` to ``last``; write nothing."""
    rows = db.execute(
        "SELECT r.probed, r.at, r.outcome, r.attempts, r.latency, coalesce(t.text, ''), r.batch FROM fresh r"
        " LEFT JOIN reason t ON t.id = r.reason WHERE r.at >= ? AND r.at < ? AND r.probed BETWEEN ? AND ?"
        " ORDER BY r.probed, r.at",
        [hour_start, hour_start + HOUR_MS, first, last],
    )
    return [
        PackedHour(check_id, hour_start, pack(hour_start, [row[1:] for row in group]))
        for check_id, group in groupby(rows, itemgetter(0))
    ]


def check_ranges(db: Database, hour_start: Millis, max_rows: int) -> list[tuple[int, int]]:
    """Split the check numbers into ranges that each have about ``max_rows`` rows of an hour."""
    last: int = db.execute("SELECT coalesce(max(id), 0) FROM probed").fetchone()[0]
    rows: int = db.execute(
        "SELECT count(*) FROM fresh WHERE at >= ? AND at < ?", [hour_start, hour_start + HOUR_MS]
    ).fetchone()[0]
    size = max(1, last * max_rows // max(rows, 1))
    return [(first, min(first + size - 1, last)) for first in range(1, last + 1, size)]


def discard_unfinished(db: Database) -> None:
    """Delete the packed data of hours that were not completed."""
    db.execute("DELETE FROM packed WHERE id >= (SELECT until / 3600000 * 268435456 FROM packing)")


def commit_hour(db: Database, hour_start: Millis) -> bool:
    """Replace the rows of an hour by its packed form; do nothing and return False if it lacks some of them."""
    key = hour_start // HOUR_MS * HOUR_KEY_FACTOR
    packed = db.execute(
        "SELECT coalesce(sum(count), 0) FROM packed WHERE id >= ? AND id < ?", [key, key + HOUR_KEY_FACTOR]
    )
    rows = db.execute("SELECT count(*) FROM fresh WHERE at < ?", [hour_start + HOUR_MS])
    if packed.fetchone() != rows.fetchone():
        return False
    db.execute("UPDATE packing SET until = ? WHERE until <= ?", [hour_start + HOUR_MS, hour_start])
    return True


def delete_packed_rows(db: Database, max_rows: int) -> bool:
    """Delete at most about ``max_rows`` packed rows; return whether any are left."""
    end = hours.packed_until(db)
    row = db.execute("SELECT at FROM result WHERE at < ? ORDER BY at LIMIT 1 OFFSET ?", [end, max_rows]).fetchone()
    db.execute("DELETE FROM result WHERE at < ?", [row[0] if row else end])
    return row is not None


def advance_boundary(db: Database, before: Millis) -> None:
    """Move the packing boundary towards a moment, as far as no rows are before it: results there are packed at once."""
    row = db.execute("SELECT at FROM fresh ORDER BY at LIMIT 1").fetchone()
    to = (before if row is None else min(before, row[0])) // HOUR_MS * HOUR_MS
    if to > hours.packed_until(db):
        discard_unfinished(db)
        db.execute("DELETE FROM result WHERE at < (SELECT until FROM packing)")
        db.execute("UPDATE packing SET until = ?", [to])
