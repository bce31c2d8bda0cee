"""When a packet came, by the kernel's stamp, whatever the wall clock did meanwhile."""

from __future__ import annotations

from typing import NamedTuple


class Reading(NamedTuple):
    """Both of the machine's clocks at one moment."""

    mono: float
    real_ns: int


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
