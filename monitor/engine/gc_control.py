"""Python's collector of cyclic garbage, kept away while many objects are made that stay.

Each full collection looks through every object there is, and everything else stands still meanwhile: with the accounts
of ten thousand subscriptions in memory that is a tenth of a second, again and again while they are read.
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
"""Seconds after which what is still there counts as what stays."""
FREEZES_PER_FULL_COLLECTION = 43_200
"""So many times what stays is left out of searches, a day's; then all is looked through once."""
GEN0_THRESHOLD = 20_000
"""Objects that gather before young ones are searched for garbage. Results live for a second: with Python's 700, a
twentieth of the processor's time at 833 pings a second went into looking at them again and again."""


class _GcPauses:
    """How many want the collector away: it is one for the process, and comes back when the last of them is done."""

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
            gc.freeze()  # a collection now would look through all that was made meanwhile
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
    """Leave what is there now out of every later search for garbage: with thousands of servers one takes 100 ms."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GEN0_THRESHOLD)


def freeze_survivors(*, full: bool = False) -> None:
    """Collect young garbage, and leave what is still there out of later searches.

    The newest results of ten thousand servers make searches of 20 ms, those of fifty thousand of 130 ms. A cycle that
    is garbage only later, some of what a check that fails leaves, is found when all is looked through ``full``.
    """
    _PAUSES.freeze_survivors(full=full)


async def freeze_periodically(needed: Callable[[], bool]) -> None:
    """Settle every few seconds while that is needed, and anew once a day, until cancelled."""
    import asyncio  # noqa: PLC0415 - a question to the books must not wait for it

    for count in itertools.count(1):
        await asyncio.sleep(FREEZE_INTERVAL)
        if needed():
            freeze_survivors(full=count % FREEZES_PER_FULL_COLLECTION == 0)


@contextmanager
def gc_paused() -> Iterator[None]:
    """Collect nothing for a while; what is there afterwards is not looked through again.

    Objects without cycles, which are nearly all, are freed as always when nobody refers to them any more.
    """
    _PAUSES.pause()
    try:
        yield
    finally:
        _PAUSES.resume()
