"""Results, the runs and the outages that they make, and the digests that make them evidence.

Checks go by number in these tables (``probed``); everything that leaves this module goes by ``CheckKey``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from monitor.model import CheckKey, Outcome, Result, Run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sqlite_utils import Database

    from monitor.model import Millis


@dataclass(frozen=True, slots=True)
class Digest:
    """What the journal says of one batch of results."""

    batch: int
    count: int
    first: Millis
    last: Millis
    sha256: str


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


def _reason_numbers(db: Database, texts: Iterable[str]) -> dict[str, int | None]:
    found: dict[str, int | None] = {"": None}
    for text in texts:
        if text not in found:
            db.execute("INSERT OR IGNORE INTO reason (text) VALUES (?)", [text])
            found[text] = db.execute("SELECT id FROM reason WHERE text = ?", [text]).fetchone()[0]
    return found


def open_batch(db: Database, source: Literal["probe", "import"], at: Millis) -> int:
    """Begin a batch of results that one journal entry will have the digest of."""
    return int(db.execute("INSERT INTO batch (source, opened) VALUES (?, ?)", [source, at]).lastrowid or 0)


def add(db: Database, batch: int, results: Iterable[tuple[int, Result]]) -> None:
    """Write results down, each with its check's number. Raises sqlite3.IntegrityError for a moment twice."""
    results = list(results)
    reasons = _reason_numbers(db, (result.reason for _, result in results))
    db.conn.executemany(
        "INSERT INTO result (at, probed, outcome, attempts, latency, reason, batch) VALUES (?, ?, ?, ?, ?, ?, ?)",
        ((r.at, probed, int(r.outcome), r.attempts, r.latency, reasons[r.reason], batch) for probed, r in results),
    )


_SELECT = """
    SELECT p.server, p.name, r.at, r.outcome, r.attempts, r.latency, coalesce(t.text, '')
    FROM result r JOIN probed p ON p.id = r.probed LEFT JOIN reason t ON t.id = r.reason
"""


def _result(row: tuple[str, str, int, int, int, int | None, str]) -> Result:
    server, name, at, outcome, attempts, latency, reason = row
    return Result(CheckKey(server, name), at, Outcome(outcome), attempts, latency, reason)


def read(db: Database, key: CheckKey, start: Millis, end: Millis) -> Iterator[Result]:
    """Stream the results of one check in ``[start, end)``, in time order."""
    rows = db.execute(
        f"{_SELECT} WHERE r.at >= ? AND r.at < ? AND r.probed = (SELECT id FROM probed WHERE server = ? AND name = ?)"
        " ORDER BY r.at",
        [start, end, *key],
    )
    return map(_result, rows)


def read_all(db: Database) -> Iterator[Result]:
    """Stream every result there is, in time order."""
    return map(_result, db.execute(f"{_SELECT} ORDER BY r.at, p.server, p.name"))


def last_at(db: Database, probed: int, since: Millis, until: Millis) -> Millis | None:
    """Find the newest result of a check in ``[since, until]``."""
    row = db.execute(
        "SELECT at FROM result WHERE at >= ? AND at <= ? AND probed = ? ORDER BY at DESC LIMIT 1",
        [since, until, probed],
    ).fetchone()
    return row[0] if row else None


def newest(db: Database) -> Millis | None:
    """Give the time of the newest result of all."""
    at: Millis | None = db.execute("SELECT max(at) FROM result").fetchone()[0]
    return at


def line(result: Result) -> str:
    """Write one result as the digest reads it: tab-separated, one line.

    Server, check, time, outcome, attempts, latency in microseconds (empty where there is none), reason.
    """
    latency = "" if result.latency is None else result.latency
    return (
        f"{result.check.server}\t{result.check.name}\t{result.at}\t{result.outcome.name.lower()}"
        f"\t{result.attempts}\t{latency}\t{result.reason}\n"
    )


