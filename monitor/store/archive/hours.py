"""Packed hours in the database: one row for each check and hour, and how far packing has come.

Everything before the moment ``packing.until`` is packed, everything from it on is a row of ``result``. What stands on
the wrong side of it is not there yet (hours that are being packed) or not there any more (rows that are being cleared
away): the views ``fresh`` and ``settled`` leave it out, and every question is put to them.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from itertools import groupby, pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from monitor.store.archive.codec import HOUR, Kind, Packed, batches, pack, times, unpack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlite_utils import Database

    from monitor.model import CheckKey, Millis
    from monitor.store.archive.codec import Moment

CHECKS = 1 << 28
"""An hour's number times this, plus a check's number, is the key of a packed hour."""
LAST = (1 << 62) // CHECKS
"""No hour is later."""
AT_ONCE = 200_000
"""Results that are unpacked at once where those of all checks are wanted in time order."""
_KIND = 3
"""Bytes of a kind's number."""

Row: TypeAlias = tuple[int, str, str, int, int, int | None, str, int]
"""One result: time, server, check, outcome, attempts, latency, reason, batch."""

_COLUMNS = "id, count, start, step, late, floor, latency, kinds, codes, batch, stride, batches"


class Hour(NamedTuple):
    """One check's results of one hour."""

    probed: int
    began: Millis
    packed: Packed

    def moments(self) -> Iterator[Moment]:
        """Give its results in time order."""
        return unpack(self.began, self.packed)

    def times(self) -> list[Millis]:
        """Give their times."""
        return list(times(self.began, self.packed))

    def batches(self) -> Iterator[int]:
        """Give their batches."""
        return batches(self.packed)


