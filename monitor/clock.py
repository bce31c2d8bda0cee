"""The one clock: what time it is, and how much time has passed.

Scheduling and measuring use the monotonic reading only, so a step of the wall clock can neither stop nor double a
probe nor bend a latency. What is written down carries the wall reading.
"""

from __future__ import annotations

import ctypes
import errno
import sys
import time
from pathlib import Path
from typing import Protocol

STA_UNSYNC = 0x0040
"""The bit of the kernel's clock status that says that nothing synchronises the clock (``adjtimex(2)``)."""
TIME_ERROR = 5
"""What ``adjtimex`` returns while the clock is not synchronised."""
TIMESYNCD_MARK = Path("/run/systemd/timesync/synchronized")
"""The file that systemd-timesyncd writes at each synchronisation: the unit may not ask the kernel (ProtectClock)."""
MAX_KERNEL_DIFFERENCE_MS = 2_000
"""Milliseconds by which this process may see another time than the kernel."""


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


class _Timex(ctypes.Structure):
    """``struct timex`` of Linux, as far as it is read; the rest is room for what the kernel writes."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("frequency", ctypes.c_long),
        ("max_error", ctypes.c_long),
        ("estimated_error", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("precision", ctypes.c_long),
        ("tolerance", ctypes.c_long),
        ("seconds", ctypes.c_long),
        ("fraction", ctypes.c_long),
        ("rest", ctypes.c_char * 256),
    )


def is_synchronised(wall: int) -> bool:
    """Return whether the kernel says that its clock is synchronised and ``wall`` (milliseconds) is that clock's time.

    False on systems other than Linux, and where the kernel cannot be asked.
    """
    if not sys.platform.startswith("linux"):
        return False
    state = _Timex()
    try:
        answer = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(state))
    except (OSError, AttributeError):
        return False
    if answer < 0 and ctypes.get_errno() == errno.EPERM:
        return TIMESYNCD_MARK.exists()
    if answer < 0 or answer == TIME_ERROR or state.status & STA_UNSYNC:
        return False
    # a process that is shown another time than the kernel's own (libfaketime) does not have the synchronised clock
    return abs(int(state.seconds) * 1000 - wall) <= MAX_KERNEL_DIFFERENCE_MS
