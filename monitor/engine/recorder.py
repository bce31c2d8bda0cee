"""Records results without blocking the event loop.

Results wait here for a tick, then the writer stores them in one transaction. If the database refuses (disk full, locked
by a backup), they stay in the queue and are tried again: a database error never affects the state of a server.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

from monitor.errors import StoreError
from monitor.model import Outcome
from monitor.store import outbox
from monitor.store.file_guard import LostDatabaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlite_utils import Database

    from monitor.clock import Clock
    from monitor.engine.live.telemetry import Telemetry
    from monitor.engine.recorded_time import RecordedTime
    from monitor.ledger.results.recording import RecordedResults, Recording
    from monitor.model import Result
    from monitor.store.database_thread import DatabaseThread
    from monitor.store.outbox import OutboxSummary

T = TypeVar("T")
log = logging.getLogger(__name__)

COMMIT_INTERVAL = 1.0
"""Seconds for which results are collected in one transaction: at most these are lost if the process is killed."""
URGENT_COMMIT_DELAY = 0.2
"""Seconds for which they are collected if one of them is not ok, since it can cause a mail."""
MAX_RESULTS_PER_COMMIT = 2_000
"""The most results in one transaction: showing them after the commit takes the event loop 5 ms."""
RETRY_INTERVAL = 2.0
"""Seconds between attempts while the database refuses."""
MAX_QUEUED_RESULTS = 500_000
"""The most results in memory while the database refuses: more than four hours of 2,000 checks."""


class RecordingListener(Protocol):
    """Receives what was written; called on the event loop, after the commit."""

    def on_recorded(self, recorded: RecordedResults) -> None:
        """Handle results that have been committed."""

    def on_sweep_closed(self, sweep: int, entries: int, mails: OutboxSummary) -> None:
        """Handle a sweep that is in the journal: its number of entries, and what the outbox holds."""

    def on_store_state(self, error: str | None) -> None:
        """Handle the state of the database: the error of a refused write, or None after a successful one."""


@dataclass(frozen=True, slots=True)
class _SweepEnd:
    sweep: int


_Item: TypeAlias = "tuple[int, Result] | _SweepEnd"
_Work: TypeAlias = "Callable[[Database], Callable[[], None]]"


class Recorder:
    """The only way to record results: ``submit`` them in any order, then call ``end_sweep``."""

    def __init__(
        self,
        writer: DatabaseThread,
        recording: Recording,
        clock: Clock,
        recorded_time: RecordedTime,
        telemetry: Telemetry,
        listener: RecordingListener,
        *,
        max_queued: int = MAX_QUEUED_RESULTS,
        save_unrecorded: Callable[[list[Result]], None] | None = None,
    ) -> None:
        """``max_queued`` limits how many results wait in memory.

        ``save_unrecorded`` stores results elsewhere if the database file is lost; without it they wait in memory.
        """
        self._max_queued = max_queued
        self._save_unrecorded = save_unrecorded
        self._writer = writer
        self._recording = recording
        self._clock = clock
        self._recorded_time = recorded_time
        self._telemetry = telemetry
        self._listener = listener
        self.before_write: Callable[[Database], bool] = lambda _: False
        """Called at the start of each transaction; returns whether results with a later time than now are dropped."""
        self._queue: deque[_Item] = deque()
        self._transaction: tuple[list[_Item], _Work, asyncio.Future[Callable[[], None]]] | None = None
        """The transaction that the writer has not finished: its items, its work and its future."""
        self._not_empty = asyncio.Event()
        self._urgent = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._last_answer = clock.monotonic()
        """Monotonic seconds of the last commit or refusal, or of the first item after an idle time."""

    def submit(self, sweep: int, result: Result) -> None:
        """Queue one result of a sweep; it is recorded a tick later."""
        if len(self._queue) >= self._max_queued:
            self._drop_oldest()
        self._enqueue((sweep, result))
        if result.outcome is not Outcome.OK:
            self._urgent.set()

    def _drop_oldest(self) -> None:
        """Drop the oldest result; ends of sweeps stay, since their results may be recorded already."""
        for index, item in enumerate(self._queue):
            if not isinstance(item, _SweepEnd):
                del self._queue[index]
                log.error(
                    "the queue is full, since the database refuses: the oldest result is dropped, its time is unknown"
                )
                return

    def end_sweep(self, sweep: int) -> None:
        """Close a sweep as soon as everything submitted before is written."""
        self._enqueue(_SweepEnd(sweep))

    def _enqueue(self, item: _Item) -> None:
        self._queue.append(item)
        if self._idle.is_set():
            self._last_answer = self._clock.monotonic()
            self._idle.clear()
            self._not_empty.set()

    @property
    def is_making_progress(self) -> bool:
        """Whether the database answers in time; a refusal is an answer, since the queued results are not lost."""
        return self._idle.is_set() or self._clock.monotonic() - self._last_answer < 10 * RETRY_INTERVAL

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._not_empty.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(COMMIT_INTERVAL - URGENT_COMMIT_DELAY):
                    await self._urgent.wait()
            await asyncio.sleep(URGENT_COMMIT_DELAY)
            await self.flush()

    async def drain(self) -> None:
        """Wait until everything that was submitted is recorded."""
        await self._idle.wait()

    async def flush(self) -> None:
        """Write the queue in order; a sweep is closed in a transaction of its own."""
        self._urgent.clear()
        while self._queue:
            for item in await self._commit():
                if self._queue and self._queue[0] is item:  # it may have been dropped meanwhile
                    self._queue.popleft()
        self._not_empty.clear()
        self._idle.set()

    def _next_transaction(self) -> tuple[list[_Item], _Work]:
        """Return the items and the work of the next transaction; the items stay in the queue until the commit."""
        head = self._queue[0]
        if isinstance(head, _SweepEnd):
            return [head], lambda db: self._close_sweep(db, head.sweep)
        items: list[_Item] = []
        sweeps: dict[int, list[Result]] = {}
        for item in islice(self._queue, MAX_RESULTS_PER_COMMIT):
            if isinstance(item, _SweepEnd):
                break
            items.append(item)
            sweeps.setdefault(item[0], []).append(item[1])
        return items, lambda db: self._record(db, sweeps)

    def _record(self, db: Database, sweeps: Mapping[int, list[Result]]) -> Callable[[], None]:
        drop_later = self.before_write(db)
        at = self._recorded_time.now()
        if drop_later:
            sweeps = {sweep: [result for result in queued if result.at <= at] for sweep, queued in sweeps.items()}
        # with results of two sweeps, those of one check are recorded in the order of the sweeps
        written = [self._recording.record(db, sweep, sweeps[sweep], at) for sweep in sorted(sweeps)]

        def notify() -> None:
            for recorded in written:
                self._listener.on_recorded(recorded)

        return notify

    def _close_sweep(self, db: Database, sweep: int) -> Callable[[], None]:
        self.before_write(db)
        entries = self._recording.end_sweep(db, sweep, self._recorded_time.now())
        mails = outbox.summary(db)
        return lambda: self._listener.on_sweep_closed(sweep, entries, mails)

    async def _commit(self) -> list[_Item]:
        """Execute one transaction, with retries until it is committed, then call the listener; return its items.

        If the caller is cancelled meanwhile, the next caller waits for the same transaction: it runs only once.
        """
        retry: tuple[list[_Item], _Work] | None = None
        while True:
            began = self._clock.monotonic()
            if self._transaction is None:
                items, work = retry or self._next_transaction()
                self._transaction = items, work, asyncio.ensure_future(self._writer.run(work))
            items, work, future = self._transaction
            try:
                notify = await asyncio.shield(future)
            except StoreError as error:
                self._transaction, retry = None, (items, work)
                self._last_answer = self._clock.monotonic()
                self._recording.invalidate()
                self._telemetry.write_failed()
                if isinstance(error, LostDatabaseError) and await self._save_elsewhere(items):
                    return items
                self._listener.on_store_state(str(error))
                log.error("%s; %d results wait", error, len(self._queue))  # noqa: TRY400 - no traceback for users
                await asyncio.sleep(RETRY_INTERVAL)
                continue
            if self._handled_elsewhere(future):
                return items  # another caller waited for it too
            self._transaction = None
            self._last_answer = self._clock.monotonic()
            self._telemetry.observe_write(self._last_answer - began)
            self._listener.on_store_state(None)
            notify()
            return items

    async def save_queue(self) -> None:
        """Store the queued results elsewhere, since the database cannot store them any more."""
        items = list(self._queue)
        if await self._save_elsewhere(items):
            self._queue.clear()

    async def _save_elsewhere(self, items: list[_Item]) -> bool:
        """Store results outside of a lost database; return whether that succeeded."""
        if self._save_unrecorded is None:
            return False
        results = [item[1] for item in items if not isinstance(item, _SweepEnd)]
        try:
            await asyncio.to_thread(self._save_unrecorded, results)
        except OSError as error:
            log.error("%d results could not be stored beside the database: %s", len(results), error)  # noqa: TRY400
            return False
        return True

    def _handled_elsewhere(self, future: asyncio.Future[Callable[[], None]]) -> bool:
        return self._transaction is None or self._transaction[2] is not future

    async def write(self, work: Callable[[Database], T]) -> T:
        """Execute other work in the writer's thread. Raises StoreError if the database refuses."""
        try:
            return await self._writer.run(work)
        except StoreError:
            self._recording.invalidate()
            self._telemetry.write_failed()
            raise
