"""Watches the database file while the daemon runs, and reports when it is lost or replaced.

It checks ``FileGuard`` every second. If the file is lost, the writer writes no more to it and the recorder stores
results in a CSV file. This job reports the loss in the log, on the page, at ``/readyz``, by metric and by a mail that
needs no database, and copies what the open connections can still read. Otherwise it stores the journal's head outside
of the database, so that the next start can detect an older copy.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final

from monitor.engine.unsaved_results import time_stamp
from monitor.errors import StoreError
from monitor.store import head_mark, journal
from monitor.store.head_mark import HeadMark

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from sqlite_utils import Database

    from monitor.engine.live.state import LiveState
    from monitor.engine.live.telemetry import Telemetry
    from monitor.engine.unsaved_results import UnsavedResults
    from monitor.model import Millis
    from monitor.store.database_thread import DatabaseThread
    from monitor.store.file_guard import FileGuard

log = logging.getLogger(__name__)

PROBLEM: Final = "database"
"""The file that the daemon writes to is lost."""
START_PROBLEM: Final = "ledger"
"""At the start the ledger lacked recorded entries, or was damaged and set aside."""
CHECK_INTERVAL: Final = 1.0
CHECKS_PER_MARK: Final = 10
"""About the seconds between two marks; the loss of a write-ahead log within this time can go undetected."""
CHECKS_PER_MAIL: Final = 60
"""About the seconds between two attempts to mail the operators."""


class DatabaseWatch:
    """Watches until cancelled; ``send`` mails the operators directly and returns whether that succeeded."""

    def __init__(
        self,
        guard: FileGuard,
        reader: DatabaseThread,
        file: Path,
        live_state: LiveState,
        telemetry: Telemetry,
        unsaved: UnsavedResults,
        *,
        now: Callable[[], Millis],
        send: Callable[[str, Sequence[str]], Awaitable[bool]],
        found_at_start: str | None = None,
        damaged: Path | None = None,
    ) -> None:
        """``found_at_start``: what the ledger lacks; ``damaged``: the file that was set aside for a fresh one."""
        self._guard = guard
        self._reader = reader
        self._file = file
        self._live_state = live_state
        self._telemetry = telemetry
        self._unsaved = unsaved
        self._now = now
        self._send = send
        self._found_at_start = found_at_start
        self._damaged = damaged
        self._reported_loss: str | None = None
        self._rescued: Path | None = None
        self._unsent: dict[str, tuple[str, ...]] = {}
        """Mails to the operators that are not sent yet, by subject."""
        self._mark: HeadMark | None = None

    async def run(self) -> None:
        """Watch until cancelled."""
        self._report_start()
        checks = 0
        while True:
            if checks % CHECKS_PER_MAIL == 0:
                await self._send_mails()
            await asyncio.sleep(CHECK_INTERVAL)
            checks += 1
            await self.check()
            if checks % CHECKS_PER_MARK == 0:
                await self.mark()

    def _report_start(self) -> None:
        found = self._found_at_start
        if found is None:
            return
        mark = self._file.with_name(head_mark.MARK_FILE)
        remedy = (
            f"the damaged database is {self._damaged}: `monitor salvage {self._damaged}` imports what can be read from"
            f" it, then delete {mark}"
            if self._damaged
            else f"restore the newest database; if this is an older copy on purpose, delete {mark}"
        )
        log.error("%s; %s", found, remedy)
        self._live_state.set_problem(START_PROBLEM, f"{found}; {remedy}.")
        self._telemetry.database_lost = True
        self._unsent["the monitor started with another ledger than it stopped with"] = (found, remedy)

    async def check(self) -> None:
        """Check the file once and report a change."""
        loss = await asyncio.to_thread(self._guard.check)
        if loss == self._reported_loss or self._guard.damaged:  # a damaged one is set aside by the daemon
            return
        self._reported_loss = loss
        if loss is None:
            self._rescued = None
            self._live_state.clear_problem(PROBLEM)
            self._telemetry.database_lost = self._found_at_start is not None
            log.warning("%s is there again: results are recorded", self._file)
            return
        self._telemetry.database_lost = True
        log.error("%s: nothing more is written into it; results are kept in %s", loss, self._unsaved.path)
        self._live_state.set_problem(
            PROBLEM,
            f"{loss}: nothing is recorded. Results are kept in {self._unsaved.path}. Stop the daemon, put the database"
            " back (see docs/operations.md), start it, and import that file by `monitor import csv`.",
        )
        rescued = await self._rescue()
        kept = f"{self._unsaved.path}, as `monitor import csv` reads them"
        copied = f"copied to {rescued}" if rescued else "lost: nothing could be read any more"
        lines = (
            f"{loss}.",
            f"Nothing is recorded since then, and no mail about outages leaves. Results are kept in {kept}.",
            f"What the daemon still had open of the database is {copied}.",
        )
        self._unsent["the monitor's database was lost while it ran"] = lines
        await self._send_mails()

    async def _rescue(self) -> Path | None:
        """Copy what the open connections can still read, once."""
        if self._rescued is None:
            copy = self._file.with_name(f"{self._file.stem}-rescued-{time_stamp(self._now())}{self._file.suffix}")
            try:
                await self._reader.run(lambda db: _copy(db, copy))
            except (StoreError, OSError) as error:
                log.error("%s could not be written: %s", copy, error)  # noqa: TRY400 - no traceback for users
                with suppress(OSError):
                    copy.unlink(missing_ok=True)
            else:
                self._rescued = copy
        return self._rescued

    async def mark(self) -> None:
        """Store the journal's head beside the database, unless the database has a problem."""
        if self._guard.loss is not None:
            return
        if self._found_at_start is not None:
            if head_mark.read(self._file.parent) is not None:
                return  # the operator has not accepted the ledger yet
            log.warning("%s was deleted: the ledger is accepted as it is", self._file.with_name(head_mark.MARK_FILE))
            self._found_at_start = None
            self._live_state.clear_problem(START_PROBLEM)
            self._telemetry.database_lost = False
        try:
            mark = HeadMark(*await self._reader.run(journal.head))
            if mark.entry and mark != self._mark:
                await asyncio.to_thread(head_mark.write, self._file.parent, mark)
                self._mark = mark
        except (StoreError, OSError) as error:
            log.warning("the journal's head could not be noted: %s", error)

    async def _send_mails(self) -> None:
        for subject, lines in list(self._unsent.items()):
            if await self._send(subject, lines):
                del self._unsent[subject]


def _copy(db: Database, to: Path) -> None:
    with closing(sqlite3.connect(to)) as copy:
        db.conn.backup(copy)
