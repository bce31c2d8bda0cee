"""Controls Python's garbage collector: no collection while many long-lived objects are created.

A full collection examines every object and stops everything else meanwhile. With the accounts of ten thousand
subscriptions in memory it takes a tenth of a second, and it would run again and again while they are read.
"""

from __future__ import annotations

import gc
import itertools
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


FREEZE_INTERVAL = 2.0
"""Seconds between freezes: objects that survive one are excluded from later collections."""
FREEZES_PER_FULL_COLLECTION = 43_200
"""Freezes between two full collections, which examine all objects: one day."""
GEN0_THRESHOLD = 20_000
"""New objects before a collection of the youngest generation. Results live for a second: with Python's default of 700,
collections took a twentieth of the processor time at 833 pings a second."""


class _GcPauses:
    """Counts the pauses of the collector, of which the process has one; it is enabled again after the last pause."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._was_enabled = False

    def pause(self) -> None:
        with self._lock:
            if not self._count:
                self._was_enabled = gc.isenabled()
                gc.disable()
            self._count += 1

    def resume(self) -> None:
        with self._lock:
            gc.freeze()  # else the next collection examines all objects created in the pause
            self._count -= 1
            if not self._count and self._was_enabled:
                gc.enable()

    def freeze_survivors(self, *, full: bool = False) -> None:
        with self._lock:
            if not self._count and gc.isenabled():
                if full:
                    gc.unfreeze()
                gc.collect(2 if full else 1)
                gc.freeze()


_PAUSES = _GcPauses()


def freeze_startup() -> None:
    """Exclude all present objects from later collections: with thousands of servers a collection takes 100 ms."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GEN0_THRESHOLD)


def freeze_survivors(*, full: bool = False) -> None:
    """Collect the young generations and exclude the objects that survive from later collections.

    With the newest results of ten thousand servers a collection takes 20 ms, with those of fifty thousand 130 ms. A
    reference cycle that becomes garbage later, such as some that a failing check leaves, is found by a ``full`` one.
    """
    _PAUSES.freeze_survivors(full=full)


async def freeze_periodically(needed: Callable[[], bool]) -> None:
    """Freeze the survivors every few seconds while ``needed``, with a full collection once a day, until cancelled."""
    import asyncio  # noqa: PLC0415 - reading commands import this module too, without asyncio

    for count in itertools.count(1):
        await asyncio.sleep(FREEZE_INTERVAL)
        if needed():
            freeze_survivors(full=count % FREEZES_PER_FULL_COLLECTION == 0)


@contextmanager
def gc_paused() -> Iterator[None]:
    """Pause the collector; objects that exist afterwards are excluded from later collections.

    Objects without reference cycles, which are nearly all, are freed as always by their reference count.
    """
    _PAUSES.pause()
    try:
        yield
    finally:
        _PAUSES.resume()
