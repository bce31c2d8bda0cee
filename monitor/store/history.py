"""Runs, outages and alert states; checks are identified by number (``check_id``), as in ``results``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from monitor.model import CheckKey, Outage, Outcome, Run
from monitor.outage import AlertState, OpenOutage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sqlite_utils import Database

    from monitor.model import Millis

_OUTCOMES = tuple(Outcome(value) for value in range(len(Outcome)))


def save_runs(db: Database, runs: Iterable[tuple[int, Run]]) -> None:
    """Insert new runs and extend existing ones."""
    db.conn.executemany(
        "INSERT INTO run (probed, first, last, outcome, hold) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (probed, first) DO UPDATE SET last = excluded.last",
        ((check_id, run.first, run.last, int(run.outcome), run.hold) for check_id, run in runs),
    )


def extend_runs(db: Database, new_ends: Mapping[tuple[int, Millis], Millis]) -> None:
    """Set the new ends of runs, by check number and start."""
    db.conn.executemany(
        "UPDATE run SET last = ? WHERE probed = ? AND first = ?",
        ((last, check_id, first) for (check_id, first), last in new_ends.items()),
    )


def last_runs(db: Database) -> dict[int, Run]:
    """Return the last run of each check."""
    rows = db.execute(
        "SELECT r.probed, r.first, r.last, r.outcome, r.hold FROM probed p JOIN run r ON r.probed = p.id"
        " AND r.first = (SELECT max(first) FROM run WHERE probed = p.id)"
    )
    return {check_id: Run(first, last, _OUTCOMES[outcome], hold) for check_id, first, last, outcome, hold in rows}


def last_oks(db: Database) -> dict[int, Millis]:
    """Return the time of the last ok result of each check that has one."""
    rows = db.execute(
        "SELECT p.id, (SELECT last FROM run WHERE probed = p.id AND outcome = 0 ORDER BY first DESC LIMIT 1)"
        " FROM probed p"
    )
    return {check_id: last for check_id, last in rows if last is not None}


def runs_between(db: Database, check_id: int, start: Millis, end: Millis) -> list[Run]:
    """Return the runs of a check that may overlap ``[start, end)``, in order."""
    rows = db.execute(
        "SELECT first, last, outcome, hold FROM run WHERE probed = ? AND first < ? AND first >= coalesce("
        "(SELECT max(first) FROM run WHERE probed = ? AND first <= ?), ?) ORDER BY first",
        [check_id, end, check_id, start, start],
    )
    return [Run(first, last, _OUTCOMES[outcome], hold) for first, last, outcome, hold in rows]


def all_runs_between(db: Database, start: Millis, end: Millis) -> dict[int, list[Run]]:
    """Return the ``runs_between`` of every check, by its number; a check without any is missing."""
    rows = db.execute(
        "SELECT r.probed, r.first, r.last, r.outcome, r.hold FROM probed p JOIN run r ON r.probed = p.id"
        " WHERE r.first < ? AND r.first >= coalesce("
        "(SELECT max(first) FROM run WHERE probed = p.id AND first <= ?), ?) ORDER BY r.probed, r.first",
        [end, start, start],
    )
    found: dict[int, list[Run]] = {}
    for check_id, first, last, outcome, hold in rows:
        found.setdefault(check_id, []).append(Run(first, last, _OUTCOMES[outcome], hold))
    return found


def runs_of_check(db: Database, check_id: int) -> Iterator[Run]:
    """Stream all runs of a check, in order."""
    rows = db.execute("SELECT first, last, outcome, hold FROM run WHERE probed = ? ORDER BY first", [check_id])
    return (Run(first, last, _OUTCOMES[outcome], hold) for first, last, outcome, hold in rows)


# --- outages, and what has been notified about each check -------------------------------------------------------------

_SELECT_OUTAGE = """
    SELECT o.id, p.server, p.name, o.start, o.last_fail, o."end", o.last_ok, o.reason
    FROM outage o JOIN probed p ON p.id = o.probed
