"""The time that is written down: the wall clock's, but never running backwards for any check.

Between readings it advances with the monotonic clock. A step forward is followed at once: the time in between is not
covered by any result and so is unknown. A step backward by less than half an interval is followed too, since results of
one check still come in order. After a greater step backward the old scale is kept until the wall clock has caught up:
the time that it shows again has been accounted for already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monitor.clock import Clock
    from monitor.model import Millis

NOTABLE = 1_000
"""Milliseconds: a smaller step is the ordinary correction of a clock, and nobody is told."""


class Timescale:
    """Turns monotonic readings into the time that is written down."""

    def __init__(self, clock: Clock, newest: Millis | None) -> None:
        """Begin at the wall clock's time, or just after the newest result there is, whichever is later."""
        self._clock = clock
        self._offset = clock.now() - self._monotonic()
        if newest is not None and newest >= clock.now():
            self._offset = newest + 1 - self._monotonic()
        self._told = clock.now() - self._monotonic()

    def _monotonic(self) -> Millis:
        return int(self._clock.monotonic() * 1000)

    def at(self, monotonic: float) -> Millis:
        """Give the time of a monotonic reading, in seconds."""
        return int(monotonic * 1000) + self._offset

    def now(self) -> Millis:
        """Give the present time."""
        return self._monotonic() + self._offset

    def follow(self, interval: Millis) -> Millis:
        """Compare with the wall clock and follow it where that is safe.

        Gives by how much the wall clock was stepped since the last call: milliseconds, negative for backwards, 0 where
        it was not stepped notably. To be called at least once an interval.
        """
        offset = self._clock.now() - self._monotonic()
        if offset - self._offset > -interval // 2:
            self._offset = offset
        step, self._told = offset - self._told, offset
        return step if abs(step) >= NOTABLE else 0
