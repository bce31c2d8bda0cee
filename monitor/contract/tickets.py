"""The first response to a ticket (5.4.3, 5.4.4 and 8.1, reading.md 8): a clock that runs at all hours of the day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.contract.intervals import Intervals
from monitor.contract.levels import LEVELS

if TYPE_CHECKING:
    from monitor.model import Millis

_HOUR_MS = 3_600_000


def response_time(opened: Millis, responded: Millis, away: Intervals) -> Millis:
    """Return the time from the opening to the first human answer (else to now), in milliseconds.

    ``away`` is when the ticket area itself was down or in maintenance: that time does not count (5.4.3).
    """
    return (Intervals.of(opened, responded) - away).length


def response_due(opened: Millis, level: int, away: Intervals) -> Millis:
    """Return the last instant at which the first answer is in time, itself included, by the support level (8.1)."""
    left = LEVELS[level].ticket_hours * _HOUR_MS
    at = opened
    for start, end in away:
        if end <= at:
            continue
        if start - at >= left:
            break
        left -= max(0, start - at)
        at = end
    return at + left


def missed(opened: Millis, responded: Millis, level: int, away: Intervals) -> bool:
    """Whether the first answer came later than the level promises; exactly at the limit is in time."""
    return response_time(opened, responded, away) > LEVELS[level].ticket_hours * _HOUR_MS
