"""The one clock: what time it is, and how much time has passed.

Scheduling and measuring use the monotonic reading only, so a step of the wall clock can neither stop nor double a
probe nor bend a latency. What is written down carries the wall reading.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Both readings of time; passed in everywhere, so that tests can run months in seconds."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never steps. The same scale as the running event loop's ``time()``."""

    def now(self) -> int:
        """Wall time, in milliseconds since 1970-01-01 UTC; may step in either direction."""


class SystemClock:
    """The machine's own clocks."""

    def monotonic(self) -> float:
        """Seconds of ``CLOCK_MONOTONIC``."""
        return time.monotonic()

    def now(self) -> int:
        """Milliseconds of ``CLOCK_REALTIME``, rounded down."""
        return time.time_ns() // 1_000_000
