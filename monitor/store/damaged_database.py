"""Reads what can be read of a database with bad pages: rows before, between and after them.

Nothing is written to it. Each table is read in the order of its key; where SQLite meets a bad page, reading goes on
behind it, in steps that double until it succeeds.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlite_utils import Database

from monitor.errors import InputError
from monitor.model import CheckKey, Outcome, Result
from monitor.store.archive import hours
from monitor.store.archive.codec import ResultKind
from monitor.store.journal import JournalEntry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LAST_KEY = 1 << 62
_RESULT_COLUMNS = "at, probed, outcome, attempts, latency, reason"
_PACKED_COLUMNS = "id, count, start, step, late, floor, latency, kinds, codes, batch, stride, batches"


@dataclass
class DamagedDatabase:
    """One file, open for reading."""

    path: Path
    unreadable: int = 0
    """Places at which rows could not be read: each may have held many."""
    _db: Database = field(init=False)

    def __post_init__(self) -> None:
        """Open it. Raises InputError where it is no database at all."""
        if not self.path.is_file():
            raise InputError(f"{self.path}: no such file")
        for options in ("mode=ro", "mode=ro&immutable=1"):
            self._db = Database(
                sqlite3.connect(f"{self.path.resolve().as_uri()}?{options}", uri=True, isolation_level=None),
                execute_plugins=False,
            )
            try:
                self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            except sqlite3.Error as error:
                failed = error
                self.close()
            else:
                return
        raise InputError(f"{self.path}: nothing can be read from it: {failed}")

    def close(self) -> None:
        """Close it."""
        self._db.close()

    def journal_entries(self) -> Iterator[JournalEntry]:
        """Return the journal's entries that can be read."""
        for number, at, kind, body in self._rows("SELECT number, at, kind, body FROM journal", "number"):
            try:
                yield JournalEntry(number, at, kind, json.loads(body))
            except ValueError:
                self.unreadable += 1

    def results(self) -> Iterator[Result]:
        """Return the results that can be read and are as this program writes them, packed and not."""
        keys = {row[0]: CheckKey(row[1], row[2]) for row in self._rows("SELECT id, server, name FROM probed", "id")}
        reasons: dict[int | None, str] = {None: ""}
        reasons |= {row[0]: row[1] for row in self._rows("SELECT id, text FROM reason", "id")}
        yield from self._packed_results(keys, reasons)
        for at, check, outcome, attempts, latency, reason in self._rows(f"SELECT {_RESULT_COLUMNS} FROM result", "at"):
            if check in keys and outcome in (0, 1, 2) and reason in reasons and at >= 0:
                yield Result(keys[check], at, Outcome(outcome), attempts, latency, reasons[reason])
            else:
                self.unreadable += 1

    def _packed_results(self, keys: dict[int, CheckKey], reasons: dict[int | None, str]) -> Iterator[Result]:
        kinds = {
            row[0]: ResultKind(row[1], row[2], reasons.get(row[3], ""), row[4])
            for row in self._rows("SELECT id, outcome, attempts, reason, measured FROM kind", "id")
        }
        for row in self._rows(f"SELECT {_PACKED_COLUMNS} FROM packed", "id"):
            try:
                hour = hours.decode_row(kinds, row)
                sound = hours.is_canonical(hour) and hour.check_id in keys
            except (ValueError, LookupError, TypeError, OverflowError, AttributeError):
                sound = False
            if not sound:
                self.unreadable += 1
                continue
            for at, outcome, attempts, latency, reason, _ in hour.rows():
                yield Result(keys[hour.check_id], at, Outcome(outcome), attempts, latency, reason)

    def _rows(self, query: str, key: str) -> Iterator[tuple[Any, ...]]:
        """Stream the rows of a query in the order of its first column ``key``, past bad pages."""
        after, step = -1, 1
        while after < _LAST_KEY:
            try:
                for row in self._execute(f"{query} WHERE {key} > ? ORDER BY {key}", after):
                    yield row
                    after, step = row[0], 1
            except sqlite3.DatabaseError as error:
                if "no such table" in str(error):
                    self.unreadable += 1
                    return
                self.unreadable += step == 1
                after, step = after + step, 2 * step
            else:
                return

    def _execute(self, query: str, after: int) -> Iterator[tuple[Any, ...]]:
        yield from self._db.execute(query, [after])
