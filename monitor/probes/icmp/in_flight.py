"""Pings on their way through one socket: which answer belongs to which, and which comes again or too late."""

from __future__ import annotations

import heapq
import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

from monitor.probes.failures import local, ours
from monitor.probes.icmp.batch_io import MOST_OUT
from monitor.probes.icmp.echo_socket import SEQUENCES, packed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from monitor.clock import Clock
    from monitor.probes.failures import NotOkError
    from monitor.probes.icmp.echo_socket import Heard, Reply, Request
    from monitor.probes.net.address import Address
    from monitor.probes.probe import Attempt

_log = logging.getLogger(__name__)

_GRAIN = 20
"""Parts of a second in which deadlines are gathered: 50 ms, more often than anybody looks."""
_FLYING, _ANSWERED, _LOST = 0, 1, 2


class Echo(Protocol):
    """What sends and hears for a line; see ``EchoSocket``."""

    def send(self, requests: Sequence[Request]) -> dict[int, OSError]:
        """Send requests; gives what kept some of them from leaving this machine, by their numbers."""

    def receive(self) -> tuple[list[Reply], list[Heard]]:
        """Take what has come since last time: answers, and errors of the network."""

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


Ping: TypeAlias = "tuple[Address, float, Callable[[Attempt], None]]"
"""A request that is asked for: where to, for how many seconds it may take, who is told. Plain, as there are many."""


class Flight(NamedTuple):
    """One request that is on its way; times are monotonic seconds."""

    address: Address
    source: bytes
    """The address as the network spells it: who must answer."""
    number: int
    """Its sequence is the lower 16 bits."""
    sent: float
    deadline: float
    done: Callable[[Attempt], None]


_flight = partial(tuple.__new__, Flight)
"""Makes one in half the time that naming its fields takes."""


class Line:
    """One socket with its requests in flight, by sequence."""

    def __init__(self, echo: Echo, opened: float, counts: PingCounts) -> None:
        self.echo = echo
        self.opened = opened
        self.flights: dict[int, Flight] = {}
        self._counts = counts
        self._due: dict[int, list[int]] = {}
        """Numbers, by the part of a second in which their deadlines lie; those that ended meanwhile stay until then."""
        self._dues: list[int] = []
        self._ends = bytearray(SEQUENCES)
        """How the last request of each sequence ended."""
        self._number = 0
        self._dropped = 0
        self._dropped_at = float("-inf")

    @property
    def silent(self) -> bool:
        """Whether nothing was ever sent, so that nothing can come."""
        return self._number == 0

    def send(self, pings: Sequence[Ping], clock: Clock) -> list[tuple[Ping, float, NotOkError]]:
        """Send requests and note them; gives those that could not leave, with the moment and the cause."""
        refused: list[tuple[Ping, float, NotOkError]] = []
        for first in range(0, len(pings), MOST_OUT):
            self._send_some(pings[first : first + MOST_OUT], clock, refused)
        return refused

    def _send_some(self, pings: Sequence[Ping], clock: Clock, refused: list[tuple[Ping, float, NotOkError]]) -> None:
        """Send what leaves by one call; a request's time is when the call began, so no latency is made better."""
        flights, ends, number = self.flights, self._ends, self._number
        free = SEQUENCES - len(flights)
        requests: list[Request] = []
        for address, _, _ in pings[:free]:
            number += 1
            while number % SEQUENCES in flights:
                number += 1
            requests.append((*packed(address), number))
        self._number = number
        sent = clock.monotonic()
        failed = self.echo.send(requests)
        of_timeout, beside = -1.0, list[int]()
        for ping, (source, _, number) in zip(pings, requests, strict=False):
            address, timeout, done = ping
            if failed and (cause := failed.get(number)):
                refused.append((ping, sent, local(cause)))
                continue
            if timeout != of_timeout:
                of_timeout, beside = timeout, self._due_at(sent + timeout)
            sequence = number % SEQUENCES
            flights[sequence] = _flight((address, source, number, sent, sent + timeout, done))
            ends[sequence] = _FLYING
            beside.append(number)
        refused.extend((ping, sent, ours("too many pings in flight")) for ping in pings[free:])

    def _due_at(self, deadline: float) -> list[int]:
        """Give those that are due in the same part of a second."""
        due = int(deadline * _GRAIN)
        if due not in self._due:
            self._due[due] = []
            heapq.heappush(self._dues, due)
        return self._due[due]

    def answered(self, replies: Sequence[Reply]) -> list[tuple[Flight, int]]:
        """Take the requests that were answered out of flight, with their answers' stamps; count other answers."""
        flights, ends = self.flights, self._ends
        landed: list[tuple[Flight, int]] = []
        for source, number, stamp in replies:
            sequence = number % SEQUENCES
            flight = flights.get(sequence)
            if flight is not None and flight[2] == number and flight[1] == source:
                del flights[sequence]
                ends[sequence] = _ANSWERED
                landed.append((flight, stamp))
            else:
                self._count(number)
        return landed

    def ended(self, heard: Heard) -> Flight | None:
        """Take the request that an error concerns out of flight; None where it concerns none."""
        flight = self.flights.get(heard.sequence)
        if flight is None or flight.source != heard.source:
            return None
        self._ends[heard.sequence] = _ANSWERED
        return self.flights.pop(heard.sequence)

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
            for number in self._due.pop(heapq.heappop(self._dues)):
                sequence = number % SEQUENCES
                flight = self.flights.get(sequence)
                if flight is not None and flight.number == number:
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
