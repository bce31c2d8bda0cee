"""What a process costs, as the kernel accounts for it."""

from __future__ import annotations

import os
import re
from pathlib import Path

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


def processor(pid: int) -> float:
    """Give the processor time of a process, user and system, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def resident(pid: int, what: str = "VmRSS") -> int:
    """Give the resident memory of a process in KiB; ``VmHWM``: the most that it ever was."""
    found = re.search(rf"{what}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) if found else 0
