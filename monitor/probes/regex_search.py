"""Regular expressions of the configuration, searched in what servers say: within a time that is bounded.

Nearly all are found, or not, in microseconds, and at once. What takes longer goes on in a thread, where it holds nobody
up; and an expression that did not come to an end there waits in another lane than the healthy ones from then on.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from monitor.probes.failures import monitor_failure
from monitor.probes.settings import regex_module

MAX_INLINE_SIZE = 16 * 1024
"""Bytes that are searched at once: in more of them the library can overlook its time by tens of milliseconds."""
INLINE_TIMEOUT = 0.005
"""Seconds that a search may hold everybody up."""
SEARCH_TIMEOUT = 0.25
"""Seconds that one search may take in a thread."""
_MIN_TIMEOUT = 0.02
"""Seconds for a search that begins at the deadline: nearly all end in less."""
_THREADS = 4
_SLOW_THREADS = 2
TOO_SLOW = "expression too slow"
TOO_BUSY = "monitor too busy"


class Pattern:
    """One expression, ready to be searched for."""

    def __init__(self, text: str) -> None:
        """Raises ``regex.error`` for what ``is_expression`` refuses. ``^`` and ``$`` are the ends of lines."""
        self.text = text
        regex = regex_module()
        self._compiled: Any = regex.compile(text.encode(), regex.MULTILINE)
        self.too_slow = False
        """Whether it did not come to an end when it was searched for last."""

    def search_now(self, data: bytes) -> bool | None:
        """Whether it is found; None where that takes longer, or has before."""
        if len(data) > MAX_INLINE_SIZE or self.too_slow:
            return None
        try:
            return self._compiled.search(data, timeout=INLINE_TIMEOUT) is not None
        except TimeoutError:
            return None

    def search(self, data: bytes) -> bool:
        """Whether it is found, for a thread: the interpreter is let go of. Raises ``ProbeError``, unknown."""
        try:
            found = self._compiled.search(data, timeout=SEARCH_TIMEOUT, concurrent=True) is not None
        except TimeoutError:
            self.too_slow = True
            raise monitor_failure(TOO_SLOW) from None
        self.too_slow = False
        return found


class RegexWorkers:
    """The threads in which is searched for what takes its time."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(_THREADS, "search")
        self._slow_executor = ThreadPoolExecutor(_SLOW_THREADS, "search late")

    async def search(self, pattern: Pattern, data: bytes, within: float = SEARCH_TIMEOUT) -> bool:
        """Whether it is found. Raises ``ProbeError``, unknown, where that cannot be said ``within`` so many seconds.

        Waiting for a thread is part of them, and never the server's fault.
        """
        lane = self._slow_executor if pattern.too_slow else self._executor
        try:
            async with asyncio.timeout(max(within, _MIN_TIMEOUT)):
                return await asyncio.get_running_loop().run_in_executor(lane, pattern.search, data)
        except TimeoutError:
            raise monitor_failure(TOO_BUSY) from None

    def close(self) -> None:
        """Begin no more searches; those under way end by themselves, soon."""
        for lane in (self._executor, self._slow_executor):
            lane.shutdown(wait=False, cancel_futures=True)
