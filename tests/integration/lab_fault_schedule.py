"""What happens to the servers of a lab, and when: written down beforehand, lived through, and compared afterwards."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from monitor.engine.probing.scheduler import phase
from tests.integration.lab_config import INTERVAL, LONGEST, TIMEOUT
from tests.integration.lab_listeners import Moment, now

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.model import CheckKey, Outage

LATE = 300
"""Milliseconds by which a probe may leave after its slot. A healthy schedule is not 50 ms late, but here the daemon
shares its cores with a mail server, web servers and the test itself."""
SURELY_SEEN = INTERVAL + LONGEST + LATE
"""Milliseconds that a fall has to last so that one cycle at least fails to its last attempt."""


@dataclass
class Fall:
    """Checks that are down together, in truth; the moments are known once they were lived through."""

    checks: tuple[CheckKey, ...]
    reason: str
    fell: Moment = field(default=Moment(0, 0))
    rose: Moment = field(default=Moment(0, 0))

    def is_told_by(self, outage: Outage) -> bool:
        """Whether an outage is what must be in the books of this fall: within one interval of the truth.

        An outage begins with the first attempt of the first cycle that failed, up to an interval after the fall. It
        ends with the first attempt of the first cycle that succeeded: up to an interval after the rise, or before it
        where that cycle was already under way and succeeded at a later attempt.
        """
        begins = self.fell.before - TIMEOUT <= outage.start <= self.fell.after + INTERVAL + LATE
        earliest, latest = self.rose.before - LONGEST, self.rose.after + INTERVAL + LATE
        ends = outage.end is not None and earliest <= outage.end <= latest
        return begins and ends and outage.reason == self.reason


class Plan:
    """Deeds in the order of their time, in seconds from the origin: a whole second of the wall clock."""

    def __init__(self) -> None:
        self.falls: list[Fall] = []
        self.origin = 0
        """Milliseconds of the wall clock; known once it is lived through."""
        self._deeds: list[tuple[float, Callable[[], object]]] = []

    def at(self, seconds: float, deed: Callable[[], object]) -> None:
        """Do something at a time."""
        self._deeds.append((seconds, deed))

    def fall(
        self,
        begin: float,
        end: float,
        checks: tuple[CheckKey, ...],
        how: tuple[Callable[[], Moment], Callable[[], Moment]],
        reason: str = "timeout",
    ) -> Fall:
        """Let checks fall at ``begin`` and rise at ``end``, by doing the one and the other of ``how``."""
        assert 1000 * (end - begin) >= SURELY_SEEN
        fall = Fall(checks, reason)
        self.falls.append(fall)

        def fell() -> None:
            fall.fell = how[0]()

        def rose() -> None:
            fall.rose = how[1]()

        self.at(begin, fell)
        self.at(end, rose)
        return fall

    def live(self) -> None:
        """Do everything at its time."""
        self.origin = (now() // 1000 + 1) * 1000
        for seconds, deed in sorted(self._deeds, key=lambda deed: deed[0]):
            time.sleep(max(0.0, (self.origin + 1000 * seconds - now()) / 1000))
            deed()

    def unmatched(self, outages: list[Outage]) -> list[str]:
        """Compare the books with the truth; gives what is not in both, which should be nothing."""
        left = list(outages)
        wrong = []
        for fall in self.falls:
            for check in fall.checks:
                told = next((each for each in left if each.check == check and fall.is_told_by(each)), None)
                if told is None:
                    wrong.append(f"{check} was down from {fall.fell} to {fall.rose} and no outage says so")
                else:
                    left.remove(told)
        return wrong + [f"nothing was down as {outage} says" for outage in left]


def sweep_of(server: str, at: int) -> int:
    """Give the number of the sweep in which a server's probe left at a moment: all that leave in one second are one."""
    return round((at - phase(server, INTERVAL)) / INTERVAL)


def in_mid_sweep(prefix: str, count: int) -> list[str]:
    """Give ids of servers whose turns come in the middle of a sweep: a fault between two sweeps meets all at once."""
    found: list[str] = []
    number = 0
    while len(found) < count:
        number += 1
        if 150 <= phase(f"{prefix}-{number}", INTERVAL) <= 700:
            found.append(f"{prefix}-{number}")
    return found


BETWEEN_SWEEPS = 0.85
"""Seconds: after the last turn of those in mid-sweep and well before their next."""
