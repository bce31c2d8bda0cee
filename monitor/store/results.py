"""Results, as rows or packed by hours, and the batches by which the journal has their digests.

Checks go by number in these tables (``probed``); everything that leaves this module goes by ``CheckKey``.
"""

from __future__ import annotations

from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Literal

from monitor.model import CheckKey, Outcome, Result
from monitor.store.archive import hours
from monitor.store.archive.codec import HOUR
from monitor.store.digests import Digester, line_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlite_utils import Database

    from monitor.model import Millis
    from monitor.store.archive.codec import Moment
    from monitor.store.digests import Digest


def number_of(db: Database, key: CheckKey) -> int:
    """Give the check's number, and give it one where it has none."""
    row = db.execute("SELECT id FROM probed WHERE server = ? AND name = ?", key).fetchone()
    if row:
        return int(row[0])
    return int(db.execute("INSERT INTO probed (server, name) VALUES (?, ?)", key).lastrowid or 0)


def numbers(db: Database) -> dict[CheckKey, int]:
    """Give the numbers of all checks that ever had one."""
    return {
        CheckKey(server, name): number for number, server, name in db.execute("SELECT id, server, name FROM probed")
    }


def open_batch(db: Database, source: Literal["probe", "import"], at: Millis) -> int:
    """Begin a batch of results that one journal entry will have the digest of."""
    return int(db.execute("INSERT INTO batch (source, opened) VALUES (?, ?)", [source, at]).lastrowid or 0)


def add(db: Database, batch: int, results: Iterable[tuple[int, Result]]) -> None:
    """Write results down, each with its check's number. Raises sqlite3.IntegrityError for a moment twice.

    Those of hours that are packed already go where the others of their hour are.
    """
    until = hours.until(db)
    rows, late = list(results), list[tuple[int, Result]]()
    if any(r.at < until for _, r in rows):
        late = [row for row in rows if row[1].at < until]
        rows = [row for row in rows if row[1].at >= until]
    reasons = hours.reason_numbers(db, (r.reason for _, r in rows))
    db.conn.executemany(
        "INSERT INTO result (at, probed, outcome, attempts, latency, reason, batch) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (at, probed, int(outcome), attempts, latency, reasons[reason], batch)
            for probed, (_, at, outcome, attempts, latency, reason) in rows
        ],
    )
    if late:
        hours.merge(db, ((n, (r.at, int(r.outcome), r.attempts, r.latency, r.reason, batch)) for n, r in late))


_SELECT = """
    SELECT r.at, p.server, p.name, r.outcome, r.attempts, r.latency, coalesce(t.text, ''), r.batch
    FROM fresh r JOIN probed p ON p.id = r.probed LEFT JOIN reason t ON t.id = r.reason
"""


def moments(db: Database, key: CheckKey, start: Millis, end: Millis) -> Iterator[Moment]:
    """Stream the results of one check in ``[start, end)``, in time order, as plain values: the fast road."""
    row = db.execute("SELECT id FROM probed WHERE server = ? AND name = ?", key).fetchone()
    if row is None:
        return
    yield from hours.moments(db, row[0], start, end)
    yield from db.execute(
        "SELECT r.at, r.outcome, r.attempts, r.latency, coalesce(t.text, ''), r.batch FROM fresh r"
        " LEFT JOIN reason t ON t.id = r.reason WHERE r.at >= ? AND r.at < ? AND r.probed = ? ORDER BY r.at",
        [start, end, *row],
    )


def read(db: Database, key: CheckKey, start: Millis, end: Millis) -> Iterator[Result]:
    """Stream the results of one check in ``[start, end)``, in time order."""
    for at, outcome, attempts, latency, reason, _ in moments(db, key, start, end):
        yield Result(key, at, Outcome(outcome), attempts, latency, reason)


def read_with_batches(db: Database, start: Millis = 0, end: Millis = 1 << 62) -> Iterator[tuple[Result, int]]:
    """Stream every result in ``[start, end)`` with its batch, ordered by time, server and check."""
    keys = {number: key for key, number in numbers(db).items()}
    rows = db.execute(f"{_SELECT} WHERE r.at >= ? AND r.at < ? ORDER BY r.at, p.server, p.name", [start, end])
    for at, server, name, outcome, attempts, latency, reason, batch in chain(
        hours.in_order(db, keys, start, end), rows
    ):
        yield Result(CheckKey(server, name), at, Outcome(outcome), attempts, latency, reason), batch


def read_all(db: Database) -> Iterator[Result]:
    """Stream every result there is, in time order."""
    return (result for result, _ in read_with_batches(db))


