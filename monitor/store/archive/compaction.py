"""Rows of an hour that is over become packed hours: one moment moves over them, once all of them are ready.

Each function is a short piece of work, and may be the last: what is half done is not seen, and is done again.
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
"""Milliseconds after its end in which an hour is not packed: results may be under way, and sweeps not over."""


def next_hour_due(db: Database, before: Millis) -> Millis | None:
    """Return the beginning of the next hour to pack; None where it ends after ``before``, or there is none.

    An hour waits while a sweep that has results in it is not over.
    """
    row = db.execute("SELECT at FROM fresh ORDER BY at LIMIT 1").fetchone()
    if row is None:
        return None
    began: Millis = row[0] // HOUR_MS * HOUR_MS
    if began + HOUR_MS > before or began < 0:
        return None
    for (batch,) in db.execute("SELECT id FROM batch WHERE entry IS NULL").fetchall():
        found = "SELECT 1 FROM result WHERE at >= ? AND at < ? AND batch = ? LIMIT 1"
        if db.execute(found, [began, began + HOUR_MS, batch]).fetchone():
            return None
    return began


def pack_rows(db: Database, hour_start: Millis, first: int, last: int) -> list[PackedHour]:
    """Pack the rows of an hour of the checks that are numbered from ``first`` to ``last``; nothing is written."""
    rows = db.execute(
        "SELECT r.probed, r.at, r.outcome, r.attempts, r.latency, coalesce(t.text, ''), r.batch FROM fresh r"
        " LEFT JOIN reason t ON t.id = r.reason WHERE r.at >= ? AND r.at < ? AND r.probed BETWEEN ? AND ?"
        " ORDER BY r.probed, r.at",
        [hour_start, hour_start + HOUR_MS, first, last],
    )
    return [
        PackedHour(probed, hour_start, pack(hour_start, [row[1:] for row in group]))
        for probed, group in groupby(rows, itemgetter(0))
    ]


def check_ranges(db: Database, hour_start: Millis, max_rows: int) -> list[tuple[int, int]]:
    """Cut the numbers of all checks into ranges that have about so many rows of an hour each."""
    last: int = db.execute("SELECT coalesce(max(id), 0) FROM probed").fetchone()[0]
    rows: int = db.execute(
        "SELECT count(*) FROM fresh WHERE at >= ? AND at < ?", [hour_start, hour_start + HOUR_MS]
    ).fetchone()[0]
    size = max(1, last * max_rows // max(rows, 1))
    return [(first, min(first + size - 1, last)) for first in range(1, last + 1, size)]


def discard_unfinished(db: Database) -> None:
    """Throw away what was packed of hours that were never finished."""
    db.execute("DELETE FROM packed WHERE id >= (SELECT until / 3600000 * 268435456 FROM packing)")


def commit_hour(db: Database, hour_start: Millis) -> bool:
    """Let a packed hour take the place of its rows; False, and nothing is done, where it lacks some of them."""
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
    """Delete rows that are packed, so many at most; gives whether any are left."""
    end = hours.packed_until(db)
    row = db.execute("SELECT at FROM result WHERE at < ? ORDER BY at LIMIT 1 OFFSET ?", [end, max_rows]).fetchone()
    db.execute("DELETE FROM result WHERE at < ?", [row[0] if row else end])
    return row is not None


def advance_boundary(db: Database, before: Millis) -> None:
    """Let everything before a moment be packed as it comes, as far as no rows stand there."""
    row = db.execute("SELECT at FROM fresh ORDER BY at LIMIT 1").fetchone()
    to = (before if row is None else min(before, row[0])) // HOUR_MS * HOUR_MS
    if to > hours.packed_until(db):
        discard_unfinished(db)
        db.execute("DELETE FROM result WHERE at < (SELECT until FROM packing)")
        db.execute("UPDATE packing SET until = ?", [to])
