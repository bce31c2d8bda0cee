"""What happens a few times an hour or a day; APScheduler says when."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from functools import partial, wraps
from typing import TYPE_CHECKING, Protocol

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from monitor.errors import CorruptDatabaseError, StoreError
from monitor.ledger.months.closing import months_due
from monitor.ledger.months.corrections import DAEMON, correct_last_month, last_month_differs
from monitor.ledger.months.report import close_and_report
from monitor.ledger.verify import VerificationReport, verify
from monitor.mail.content import OperatorNews

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from pathlib import Path

    from monitor.engine.live.state import LiveState
    from monitor.engine.live.telemetry import Telemetry
    from monitor.ledger.context import LedgerContext
    from monitor.model import Millis
    from monitor.store.database_thread import DatabaseThread

log = logging.getLogger(__name__)

MISFIRE_GRACE_SECONDS = 3600
"""Seconds by which a job may be late and still run: the library's own default, 1 s, drops it silently."""
FIRST_RUN_DELAY = timedelta(seconds=5)
FIRST_DAILY_RUN_DELAY = timedelta(hours=1)


class OperatorNotifier(Protocol):
    """Who tells the operators."""

    def raise_problem(self, news: OperatorNews, lines: Iterable[str]) -> None:
        """Tell of a trouble that lasts, once."""

    def clear_problem(self, news: OperatorNews) -> None:
        """Take note that it is over."""


class Housekeeping:
    """Verifies the journal, closes months that are over and reports them, and measures the database."""

    def __init__(
        self,
        reader: DatabaseThread,
        writer: DatabaseThread,
        file: Path,
        live_state: LiveState,
        telemetry: Telemetry,
        notifier: OperatorNotifier,
        *,
        now: Callable[[], Millis],
        context: Callable[[], LedgerContext],
    ) -> None:
        """``reader`` is asked what takes long, in a way that can be pickled: the daemon's is a process of its own."""
        self._reader = reader
        self._writer = writer
        self._file = file
        self._live_state = live_state
        self._telemetry = telemetry
        self._notifier = notifier
        self._now = now
        self._context = context
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"misfire_grace_time": MISFIRE_GRACE_SECONDS, "coalesce": True}
        )
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = False

    def start(self) -> None:
        """Begin, in the running loop."""
        soon = datetime.now(UTC) + FIRST_RUN_DELAY
        self._scheduler.add_job(self._cancellable(self.verify), "interval", hours=24, next_run_time=soon)
        self._scheduler.add_job(self._cancellable(self.close_months), "interval", hours=1, next_run_time=soon)
        self._scheduler.add_job(
            self._cancellable(self.measure_database), "interval", minutes=1, next_run_time=datetime.now(UTC)
        )
        self._scheduler.start()

    def run_every_minute(self, job: Callable[[], Awaitable[None]]) -> None:
        """Have something else done every minute, from now on."""
        self._scheduler.add_job(self._cancellable(job), "interval", minutes=1, next_run_time=datetime.now(UTC))

    def run_daily(self, job: Callable[[], Awaitable[None]]) -> None:
        """Have something else done every day, for the first time in an hour."""
        first = datetime.now(UTC) + FIRST_DAILY_RUN_DELAY
        self._scheduler.add_job(self._cancellable(job), "interval", hours=24, next_run_time=first)

    async def stop(self) -> None:
        """Ask for nothing more, and wait no longer for what is being done."""
        self._stopping = True
        self._scheduler.pause()
        await asyncio.sleep(0)  # what was asked for a moment ago begins, and ends
        at_work = tuple(self._running)
        for task in at_work:
            task.cancel()
        await asyncio.gather(*at_work, return_exceptions=True)
        self._scheduler.shutdown(wait=False)

    def _cancellable(self, job: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """Let work end at the daemon's end: the library would log as an error that it was cancelled."""

        @wraps(job)
        async def run() -> None:
            task = asyncio.current_task()
            assert task is not None
            self._running.add(task)
            try:
                if not self._stopping:
                    await job()
            except asyncio.CancelledError:
                if not self._stopping:
                    raise
            finally:
                self._running.discard(task)

        return run

    async def verify(self) -> None:
        """Verify the journal and what hangs on it; the page, the metrics and the log say what came of it."""
        try:
            verdict = await self._reader.run(verify)
        except CorruptDatabaseError as error:
            verdict = VerificationReport(0, 0, 0, str(error))
        except StoreError as error:
            log.warning("the journal could not be verified: %s", error)
            return
        if verdict.error is None:
            self._telemetry.set_journal_verified(verdict.entries, self._now())
            self._live_state.clear_problem("journal")
            self._notifier.clear_problem(OperatorNews.JOURNAL)
            return
        log.error("the journal does not hold: %s", verdict.error)
        self._live_state.set_problem(
            "journal", f"The journal does not hold: {verdict.error}. See `monitor verify`.", ready=True
        )
        self._notifier.raise_problem(OperatorNews.JOURNAL, (verdict.error, "monitor verify"))

    async def close_months(self) -> None:
        """Close the months that are over, each in a transaction; keep what later results changed as a correction."""
        try:
            due = await self._reader.run(partial(months_due, at=self._now()))
            for month in due:
                work = partial(close_and_report, context=self._context(), when=month, at=self._now(), by=DAEMON)
                closing = await self._writer.run(work)
                log.info("%s is closed: journal entry %d", closing.month, closing.entry)
            if await self._reader.run(partial(last_month_differs, at=self._now())):
                await self._writer.run(lambda db: correct_last_month(db, self._now()))
        except StoreError as error:
            log.warning("a month that is over could not be closed, it will be tried again: %s", error)

    async def measure_database(self) -> None:
        """Measure the database on disk, with its write-ahead log."""
        files = (self._file, self._file.with_name(f"{self._file.name}-wal"))
        self._telemetry.database_measured(sum(file.stat().st_size for file in files if file.exists()))