def last_at(db: Database, probed: int, since: Millis, until: Millis) -> Millis | None:
    """Find the newest result of a check in ``[since, until]``."""
    row = db.execute(
        "SELECT at FROM fresh WHERE at >= ? AND at <= ? AND probed = ? ORDER BY at DESC LIMIT 1",
        [since, until, probed],
    ).fetchone()
    if row:
        return int(row[0])
    packed = (at for hour in hours.back_from(db, probed, since, until) for at in reversed(hour.times()))
    found = next((at for at in packed if at <= until), None)
    return found if found is not None and found >= since else None


def newest(db: Database) -> Millis | None:
    """Give the time of the newest result of all."""
    at: Millis | None = db.execute("SELECT max(at) FROM fresh").fetchone()[0]
    if at is None:
        key: int | None = db.execute("SELECT max(id) FROM settled").fetchone()[0]
        if key is not None:
            last = key // hours.CHECKS * HOUR
            at = max(hour.times()[-1] for hour in hours.between(db, last, last + HOUR))
    return at


def bounds(db: Database, batch: int, since: Millis) -> tuple[Millis, Millis] | None:
    """Find the first and the last time in a batch, looking no further back than ``since``; None for an empty one."""
    first, last = db.execute(
        "SELECT min(at), max(at) FROM fresh WHERE at >= ? AND batch = ?", [since, batch]
    ).fetchone()
    found = [] if first is None else [first, last]
    for hour in hours.between(db, since, hours.until(db), batch):
        found += [at for at, _, _, _, _, other in hour.moments() if other == batch and at >= since]
    return (min(found), max(found)) if found else None


def digest(db: Database, batch: int, within: tuple[Millis, Millis]) -> Digest | None:
    """Digest what is stored of a batch: SHA-256 over its lines, ordered by time, server and check.

    ``within`` (first and last time) spares a search of the whole table. None where nothing is stored.
    """
    digester = Digester(batch)
    for at, server, name, outcome, attempts, latency, reason, _ in _of_batch(db, batch, *within):
        digester.take_line(at, line_of(server, name, at, outcome, attempts, latency, reason))
    return digester.digest() if digester.count else None


def _of_batch(db: Database, batch: int, first: Millis, last: Millis) -> Iterator[hours.Row]:
    rows = db.execute(
        f"{_SELECT} WHERE r.at >= ? AND r.at <= ? AND r.batch = ? ORDER BY r.at, p.server, p.name",
        [first, last, batch],
    )
    late = _late(db, batch, first, last) if first < hours.until(db) else ()
    return chain(late, rows)


def _late(db: Database, batch: int, first: Millis, last: Millis) -> list[hours.Row]:
    """Find what is packed of a batch, in order."""
    keys = {number: key for key, number in numbers(db).items()}
    found: list[hours.Row] = [
        (at, *keys[hour.probed], outcome, attempts, latency, reason, other)
        for hour in hours.between(db, first, last + 1, batch)
        for at, outcome, attempts, latency, reason, other in hour.moments()
        if other == batch and first <= at <= last
    ]
    return sorted(found, key=itemgetter(0, 1, 2))


def close_batch(db: Database, batch: int, entry: int) -> None:
    """Note which entry of the journal has the digest of a batch."""
    db.execute("UPDATE batch SET entry = ? WHERE id = ?", [entry, batch])


def drop_batch(db: Database, batch: int) -> None:
    """Forget a batch in which nothing came."""
    db.execute("DELETE FROM batch WHERE id = ?", [batch])


def open_batches(db: Database) -> list[tuple[int, str, Millis]]:
    """Give the batches (number, source, opened) whose digest is not in the journal yet."""
    return list(db.execute("SELECT id, source, opened FROM batch WHERE entry IS NULL ORDER BY id"))


def all_batches(db: Database) -> dict[int, tuple[str, Millis, int | None]]:
    """Give every batch: where it came from, when it was opened, which entry of the journal has its digest."""
    return {
        number: (source, opened, entry)
        for number, *(source, opened, entry) in db.execute("SELECT id, source, opened, entry FROM batch")
    }


def last_latency(db: Database, probed: int, at: Millis) -> int | None:
    """Give the latency, in microseconds, of the result of a check at one moment."""
    row = db.execute("SELECT latency FROM fresh WHERE at = ? AND probed = ?", [at, probed]).fetchone()
    if row:
        return row[0]  # type: ignore[no-any-return]
    found = hours.at_moment(db, probed, at)
    return found[3] if found else None