"""


def _outage_from_row(row: tuple[int, str, str, int, int, int | None, int | None, str]) -> Outage:
    number, server, name, start, last_fail, end, last_ok, reason = row
    return Outage(number, CheckKey(server, name), start, last_fail, end, last_ok, reason)


def insert_outage(db: Database, check_id: int, outage: OpenOutage) -> int:
    """Insert a new outage and return its number."""
    cursor = db.execute(
        "INSERT INTO outage (probed, start, last_fail, last_ok, reason) VALUES (?, ?, ?, ?, ?)",
        [check_id, outage.start, outage.last_fail, outage.last_ok, outage.reason],
    )
    return int(cursor.lastrowid or 0)


def update_last_fail(db: Database, number: int, last_fail: Millis) -> None:
    """Set the newest fail of an open outage."""
    db.execute("UPDATE outage SET last_fail = ? WHERE id = ?", [last_fail, number])


def close_outage(db: Database, number: int, end: Millis) -> None:
    """Set the end of an outage: the first ok after it."""
    db.execute('UPDATE outage SET "end" = ? WHERE id = ?', [end, number])


def get_outage(db: Database, number: int) -> Outage | None:
    """Return one outage by its number."""
    row = db.execute(f"{_SELECT_OUTAGE} WHERE o.id = ?", [number]).fetchone()
    return _outage_from_row(row) if row else None


def open_outages(db: Database) -> dict[int, tuple[int, OpenOutage]]:
    """Return the open outage of each check, by the check's number: the outage's number and data."""
    rows = db.execute('SELECT probed, id, start, last_fail, last_ok, reason FROM outage WHERE "end" IS NULL')
    return {row[0]: (row[1], OpenOutage(*row[2:])) for row in rows}


def outages_touching(db: Database, check_id: int, start: Millis, end: Millis) -> list[Outage]:
    """Return the outages of a check that may overlap ``[start, end)``, in order.

    An outage may reach back to the last ok before it, and its end may be open.
    """
    rows = db.execute(
        f'{_SELECT_OUTAGE} WHERE o.probed = ? AND coalesce(o.last_ok, o.start) < ? AND (o."end" IS NULL OR o."end" > ?)'
        " ORDER BY o.start",
        [check_id, end, start],
    )
    return [_outage_from_row(row) for row in rows]


def all_outages_touching(db: Database, start: Millis, end: Millis) -> dict[CheckKey, list[Outage]]:
    """Return the ``outages_touching`` of every check; a check without any is missing."""
    rows = db.execute(
        f'{_SELECT_OUTAGE} WHERE coalesce(o.last_ok, o.start) < ? AND (o."end" IS NULL OR o."end" > ?) '
        "ORDER BY o.start",
        [end, start],
    )
    found: dict[CheckKey, list[Outage]] = {}
    for outage in map(_outage_from_row, rows):
        found.setdefault(outage.check, []).append(outage)
    return found


def list_outages(
    db: Database, *, server: str | None = None, start: Millis | None = None, end: Millis | None = None
) -> Iterator[Outage]:
    """Stream the outages that overlap ``[start, end)``, of one server or of all, ordered by start."""
    rows = db.execute(
        f"{_SELECT_OUTAGE} WHERE (? IS NULL OR p.server = ?) AND (? IS NULL OR o.start < ?)"
        ' AND (? IS NULL OR o."end" IS NULL OR o."end" > ?) ORDER BY o.start, o.id',
        [server, server, end, end, start, start],
    )
    return map(_outage_from_row, rows)


def read_alerting(db: Database) -> dict[int, AlertState]:
    """Return the alert state of each check, by its number."""
    found = {}
    for check_id, text in db.execute("SELECT probed, body FROM alerting"):
        body = json.loads(text)
        found[check_id] = AlertState(body["told"], tuple(body["starts"]), body["flapping"], body["changed"])
    return found


def save_alerting(db: Database, check_id: int, alerting: AlertState) -> None:
    """Save the alert state of a check."""
    body = {
        "told": alerting.notified,
        "starts": list(alerting.recent_starts),
        "flapping": alerting.flapping_since,
        "changed": alerting.last_change,
    }
    db.execute("INSERT OR REPLACE INTO alerting (probed, body) VALUES (?, ?)", [check_id, json.dumps(body)])


def has_open_outage(db: Database, key: CheckKey) -> bool:
    """Return whether an outage of a check is open."""
    row = db.execute(
        'SELECT 1 FROM outage o JOIN probed p ON p.id = o.probed WHERE p.server = ? AND p.name = ? AND o."end" IS NULL',
        key,
    ).fetchone()
    return row is not None
