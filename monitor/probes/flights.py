"""Pings on their way through one socket: which answer belongs to which, and which comes again or too late."""

from __future__ import annotations

import heapq
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from monitor.probes.blame import ours
from monitor.probes.echo import SEQUENCES

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.clock import Clock
    from monitor.probes.address import Address
    from monitor.probes.echo import Heard
    from monitor.probes.probe import Attempt

_log = logging.getLogger(__name__)

_GRAIN = 20
"""Parts of a second in which deadlines are gathered: 50 ms, as often as anybody looks."""
_FLYING, _ANSWERED, _LOST = 0, 1, 2


class Echo(Protocol):
    """What sends and hears for a line; see ``EchoSocket``."""

    def send(self, address: Address, number: int) -> None:
        """Send a request; raises ``OSError`` where this machine does not take it."""

    def receive(self) -> list[Heard]:
        """Take what has come since last time."""

    def close(self) -> None:
        """Close it."""

    @property
    def emptied(self) -> bool:
        """Whether the last ``receive`` took all that there was."""

    @property
    def dropped(self) -> int:
        """How many packets were thrown away here so far."""


@dataclass(slots=True)
class PingCounts:
    """What went wrong with answers, since the process began."""

    late: int = 0
    """Answers that came after their ping had been given up."""
    duplicate: int = 0
    """Answers that came again."""
    dropped: int = 0
    """Packets that this machine threw away because the receive buffer was full."""


class Flight(NamedTuple):
    """One request that is on its way; times are monotonic seconds."""

    address: Address
    number: int
    """Its sequence is the lower 16 bits."""
    sent: float
    deadline: float
    done: Callable[[Attempt], None]


class Line:
    """One socket with its requests in flight, by sequence."""

    def __init__(self, echo: Echo, opened: float, counts: PingCounts) -> None:
        self.echo = echo
        self.opened = opened
        self.flights: dict[int, Flight] = {}
        self._counts = counts
        self._due: dict[int, list[Flight]] = {}
        """By the part of a second in which their deadlines lie; those that ended meanwhile stay until then."""
        self._dues: list[int] = []
        self._ends = bytearray(SEQUENCES)
        """How the last request of each sequence ended."""
        self._number = 0
        self._dropped = 0
        self._dropped_at = float("-inf")

    def send(self, address: Address, clock: Clock, timeout: float, done: Callable[[Attempt], None]) -> None:
        """Send a request and note it. Raises ``OSError`` or ``NotOkError`` where it could not."""
        flights = self.flights
        if len(flights) >= SEQUENCES:
            raise ours("too many pings in flight")
        number = self._number + 1
        while number % SEQUENCES in flights:
            number += 1
        self._number = number
        sequence = number % SEQUENCES
        sent = clock.monotonic()
        self.echo.send(address, number)
        deadline = sent + timeout
        flight = flights[sequence] = Flight(address, number, sent, deadline, done)
        self._ends[sequence] = _FLYING
        due = int(deadline * _GRAIN)
        if due in self._due:
            self._due[due].append(flight)
        else:
            self._due[due] = [flight]
            heapq.heappush(self._dues, due)

    def take(self, heard: Heard) -> Flight | None:
        """Take the request that ``heard`` answers out of flight; None where it answers none, or did so before."""
        flight = self.flights.get(heard.sequence)
        if flight is not None and heard.host == flight.address.host and heard.number in (flight.number, None):
            self._ends[heard.sequence] = _ANSWERED
            return self.flights.pop(heard.sequence)
        if heard.number is not None:
            self._count(heard.number)
        return None

    def _count(self, number: int) -> None:
        """Count an answer to a request that is over."""
        end = self._ends[number % SEQUENCES] if self._number - number < SEQUENCES else _LOST
        if end == _ANSWERED:
            self._counts.duplicate += 1
        elif end == _LOST:
            self._counts.late += 1

    def came_late(self) -> None:
        """Count an answer that came after its deadline, though nobody had looked yet."""
        self._counts.late += 1

    def overdue(self, now: float) -> list[Flight]:
        """Take the requests whose deadline has passed out of flight, at most 50 ms after it."""
        late = []
        while self._dues and self._dues[0] < int(now * _GRAIN):
            for flight in self._due.pop(heapq.heappop(self._dues)):
                sequence = flight.number % SEQUENCES
                if self.flights.get(sequence) is flight:
                    del self.flights[sequence]
                    self._ends[sequence] = _LOST
                    late.append(flight)
        return late

    def count_dropped(self, now: float) -> None:
        """Note whether the kernel threw packets away since last time."""
        dropped = self.echo.dropped
        if dropped != self._dropped:
            more = dropped - self._dropped
            _log.warning("the receive buffer for pings overflowed, %d packets lost", more)
            self._counts.dropped += more
            self._dropped, self._dropped_at = dropped, now

    def may_have_lost(self, flight: Flight) -> bool:
        """Whether the answer may be among what was thrown away here."""
        return flight.sent <= self._dropped_at
