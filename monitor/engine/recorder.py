"""From results to the books, without ever holding up the loop.

Results wait here for a tick, then go to the writer in one transaction. Where the database refuses (disk full, locked by
a backup), they stay here and are tried again: a database error never becomes a verdict on a server.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from monitor.errors import StoreError
from monitor.store import outbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlite_utils import Database

    from monitor.books.recording import Recorded, Recording
    from monitor.clock import Clock
    from monitor.engine.telemetry import Telemetry
    from monitor.engine.timescale import Timescale
    from monitor.model import Millis, Result
    from monitor.store.database import Thread

T = TypeVar("T")
log = logging.getLogger(__name__)

TICK = 0.2
"""Seconds for which results gather into one transaction."""
PATIENCE = 2.0
"""Seconds between tries while the database refuses."""
SPOOL = 500_000
"""Results that are kept in memory while the database refuses: over four hours of 2,000 checks."""


class Audience(Protocol):
    """Who hears of what was written; called on the loop, after the commit."""

    def recorded(self, recorded: Recorded) -> None:
        """Hear of results that are in the books now."""

    def sweep_closed(self, sweep: int, entries: int, pending: tuple[int, Millis | None]) -> None:
        """Hear of a sweep that is in the journal: how long that is now, and how many mails wait since when."""

    def store_state(self, error: str | None) -> None:
        """Hear whether the database can be written; None: it can."""


@dataclass(frozen=True, slots=True)
class _SweepEnd:
    sweep: int


class Recorder:
    """One way in: ``submit`` results in any order, then ``end_sweep``."""

    def __init__(
        self,
        writer: Thread,
        recording: Recording,
        clock: Clock,
        timescale: Timescale,
        telemetry: Telemetry,
        audience: Audience,
    ) -> None:
        self._writer = writer
        self._recording = recording
        self._clock = clock
        self._timescale = timescale
        self._telemetry = telemetry
        self._audience = audience
        self._waiting: deque[tuple[int, Result] | _SweepEnd] = deque()
        self._something = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.last_write = clock.monotonic()
        """Monotonic seconds of the last commit, or of the last time that there was nothing to write."""

    def submit(self, sweep: int, result: Result) -> None:
        """Take one result of a sweep; it is in the books a tick later."""
        if len(self._waiting) >= SPOOL:
            self._waiting.popleft()
            log.error("the database has refused for so long that the oldest result is dropped: its time is unknown")
        self._put((sweep, result))

    def end_sweep(self, sweep: int) -> None:
        """Close a sweep once everything submitted before is written."""
        self._put(_SweepEnd(sweep))

    def _put(self, item: tuple[int, Result] | _SweepEnd) -> None:
        self._waiting.append(item)
        self._idle.clear()
        self._something.set()

    @property
    def progresses(self) -> bool:
        """Whether what is submitted gets written in reasonable time."""
        return self._idle.is_set() or self._clock.monotonic() - self.last_write < 10 * PATIENCE

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._something.wait()
            await asyncio.sleep(TICK)
            await self.flush()

    async def drain(self) -> None:
        """Wait until everything that was submitted is in the books."""
        await self._idle.wait()

    async def flush(self) -> None:
        """Write everything that waits, in order, as few transactions as there are sweeps in it."""
        while self._waiting:
            count, work = self._next()
            await self._written(work)
            for _ in range(count):
                self._waiting.popleft()
        self._something.clear()
        self._idle.set()
        self.last_write = self._clock.monotonic()

    def _next(self) -> tuple[int, Callable[[Database], Callable[[], None]]]:
        """Take what belongs into the next transaction; it stays in the queue until that is committed."""
        head = self._waiting[0]
        if isinstance(head, _SweepEnd):
            return 1, lambda db: self._close(db, head.sweep)
        sweep, results = head[0], []
        for item in self._waiting:
            if isinstance(item, _SweepEnd) or item[0] != sweep:
                break
            results.append(item[1])
        return len(results), lambda db: self._record(db, sweep, results)

    def _record(self, db: Database, sweep: int, results: list[Result]) -> Callable[[], None]:
        recorded = self._recording.record(db, sweep, results, self._timescale.now())
        return lambda: self._audience.recorded(recorded)

    def _close(self, db: Database, sweep: int) -> Callable[[], None]:
        entries = self._recording.end_sweep(db, sweep, self._timescale.now())
        waiting = outbox.pending(db)
        return lambda: self._audience.sweep_closed(sweep, entries, waiting)

    async def _written(self, work: Callable[[Database], Callable[[], None]]) -> None:
        """Do one transaction, again and again until it is committed, then tell the audience."""
        while True:
            began = self._clock.monotonic()
            try:
                tell = await self._writer.run(work)
            except StoreError as error:
                self._recording.forget()
                self._telemetry.write_failed()
                self._audience.store_state(str(error))
                log.error("%s; %d results wait", error, len(self._waiting))  # noqa: TRY400 - no traceback for users
                await asyncio.sleep(PATIENCE)
                continue
            self.last_write = self._clock.monotonic()
            self._telemetry.written(self.last_write - began)
            self._audience.store_state(None)
            tell()
            return

    async def write(self, work: Callable[[Database], T]) -> T:
        """Do other work in the writer's thread. Raises StoreError where the database refuses."""
        try:
            return await self._writer.run(work)
        except StoreError:
            self._recording.forget()
            self._telemetry.write_failed()
            raise
