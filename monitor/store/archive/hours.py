"""Packed hours in the database: one row for each check and hour, and how far packing has come.

Results before the moment ``packing.until`` are packed, later ones are rows of ``result``. Data on the wrong side of it
is either incomplete (hours that are being packed) or obsolete (rows that are being deleted). The views ``fresh`` and
``settled`` leave it out; all queries use them.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from itertools import groupby, pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from monitor.store.archive.codec import HOUR_MS, PackedColumns, ResultKind, batches, pack, times, unpack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlite_utils import Database

    from monitor.model import CheckKey, Millis
    from monitor.store.archive.codec import ResultRow

HOUR_KEY_FACTOR = 1 << 28
"""An hour's number times this, plus a check's number, is the key of a packed hour."""
LAST_HOUR = (1 << 62) // HOUR_KEY_FACTOR
"""The last possible hour."""
MAX_UNPACKED_RESULTS = 200_000
"""Results that are unpacked at once when the results of all checks are read in time order."""
_KIND_ID_BYTES = 3
"""Bytes of a kind's number."""

CheckResultRow: TypeAlias = tuple[int, str, str, int, int, int | None, str, int]
"""One result: time, server, check, outcome, attempts, latency, reason, batch."""

_COLUMNS = "id, count, start, step, late, floor, latency, kinds, codes, batch, stride, batches"


class PackedHour(NamedTuple):
    """One check's results of one hour."""

    check_id: int
    start: Millis
    columns: PackedColumns

    def rows(self) -> Iterator[ResultRow]:
        """Return its results in time order."""
        return unpack(self.start, self.columns)

    def times(self) -> list[Millis]:
        """Return their times."""
        return list(times(self.start, self.columns))

    def batches(self) -> Iterator[int]:
        """Return their batches."""
        return batches(self.columns)


