"""What a process costs, as the kernel accounts for it."""

from __future__ import annotations

import re
import time
from pathlib import Path

_SCHED = 2
"""Of a process clock (``clock_getcpuclockid``): the time that the scheduler gave, to the nanosecond."""


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process, user and system, in seconds; ``OSError`` where there is none."""
    return time.clock_gettime(~pid << 3 | _SCHED)


def resident_kib(pid: int, field: str = "VmRSS") -> int:
    """Return the resident memory of a process in KiB; ``VmHWM``: the most that it ever was."""
    found = re.search(rf"{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) if found else 0
