"""What happens a few times an hour or a day; APScheduler says when."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from functools import partial, wraps
from typing import TYPE_CHECKING, Protocol

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from monitor.errors import DamagedError, StoreError
from monitor.ledger.months.closing import months_due
from monitor.ledger.months.corrections import DAEMON, last_month_drifts, settle_last_month
from monitor.ledger.months.report import close_and_report
from monitor.ledger.verify import Verdict, verify
from monitor.mail.content import OperatorNews

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from pathlib import Path

    from monitor.engine.live.state import Board
    from monitor.engine.live.telemetry import Telemetry
    from monitor.ledger.context import Context
    from monitor.model import Millis
    from monitor.store.threads import Thread

log = logging.getLogger(__name__)

GRACE = 3600
"""Seconds by which a job may be late and still run: the library's own default, 1 s, drops it silently."""
FIRST_LOOK = timedelta(seconds=5)
FIRST_CHECK = timedelta(hours=1)


class Messenger(Protocol):
    """Who tells the operators."""

    def trouble(self, news: OperatorNews, lines: Iterable[str]) -> None:
        """Tell of a trouble that lasts, once."""

    def over(self, news: OperatorNews) -> None:
        """Take note that it is over."""


class Housekeeping:
    """Verifies the journal, closes months that are over and reports them, and measures the database."""

    def __init__(
        self,
        reader: Thread,
        writer: Thread,
        file: Path,
        board: Board,
        telemetry: Telemetry,
        messenger: Messenger,
        *,
        now: Callable[[], Millis],
        context: Callable[[], Context],
    ) -> None:
        """``reader`` is asked what takes long, in a way that can be pickled: the daemon's is a process of its own."""
        self._reader = reader
        self._writer = writer
        self._file = file
        self._board = board
        self._telemetry = telemetry
        self._messenger = messenger
        self._now = now
        self._context = context
        self._scheduler = AsyncIOScheduler(timezone=UTC, job_defaults={"misfire_grace_time": GRACE, "coalesce": True})
        self._at_work: set[asyncio.Task[None]] = set()
        self._over = False

    def start(self) -> None:
        """Begin, in the running loop."""
        soon = datetime.now(UTC) + FIRST_LOOK
        self._scheduler.add_job(self._endable(self.verify), "interval", hours=24, next_run_time=soon)
        self._scheduler.add_job(self._endable(self.close_months), "interval", hours=1, next_run_time=soon)
        self._scheduler.add_job(self._endable(self.measure), "interval", minutes=1, next_run_time=datetime.now(UTC))
        self._scheduler.start()

    def each_minute(self, work: Callable[[], Awaitable[None]]) -> None:
        """Have something else done every minute, from now on."""
        self._scheduler.add_job(self._endable(work), "interval", minutes=1, next_run_time=datetime.now(UTC))

    def each_day(self, work: Callable[[], Awaitable[None]]) -> None:
        """Have something else done every day, for the first time in an hour."""
        first = datetime.now(UTC) + FIRST_CHECK
        self._scheduler.add_job(self._endable(work), "interval", hours=24, next_run_time=first)

    async def stop(self) -> None:
        """Ask for nothing more, and wait no longer for what is being done."""
        self._over = True
        self._scheduler.pause()
        await asyncio.sleep(0)  # what was asked for a moment ago begins, and ends
        at_work = tuple(self._at_work)
        for task in at_work:
            task.cancel()
        await asyncio.gather(*at_work, return_exceptions=True)
        self._scheduler.shutdown(wait=False)

    def _endable(self, work: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """Let work end at the daemon's end: the library would log as an error that it was cancelled."""

        @wraps(work)
        async def run() -> None:
            task = asyncio.current_task()
            assert task is not None
            self._at_work.add(task)
            try:
                if not self._over:
                    await work()
            except asyncio.CancelledError:
                if not self._over:
                    raise
            finally:
                self._at_work.discard(task)

        return run

    async def verify(self) -> None:
        """Verify the journal and what hangs on it; the page, the metrics and the log say what came of it."""
        try:
            verdict = await self._reader.run(verify)
        except DamagedError as error:
            verdict = Verdict(0, 0, 0, str(error))
        except StoreError as error:
            log.warning("the journal could not be verified: %s", error)
            return
        if verdict.wrong is None:
            self._telemetry.verified(verdict.entries, self._now())
            self._board.solved("journal")
            self._messenger.over(OperatorNews.JOURNAL)
            return
        log.error("the journal does not hold: %s", verdict.wrong)
        self._board.problem("journal", f"The journal does not hold: {verdict.wrong}. See `monitor verify`.", ready=True)
        self._messenger.trouble(OperatorNews.JOURNAL, (verdict.wrong, "monitor verify"))

    async def close_months(self) -> None:
        """Close the months that are over, each in a transaction; keep what later results changed as a correction."""
        try:
            due = await self._reader.run(partial(months_due, at=self._now()))
            for month in due:
                work = partial(close_and_report, context=self._context(), when=month, at=self._now(), by=DAEMON)
                closing = await self._writer.run(work)
                log.info("%s is closed: journal entry %d", closing.month, closing.entry)
            if await self._reader.run(partial(last_month_drifts, at=self._now())):
                await self._writer.run(lambda db: settle_last_month(db, self._now()))
        except StoreError as error:
            log.warning("a month that is over could not be closed, it will be tried again: %s", error)

    async def measure(self) -> None:
        """Measure the database on disk, with its write-ahead log."""
        files = (self._file, self._file.with_name(f"{self._file.name}-wal"))
        self._telemetry.database_measured(sum(file.stat().st_size for file in files if file.exists()))
