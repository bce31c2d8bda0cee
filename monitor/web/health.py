"""Whether the monitor does its duty: what ``/readyz`` answers, and what stands at the top of the operators' page."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from monitor.clock import Clock
    from monitor.engine.live.state import LiveState
    from monitor.engine.live.telemetry import Telemetry

MAX_SWEEP_INTERVALS = 2.5
"""Intervals from one complete sweep to the next, at most. Two can pass by right: one whose failing checks took their
whole interval ends as late as that."""


class HealthProblem(NamedTuple):
    """One thing that is wrong with the monitor itself."""

    name: str
    text: str
    """What is wrong, and how to fix it."""
    ready: bool
    """Whether it does its duty nevertheless."""


class Health:
    """Reads the live picture; ``clock`` is the one that the engine runs by."""

    def __init__(self, live_state: LiveState, telemetry: Telemetry, clock: Clock) -> None:
        self._live_state = live_state
        self._telemetry = telemetry
        self._clock = clock
        self._started_at = clock.monotonic()

    def problems(self) -> list[HealthProblem]:
        """Everything that is wrong, what keeps the monitor from its duty first."""
        found = [
            HealthProblem(name, problem.text, problem.ready) for name, problem in self._live_state.problems.items()
        ]
        if overdue := self._overdue_sweep():
            found.append(overdue)
        return sorted(found, key=lambda complaint: (complaint.ready, complaint.name))

    @property
    def first_sweep_running(self) -> bool:
        """Whether no whole sweep is over: the first one begins within an interval, so most servers are not in it."""
        last = self._telemetry.last_sweep_monotonic
        return last is None or (last - self._started_at) * 1000 < self._live_state.interval

    def _overdue_sweep(self) -> HealthProblem | None:
        """Complain of a sweep that should be complete by now; by the monotonic clock, which nobody can step."""
        last = self._telemetry.last_sweep_monotonic
        passed = self._clock.monotonic() - (self._started_at if last is None else last)
        if passed <= MAX_SWEEP_INTERVALS * self._live_state.interval / 1000:
            return None
        so_far = "No sweep was complete since the start" if last is None else "No sweep was complete"
        text = (
            f"{so_far}, {int(passed)} s ago; one is due every {self._live_state.interval / 1000:g} s. "
            "Look into the log, and restart the monitor if it does not recover."
        )
        return HealthProblem("sweep", text, ready=False)

    def readiness(self) -> tuple[bool, str]:
        """Say whether the monitor is ready, and why not: a line for each problem that keeps it from its duty."""
        lines = [f"{complaint.name}: {complaint.text}" for complaint in self.problems() if not complaint.ready]
        return not lines, "\n".join(["not ready", *lines] if lines else ["ready"]) + "\n"
