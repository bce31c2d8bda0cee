"""The time that is recorded: wall clock time that never runs backwards for any check.

Between comparisons it advances with the monotonic clock. It follows a step forward at once: no result covers the time
between, so that time is unknown. It follows a step backward of less than half an interval too, since the results of one
check stay in order. After a larger step backward it keeps the old offset until the wall clock has caught up: the time
that the wall clock repeats is accounted for already. It follows a leap forward by days only if the clock can be trusted
(``clock_guard.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monitor.clock import Clock
    from monitor.model import Millis

MIN_REPORTED_STEP_MS = 1_000
"""Milliseconds: a smaller step is an ordinary clock correction and is not reported."""
MAX_READ_GAP_MS = 2
"""Milliseconds within which both clocks must be read."""
MAX_READ_ATTEMPTS = 5
"""Attempts before a larger gap is accepted: the machine is busy."""


class RecordedTime:
    """Converts monotonic readings to recorded time."""

    def __init__(self, clock: Clock, newest_record: Millis | None) -> None:
        """Start at the wall clock's time, or just after the newest record, whichever is later."""
        self._clock = clock
        self.restart(newest_record)

    def _measure_offset(self) -> Millis:
        """Measure the difference of wall clock and monotonic clock; repeat if the process was delayed meanwhile.

        Such a delay would look like a step of the wall clock.
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

    def restart(self, newest_record: Millis | None) -> None:
        """Start again at the wall clock's time, or just after the newest record that is left."""
        self._reported_offset = self._offset = self._measure_offset()
        if newest_record is not None and newest_record >= self.now():
            self._offset = newest_record + 1 - self._monotonic()

    def follow_wall_clock(self, interval: Millis, *, max_forward: Millis | None = None) -> Millis:
        """Compare with the wall clock and follow it if that is safe, forward by less than ``max_forward``.

        Call this at least once an interval.

        Return the milliseconds by which the wall clock was stepped since the last call: negative for a step backward,
        0 if it was not stepped by ``MIN_REPORTED_STEP_MS``.
        """
        offset = self._measure_offset()
        forward = offset - self._offset
        if forward > -interval // 2 and (max_forward is None or forward < max_forward):
            self._offset = offset
        step, self._reported_offset = offset - self._reported_offset, offset
        return step if abs(step) >= MIN_REPORTED_STEP_MS else 0
