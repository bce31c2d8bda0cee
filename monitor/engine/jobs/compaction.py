"""Old hours packed in the background, in steps so short that neither results nor the loop wait for them.

What costs time is done by a thread that reads; the writer only puts down what is ready, a piece at a time, and results
come in between. Packing may be cut off anywhere: what was half done is done again.
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
"""Seconds between looks whether an hour is due."""
RESULTS_PER_STEP = 50_000
"""Results that are packed in one step."""
ROWS_PER_DELETE = 20_000
"""Rows that one transaction deletes."""
REST_FACTOR = 3
"""After each step so many times as long as it took, nothing is done."""


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
                log.warning("old results could not be packed, it will be tried again: %s", error)
            await asyncio.sleep(POLL_INTERVAL)

    async def compact(self) -> None:
        """Pack what is due, hour after hour. Raises StoreError where the database refuses."""
        await self._delete_compacted_rows()
        while (began := await self._run_step(self._reader, self._next_due)) is not None:
            if not await self._compact_hour(began):
                return  # results came in meanwhile: at the next look they are among the others
            await self._delete_compacted_rows()

    def _next_due(self, db: Database) -> Millis | None:
        return compaction.next_hour_due(db, self._now() - compaction.GRACE_PERIOD_MS)

    async def _compact_hour(self, hour_start: Millis) -> bool:
        await self._run_step(self._writer, compaction.discard_unfinished)
        for first, last in await self._run_step(
            self._reader, partial(compaction.check_ranges, hour_start=hour_start, max_rows=RESULTS_PER_STEP)
        ):
            made = await self._run_step(
                self._reader, partial(compaction.pack_rows, hour_start=hour_start, first=first, last=last)
            )
            await self._run_step(self._writer, partial(hours.write_hours, hours=made))
        return await self._run_step(self._writer, partial(compaction.commit_hour, hour_start=hour_start))

    async def _delete_compacted_rows(self) -> None:
        while await self._run_step(self._writer, partial(compaction.delete_packed_rows, max_rows=ROWS_PER_DELETE)):
            pass

    async def _run_step(self, thread: DatabaseThread, work: Callable[[Database], T]) -> T:
        loop = asyncio.get_running_loop()
        began = loop.time()
        done = await thread.run(work)
        await asyncio.sleep(self._rest_factor * (loop.time() - began))
        return done
