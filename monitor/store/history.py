"""The runs that results make; checks go by number (``probed``), as in ``results``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.model import Outcome, Run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sqlite_utils import Database

    from monitor.model import Millis

_OUTCOMES = tuple(Outcome(value) for value in range(len(Outcome)))


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
    return {probed: Run(first, last, _OUTCOMES[outcome], hold) for probed, first, last, outcome, hold in rows}


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
    return [Run(first, last, _OUTCOMES[outcome], hold) for first, last, outcome, hold in rows]


def runs_of_all(db: Database, start: Millis, end: Millis) -> dict[int, list[Run]]:
    """Give what ``runs_between`` gives, of every check, by its number; one without any is missing."""
    rows = db.execute(
        "SELECT r.probed, r.first, r.last, r.outcome, r.hold FROM probed p JOIN run r ON r.probed = p.id"
        " WHERE r.first < ? AND r.first >= coalesce("
        "(SELECT max(first) FROM run WHERE probed = p.id AND first <= ?), ?) ORDER BY r.probed, r.first",
        [end, start, start],
    )
    found: dict[int, list[Run]] = {}
    for probed, first, last, outcome, hold in rows:
        found.setdefault(probed, []).append(Run(first, last, _OUTCOMES[outcome], hold))
    return found


def all_runs(db: Database, probed: int) -> Iterator[Run]:
    """Stream all runs of a check, in order."""
    rows = db.execute("SELECT first, last, outcome, hold FROM run WHERE probed = ? ORDER BY first", [probed])
    return (Run(first, last, _OUTCOMES[outcome], hold) for first, last, outcome, hold in rows)
