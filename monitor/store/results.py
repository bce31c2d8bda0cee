"""Results, as rows or packed by hours, and the batches whose digests are in the journal.

These tables identify checks by number (``check_id``); the results that this module returns have a ``CheckKey``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Literal

from monitor.model import CheckKey, Outcome, Result
from monitor.store.archive import hours
from monitor.store.archive.codec import HOUR_MS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlite_utils import Database

    from monitor.model import Millis
    from monitor.store.archive.codec import ResultRow


# --- digests of results, for the journal ------------------------------------------------------------------------------

_OUTCOMES = tuple(outcome.name.lower() for outcome in Outcome)


@dataclass(frozen=True, slots=True)
class Digest:
    """The digest of one batch of results, as in the journal."""

    batch: int
    count: int
    first: Millis
    last: Millis
    sha256: str


def digest_line(result: Result) -> str:
    """Return one result as a line of the digest, separated by tabs.

    Server, check, time, outcome, attempts, latency in microseconds (empty if there is none), reason.
    """
    _, at, outcome, attempts, latency, reason = result
    return format_digest_line(*result.check, at, outcome, attempts, latency, reason)


def format_digest_line(
    server: str, name: str, at: Millis, outcome: int, attempts: int, latency: int | None, reason: str
) -> str:
    """Return the same line from the values of a row."""
    latency_text = "" if latency is None else latency
    return f"{server}\t{name}\t{at}\t{_OUTCOMES[outcome]}\t{attempts}\t{latency_text}\t{reason}\n"


class Digester:
    """Computes a digest of results that are added in the order of time, server and check."""

    def __init__(self, batch: int) -> None:
        self.count = 0
        self._batch = batch
        self._sha = hashlib.sha256()
        self._first = self._last = 0

    def add(self, result: Result) -> None:
        """Add the next result."""
        self.add_line(result.at, digest_line(result))

    def add_line(self, at: Millis, text: str) -> None:
        """Add the next result by its time and its line."""
        self._sha.update(text.encode())
        self._first = self._first if self.count else at
        self._last = at
        self.count += 1

    def digest(self) -> Digest:
        """Return the digest of the added results."""
        return Digest(self._batch, self.count, self._first, self._last, self._sha.hexdigest())


def ensure_check_id(db: Database, key: CheckKey) -> int:
    """Return the number of a check; assign one if it has none."""
    row = db.execute("SELECT id FROM probed WHERE server = ? AND name = ?", key).fetchone()
    if row:
        return int(row[0])
    return int(db.execute("INSERT INTO probed (server, name) VALUES (?, ?)", key).lastrowid or 0)


def check_ids(db: Database) -> dict[CheckKey, int]:
    """Return the numbers of all checks that have one."""
    return {
        CheckKey(server, name): number for number, server, name in db.execute("SELECT id, server, name FROM probed")
    }


def begin_batch(db: Database, source: Literal["probe", "import"], at: Millis) -> int:
    """Open a batch of results, whose digest will be in one journal entry."""
    return int(db.execute("INSERT INTO batch (source, opened) VALUES (?, ?)", [source, at]).lastrowid or 0)


def add(db: Database, batch: int, results: Iterable[tuple[int, Result]]) -> None:
    """Insert results, each with its check's number. Raise sqlite3.IntegrityError for a second result of one moment.

    Results of hours that are packed already are merged into those hours.
    """
    until = hours.packed_until(db)
    rows, late = list(results), list[tuple[int, Result]]()
    if rows:
        _extend_batch(db, batch, min(r.at for _, r in rows), max(r.at for _, r in rows))
    if any(r.at < until for _, r in rows):
        late = [row for row in rows if row[1].at < until]
        rows = [row for row in rows if row[1].at >= until]
    reasons = hours.reason_ids(db, (r.reason for _, r in rows))
    db.conn.executemany(
        "INSERT INTO result (at, probed, outcome, attempts, latency, reason, batch) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (at, check_id, int(outcome), attempts, latency, reasons[reason], batch)
            for check_id, (_, at, outcome, attempts, latency, reason) in rows
        ],
    )
    if late:
        hours.merge_results(db, ((n, (r.at, int(r.outcome), r.attempts, r.latency, r.reason, batch)) for n, r in late))


def _extend_batch(db: Database, batch: int, first: Millis, last: Millis) -> None:
    """Update the bounds of an open batch: results may be written days after they were measured."""
    db.execute(
        "UPDATE batch SET first = min(coalesce(first, ?), ?), last = max(coalesce(last, ?), ?) WHERE id = ?",
        [first, first, last, last, batch],
    )


_SELECT_RESULTS = """
    SELECT r.at, p.server, p.name, r.outcome, r.attempts, r.latency, coalesce(t.text, ''), r.batch
    FROM fresh r JOIN probed p ON p.id = r.probed LEFT JOIN reason t ON t.id = r.reason
