"""Packs old hours in the background, in steps so short that neither results nor the event loop wait for them.

A reader thread does the expensive work; the writer only stores the packed rows, in small transactions between those of
results. Compaction can be interrupted at any step: an unfinished hour is packed again.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from monitor.errors import StoreError
from monitor.store.archive import compaction, hours

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlite_utils import Database

    from monitor.model import Millis
    from monitor.store.database_thread import DatabaseThread

T = TypeVar("T")
log = logging.getLogger(__name__)

POLL_INTERVAL = 60.0
"""Seconds between checks for an hour that is due."""
RESULTS_PER_STEP = 50_000
"""Results that are packed in one step."""
ROWS_PER_DELETE = 20_000
"""Rows that one transaction deletes."""
REST_FACTOR = 3
"""The rest after each step, as a multiple of the step's duration."""


class Compactor:
    """Packs every hour that is over."""

    def __init__(
        self,
        reader: DatabaseThread,
        writer: DatabaseThread,
        now: Callable[[], Millis],
        *,
        rest_factor: float = REST_FACTOR,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._now = now
        self._rest_factor = rest_factor

    async def run(self) -> None:
        """Pack until cancelled."""
        while True:
            try:
                await self.compact()
            except StoreError as error:
                log.warning("old results could not be packed; will be tried again: %s", error)
            await asyncio.sleep(POLL_INTERVAL)

    async def compact(self) -> None:
        """Pack the hours that are due, in order. Raises StoreError if the database refuses."""
        await self._delete_compacted_rows()
        while (hour_start := await self._run_step(self._reader, self._next_due)) is not None:
            if not await self._compact_hour(hour_start):
                return  # new results arrived meanwhile: the next run includes them
            await self._delete_compacted_rows()

    def _next_due(self, db: Database) -> Millis | None:
        return compaction.next_hour_due(db, self._now() - compaction.GRACE_PERIOD_MS)

    async def _compact_hour(self, hour_start: Millis) -> bool:
        await self._run_step(self._writer, compaction.discard_unfinished)
        for first, last in await self._run_step(
            self._reader, partial(compaction.check_ranges, hour_start=hour_start, max_rows=RESULTS_PER_STEP)
        ):
            packed = await self._run_step(
                self._reader, partial(compaction.pack_rows, hour_start=hour_start, first=first, last=last)
            )
            await self._run_step(self._writer, partial(hours.write_hours, hours=packed))
        return await self._run_step(self._writer, partial(compaction.commit_hour, hour_start=hour_start))

    async def _delete_compacted_rows(self) -> None:
        while await self._run_step(self._writer, partial(compaction.delete_packed_rows, max_rows=ROWS_PER_DELETE)):
            pass

    async def _run_step(self, thread: DatabaseThread, work: Callable[[Database], T]) -> T:
        loop = asyncio.get_running_loop()
        began = loop.time()
        result = await thread.run(work)
        await asyncio.sleep(self._rest_factor * (loop.time() - began))
        return result