def key_of(at: Millis, probed: int) -> int:
    """Give the key of the packed hour in which a result of a check lies."""
    return max(0, min(at // HOUR, LAST)) * CHECKS + probed


def until(db: Database) -> Millis:
    """Give the moment before which everything is packed."""
    at: Millis = db.execute("SELECT until FROM packing").fetchone()[0]
    return at


def known_kinds(db: Database) -> dict[int, Kind]:
    """Give the kinds of results that were ever packed, by number."""
    rows = db.execute(
        "SELECT k.id, k.outcome, k.attempts, coalesce(t.text, ''), k.measured FROM kind k"
        " LEFT JOIN reason t ON t.id = k.reason"
    )
    return {number: Kind(*kind) for number, *kind in rows}


def reason_numbers(db: Database, texts: Iterable[str]) -> dict[str, int | None]:
    """Give the numbers of reasons; one that is new gets one, none at all has none."""
    found: dict[str, int | None] = {"": None}
    for text in texts:
        if text not in found:
            db.execute("INSERT OR IGNORE INTO reason (text) VALUES (?)", [text])
            found[text] = db.execute("SELECT id FROM reason WHERE text = ?", [text]).fetchone()[0]
    return found


# Reading


def hour_of(
    kinds: dict[int, Kind], row: tuple[int, int, int, int, bytes, int, bytes, bytes, bytes, int, int, bytes]
) -> Hour:
    """Read a row of packed results. Raises ValueError where its kinds are not known."""
    number, count, start, step, late, floor, latency, names, codes, batch, stride, brought = row
    hour, probed = divmod(number, CHECKS)
    each = [int.from_bytes(names[at : at + _KIND]) for at in range(0, len(names), _KIND)]
    if not each or len(names) % _KIND or not kinds.keys() >= set(each):
        raise ValueError(f"the packed results of check {probed} in the hour from {hour * HOUR} are of no known kind")
    found = tuple(kinds[kind] for kind in each)
    packed = Packed(count, start, step, late, floor, latency, found, codes, batch, stride, brought)
    return Hour(probed, hour * HOUR, packed)


def of_check(db: Database, probed: int, start: Millis, end: Millis) -> Iterator[Hour]:
    """Stream the packed hours of a check that may have results in ``[start, end)``, in time order."""
    kinds, last = known_kinds(db), key_of(end - 1, probed)
    query = f"SELECT {_COLUMNS} FROM settled WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 1"
    wanted = key_of(start, probed)
    while row := db.execute(query, [wanted, last]).fetchone():
        hour, found = divmod(row[0], CHECKS)
        if found == probed:
            yield hour_of(kinds, row)
        wanted = (hour if found < probed else hour + 1) * CHECKS + probed


def back_from(db: Database, probed: int, start: Millis, at: Millis) -> Iterator[Hour]:
    """Stream the packed hours of a check that may have results in ``[start, at]``, the latest first."""
    kinds, first = known_kinds(db), key_of(start, probed)
    query = f"SELECT {_COLUMNS} FROM settled WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1"
    wanted = key_of(at, probed)
    while row := db.execute(query, [first, wanted]).fetchone():
        hour, found = divmod(row[0], CHECKS)
        if found == probed:
            yield hour_of(kinds, row)
        wanted = (hour if found > probed else hour - 1) * CHECKS + probed


def between(db: Database, start: Millis, end: Millis, batch: int | None = None) -> Iterator[Hour]:
    """Stream all packed hours that may have results in ``[start, end)``, in order of hours; of one batch, if given."""
    kinds = known_kinds(db)
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM settled WHERE id BETWEEN ? AND ? AND (? IS NULL OR stride < 0 OR batch <= ?"
        " AND (length(batches) > 0 OR batch + (count - 1) * stride >= ?)) ORDER BY id",
        [key_of(start, 0), key_of(end - 1, CHECKS - 1), batch, batch, batch],
    )
    return (hour_of(kinds, row) for row in rows)


def moments(db: Database, probed: int, start: Millis, end: Millis) -> Iterator[Moment]:
    """Stream the packed results of a check in ``[start, end)``, in time order."""
    for hour in of_check(db, probed, start, end):
        if start <= hour.began and hour.began + HOUR <= end:
            yield from hour.moments()
        else:
            yield from (moment for moment in hour.moments() if start <= moment[0] < end)


def in_order(db: Database, names: dict[int, CheckKey], start: Millis, end: Millis) -> Iterator[Row]:
    """Stream the packed results of all checks in ``[start, end)``, ordered by time, server and check.

    Raises ValueError, or LookupError, where something is not as this program packs it.
    """
    for began, group in groupby(between(db, start, end), key=lambda hour: hour.began):
        hours = [(names[hour.probed], hour) for hour in group]
        pieces = 1 + sum(hour.packed.size for _, hour in hours) // AT_ONCE
        for piece in range(pieces):
            first = max(start, began + HOUR * piece // pieces) if piece else start
            last = min(end, began + HOUR * (piece + 1) // pieces) if piece + 1 < pieces else end
            yield from sorted(_within(hours, first, last), key=itemgetter(0, 1, 2))


def _within(hours: Sequence[tuple[CheckKey, Hour]], start: Millis, end: Millis) -> Iterator[Row]:
    for (server, name), hour in hours:
        for at, outcome, attempts, latency, reason, batch in hour.moments():
            if start <= at < end:
                yield at, server, name, outcome, attempts, latency, reason, batch


def sound(hour: Hour) -> bool:
    """Whether an hour is, byte for byte, what its results are packed to, and holds no others."""
    try:
        found = list(hour.moments())
        came = [moment[0] for moment in found]
        inside = hour.began <= came[0] and came[-1] < hour.began + HOUR
        return inside and all(map(int.__lt__, came, came[1:])) and pack(hour.began, found) == hour.packed
    except (ValueError, LookupError, OverflowError):
        return False


# Writing


def put(db: Database, hours: Iterable[Hour]) -> None:
    """Write hours down, each in the place of what was there of it."""
    hours = list(hours)
    numbers = _kind_numbers(db, {kind for hour in hours for kind in hour.packed.kinds})
    db.conn.executemany(
        f"INSERT OR REPLACE INTO packed ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                key_of(hour.began, hour.probed),
                *hour.packed[:6],
                b"".join(numbers[kind].to_bytes(_KIND) for kind in hour.packed.kinds),
                *hour.packed[7:],
            )
            for hour in hours
        ),
    )


def _kind_numbers(db: Database, kinds: set[Kind]) -> dict[Kind, int]:
    found = {kind: number for number, kind in known_kinds(db).items()}
    missing = sorted(kinds - found.keys())
    reasons = reason_numbers(db, (kind.reason for kind in missing))
    for kind in missing:
        cursor = db.execute(
            "INSERT INTO kind (outcome, attempts, reason, measured) VALUES (?, ?, ?, ?)",
            [kind.outcome, kind.attempts, reasons[kind.reason], kind.measured],
        )
        found[kind] = int(cursor.lastrowid or 0)
    return found


def merge(db: Database, came: Iterable[tuple[int, Moment]]) -> None:
    """Put results, each with its check's number, into packed hours. Raises IntegrityError for a moment twice."""
    kinds, made = known_kinds(db), []
    for number, group in groupby(sorted(came, key=_by_hour), key=lambda each: key_of(each[1][0], each[0])):
        found = [moment for _, moment in group]
        hour, probed = divmod(number, CHECKS)
        row = db.execute(f"SELECT {_COLUMNS} FROM settled WHERE id = ?", [number]).fetchone()
        if row:
            found = sorted([*hour_of(kinds, row).moments(), *found], key=itemgetter(0))
        if any(one[0] == other[0] for one, other in pairwise(found)):
            raise sqlite3.IntegrityError("UNIQUE constraint failed: a packed hour has a result of that moment already")
        made.append(Hour(probed, hour * HOUR, pack(hour * HOUR, found)))
    put(db, made)


def _by_hour(each: tuple[int, Moment]) -> tuple[int, Millis]:
    probed, moment = each
    return key_of(moment[0], probed), moment[0]


def at_moment(db: Database, probed: int, at: Millis) -> Moment | None:
    """Give the packed result of a check at exactly one moment."""
    for hour in of_check(db, probed, at, at + 1):
        place = bisect_left(hour.times(), at)
        found = list(hour.moments())[place : place + 1]
        return found[0] if found and found[0][0] == at else None
    return None