def hour_key(at: Millis, check_id: int) -> int:
    """Return the key of the packed hour that contains a result of a check at this time."""
    return max(0, min(at // HOUR_MS, LAST_HOUR)) * HOUR_KEY_FACTOR + check_id


def packed_until(db: Database) -> Millis:
    """Return the moment before which all results are packed."""
    at: Millis = db.execute("SELECT until FROM packing").fetchone()[0]
    return at


def result_kinds(db: Database) -> dict[int, ResultKind]:
    """Return all kinds of packed results, by number."""
    rows = db.execute(
        "SELECT k.id, k.outcome, k.attempts, coalesce(t.text, ''), k.measured FROM kind k"
        " LEFT JOIN reason t ON t.id = k.reason"
    )
    return {number: ResultKind(*kind) for number, *kind in rows}


def reason_ids(db: Database, texts: Iterable[str]) -> dict[str, int | None]:
    """Return the numbers of reasons; insert new ones. The empty reason has no number."""
    found: dict[str, int | None] = {"": None}
    for text in texts:
        if text not in found:
            db.execute("INSERT OR IGNORE INTO reason (text) VALUES (?)", [text])
            found[text] = db.execute("SELECT id FROM reason WHERE text = ?", [text]).fetchone()[0]
    return found


# Reading


def decode_row(
    kinds: dict[int, ResultKind], row: tuple[int, int, int, int, bytes, int, bytes, bytes, bytes, int, int, bytes]
) -> PackedHour:
    """Return a row of packed results as an hour. Raise ValueError if its kinds are not known."""
    number, count, start, step, late, floor, latency, names, codes, batch, stride, batch_column = row
    hour, check_id = divmod(number, HOUR_KEY_FACTOR)
    each = [int.from_bytes(names[at : at + _KIND_ID_BYTES]) for at in range(0, len(names), _KIND_ID_BYTES)]
    if not each or len(names) % _KIND_ID_BYTES or not kinds.keys() >= set(each):
        raise ValueError(
            f"the packed results of check {check_id} in the hour from {hour * HOUR_MS} are of no known kind"
        )
    found = tuple(kinds[kind] for kind in each)
    packed = PackedColumns(count, start, step, late, floor, latency, found, codes, batch, stride, batch_column)
    return PackedHour(check_id, hour * HOUR_MS, packed)


def hours_of_check(db: Database, check_id: int, start: Millis, end: Millis) -> Iterator[PackedHour]:
    """Stream the packed hours of a check that may have results in ``[start, end)``, in time order."""
    kinds, last = result_kinds(db), hour_key(end - 1, check_id)
    query = f"SELECT {_COLUMNS} FROM settled WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 1"
    wanted = hour_key(start, check_id)
    while row := db.execute(query, [wanted, last]).fetchone():
        hour, found = divmod(row[0], HOUR_KEY_FACTOR)
        if found == check_id:
            yield decode_row(kinds, row)
        wanted = (hour if found < check_id else hour + 1) * HOUR_KEY_FACTOR + check_id


def hours_of_check_backwards(db: Database, check_id: int, start: Millis, at: Millis) -> Iterator[PackedHour]:
    """Stream the packed hours of a check that may have results in ``[start, at]``, the latest first."""
    kinds, first = result_kinds(db), hour_key(start, check_id)
    query = f"SELECT {_COLUMNS} FROM settled WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1"
    wanted = hour_key(at, check_id)
    while row := db.execute(query, [first, wanted]).fetchone():
        hour, found = divmod(row[0], HOUR_KEY_FACTOR)
        if found == check_id:
            yield decode_row(kinds, row)
        wanted = (hour if found > check_id else hour - 1) * HOUR_KEY_FACTOR + check_id


def hours_between(db: Database, start: Millis, end: Millis, batch: int | None = None) -> Iterator[PackedHour]:
    """Stream all packed hours that may have results in ``[start, end)``, in order of hours; of one batch, if given."""
    kinds = result_kinds(db)
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM settled WHERE id BETWEEN ? AND ? AND (? IS NULL OR stride < 0 OR batch <= ?"
        " AND (length(batches) > 0 OR batch + (count - 1) * stride >= ?)) ORDER BY id",
        [hour_key(start, 0), hour_key(end - 1, HOUR_KEY_FACTOR - 1), batch, batch, batch],
    )
    return (decode_row(kinds, row) for row in rows)


def rows_of_check(db: Database, check_id: int, start: Millis, end: Millis) -> Iterator[ResultRow]:
    """Stream the packed results of a check in ``[start, end)``, in time order."""
    for hour in hours_of_check(db, check_id, start, end):
        if start <= hour.start and hour.start + HOUR_MS <= end:
            yield from hour.rows()
        else:
            yield from (row for row in hour.rows() if start <= row[0] < end)


def ordered_rows(db: Database, names: dict[int, CheckKey], start: Millis, end: Millis) -> Iterator[CheckResultRow]:
    """Stream the packed results of all checks in ``[start, end)``, ordered by time, server and check.

    Raise ValueError or LookupError for data that this program would not pack.
    """
    for hour_start, group in groupby(hours_between(db, start, end), key=lambda hour: hour.start):
        hours = [(names[hour.check_id], hour) for hour in group]
        pieces = 1 + sum(hour.columns.size for _, hour in hours) // MAX_UNPACKED_RESULTS
        for piece in range(pieces):
            first = max(start, hour_start + HOUR_MS * piece // pieces) if piece else start
            last = min(end, hour_start + HOUR_MS * (piece + 1) // pieces) if piece + 1 < pieces else end
            yield from sorted(_rows_within(hours, first, last), key=itemgetter(0, 1, 2))


def _rows_within(hours: Sequence[tuple[CheckKey, PackedHour]], start: Millis, end: Millis) -> Iterator[CheckResultRow]:
    for (server, name), hour in hours:
        for at, outcome, attempts, latency, reason, batch in hour.rows():
            if start <= at < end:
                yield at, server, name, outcome, attempts, latency, reason, batch


def is_canonical(hour: PackedHour) -> bool:
    """Return whether packing the results of an hour yields the same bytes, and all of them are in the hour."""
    try:
        found = list(hour.rows())
        measured_at = [row[0] for row in found]
        inside = hour.start <= measured_at[0] and measured_at[-1] < hour.start + HOUR_MS
        return inside and all(map(int.__lt__, measured_at, measured_at[1:])) and pack(hour.start, found) == hour.columns
    except (ValueError, LookupError, OverflowError):
        return False


# Writing


def write_hours(db: Database, hours: Iterable[PackedHour]) -> None:
    """Insert or replace packed hours."""
    hours = list(hours)
    numbers = _kind_ids(db, {kind for hour in hours for kind in hour.columns.kinds})
    db.conn.executemany(
        f"INSERT OR REPLACE INTO packed ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                hour_key(hour.start, hour.check_id),
                *hour.columns[:6],
                b"".join(numbers[kind].to_bytes(_KIND_ID_BYTES) for kind in hour.columns.kinds),
                *hour.columns[7:],
            )
            for hour in hours
        ),
    )


def _kind_ids(db: Database, kinds: set[ResultKind]) -> dict[ResultKind, int]:
    found = {kind: number for number, kind in result_kinds(db).items()}
    missing = sorted(kinds - found.keys())
    reasons = reason_ids(db, (kind.reason for kind in missing))
    for kind in missing:
        cursor = db.execute(
            "INSERT INTO kind (outcome, attempts, reason, measured) VALUES (?, ?, ?, ?)",
            [kind.outcome, kind.attempts, reasons[kind.reason], kind.measured],
        )
        found[kind] = int(cursor.lastrowid or 0)
    return found


def merge_results(db: Database, rows: Iterable[tuple[int, ResultRow]]) -> None:
    """Merge results, each with its check's number, into packed hours. Raise IntegrityError for a moment twice."""
    kinds, made = result_kinds(db), []
    for number, group in groupby(sorted(rows, key=_by_hour), key=lambda each: hour_key(each[1][0], each[0])):
        found = [row for _, row in group]
        hour, check_id = divmod(number, HOUR_KEY_FACTOR)
        stored = db.execute(f"SELECT {_COLUMNS} FROM settled WHERE id = ?", [number]).fetchone()
        if stored:
            found = sorted([*decode_row(kinds, stored).rows(), *found], key=itemgetter(0))
        if any(one[0] == other[0] for one, other in pairwise(found)):
            raise sqlite3.IntegrityError("UNIQUE constraint failed: a packed hour has a result of that moment already")
        made.append(PackedHour(check_id, hour * HOUR_MS, pack(hour * HOUR_MS, found)))
    write_hours(db, made)


def _by_hour(each: tuple[int, ResultRow]) -> tuple[int, Millis]:
    check_id, row = each
    return hour_key(row[0], check_id), row[0]


def row_at(db: Database, check_id: int, at: Millis) -> ResultRow | None:
    """Return the packed result of a check at exactly one moment."""
    for hour in hours_of_check(db, check_id, at, at + 1):
        position = bisect_left(hour.times(), at)
        found = list(hour.rows())[position : position + 1]
        return found[0] if found and found[0][0] == at else None
    return None