"""


def rows_of_check(db: Database, key: CheckKey, start: Millis, end: Millis) -> Iterator[ResultRow]:
    """Stream the results of one check in ``[start, end)``, in time order, as plain values, which is fastest."""
    row = db.execute("SELECT id FROM probed WHERE server = ? AND name = ?", key).fetchone()
    if row is None:
        return
    yield from hours.rows_of_check(db, row[0], start, end)
    yield from db.execute(
        "SELECT r.at, r.outcome, r.attempts, r.latency, coalesce(t.text, ''), r.batch FROM fresh r"
        " LEFT JOIN reason t ON t.id = r.reason WHERE r.at >= ? AND r.at < ? AND r.probed = ? ORDER BY r.at",
        [start, end, *row],
    )


def read(db: Database, key: CheckKey, start: Millis, end: Millis) -> Iterator[Result]:
    """Stream the results of one check in ``[start, end)``, in time order."""
    for at, outcome, attempts, latency, reason, _ in rows_of_check(db, key, start, end):
        yield Result(key, at, Outcome(outcome), attempts, latency, reason)


def read_with_batches(db: Database, start: Millis = 0, end: Millis = 1 << 62) -> Iterator[tuple[Result, int]]:
    """Stream every result in ``[start, end)`` with its batch, ordered by time, server and check."""
    keys = {number: key for key, number in check_ids(db).items()}
    rows = db.execute(f"{_SELECT_RESULTS} WHERE r.at >= ? AND r.at < ? ORDER BY r.at, p.server, p.name", [start, end])
    for at, server, name, outcome, attempts, latency, reason, batch in chain(
        hours.ordered_rows(db, keys, start, end), rows
    ):
        yield Result(CheckKey(server, name), at, Outcome(outcome), attempts, latency, reason), batch


def last_result_at(db: Database, check_id: int, since: Millis, until: Millis) -> Millis | None:
    """Return the time of the newest result of a check in ``[since, until]``."""
    row = db.execute(
        "SELECT at FROM fresh WHERE at >= ? AND at <= ? AND probed = ? ORDER BY at DESC LIMIT 1",
        [since, until, check_id],
    ).fetchone()
    if row:
        return int(row[0])
    packed = (
        at for hour in hours.hours_of_check_backwards(db, check_id, since, until) for at in reversed(hour.times())
    )
    found = next((at for at in packed if at <= until), None)
    return found if found is not None and found >= since else None


def newest_result_at(db: Database) -> Millis | None:
    """Return the time of the newest result of all."""
    at: Millis | None = db.execute("SELECT max(at) FROM fresh").fetchone()[0]
    if at is None:
        key: int | None = db.execute("SELECT max(id) FROM settled").fetchone()[0]
        if key is not None:
            last = key // hours.HOUR_KEY_FACTOR * HOUR_MS
            at = max(hour.times()[-1] for hour in hours.hours_between(db, last, last + HOUR_MS))
    return at


def batch_bounds(db: Database, batch: int) -> tuple[Millis, Millis] | None:
    """Return the times of the first and the last result of an open batch; None for an empty one."""
    first, last = db.execute("SELECT first, last FROM batch WHERE id = ?", [batch]).fetchone()
    return _search_batch(db, batch) if first is None else (first, last)


def _search_batch(db: Database, batch: int) -> tuple[Millis, Millis] | None:
    """Search all results for a batch: it is empty, or was opened by a version that stored no bounds."""
    first, last = db.execute("SELECT min(at), max(at) FROM fresh WHERE batch = ?", [batch]).fetchone()
    found = [] if first is None else [first, last]
    for hour in hours.hours_between(db, 0, hours.packed_until(db), batch):
        found += [at for at, _, _, _, _, other in hour.rows() if other == batch]
    return (min(found), max(found)) if found else None


def digest_batch(db: Database, batch: int, within: tuple[Millis, Millis]) -> Digest | None:
    """Return the digest of a stored batch: SHA-256 over its lines, ordered by time, server and check.

    ``within`` (first and last time) avoids a search of the whole table. None if no result is stored.
    """
    digester = Digester(batch)
    for at, server, name, outcome, attempts, latency, reason, _ in _batch_rows(db, batch, *within):
        digester.add_line(at, format_digest_line(server, name, at, outcome, attempts, latency, reason))
    return digester.digest() if digester.count else None


def _batch_rows(db: Database, batch: int, first: Millis, last: Millis) -> Iterator[hours.CheckResultRow]:
    rows = db.execute(
        f"{_SELECT_RESULTS} WHERE r.at >= ? AND r.at <= ? AND r.batch = ? ORDER BY r.at, p.server, p.name",
        [first, last, batch],
    )
    late = _packed_batch_rows(db, batch, first, last) if first < hours.packed_until(db) else ()
    return chain(late, rows)


def _packed_batch_rows(db: Database, batch: int, first: Millis, last: Millis) -> list[hours.CheckResultRow]:
    """Return the packed results of a batch, in order."""
    keys = {number: key for key, number in check_ids(db).items()}
    found: list[hours.CheckResultRow] = [
        (at, *keys[hour.check_id], outcome, attempts, latency, reason, other)
        for hour in hours.hours_between(db, first, last + 1, batch)
        for at, outcome, attempts, latency, reason, other in hour.rows()
        if other == batch and first <= at <= last
    ]
    return sorted(found, key=itemgetter(0, 1, 2))


def close_batch(db: Database, batch: int, entry: int) -> None:
    """Set the journal entry with the digest of a batch; the entry has its bounds too."""
    db.execute("UPDATE batch SET entry = ?, first = NULL, last = NULL WHERE id = ?", [entry, batch])


def drop_batch(db: Database, batch: int) -> None:
    """Delete an empty batch; one that still has rows stays, and `monitor verify` reports it."""
    db.execute("DELETE FROM batch WHERE id = ? AND NOT EXISTS (SELECT 1 FROM result WHERE batch = ?)", [batch, batch])


def open_batches(db: Database) -> list[tuple[int, str, Millis]]:
    """Return the batches (number, source, opened) whose digest is not in the journal yet."""
    return list(db.execute("SELECT id, source, opened FROM batch WHERE entry IS NULL ORDER BY id"))


def all_batches(db: Database) -> dict[int, tuple[str, Millis, int | None]]:
    """Return every batch: its source, when it was opened, the journal entry with its digest."""
    return {
        number: (source, opened, entry)
        for number, *(source, opened, entry) in db.execute("SELECT id, source, opened, entry FROM batch")
    }


def latency_at(db: Database, check_id: int, at: Millis) -> int | None:
    """Return the latency, in microseconds, of the result of a check at one moment."""
    row = db.execute("SELECT latency FROM fresh WHERE at = ? AND probed = ?", [at, check_id]).fetchone()
    if row:
        return row[0]  # type: ignore[no-any-return]
    found = hours.row_at(db, check_id, at)
    return found[3] if found else None
