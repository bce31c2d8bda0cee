"""Pings of all checks over one shared socket for each family.

Sends leave at once; what comes back is taken on a tick, because the event loop's wake-ups cost more than the packets.
The tick is not in the round trip: the kernel stamps every packet as it arrives, so neither the tick nor a loop that
stood still bends a latency.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import logging
import os
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.model import Outcome
from monitor.probes.arrival import Reading, arrival
from monitor.probes.blame import TIMEOUT, NotOkError, local, ours
from monitor.probes.echo import EchoSocket
from monitor.probes.probe import Attempt, Step
from monitor.probes.trail import FIRST_BYTE, SEND, microseconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.clock import Clock
    from monitor.probes.echo import Heard
    from monitor.probes.resolve import Address

_log = logging.getLogger(__name__)

TICK = 0.02
"""Seconds from one look at the sockets to the next, where a ping that leaves gives the occasion."""
QUIET = 0.03
"""Seconds after which they are looked at without occasion, while anything is in flight."""
RENEW = 3600.0
"""Seconds after which a socket, and so its id, is replaced: stateful firewalls remember ids."""
PADDING = bytes(40)
"""Makes a request as long as everyone's ping: 56 bytes of payload."""
SEQUENCES = 65536
AT_ONCE = 0.0001
"""Seconds within which both clocks must be read."""
NOT_PERMITTED = "icmp not permitted"


@dataclass(slots=True)
class _Flight:
    """One request that is on its way."""

    address: Address
    payload: bytes
    sent: float
    deadline: float
    done: Callable[[Attempt], None]


class _Line:
    """One socket with its requests in flight, by sequence."""

    def __init__(self, family: socket.AddressFamily, opened: float) -> None:
        self.echo = EchoSocket(family)
        self.opened = opened
        self.flights: dict[int, _Flight] = {}
        self._deadlines: list[tuple[float, int, int]] = []
        self._token = os.urandom(8)
        self._number = 0
        self._dropped = 0
        self._dropped_at = float("-inf")

    def send(self, address: Address, clock: Clock, timeout: float, done: Callable[[Attempt], None]) -> None:
        """Send a request and note it. Raises ``OSError`` or ``NotOkError`` where it could not."""
        if len(self.flights) >= SEQUENCES:
            raise ours("too many pings in flight")
        self._number += 1
        while self._number % SEQUENCES in self.flights:
            self._number += 1
        sequence = self._number % SEQUENCES
        payload = self._token + self._number.to_bytes(8) + PADDING
        sent = clock.monotonic()
        self.echo.send(address, sequence, payload)
        self.flights[sequence] = _Flight(address, payload, sent, sent + timeout, done)
        heapq.heappush(self._deadlines, (sent + timeout, self._number, sequence))

    def match(self, heard: Heard) -> _Flight | None:
        """Take the request that ``heard`` answers out of flight; None where it answers none, or did so before."""
        flight = self.flights.get(heard.sequence)
        if flight is None or flight.address.host != heard.host or not (heard.error or heard.payload == flight.payload):
            return None
        return self.flights.pop(heard.sequence)

    def overdue(self, now: float) -> list[_Flight]:
        """Take the requests whose deadline has passed out of flight."""
        late = []
        while self._deadlines and self._deadlines[0][0] <= now:
            deadline, _, sequence = heapq.heappop(self._deadlines)
            flight = self.flights.get(sequence)
            if flight is not None and flight.deadline == deadline:
                late.append(self.flights.pop(sequence))
        return late

    def count_dropped(self, now: float) -> None:
        """Note whether the kernel threw packets away since last time."""
        dropped = self.echo.dropped
        if dropped != self._dropped:
            _log.warning("the receive buffer for pings overflowed, %d packets lost", dropped - self._dropped)
            self._dropped, self._dropped_at = dropped, now

    def may_have_lost(self, flight: _Flight) -> bool:
        """Whether the answer may be among what was thrown away here."""
        return flight.sent <= self._dropped_at


