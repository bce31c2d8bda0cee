"""The cycles under way, as a callback or as a task; those of one check end in the order in which they began."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from monitor.model import CheckKey

log = logging.getLogger(__name__)


class Cycles:
    """Knows what is under way of each check, and what a later cycle of it has to wait for."""

    def __init__(self) -> None:
        self._flying: dict[CheckKey, asyncio.Future[None] | None] = {}
        """First attempts without a task, with what somebody waits by for the end of their cycle."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._newest: dict[CheckKey, asyncio.Task[None]] = {}
        """The cycle of each check that began last, while it is under way as a task."""
        self._drained: asyncio.Event | None = None
        self.dropped = False
        """Those that are still under way are to give nothing any more."""

    def __len__(self) -> int:
        """Give how many have begun and not ended."""
        return len(self._tasks) + len(self._flying)

    def take_off(self, key: CheckKey) -> bool:
        """Count one that flies without a task; not while another of the same check is under way."""
        if key in self._flying or key in self._newest:
            return False
        self._flying[key] = None
        return True

    def land(self, key: CheckKey) -> asyncio.Future[None] | None:
        """Count it no more; gives what is to be woken when its cycle has ended, if anybody waits for that."""
        return self._flying.pop(key)

    def begin(
        self,
        key: CheckKey,
        work: Coroutine[Any, Any, None],
        ended: Callable[[], None],
        waiting: asyncio.Future[None] | None = None,
    ) -> None:
        """Go on as a task, and call ``ended`` after it, however it ends; a fault in it is logged.

        With ``waiting`` it is the rest of a cycle that a later one of the same check waits for by that.
        """
        task = asyncio.create_task(work, name=f"probe {key}")
        self._tasks.add(task)
        task.add_done_callback(partial(self._ended, key, ended))
        if waiting is None:
            self._newest[key] = task
        else:
            task.add_done_callback(lambda _: wake(waiting))

    def before(self, key: CheckKey) -> asyncio.Future[None] | None:
        """Give what ends with the cycle of a check that began last; None where none is under way."""
        if key in self._newest or key not in self._flying:
            return self._newest.get(key)
        waiting = self._flying[key] = self._flying[key] or asyncio.get_running_loop().create_future()
        return waiting

    def _ended(self, key: CheckKey, ended: Callable[[], None], task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._newest.get(key) is task:
            del self._newest[key]
        if not task.cancelled() and task.exception():
            log.error("a probe was lost to a fault in the monitor", exc_info=task.exception())
        ended()

    def handed_on(self) -> None:
        """Take note that the result of one that ended is with who keeps it."""
        if self._drained is not None and not len(self):
            self._drained.set()

    async def drain(self, patience: float) -> None:
        """Let them end for ``patience`` seconds, then drop the rest."""
        self._drained = asyncio.Event()
        if len(self):
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._drained.wait()
        self.dropped = True
        self._flying.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def wake(waiting: asyncio.Future[None]) -> None:
    """Let who waits by this go on."""
    if not waiting.done():
        waiting.set_result(None)
