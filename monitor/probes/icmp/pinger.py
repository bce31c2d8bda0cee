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
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from monitor.model import Outcome, Reason
from monitor.probes.failures import ProbeError, local_os_failure, monitor_failure
from monitor.probes.icmp.echo_socket import EchoSocket
from monitor.probes.icmp.in_flight import PingCounts, PingSocket
from monitor.probes.icmp.packets import DEFAULT_PAYLOAD_SIZE, with_reporter
from monitor.probes.probe import FIRST_BYTE, SEND, Attempt, Step, microseconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.clock import Clock
    from monitor.probes.icmp.echo_socket import IcmpErrorReport
    from monitor.probes.icmp.in_flight import PendingPing, PingRequest
    from monitor.probes.net.address import Address


# --- when a packet arrived, by the kernel's timestamp, whatever the wall clock did meanwhile --------------------------

CLOCK_DRIFT_TOLERANCE_NS = 100_000
"""Nanoseconds by which two clocks may have parted between two readings and still count as running alike."""


class ClockPair(NamedTuple):
    """Both of the machine's clocks at one moment."""

    monotonic: float
    realtime_ns: int


def timestamp_mapper(before: ClockPair, after: ClockPair) -> Callable[[int], float]:
    """Return what places stamps between two readings on the monotonic clock: quick where no clock was stepped."""
    exact = partial(monotonic_arrival, before=before, after=after)
    first, last, real_ns = before.monotonic, after.monotonic, after.realtime_ns
    if abs((last - first) * 1_000_000_000 - (real_ns - before.realtime_ns)) > CLOCK_DRIFT_TOLERANCE_NS:
        return exact

    def place(stamp_ns: int) -> float:
        came = last + (stamp_ns - real_ns) / 1_000_000_000
        return came if first <= came <= last else exact(stamp_ns)

    return place


def monotonic_arrival(stamp_ns: int, before: ClockPair, after: ClockPair) -> float:
    """Place the kernel's wall time of a packet on the monotonic clock; it came between the two readings.

    If the wall clock stepped between them, the stamp fits one of the two only. Where it fits neither, the packet
    counts as come just now: a latency is never made better than it can have been.
    """
    after_place = after.monotonic + (stamp_ns - after.realtime_ns) / 1_000_000_000
    before_place = before.monotonic + (stamp_ns - before.realtime_ns) / 1_000_000_000
    after_fits = before.monotonic <= after_place <= after.monotonic
    before_fits = before.monotonic <= before_place <= after.monotonic
    if after_fits:
        return max(after_place, before_place) if before_fits else after_place
    return before_place if before_fits else after.monotonic


_log = logging.getLogger(__name__)

POLL_INTERVAL = 0.02
"""Seconds from one look at the sockets to the next, where a ping that leaves gives the occasion."""
IDLE_POLL_INTERVAL = 0.12
"""Seconds after which they are looked at without occasion, while anything is in flight.

Longer than the schedule's tick: where pings leave on each of those, they give the occasion, and no wake-up is spent.
"""
SOCKET_LIFETIME = 3600.0
"""Seconds after which a socket, and so its id, is replaced: stateful firewalls remember ids."""
CLOCK_READ_TOLERANCE = 0.0001
"""Seconds within which both clocks must be read."""
NOT_PERMITTED = "icmp not permitted"
BUFFER_FULL = "receive buffer full"
STOPPED = "monitor stopped"


