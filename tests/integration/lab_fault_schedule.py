"""What happens to the servers of a lab, and when: written down beforehand, lived through, and compared afterwards."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from monitor.engine.probing.scheduler import slot_offset
from tests.integration.lab_config import INTERVAL, MAX_CHECK_DURATION, TIMEOUT
from tests.integration.lab_listeners import TimeRange, now_ms

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.model import CheckKey, Outage

MAX_LATENESS = 300
"""Milliseconds by which a probe may leave after its slot. A healthy schedule is not 50 ms late, but here the daemon
shares its cores with a mail server, web servers and the test itself."""
SLACK = 600
"""Milliseconds by which an outage may differ further from the truth: a busy machine is late with attempts too."""
MIN_DETECTABLE = INTERVAL + MAX_CHECK_DURATION + MAX_LATENESS
"""Milliseconds that a fall has to last so that one cycle at least fails to its last attempt."""


@dataclass
class PlannedOutage:
    """Checks that are down together, in truth; the moments are known once they were lived through."""

    checks: tuple[CheckKey, ...]
    reason: str
    went_down: TimeRange = field(default=TimeRange(0, 0))
    came_up: TimeRange = field(default=TimeRange(0, 0))

    def matches(self, outage: Outage) -> bool:
        """Whether an outage is what must be in the books of this fall: within one interval of the truth.

        An outage begins with the first attempt of the first cycle that failed, up to an interval after the fall. It
        ends with the first attempt of the first cycle that succeeded: up to an interval after the rise, or before it
        where that cycle was already under way and succeeded at a later attempt.
        """
        begins = self.went_down.before - TIMEOUT - SLACK <= outage.start <= self.went_down.after + INTERVAL + SLACK
        earliest, latest = self.came_up.before - MAX_CHECK_DURATION - SLACK, self.came_up.after + INTERVAL + SLACK
        ends = outage.end is not None and earliest <= outage.end <= latest
        return begins and ends and outage.reason == self.reason


class FaultSchedule:
    """Deeds in the order of their time, in seconds from the origin: a whole second of the wall clock."""

    def __init__(self) -> None:
        self.outages: list[PlannedOutage] = []
        self.origin = 0
        """Milliseconds of the wall clock; known once it is lived through."""
        self._actions: list[tuple[float, Callable[[], object]]] = []

    def schedule(self, seconds: float, action: Callable[[], object]) -> None:
        """Do something at a time."""
        self._actions.append((seconds, action))

    def add_outage(
        self,
        begin: float,
        end: float,
        checks: tuple[CheckKey, ...],
        actions: tuple[Callable[[], TimeRange], Callable[[], TimeRange]],
        reason: str = "timeout",
    ) -> PlannedOutage:
        """Let checks fall at ``begin`` and rise at ``end``, by doing the one and the other of ``actions``."""
        assert 1000 * (end - begin) >= MIN_DETECTABLE
        fall = PlannedOutage(checks, reason)
        self.outages.append(fall)

        def fell() -> None:
            fall.went_down = actions[0]()

        def rose() -> None:
            fall.came_up = actions[1]()

        self.schedule(begin, fell)
        self.schedule(end, rose)
        return fall

    def run(self) -> None:
        """Do everything at its time."""
        self.origin = (now_ms() // 1000 + 1) * 1000
        for seconds, deed in sorted(self._actions, key=lambda deed: deed[0]):
            time.sleep(max(0.0, (self.origin + 1000 * seconds - now_ms()) / 1000))
            deed()

    def unmatched(self, outages: list[Outage]) -> list[str]:
        """Compare the books with the truth; gives what is not in both, which should be nothing."""
        left = list(outages)
        wrong = []
        for fall in self.outages:
            for check in fall.checks:
                told = next((each for each in left if each.check == check and fall.matches(each)), None)
                if told is None:
                    wrong.append(f"{check} was down from {fall.went_down} to {fall.came_up} and no outage says so")
                else:
                    left.remove(told)
        return wrong + [f"nothing was down as {outage} says" for outage in left]


def sweep_of(server: str, at: int) -> int:
    """Give the number of the sweep in which a server's probe left at a moment: all that leave in one second are one."""
    return round((at - slot_offset(server, INTERVAL)) / INTERVAL)


def ids_in_mid_sweep(prefix: str, count: int) -> list[str]:
    """Give ids of servers whose turns come in the middle of a sweep: a fault between two sweeps meets all at once."""
    found: list[str] = []
    number = 0
    while len(found) < count:
        number += 1
        if 150 <= slot_offset(f"{prefix}-{number}", INTERVAL) <= 700:
            found.append(f"{prefix}-{number}")
    return found


BETWEEN_SWEEPS = 0.85
"""Seconds: after the last turn of those in mid-sweep and well before their next."""
