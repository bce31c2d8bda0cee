"""Outages as they are found, and what has been told of each check."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from monitor.model import CheckKey, Outage
from monitor.outage import Alerting, OpenOutage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlite_utils import Database

    from monitor.model import Millis

_SELECT = """
    SELECT o.id, p.server, p.name, o.start, o.last_fail, o."end", o.last_ok, o.reason
    FROM outage o JOIN probed p ON p.id = o.probed
"""


def _outage(row: tuple[int, str, str, int, int, int | None, int | None, str]) -> Outage:
    number, server, name, start, last_fail, end, last_ok, reason = row
    return Outage(number, CheckKey(server, name), start, last_fail, end, last_ok, reason)


def begin(db: Database, probed: int, outage: OpenOutage) -> int:
    """Write a new outage down and give its number."""
    cursor = db.execute(
        "INSERT INTO outage (probed, start, last_fail, last_ok, reason) VALUES (?, ?, ?, ?, ?)",
        [probed, outage.start, outage.last_fail, outage.last_ok, outage.reason],
    )
    return int(cursor.lastrowid or 0)


def grow(db: Database, number: int, last_fail: Millis) -> None:
    """Note the newest fail of an open outage."""
    db.execute("UPDATE outage SET last_fail = ? WHERE id = ?", [last_fail, number])


def finish(db: Database, number: int, end: Millis) -> None:
    """End an outage with the first ok after it."""
    db.execute('UPDATE outage SET "end" = ? WHERE id = ?', [end, number])


def get(db: Database, number: int) -> Outage | None:
    """Give one outage by its number."""
    row = db.execute(f"{_SELECT} WHERE o.id = ?", [number]).fetchone()
    return _outage(row) if row else None


def open_outages(db: Database) -> dict[int, tuple[int, OpenOutage]]:
    """Give the open outage of each check, by the check's number: the outage's number and what is known of it."""
    rows = db.execute('SELECT probed, id, start, last_fail, last_ok, reason FROM outage WHERE "end" IS NULL')
    return {row[0]: (row[1], OpenOutage(*row[2:])) for row in rows}


def touching(db: Database, probed: int, start: Millis, end: Millis) -> list[Outage]:
    """Give the outages of a check that may say something of ``[start, end)``, in order.

    An outage may reach back to the last ok before it, and its end may be open.
    """
    rows = db.execute(
        f'{_SELECT} WHERE o.probed = ? AND coalesce(o.last_ok, o.start) < ? AND (o."end" IS NULL OR o."end" > ?)'
        " ORDER BY o.start",
        [probed, end, start],
    )
    return [_outage(row) for row in rows]


def touching_all(db: Database, start: Millis, end: Millis) -> dict[CheckKey, list[Outage]]:
    """Give what ``touching`` gives, of every check; one without any is missing."""
    rows = db.execute(
        f'{_SELECT} WHERE coalesce(o.last_ok, o.start) < ? AND (o."end" IS NULL OR o."end" > ?) ORDER BY o.start',
        [end, start],
    )
    found: dict[CheckKey, list[Outage]] = {}
    for outage in map(_outage, rows):
        found.setdefault(outage.check, []).append(outage)
    return found


def listing(
    db: Database, *, server: str | None = None, start: Millis | None = None, end: Millis | None = None
) -> Iterator[Outage]:
    """Stream the outages that touch ``[start, end)``, of one server or of all, by their beginning."""
    rows = db.execute(
        f"{_SELECT} WHERE (? IS NULL OR p.server = ?) AND (? IS NULL OR o.start < ?)"
        ' AND (? IS NULL OR o."end" IS NULL OR o."end" > ?) ORDER BY o.start, o.id',
        [server, server, end, end, start, start],
    )
    return map(_outage, rows)


def alertings(db: Database) -> dict[int, Alerting]:
    """Give what has been told of each check, by its number."""
    found = {}
    for probed, text in db.execute("SELECT probed, body FROM alerting"):
        body = json.loads(text)
        found[probed] = Alerting(body["told"], tuple(body["starts"]), body["flapping"], body["changed"])
    return found


def put_alerting(db: Database, probed: int, alerting: Alerting) -> None:
    """Write down what has been told of a check."""
    body = {
        "told": alerting.told,
        "starts": list(alerting.starts),
        "flapping": alerting.flapping,
        "changed": alerting.changed,
    }
    db.execute("INSERT OR REPLACE INTO alerting (probed, body) VALUES (?, ?)", [probed, json.dumps(body)])


def is_open(db: Database, key: CheckKey) -> bool:
    """Whether an outage of a check is open."""
    row = db.execute(
        'SELECT 1 FROM outage o JOIN probed p ON p.id = o.probed WHERE p.server = ? AND p.name = ? AND o."end" IS NULL',
        key,
    ).fetchone()
    return row is not None
