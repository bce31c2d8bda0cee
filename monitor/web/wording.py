"""How the page writes lengths, times and figures for people."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from monitor.model import Millis

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def duration(milliseconds: Millis) -> str:
    """Write a length in its two largest units, rounded down: ``3 d 4 h``, ``4 min 10 s``; from 10 min on no seconds."""
    seconds = max(0, milliseconds) // 1000
    if seconds >= 600:  # noqa: PLR2004
        seconds -= seconds % 60
    for (size, unit), (smaller, its_unit) in pairwise(_UNITS):
        if seconds >= size:
            rest = seconds % size // smaller
            return f"{seconds // size} {unit}" + (f" {rest} {its_unit}" if rest else "")
    return f"{seconds} s"


def latency(microseconds: int) -> str:
    """Write a latency with the digits that matter: ``0.42 ms``, ``18 ms``, ``1.3 s``."""
    if microseconds >= 1_000_000:  # noqa: PLR2004 - a second
        return f"{microseconds / 1_000_000:.1f} s"
    if microseconds >= 10_000:  # noqa: PLR2004 - from here on, fractions of a millisecond are noise
        return f"{microseconds // 1000} ms"
    return f"{microseconds / 1000:.2f} ms"


def percent(hundredths: int) -> str:
    """Write ``9973`` as ``99.73 %``."""
    return f"{hundredths // 100}.{hundredths % 100:02d} %"


def left(budget: Millis) -> str:
    """Write what is left of a budget, or by how much it is exceeded."""
    return f"{duration(budget)} left" if budget >= 0 else f"over by {duration(-budget)}"


def local(at: Millis, zone: ZoneInfo) -> str:
    """Write a time in the contract's zone, to the minute."""
    return datetime.fromtimestamp(at // 1000, zone).strftime("%Y-%m-%d %H:%M")


def machine(at: Millis) -> str:
    """Write a time for programs: UTC, to the second."""
    return datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
