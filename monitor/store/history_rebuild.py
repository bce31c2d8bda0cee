"""Rebuilding a check's runs and outages from a moment on, after results were inserted into its history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.model import CheckKey, Outage, Outcome, Result, Run
from monitor.store import journal, results
from monitor.store.archive import hours

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlite_utils import Database

    from monitor.model import Millis


def rebuild_start(db: Database, check_id: int, first: Millis) -> tuple[Millis, Millis | None]:
    """Return from when a check's history must be rebuilt if a result is inserted at ``first``, and its last ok before.

    That is the start of the run before ``first``, or of an outage that is open at that moment: there, only the last ok
    connects it with the history before.
    """
    row = db.execute("SELECT max(first) FROM run WHERE probed = ? AND first <= ?", [check_id, first]).fetchone()
    since = first if row[0] is None else row[0]
    row = db.execute(
        'SELECT min(start) FROM outage WHERE probed = ? AND start <= ? AND ("end" IS NULL OR "end" > ?)',
        [check_id, since, since],
    ).fetchone()
    since = since if row[0] is None else min(since, row[0])
    row = db.execute(
        "SELECT last FROM run WHERE probed = ? AND outcome = 0 AND first < ? ORDER BY first DESC LIMIT 1",
        [check_id, since],
    ).fetchone()
    return since, row[0] if row else None


def remove_runs(db: Database, check_id: int, since: Millis) -> list[Run]:
    """Delete and return the runs of a check from a moment on, which must be the start of a run."""
    rows = db.execute(
        "SELECT first, last, outcome, hold FROM run WHERE probed = ? AND first >= ? ORDER BY first", [check_id, since]
    )
    found = [Run(first, last, Outcome(outcome), hold) for first, last, outcome, hold in rows]
    db.execute("DELETE FROM run WHERE probed = ? AND first >= ?", [check_id, since])
    return found


def outcomes_since(db: Database, since_by_check: dict[int, Millis]) -> Iterator[tuple[int, Millis, Outcome, str]]:
    """Stream the results of some checks, each from a moment on: check number, time, outcome, reason.

    The results of each check are in time order.
    """
    for check_id, first in since_by_check.items():
        for at, outcome, _, _, reason, _ in hours.rows_of_check(db, check_id, first, 1 << 62):
            yield check_id, at, Outcome(outcome), reason
    rows = db.execute(
        "SELECT r.probed, r.at, r.outcome, coalesce(t.text, '') FROM fresh r LEFT JOIN reason t ON t.id = r.reason"
        " WHERE r.at >= ? ORDER BY r.at",
        [min(since_by_check.values())],
    )
    for check_id, at, outcome, reason in rows:
        if at >= since_by_check.get(check_id, at + 1):
            yield check_id, at, Outcome(outcome), reason


def update_outage(db: Database, outage: Outage) -> None:
    """Update all fields of an outage."""
    db.execute(
        'UPDATE outage SET start = ?, last_fail = ?, "end" = ?, last_ok = ?, reason = ? WHERE id = ?',
        [outage.start, outage.last_fail, outage.end, outage.last_ok, outage.reason, outage.id],
    )


def insert_past_outage(db: Database, check_id: int, outage: Outage) -> int:
    """Insert an outage found in the history, and return its number."""
    cursor = db.execute(
        'INSERT INTO outage (probed, start, last_fail, "end", last_ok, reason) VALUES (?, ?, ?, ?, ?, ?)',
        [check_id, outage.start, outage.last_fail, outage.end, outage.last_ok, outage.reason],
    )
    return int(cursor.lastrowid or 0)


def merge_outages(db: Database, merged: int, into: int) -> None:
    """Delete an outage that is now part of another one; its notifications move to that one."""
    db.execute("INSERT OR IGNORE INTO told (outage, mail) SELECT ?, mail FROM told WHERE outage = ?", [into, merged])
    db.execute("DELETE FROM told WHERE outage = ?", [merged])
    db.execute("DELETE FROM outage WHERE id = ?", [merged])


def imports_recorded_after(db: Database, at: Millis) -> frozenset[int]:
    """Return the batches of imports that were recorded after a moment."""
    rows = db.execute(
        "SELECT id, opened, coalesce(entry, 1 << 62) FROM batch WHERE source = 'import' AND opened > ?", [at]
    )
    rejected = journal.rejections(db)
    return frozenset(number for number, opened, entry in rows if journal.effective_time(entry, opened, rejected) > at)


def checks_in_batches(db: Database, batches: Iterable[int]) -> frozenset[int]:
    """Return the numbers of the checks that have results in some closed batches."""
    wanted = {int(batch) for batch in batches}
    marks = ",".join(map(str, wanted))
    found = {row[0] for row in db.execute(f"SELECT DISTINCT probed FROM fresh WHERE batch IN ({marks})")}
    spans = db.execute(
        "SELECT json_extract(j.body, '$.first'), json_extract(j.body, '$.last') FROM batch b"
        f" JOIN journal j ON j.number = b.entry WHERE b.id IN ({marks})"
    ).fetchall()
    if spans:
        first, last = min(span[0] for span in spans), max(span[1] for span in spans)
        for hour in hours.hours_between(db, first, last + 1):
            if hour.check_id not in found and not wanted.isdisjoint(hour.batches()):
                found.add(hour.check_id)
    return frozenset(found)


def results_excluding(db: Database, key: CheckKey, until: Millis, batches: frozenset[int]) -> list[Result]:
    """Return the results of a check until a moment, without those of some batches."""
    return [
        Result(key, at, Outcome(outcome), attempts, latency, reason)
        for at, outcome, attempts, latency, reason, batch in results.rows_of_check(db, key, 0, until + 1)
        if batch not in batches
    ]