class Pinger:
    """Sends echo requests for everyone; to be used inside one running loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lines: dict[int, _Line] = {}
        self._retired: list[_Line] = []
        self._timer: asyncio.TimerHandle | None = None
        self._last = self._read_clocks()

    def warm_up(self) -> None:
        """Open the sockets ahead of the first ping: the kernel begins to stamp packets a moment after it was asked.

        What is not permitted or not there is told by the pings that need it.
        """
        for family in (socket.AF_INET, socket.AF_INET6):
            with contextlib.suppress(NotOkError):
                self._line(family)

    def ping(self, address: Address, timeout: float, done: Callable[[Attempt], None]) -> None:
        """Send one request; ``done`` is called once: at the answer, at the network's error, after ``timeout`` seconds.

        Where the request cannot leave this machine, ``done`` is called before this returns.
        """
        at = self._clock.monotonic()
        if self._timer is None:
            self._last = self._read_clocks()
        elif at - self._last.mono >= TICK:
            self._look()
            at = self._clock.monotonic()
        try:
            line = self._line(address.family)
            line.send(address, self._clock, timeout, done)
        except NotOkError as error:
            done(_not_sent(at, error))
        except OSError as error:
            done(_not_sent(at, local(error)))
        else:
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(QUIET, self._look)

    def _line(self, family: socket.AddressFamily) -> _Line:
        now = self._clock.monotonic()
        line = self._lines.get(family)
        if line is not None and now - line.opened < RENEW:
            return line
        try:
            fresh = _Line(family, now)
        except OSError as error:
            if line is not None:
                return line
            raise ours(NOT_PERMITTED) if isinstance(error, PermissionError) else local(error) from None
        if line is not None:
            self._retired.append(line)
        self._lines[family] = fresh
        return fresh

    def _look(self) -> None:
        before, now = self._last, self._read_clocks()
        self._last = now
        landed: list[tuple[_Flight, Attempt]] = []
        # after a stall, what came in time is taken before anything is declared late
        for line in (*self._lines.values(), *self._retired):
            line.count_dropped(now.mono)
            for heard in line.echo.receive():
                flight = line.match(heard)
                if flight is not None:
                    came = now.mono if heard.stamp_ns is None else arrival(heard.stamp_ns, before, now)
                    landed.append((flight, _landed(flight, heard, max(came, flight.sent))))
            landed.extend(
                (flight, _lost(flight, ours_lost=line.may_have_lost(flight))) for flight in line.overdue(now.mono)
            )
        self._close_retired()
        flying = any(line.flights for line in (*self._lines.values(), *self._retired))
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(QUIET, self._look) if flying else None
        for flight, attempt in landed:
            _tell(flight, attempt)

    def _close_retired(self) -> None:
        for line in self._retired:
            if not line.flights:
                line.echo.close()
        self._retired = [line for line in self._retired if line.flights]

    def _read_clocks(self) -> Reading:
        # not the time of day, but the distance between two of the kernel's clocks; read again where a preemption came
        # between the two, lest that look like a step
        for _ in range(5):
            first = self._clock.monotonic()
            reading = Reading(first, time.time_ns())
            if self._clock.monotonic() - first < AT_ONCE:
                break
        return reading

    def close(self) -> None:
        """Close the sockets; what is still in flight ends as unknown."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lines = (*self._lines.values(), *self._retired)
        self._lines, self._retired = {}, []
        for line in lines:
            line.echo.close()
            for flight in line.flights.values():
                _tell(flight, Attempt(Outcome.UNKNOWN, flight.sent, None, "monitor stopped"))


def _not_sent(at: float, error: NotOkError) -> Attempt:
    return Attempt(error.outcome, at, None, error.reason, (Step(SEND, 0, error.reason),))


def _landed(flight: _Flight, heard: Heard, came: float) -> Attempt:
    took = microseconds(came - flight.sent)
    if heard.error:
        return Attempt(Outcome.FAIL, flight.sent, None, heard.error, (Step(FIRST_BYTE, took, heard.error),))
    if came > flight.deadline:
        return _lost(flight, ours_lost=False)
    return Attempt(Outcome.OK, flight.sent, took, "", (Step(FIRST_BYTE, took, str(flight.address)),))


def _lost(flight: _Flight, *, ours_lost: bool) -> Attempt:
    outcome, reason = (Outcome.UNKNOWN, "receive buffer full") if ours_lost else (Outcome.FAIL, TIMEOUT)
    waited = microseconds(flight.deadline - flight.sent)
    return Attempt(outcome, flight.sent, None, reason, (Step(FIRST_BYTE, waited, reason),))


def _tell(flight: _Flight, attempt: Attempt) -> None:
    try:
        flight.done(attempt)
    except Exception:  # noqa: BLE001 - one listener's fault must not lose the others' answers
        _log.exception("the end of a ping to %s could not be told", flight.address)
