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

MIN_REPORTED_STEP_MS = 1_000
"""Milliseconds: a smaller step is the ordinary correction of a clock, and nobody is told."""
MAX_READ_GAP_MS = 2
"""Milliseconds within which both clocks must be read."""
MAX_READ_ATTEMPTS = 5
"""So often, before a machine that is too busy for that is believed."""


class RecordedTime:
    """Turns monotonic readings into the time that is written down."""

    def __init__(self, clock: Clock, newest_result: Millis | None) -> None:
        """Begin at the wall clock's time, or just after the newest result there is, whichever is later."""
        self._clock = clock
        self._reported_offset = self._offset = self._measure_offset()
        if newest_result is not None and newest_result >= self.now():
            self._offset = newest_result + 1 - self._monotonic()

    def _measure_offset(self) -> Millis:
        """Read how far the wall clock is from the monotonic one; again where the process was held up in between.

        Else that hold-up would look like a step of the wall clock, and be followed.
        """
        for _ in range(MAX_READ_ATTEMPTS):
            before, wall, after = self._monotonic(), self._clock.now(), self._monotonic()
            if after - before <= MAX_READ_GAP_MS:
                break
        return wall - after

    def _monotonic(self) -> Millis:
        return int(self._clock.monotonic() * 1000)

    def from_monotonic(self, monotonic: float) -> Millis:
        """Return the time of a monotonic reading, in seconds."""
        return int(monotonic * 1000) + self._offset

    def now(self) -> Millis:
        """Return the present time."""
        return self._monotonic() + self._offset

    def follow_wall_clock(self, interval: Millis) -> Millis:
        """Compare with the wall clock and follow it where that is safe.

        Gives by how much the wall clock was stepped since the last call: milliseconds, negative for backwards, 0 where
        it was not stepped notably. To be called at least once an interval.
        """
        offset = self._measure_offset()
        if offset - self._offset > -interval // 2:
            self._offset = offset
        step, self._reported_offset = offset - self._reported_offset, offset
        return step if abs(step) >= MIN_REPORTED_STEP_MS else 0
