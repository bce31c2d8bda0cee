"""Processor time and memory of a process, from the kernel."""

from __future__ import annotations

import re
import time
from pathlib import Path

_SCHED = 2
"""Of a process clock (``clock_getcpuclockid``): processor time in nanoseconds."""


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process, user and system, in seconds. Raise ``OSError`` if it does not exist."""
    return time.clock_gettime(~pid << 3 | _SCHED)


def resident_kib(pid: int, field: str = "VmRSS") -> int:
    """Return the resident memory of a process in KiB; ``VmHWM`` is its maximum."""
    found = re.search(rf"{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) if found else 0
