"""The health of the monitor: the answer of ``/readyz``, and the problems at the top of the operators' page."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from monitor.clock import Clock
    from monitor.engine.live.state import LiveState
    from monitor.engine.live.telemetry import Telemetry

MAX_SWEEP_INTERVALS = 2.5
"""The most intervals between two complete sweeps. Two are normal: a sweep whose failing checks take their whole
interval ends that late."""


class HealthProblem(NamedTuple):
    """One problem of the monitor itself."""

    name: str
    text: str
    """The problem and its remedy."""
    ready: bool
    """Whether the monitor is ready despite it."""


class Health:
    """Reads the live state; ``clock`` is that of the engine."""

    def __init__(self, live_state: LiveState, telemetry: Telemetry, clock: Clock) -> None:
        self._live_state = live_state
        self._telemetry = telemetry
        self._clock = clock
        self._started_at = clock.monotonic()

    def problems(self) -> list[HealthProblem]:
        """Return all problems, first those that make the monitor not ready."""
        found = [
            HealthProblem(name, problem.text, problem.ready) for name, problem in self._live_state.problems.items()
        ]
        if overdue := self._overdue_sweep():
            found.append(overdue)
        return sorted(found, key=lambda problem: (problem.ready, problem.name))

    @property
    def first_sweep_running(self) -> bool:
        """Whether no whole sweep is complete; the first one may begin within an interval, with few servers."""
        last = self._telemetry.last_sweep_monotonic
        return last is None or (last - self._started_at) * 1000 < self._live_state.interval

    def _overdue_sweep(self) -> HealthProblem | None:
        """Return the problem of an overdue sweep, or None; by the monotonic clock, which cannot be set."""
        last = self._telemetry.last_sweep_monotonic
        passed = self._clock.monotonic() - (self._started_at if last is None else last)
        if passed <= MAX_SWEEP_INTERVALS * self._live_state.interval / 1000:
            return None
        so_far = "No sweep was complete since the start" if last is None else "No sweep was complete"
        text = (
            f"{so_far}, {int(passed)} s ago; one is due every {self._live_state.interval / 1000:g} s. "
            "See the log, and restart the monitor if it does not recover."
        )
        return HealthProblem("sweep", text, ready=False)

    def readiness(self) -> tuple[bool, str]:
        """Return whether the monitor is ready, and a text with a line for each problem that prevents it."""
        lines = [f"{problem.name}: {problem.text}" for problem in self.problems() if not problem.ready]
        return not lines, "\n".join(["not ready", *lines] if lines else ["ready"]) + "\n"
