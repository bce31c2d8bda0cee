"""Pings of all checks over one shared socket for each family.

What is asked for in one turn of the loop leaves by a few calls; what comes back is taken on a tick, many packets by one
call, because the event loop's wake-ups cost more than the packets.
The tick is not in the round trip: the kernel stamps every packet as it arrives, so neither the tick nor a loop that
stood still bends a latency.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from typing import TYPE_CHECKING

from monitor.model import Outcome, Reason
from monitor.probes.arrival import Reading, placing
from monitor.probes.failures import NotOkError, local, ours
from monitor.probes.icmp.echo_socket import EchoSocket
from monitor.probes.icmp.in_flight import Line, PingCounts
from monitor.probes.icmp.packets import said_by
from monitor.probes.probe import Attempt, Step
from monitor.probes.trace import FIRST_BYTE, SEND, microseconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.clock import Clock
    from monitor.probes.icmp.echo_socket import Heard
    from monitor.probes.icmp.in_flight import Flight, Ping
    from monitor.probes.net.address import Address

_log = logging.getLogger(__name__)

TICK = 0.02
"""Seconds from one look at the sockets to the next, where a ping that leaves gives the occasion."""
QUIET = 0.12
"""Seconds after which they are looked at without occasion, while anything is in flight.

Longer than the schedule's tick: where pings leave on each of those, they give the occasion, and no wake-up is spent.
"""
RENEW = 3600.0
"""Seconds after which a socket, and so its id, is replaced: stateful firewalls remember ids."""
AT_ONCE = 0.0001
"""Seconds within which both clocks must be read."""
NOT_PERMITTED = "icmp not permitted"
BUFFER_FULL = "receive buffer full"
STOPPED = "monitor stopped"


class Pinger:
    """Sends echo requests for everyone; to be used inside one running loop."""

    def __init__(self, clock: Clock) -> None:
        self.counts = PingCounts()
        self._clock = clock
        self._lines: dict[int, Line] = {}
        self._retired: list[Line] = []
        self._timer: asyncio.TimerHandle | None = None
        self._last = self._read_clocks()
        self._waiting: list[Ping] = []
        """What leaves when the loop turns next."""

    def warm_up(self) -> None:
        """Open the sockets ahead of the first ping: the kernel begins to stamp packets a moment after it was asked.

        What is not permitted or not there is told by the pings that need it.
        """
        for family in (socket.AF_INET, socket.AF_INET6):
            with contextlib.suppress(NotOkError):
                self._line(family, self._clock.monotonic())

    def ping(self, address: Address, timeout: float, done: Callable[[Attempt], None]) -> None:
        """Send one request when the loop turns next, together with all that are asked for until then.

        ``done`` is called once, and never before this returns: at the answer, at the network's error, ``timeout``
        seconds after it was sent, or at once where it cannot leave this machine. An attempt that went well has no
        steps: there is one, and it took as long as the attempt.
        """
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._send)
        self._waiting.append((address, timeout, done))

    def _send(self) -> None:
        pings, self._waiting = self._waiting, []
        if not pings:  # closed meanwhile
            return
        at = self._clock.monotonic()
        look = self._timer is not None and at - self._last.mono >= TICK
        if self._timer is None:
            self._last = self._read_clocks()
        for family in (socket.AF_INET, socket.AF_INET6):
            mine = [ping for ping in pings if ping[0].family == family]
            if mine:
                self._send_by(family, mine, at)
        if look:  # after sending, for the nearest have answered meanwhile
            self._look()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(QUIET, self._look)

    def _send_by(self, family: socket.AddressFamily, pings: list[Ping], at: float) -> None:
        try:
            refused = self._line(family, at).send(pings, self._clock)
        except NotOkError as error:
            refused = [(ping, at, error) for ping in pings]
        for ping, when, cause in refused:
            _tell(ping[0], ping[2], _not_sent(when, cause))

    def _line(self, family: socket.AddressFamily, now: float) -> Line:
        line = self._lines.get(family)
        if line is not None and now - line.opened < RENEW:
            return line
        try:
            fresh = Line(EchoSocket(family), now, self.counts)
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
        landed: list[tuple[Flight, Attempt]] = []
        emptied, flying, place = True, False, placing(before, now)
        for line in (*self._lines.values(), *self._retired):
            if not line.silent:
                _hear(line, now.mono, place, landed)
                emptied = emptied and line.echo.emptied
                flying = flying or bool(line.flights)
        if self._retired:
            self._close_retired()
        if self._timer is not None:
            self._timer.cancel()
        wait = QUIET if emptied else 0.0
        self._timer = asyncio.get_running_loop().call_later(wait, self._look) if flying or not emptied else None
        for flight, attempt in landed:
            _tell(flight[0], flight[5], attempt)

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
        waiting, self._waiting = self._waiting, []
        at = self._clock.monotonic()
        for address, _, done in waiting:
            _tell(address, done, Attempt(Outcome.UNKNOWN, at, None, STOPPED))
        for line in lines:
            line.echo.close()
            for flight in line.flights.values():
                _tell(flight.address, flight.done, Attempt(Outcome.UNKNOWN, flight.sent, None, STOPPED))


def _not_sent(at: float, error: NotOkError) -> Attempt:
    return Attempt(error.outcome, at, None, error.reason, (Step(SEND, 0, error.reason),))


def _hear(line: Line, now: float, place: Callable[[int], float], landed: list[tuple[Flight, Attempt]]) -> None:
    """Take what came by one line, and how each ping ended by it."""
    ok = Outcome.OK
    line.count_dropped(now)
    replies, errors = line.echo.receive()
    for flight, stamp in line.answered(replies):
        _, _, _, sent, deadline, _ = flight
        came = place(stamp) if stamp else now
        if sent <= came <= deadline:
            landed.append((flight, Attempt(ok, sent, round((came - sent) * 1_000_000), "")))
        else:
            landed.append((flight, _aside(line, flight, came)))
    for heard in errors:
        if (ended := line.ended(heard)) is not None:
            came = place(heard.stamp_ns) if heard.stamp_ns else now
            landed.append((ended, _refused(ended, heard, max(came, ended.sent))))
    # what came in time is taken before anything is declared late, also after a stall or in a flood
    if line.echo.emptied:
        late = line.overdue(now)
        landed.extend((flight, _lost(flight, ours_lost=line.may_have_lost(flight))) for flight in late)


def _refused(flight: Flight, heard: Heard, came: float) -> Attempt:
    reason = said_by(heard.text, heard.router, flight.address.host)
    step = Step(FIRST_BYTE, microseconds(came - flight.sent), reason)
    return Attempt(Outcome.FAIL, flight.sent, None, reason, (step,))


def _aside(line: Line, flight: Flight, came: float) -> Attempt:
    """Judge an answer after the deadline, or before the stamp of the request, by what the clocks' readings allow."""
    if came > flight.deadline:
        line.came_late()
        return _lost(flight, ours_lost=False)
    return Attempt(Outcome.OK, flight.sent, 0, "")


def _lost(flight: Flight, *, ours_lost: bool) -> Attempt:
    outcome, reason = (Outcome.UNKNOWN, BUFFER_FULL) if ours_lost else (Outcome.FAIL, str(Reason.TIMEOUT))
    waited = microseconds(flight.deadline - flight.sent)
    return Attempt(outcome, flight.sent, None, reason, (Step(FIRST_BYTE, waited, reason),))


def _tell(address: Address, done: Callable[[Attempt], None], attempt: Attempt) -> None:
    try:
        done(attempt)
    except Exception:  # noqa: BLE001 - one listener's fault must not lose the others' answers
        _log.exception("the end of a ping to %s could not be told", address)
