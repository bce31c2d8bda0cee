"""From results to the books, without ever holding up the loop.

Results wait here for a tick, then go to the writer in one transaction. Where the database refuses (disk full, locked by
a backup), they stay here and are tried again: a database error never becomes a verdict on a server.
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
    from monitor.model import Millis, Result
    from monitor.store.database_thread import DatabaseThread

T = TypeVar("T")
log = logging.getLogger(__name__)

COMMIT_INTERVAL = 1.0
"""Seconds for which results gather into one transaction: what is lost at most where the process is killed."""
URGENT_COMMIT_DELAY = 0.2
"""Seconds for which they gather where one of them is not ok: that somebody waits to hear of."""
MAX_RESULTS_PER_COMMIT = 2_000
"""Results in one transaction at most: to show them when they are written takes the loop 5 ms."""
RETRY_INTERVAL = 2.0
"""Seconds between tries while the database refuses."""
MAX_QUEUED_RESULTS = 500_000
"""Results that are kept in memory while the database refuses: over four hours of 2,000 checks."""


class RecordingListener(Protocol):
    """Who hears of what was written; called on the loop, after the commit."""

    def on_recorded(self, recorded: RecordedResults) -> None:
        """Hear of results that are in the books now."""

    def on_sweep_closed(self, sweep: int, entries: int, pending: tuple[int, Millis | None]) -> None:
        """Hear of a sweep that is in the journal: how long that is now, and how many mails wait since when."""

    def on_store_state(self, error: str | None) -> None:
        """Hear whether the database can be written; None: it can."""


@dataclass(frozen=True, slots=True)
class _SweepEnd:
    sweep: int


_Item: TypeAlias = "tuple[int, Result] | _SweepEnd"
_Work: TypeAlias = "Callable[[Database], Callable[[], None]]"


class Recorder:
    """One way in: ``submit`` results in any order, then ``end_sweep``."""

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
        """``max_queued`` bounds how many results wait in memory.

        ``save_unrecorded`` keeps results elsewhere where the database file is lost; without it they wait in memory.
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
        """Called at the beginning of each transaction; returns whether results from after the present are dropped."""
        self._queue: deque[_Item] = deque()
        self._transaction: tuple[list[_Item], _Work, asyncio.Future[Callable[[], None]]] | None = None
        """The transaction that the writer was asked for and has not answered, after what is in it."""
        self._not_empty = asyncio.Event()
        self._urgent = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._last_answer = clock.monotonic()
        """Monotonic seconds of the last commit or refusal, or of when something began to wait."""

    def submit(self, sweep: int, result: Result) -> None:
        """Take one result of a sweep; it is in the books a tick later."""
        if len(self._queue) >= self._max_queued:
            self._drop_oldest()
        self._enqueue((sweep, result))
        if result.outcome is not Outcome.OK:
            self._urgent.set()

    def _drop_oldest(self) -> None:
        """Make room; ends of sweeps stay, for their results may be in the books already."""
        for place, item in enumerate(self._queue):
            if not isinstance(item, _SweepEnd):
                del self._queue[place]
                log.error("the database has refused for so long that the oldest result is dropped: its time is unknown")
                return

    def end_sweep(self, sweep: int) -> None:
        """Close a sweep once everything submitted before is written."""
        self._enqueue(_SweepEnd(sweep))

    def _enqueue(self, item: _Item) -> None:
        self._queue.append(item)
        if self._idle.is_set():
            self._last_answer = self._clock.monotonic()
            self._idle.clear()
            self._not_empty.set()

    @property
    def is_making_progress(self) -> bool:
        """Whether the database answers in reasonable time; a refusal is an answer, and what waits is not lost by it."""
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
        """Wait until everything that was submitted is in the books."""
        await self._idle.wait()

    async def flush(self) -> None:
        """Write everything that waits, in order; a sweep is closed in a transaction of its own."""
        self._urgent.clear()
        while self._queue:
            for item in await self._commit():
                if self._queue and self._queue[0] is item:  # the oldest of them may have been dropped meanwhile
                    self._queue.popleft()
        self._not_empty.clear()
        self._idle.set()

    def _next_transaction(self) -> tuple[list[_Item], _Work]:
        """Take what belongs into the next transaction; it stays in the queue until that is committed."""
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
            sweeps = {sweep: [each for each in found if each.at <= at] for sweep, found in sweeps.items()}
        # where the end of one meets the beginning of the next, the results of a check come in the order of its sweeps
        written = [self._recording.record(db, sweep, sweeps[sweep], at) for sweep in sorted(sweeps)]

        def tell() -> None:
            for recorded in written:
                self._listener.on_recorded(recorded)

        return tell

    def _close_sweep(self, db: Database, sweep: int) -> Callable[[], None]:
        self.before_write(db)
        entries = self._recording.end_sweep(db, sweep, self._recorded_time.now())
        waiting = outbox.pending_summary(db)
        return lambda: self._listener.on_sweep_closed(sweep, entries, waiting)

    async def _commit(self) -> list[_Item]:
        """Do one transaction, again and again until it is committed, then tell the audience; gives what was in it.

        A caller that is cancelled meanwhile leaves the transaction to the next one: it is not done twice.
        """
        again: tuple[list[_Item], _Work] | None = None
        while True:
            began = self._clock.monotonic()
            if self._transaction is None:
                items, work = again or self._next_transaction()
                self._transaction = items, work, asyncio.ensure_future(self._writer.run(work))
            items, work, writing = self._transaction
            try:
                tell = await asyncio.shield(writing)
            except StoreError as error:
                self._transaction, again = None, (items, work)
                self._last_answer = self._clock.monotonic()
                self._recording.invalidate()
                self._telemetry.write_failed()
                if isinstance(error, LostDatabaseError) and await self._save_elsewhere(items):
                    return items
                self._listener.on_store_state(str(error))
                log.error("%s; %d results wait", error, len(self._queue))  # noqa: TRY400 - no traceback for users
                await asyncio.sleep(RETRY_INTERVAL)
                continue
            if self._handled_elsewhere(writing):
                return items  # by somebody else who waited for it
            self._transaction = None
            self._last_answer = self._clock.monotonic()
            self._telemetry.observe_write(self._last_answer - began)
            self._listener.on_store_state(None)
            tell()
            return items

    async def save_queue(self) -> None:
        """Keep everything that waits elsewhere: the database cannot take it any more."""
        items = list(self._queue)
        if await self._save_elsewhere(items):
            self._queue.clear()

    async def _save_elsewhere(self, items: list[_Item]) -> bool:
        """Keep results outside of a database that is lost; returns whether that was done."""
        if self._save_unrecorded is None:
            return False
        found = [item[1] for item in items if not isinstance(item, _SweepEnd)]
        try:
            await asyncio.to_thread(self._save_unrecorded, found)
        except OSError as error:
            log.error("%d results could not be kept beside the database: %s", len(found), error)  # noqa: TRY400
            return False
        return True

    def _handled_elsewhere(self, writing: asyncio.Future[Callable[[], None]]) -> bool:
        return self._transaction is None or self._transaction[2] is not writing

    async def write(self, work: Callable[[Database], T]) -> T:
        """Do other work in the writer's thread. Raises StoreError where the database refuses."""
        try:
            return await self._writer.run(work)
        except StoreError:
            self._recording.invalidate()
            self._telemetry.write_failed()
            raise