def bounds(db: Database, batch: int, since: Millis) -> tuple[Millis, Millis] | None:
    """Find the first and the last time in a batch, looking no further back than ``since``; None for an empty one."""
    first, last = db.execute(
        "SELECT min(at), max(at) FROM result WHERE at >= ? AND batch = ?", [since, batch]
    ).fetchone()
    return None if first is None else (first, last)


def digest(db: Database, batch: int, within: tuple[Millis, Millis]) -> Digest | None:
    """Digest what is stored of a batch: SHA-256 over its lines, ordered by time, server and check.

    ``within`` (first and last time) spares a search of the whole table. None where nothing is stored.
    """
    sha, count, first, last = hashlib.sha256(), 0, 0, 0
    rows = db.execute(
        f"{_SELECT} WHERE r.at >= ? AND r.at <= ? AND r.batch = ? ORDER BY r.at, p.server, p.name", [*within, batch]
    )
    for result in map(_result, rows):
        sha.update(line(result).encode())
        first, last, count = (first if count else result.at), result.at, count + 1
    return Digest(batch, count, first, last, sha.hexdigest()) if count else None


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


def count_by_batch(db: Database) -> dict[int, int]:
    """Count what is stored of each batch."""
    return dict(db.execute("SELECT batch, count(*) FROM result GROUP BY batch"))


def last_latency(db: Database, probed: int, at: Millis) -> int | None:
    """Give the latency, in microseconds, of the result of a check at one moment."""
    row = db.execute("SELECT latency FROM result WHERE at = ? AND probed = ?", [at, probed]).fetchone()
    return row[0] if row else None


# Runs


def put_runs(db: Database, runs: Iterable[tuple[int, Run]]) -> None:
    """Write runs down, new or grown."""
    db.conn.executemany(
        "INSERT INTO run (probed, first, last, outcome, hold) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (probed, first) DO UPDATE SET last = excluded.last",
        ((probed, run.first, run.last, int(run.outcome), run.hold) for probed, run in runs),
    )


def grow_runs(db: Database, grown: Mapping[tuple[int, Millis], Millis]) -> None:
    """Write down until when runs last now, by check's number and beginning."""
    db.conn.executemany(
        "UPDATE run SET last = ? WHERE probed = ? AND first = ?",
        ((last, probed, first) for (probed, first), last in grown.items()),
    )


def last_runs(db: Database) -> dict[int, Run]:
    """Give the last run of each check."""
    rows = db.execute(
        "SELECT r.probed, r.first, r.last, r.outcome, r.hold FROM probed p JOIN run r ON r.probed = p.id"
        " AND r.first = (SELECT max(first) FROM run WHERE probed = p.id)"
    )
    return {probed: Run(first, last, Outcome(outcome), hold) for probed, first, last, outcome, hold in rows}


def last_oks(db: Database) -> dict[int, Millis]:
    """Give the time of the last ok result of each check that ever was ok."""
    rows = db.execute(
        "SELECT p.id, (SELECT last FROM run WHERE probed = p.id AND outcome = 0 ORDER BY first DESC LIMIT 1)"
        " FROM probed p"
    )
    return {probed: last for probed, last in rows if last is not None}


def runs_between(db: Database, probed: int, start: Millis, end: Millis) -> list[Run]:
    """Give the runs of a check that may say something of ``[start, end)``, in order."""
    rows = db.execute(
        "SELECT first, last, outcome, hold FROM run WHERE probed = ? AND first < ? AND first >= coalesce("
        "(SELECT max(first) FROM run WHERE probed = ? AND first <= ?), ?) ORDER BY first",
        [probed, end, probed, start, start],
    )
    return [Run(first, last, Outcome(outcome), hold) for first, last, outcome, hold in rows]


def all_runs(db: Database, probed: int) -> Iterator[Run]:
    """Stream all runs of a check, in order."""
    rows = db.execute("SELECT first, last, outcome, hold FROM run WHERE probed = ? ORDER BY first", [probed])
    return (Run(first, last, Outcome(outcome), hold) for first, last, outcome, hold in rows)
