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
    from monitor.store.threads import Thread

T = TypeVar("T")
log = logging.getLogger(__name__)

LOOK = 60.0
"""Seconds between looks whether an hour is due."""
PIECE = 50_000
"""Results that are packed in one step."""
ROWS = 20_000
"""Rows that one transaction deletes."""
REST = 3
"""After each step so many times as long as it took, nothing is done."""


class Packer:
    """Packs every hour that is over."""

    def __init__(self, reader: Thread, writer: Thread, now: Callable[[], Millis], *, rest: float = REST) -> None:
        self._reader = reader
        self._writer = writer
        self._now = now
        self._rest = rest

    async def run(self) -> None:
        """Pack until cancelled."""
        while True:
            try:
                await self.pack()
            except StoreError as error:
                log.warning("old results could not be packed, it will be tried again: %s", error)
            await asyncio.sleep(LOOK)

    async def pack(self) -> None:
        """Pack what is due, hour after hour. Raises StoreError where the database refuses."""
        await self._tidy()
        while (began := await self._step(self._reader, self._due)) is not None:
            if not await self._hour(began):
                return  # results came in meanwhile: at the next look they are among the others
            await self._tidy()

    def _due(self, db: Database) -> Millis | None:
        return compaction.next_due(db, self._now() - compaction.PATIENCE)

    async def _hour(self, began: Millis) -> bool:
        await self._step(self._writer, compaction.clear)
        for first, last in await self._step(self._reader, partial(compaction.pieces, began=began, most=PIECE)):
            made = await self._step(
                self._reader, partial(compaction.packed_from_rows, began=began, first=first, last=last)
            )
            await self._step(self._writer, partial(hours.put, hours=made))
        return await self._step(self._writer, partial(compaction.finish, began=began))

    async def _tidy(self) -> None:
        while await self._step(self._writer, partial(compaction.tidy, most=ROWS)):
            pass

    async def _step(self, thread: Thread, work: Callable[[Database], T]) -> T:
        loop = asyncio.get_running_loop()
        began = loop.time()
        done = await thread.run(work)
        await asyncio.sleep(self._rest * (loop.time() - began))
        return done
