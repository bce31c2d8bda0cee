"""When a packet came, by the kernel's stamp, whatever the wall clock did meanwhile."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

STEADY_NS = 100_000
"""Nanoseconds by which two clocks may have parted between two readings and still count as running alike."""


class Reading(NamedTuple):
    """Both of the machine's clocks at one moment."""

    mono: float
    real_ns: int


def placing(before: Reading, after: Reading) -> Callable[[int], float]:
    """Give what places stamps between two readings on the monotonic clock: quick where no clock was stepped."""
    exact = partial(arrival, before=before, after=after)
    first, last, real_ns = before.mono, after.mono, after.real_ns
    if abs((last - first) * 1_000_000_000 - (real_ns - before.real_ns)) > STEADY_NS:
        return exact

    def place(stamp_ns: int) -> float:
        came = last + (stamp_ns - real_ns) / 1_000_000_000
        return came if first <= came <= last else exact(stamp_ns)

    return place


def arrival(stamp_ns: int, before: Reading, after: Reading) -> float:
    """Place the kernel's wall time of a packet on the monotonic clock; it came between the two readings.

    If the wall clock stepped between them, the stamp fits one of the two only. Where it fits neither, the packet
    counts as come just now: a latency is never made better than it can have been.
    """
    after_place = after.mono + (stamp_ns - after.real_ns) / 1_000_000_000
    before_place = before.mono + (stamp_ns - before.real_ns) / 1_000_000_000
    after_fits = before.mono <= after_place <= after.mono
    before_fits = before.mono <= before_place <= after.mono
    if after_fits:
        return max(after_place, before_place) if before_fits else after_place
    return before_place if before_fits else after.mono