class Pinger:
    """Sends echo requests for everyone; to be used inside one running loop."""

    def __init__(self, clock: Clock) -> None:
        self.counts = PingCounts()
        self._clock = clock
        self._sockets: dict[int, PingSocket] = {}
        self._retired_sockets: list[PingSocket] = []
        self._timer: asyncio.TimerHandle | None = None
        self._last_clocks = self._read_clocks()
        self._queued: list[PingRequest] = []
        """What leaves when the loop turns next."""

    def warm_up(self) -> None:
        """Open the sockets ahead of the first ping: the kernel begins to stamp packets a moment after it was asked.

        What is not permitted or not there is told by the pings that need it.
        """
        for family in (socket.AF_INET, socket.AF_INET6):
            with contextlib.suppress(ProbeError):
                self._socket_for(family, self._clock.monotonic())

    def ping(
        self, address: Address, timeout: float, done: Callable[[Attempt], None], size: int = DEFAULT_PAYLOAD_SIZE
    ) -> None:
        """Send one request, with ``size`` bytes of payload, when the loop turns next, together with all until then.

        ``done`` is called once, and never before this returns: at the answer, at the network's error, ``timeout``
        seconds after it was sent, or at once where it cannot leave this machine. An attempt that went well has no
        steps: there is one, and it took as long as the attempt.
        """
        if not self._queued:
            asyncio.get_running_loop().call_soon(self._send_queued)
        self._queued.append((address, timeout, done, size))

    def _send_queued(self) -> None:
        pings, self._queued = self._queued, []
        if not pings:  # closed meanwhile
            return
        at = self._clock.monotonic()
        look = self._timer is not None and at - self._last_clocks.monotonic >= POLL_INTERVAL
        if self._timer is None:
            self._last_clocks = self._read_clocks()
        for family in (socket.AF_INET, socket.AF_INET6):
            mine = [ping for ping in pings if ping[0].family == family]
            if mine:
                self._send_family(family, mine, at)
        if look:  # after sending, for the nearest have answered meanwhile
            self._poll()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(IDLE_POLL_INTERVAL, self._poll)

    def _send_family(self, family: socket.AddressFamily, pings: list[PingRequest], at: float) -> None:
        try:
            refused = self._socket_for(family, at).send(pings, self._clock)
        except ProbeError as error:
            refused = [(ping, at, error) for ping in pings]
        for ping, when, cause in refused:
            _notify(ping[0], ping[2], _unsent_attempt(when, cause))

    def _socket_for(self, family: socket.AddressFamily, now: float) -> PingSocket:
        line = self._sockets.get(family)
        if line is not None and now - line.opened_at < SOCKET_LIFETIME:
            return line
        try:
            fresh = PingSocket(EchoSocket(family), now, self.counts)
        except OSError as error:
            if line is not None:
                return line
            raise (
                monitor_failure(NOT_PERMITTED) if isinstance(error, PermissionError) else local_os_failure(error)
            ) from None
        if line is not None:
            self._retired_sockets.append(line)
        self._sockets[family] = fresh
        return fresh

    def _poll(self) -> None:
        before, now = self._last_clocks, self._read_clocks()
        self._last_clocks = now
        landed: list[tuple[PendingPing, Attempt]] = []
        emptied, flying, place = True, False, timestamp_mapper(before, now)
        for line in (*self._sockets.values(), *self._retired_sockets):
            if not line.unused:
                _collect_results(line, now.monotonic, place, landed)
                emptied = emptied and line.transport.drained
                flying = flying or bool(line.pending)
        if self._retired_sockets:
            self._close_retired()
        if self._timer is not None:
            self._timer.cancel()
        wait = IDLE_POLL_INTERVAL if emptied else 0.0
        self._timer = asyncio.get_running_loop().call_later(wait, self._poll) if flying or not emptied else None
        for flight, attempt in landed:
            _notify(flight[0], flight[5], attempt)

    def _close_retired(self) -> None:
        for line in self._retired_sockets:
            if not line.pending:
                line.transport.close()
        self._retired_sockets = [line for line in self._retired_sockets if line.pending]

    def _read_clocks(self) -> ClockPair:
        # not the time of day, but the distance between two of the kernel's clocks: the closest of some readings, since
        # a preemption between the two would look like a step
        best, closest = ClockPair(self._clock.monotonic(), time.time_ns()), float("inf")
        for _ in range(5):
            first = self._clock.monotonic()
            reading = ClockPair(first, time.time_ns())
            apart = self._clock.monotonic() - first
            if apart < closest:
                best, closest = reading, apart
            if apart < CLOCK_READ_TOLERANCE:
                break
        return best

    def close(self) -> None:
        """Close the sockets; what is still in flight ends as unknown."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lines = (*self._sockets.values(), *self._retired_sockets)
        self._sockets, self._retired_sockets = {}, []
        waiting, self._queued = self._queued, []
        at = self._clock.monotonic()
        for address, _, done, _ in waiting:
            _notify(address, done, Attempt(Outcome.UNKNOWN, at, None, STOPPED))
        for line in lines:
            line.transport.close()
            for flight in line.pending.values():
                _notify(flight.address, flight.done, Attempt(Outcome.UNKNOWN, flight.sent, None, STOPPED))


def _unsent_attempt(at: float, error: ProbeError) -> Attempt:
    return Attempt(error.outcome, at, None, error.reason, (Step(SEND, 0, error.reason),))


def _collect_results(
    ping_socket: PingSocket,
    now: float,
    map_timestamp: Callable[[int], float],
    finished: list[tuple[PendingPing, Attempt]],
) -> None:
    """Take what came by one line, and how each ping ended by it."""
    ok = Outcome.OK
    ping_socket.count_dropped(now)
    replies, errors = ping_socket.transport.receive()
    for flight, stamp in ping_socket.match_replies(replies):
        _, _, _, sent, deadline, _ = flight
        came = map_timestamp(stamp) if stamp else now
        if sent <= came <= deadline:
            finished.append((flight, Attempt(ok, sent, round((came - sent) * 1_000_000), "")))
        else:
            finished.append((flight, _judge_outlier(ping_socket, flight, came)))
    for heard in errors:
        if (ended := ping_socket.match_error(heard)) is not None:
            came = map_timestamp(heard.stamp_ns) if heard.stamp_ns else now
            finished.append((ended, _error_attempt(ended, heard, max(came, ended.sent))))
    # what came in time is taken before anything is declared late, also after a stall or in a flood
    if ping_socket.transport.drained:
        late = ping_socket.pop_expired(now)
        finished.extend(
            (flight, _timeout_attempt(flight, dropped_locally=ping_socket.may_have_been_dropped(flight)))
            for flight in late
        )


def _error_attempt(ping: PendingPing, report: IcmpErrorReport, received_at: float) -> Attempt:
    reason = with_reporter(report.text, report.reporter, ping.address.host)
    step = Step(FIRST_BYTE, microseconds(received_at - ping.sent), reason)
    return Attempt(Outcome.FAIL, ping.sent, None, reason, (step,))


def _judge_outlier(ping_socket: PingSocket, ping: PendingPing, received_at: float) -> Attempt:
    """Judge an answer after the deadline, or before the stamp of the request, by what the clocks' readings allow."""
    if received_at > ping.deadline:
        ping_socket.count_late()
        return _timeout_attempt(ping, dropped_locally=False)
    return Attempt(Outcome.OK, ping.sent, 0, "")


def _timeout_attempt(ping: PendingPing, *, dropped_locally: bool) -> Attempt:
    outcome, reason = (Outcome.UNKNOWN, BUFFER_FULL) if dropped_locally else (Outcome.FAIL, str(Reason.TIMEOUT))
    waited = microseconds(ping.deadline - ping.sent)
    return Attempt(outcome, ping.sent, None, reason, (Step(FIRST_BYTE, waited, reason),))


def _notify(address: Address, done: Callable[[Attempt], None], attempt: Attempt) -> None:
    try:
        done(attempt)
    except Exception:  # noqa: BLE001 - one listener's fault must not lose the others' answers
        _log.exception("the end of a ping to %s could not be told", address)
