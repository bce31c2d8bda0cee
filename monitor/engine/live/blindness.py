"""Notices that the monitor cannot judge: it lacks descriptors, memory or threads, or no canary answers.

Single results that are unknown are normal. What lasts for two sweeps is a problem: the monitor is not ready, and the
operators get a mail.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from monitor.mail.content import OperatorNews
from monitor.probes.failures import SHORTAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from monitor.engine.live.state import LiveState
    from monitor.engine.live.telemetry import Telemetry
    from monitor.model import Result

log = logging.getLogger(__name__)

RESOURCES: Final = "resources"
"""The problem of missing resources."""
CANARIES: Final = "canaries"
"""The problem of canaries that do not answer."""
SWEEPS: Final = 2
"""Intervals after which it is a problem."""
OFFLINE_TEXT: Final = (
    "No canary answers: the monitor has no network connection. Failures are recorded as unknown and no customer is "
    "notified; restore the monitor's own connection."
)
SILENT_TEXT: Final = (
    "No canary can be probed, so failures are recorded as they are seen: the monitor does not know whether it has a "
    "network connection. See the log."
)
_REMEDY: Final = (
    "The monitor lacks resources of its own, so checks are unknown. Raise its limits (LimitNOFILE, TasksMax and "
    "MemoryMax of the unit, or ulimit), or find what uses them up."
)


class BlindnessWatch:
    """Watches results and canaries; ``read_seconds`` is the monotonic clock."""

    def __init__(
        self,
        live_state: LiveState,
        telemetry: Telemetry,
        *,
        read_seconds: Callable[[], float],
        raise_problem: Callable[[OperatorNews, Iterable[str]], None],
        clear_problem: Callable[[OperatorNews], None],
    ) -> None:
        self._live_state = live_state
        self._telemetry = telemetry
        self._read_seconds = read_seconds
        self._raise_problem = raise_problem
        self._clear_problem = clear_problem
        self._short_since: float | None = None
        self._short_at: float | None = None
        self._shortage = ""
        self._shortage_raised: bool | None = None
        """Whether the operators were mailed about the shortage; None while an earlier process may have done so."""
        self._canary_at = read_seconds()
        """When a canary answered last, or the watch began."""
        self._silence_raised = False

    @property
    def _interval(self) -> float:
        return self._live_state.interval / 1000

    def on_results(self, results: Iterable[Result]) -> None:
        """Look for results that are unknown because the monitor lacked something."""
        for result in results:
            if result.reason in SHORTAGES:
                self._note_shortage(f"{result.check.server}/{result.check.name}: {result.reason}")
                return

    def on_descriptors_exhausted(self, text: str) -> None:
        """Handle a connection that the system did not let the web server accept: a problem at once."""
        self._note_shortage(text)
        if RESOURCES not in self._live_state.problems:
            log.error("%s", text)
        self._live_state.set_problem(RESOURCES, f"{_REMEDY} Last seen: {text}.")

    def _note_shortage(self, text: str) -> None:
        now = self._read_seconds()
        if self._short_at is None or now - self._short_at > SWEEPS * self._interval:
            self._short_since = now
        self._short_at, self._shortage = now, text

    def on_canary_answer(self) -> None:
        """Note that a canary answered."""
        self._canary_at = self._read_seconds()

    def on_sweep(self) -> None:
        """Judge what lasts; called at the end of each sweep."""
        self._judge_shortage()
        self._judge_canaries()

    def _judge_shortage(self) -> None:
        now = self._read_seconds()
        if self._short_at is None or self._short_since is None or now - self._short_at > SWEEPS * self._interval:
            self._live_state.clear_problem(RESOURCES)
            if self._shortage_raised is not False:
                self._shortage_raised = False
                self._clear_problem(OperatorNews.RESOURCES)
            return
        # in a second sweep: it was noted at least half an interval after the first time
        if self._short_at - self._short_since < self._interval / 2:
            return
        if RESOURCES not in self._live_state.problems:
            log.error("the monitor lacks resources of its own: %s", self._shortage)
        self._live_state.set_problem(RESOURCES, f"{_REMEDY} Last seen: {self._shortage}.")
        if not self._shortage_raised:
            self._shortage_raised = True
            self._raise_problem(OperatorNews.RESOURCES, (self._shortage,))

    def _judge_canaries(self) -> None:
        offline = CANARIES in self._live_state.problems and not self._silence_raised
        silent = self._read_seconds() - self._canary_at > SWEEPS * self._interval
        if not silent or not self._telemetry.canaries:
            if self._silence_raised:
                self._silence_raised = False
                self._live_state.clear_problem(CANARIES)
                self._clear_problem(OperatorNews.NO_CONNECTIVITY)
        elif offline:  # the operators were mailed at once
            self._live_state.set_problem(CANARIES, OFFLINE_TEXT)
        elif not self._silence_raised and "icmp" not in self._live_state.problems:
            self._silence_raised = True
            log.error("no canary could be probed for %d s", self._read_seconds() - self._canary_at)
            self._live_state.set_problem(CANARIES, SILENT_TEXT)
            self._raise_problem(OperatorNews.NO_CONNECTIVITY, tuple(self._telemetry.canaries))
