"""Runs the regular jobs with APScheduler: verification, month closing, measuring the database."""

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
"""Seconds by which a job may be late and still run; with the library's default of 1 s it is dropped silently."""
FIRST_RUN_DELAY = timedelta(seconds=5)
FIRST_DAILY_RUN_DELAY = timedelta(hours=1)


class OperatorNotifier(Protocol):
    """Mails problems of the monitor to the operators."""

    def raise_problem(self, news: OperatorNews, lines: Iterable[str]) -> None:
        """Mail a lasting problem, once."""

    def clear_problem(self, news: OperatorNews) -> None:
        """Record that the problem is over."""


class Housekeeping:
    """Verifies the journal, closes and reports finished months, measures the database and runs other jobs."""

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
        holds: Callable[[], bool] = lambda: False,
    ) -> None:
        """``reader`` does the long reads; it may be a separate process, so its work must be picklable.

        No month is closed while ``holds`` returns true, see ``clock_guard.py``.
        """
        self._reader = reader
        self._writer = writer
        self._file = file
        self._live_state = live_state
        self._telemetry = telemetry
        self._notifier = notifier
        self._now = now
        self._context = context
        self._holds = holds
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"misfire_grace_time": MISFIRE_GRACE_SECONDS, "coalesce": True}
        )
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = False

    def start(self) -> None:
        """Start the scheduler in the running event loop."""
        soon = datetime.now(UTC) + FIRST_RUN_DELAY
        self._scheduler.add_job(self._cancellable(self.verify), "interval", hours=24, next_run_time=soon)
        self._scheduler.add_job(self._cancellable(self.close_months), "interval", hours=1, next_run_time=soon)
        self._scheduler.add_job(
            self._cancellable(self.measure_database), "interval", minutes=1, next_run_time=datetime.now(UTC)
        )
        self._scheduler.start()

    def run_every_minute(self, job: Callable[[], Awaitable[None]]) -> None:
        """Run another job every minute, from now on."""
        self._scheduler.add_job(self._cancellable(job), "interval", minutes=1, next_run_time=datetime.now(UTC))

    def run_daily(self, job: Callable[[], Awaitable[None]]) -> None:
        """Run another job every day, for the first time in an hour."""
        first = datetime.now(UTC) + FIRST_DAILY_RUN_DELAY
        self._scheduler.add_job(self._cancellable(job), "interval", hours=24, next_run_time=first)

    async def stop(self) -> None:
        """Start no more jobs and cancel those that run."""
        self._stopping = True
        self._scheduler.pause()
        await asyncio.sleep(0)  # jobs that were just submitted start here, and end at once
        running = tuple(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self._scheduler.shutdown(wait=False)

    def _cancellable(self, job: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """Wrap a job so that a cancellation by ``stop`` ends it silently; the library would log it as an error."""

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
        """Verify the journal and everything that depends on it; report to log, page, metrics and operators."""
        try:
            report = await self._reader.run(verify)
        except CorruptDatabaseError as error:
            report = VerificationReport(0, 0, 0, str(error))
        except StoreError as error:
            log.warning("the journal could not be verified: %s", error)
            return
        if report.error is None:
            self._telemetry.set_journal_verified(report.entries, self._now())
            self._live_state.clear_problem("journal")
            self._notifier.clear_problem(OperatorNews.JOURNAL)
            return
        log.error("the journal failed verification: %s", report.error)
        self._live_state.set_problem(
            "journal", f"The journal failed verification: {report.error}. See `monitor verify`.", ready=True
        )
        self._notifier.raise_problem(OperatorNews.JOURNAL, (report.error, "monitor verify"))

    async def close_months(self) -> None:
        """Close finished months, each in one transaction; record corrections for facts that arrived later."""
        if self._holds():
            log.warning("no month is closed while the clock is in doubt")
            return
        try:
            due = await self._reader.run(partial(months_due, at=self._now()))
            for month in due:
                work = partial(close_and_report, context=self._context(), when=month, at=self._now(), by=DAEMON)
                closing = await self._writer.run(work)
                log.info("month %s closed: journal entry %d", closing.month, closing.entry)
            if await self._reader.run(partial(last_month_differs, at=self._now())):
                await self._writer.run(lambda db: correct_last_month(db, self._now()))
        except StoreError as error:
            log.warning("a finished month could not be closed; will be tried again: %s", error)

    async def measure_database(self) -> None:
        """Measure the size of the database on disk, including its write-ahead log."""
        files = (self._file, self._file.with_name(f"{self._file.name}-wal"))
        self._telemetry.database_measured(sum(file.stat().st_size for file in files if file.exists()))
