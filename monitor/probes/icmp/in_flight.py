"""Pings on their way through one socket: which answer belongs to which, and which comes again or too late."""

from __future__ import annotations

import heapq
import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

from monitor.probes.failures import local_os_failure, monitor_failure
from monitor.probes.icmp.batch_io import MAX_SEND_BATCH
from monitor.probes.icmp.echo_socket import SEQUENCES, pack_address
from monitor.probes.icmp.packets import DEFAULT_PAYLOAD_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from monitor.clock import Clock
    from monitor.probes.failures import ProbeError
    from monitor.probes.icmp.echo_socket import EchoReply, EchoRequest, IcmpErrorReport
    from monitor.probes.net.address import Address
    from monitor.probes.probe import Attempt

_log = logging.getLogger(__name__)

_BUCKETS_PER_SECOND = 20
"""Parts of a second in which deadlines are gathered: 50 ms, more often than anybody looks."""
_PENDING, _ANSWERED, _TIMED_OUT = 0, 1, 2


class EchoTransport(Protocol):
    """What sends and hears for a line; see ``EchoSocket``."""

    def send(self, requests: Sequence[EchoRequest]) -> dict[int, OSError]:
        """Send requests; returns what kept some of them from leaving this machine, by their numbers."""

    def send_sized(self, request: EchoRequest, size: int) -> dict[int, OSError]:
        """Send one with ``size`` bytes of payload; returns the same."""

    def receive(self) -> tuple[list[EchoReply], list[IcmpErrorReport]]:
        """Take what has come since last time: answers, and errors of the network."""

    def close(self) -> None:
        """Close it."""

    @property
    def drained(self) -> bool:
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


PingRequest: TypeAlias = "tuple[Address, float, Callable[[Attempt], None], int]"
"""A request: where to, the seconds that it may take, who is told, bytes of payload. Plain, as there are many."""


class PendingPing(NamedTuple):
    """One request that is on its way; times are monotonic seconds."""

    address: Address
    packed_address: bytes
    """The address as the network spells it: who must answer."""
    number: int
    """Its sequence is the lower 16 bits."""
    sent: float
    deadline: float
    done: Callable[[Attempt], None]


_new_pending_ping = partial(tuple.__new__, PendingPing)
"""Makes one in half the time that naming its fields takes."""


class PingSocket:
    """One socket with its requests in flight, by sequence."""

    def __init__(self, transport: EchoTransport, opened_at: float, counts: PingCounts) -> None:
        self.transport = transport
        self.opened_at = opened_at
        self.pending: dict[int, PendingPing] = {}
        self._counts = counts
        self._expiring_by_bucket: dict[int, list[int]] = {}
        """Numbers, by the part of a second in which their deadlines lie; those that ended meanwhile stay until then."""
        self._bucket_heap: list[int] = []
        self._last_states = bytearray(SEQUENCES)
        """How the last request of each sequence ended."""
        self._last_number = 0
        self._dropped_count = 0
        self._dropped_at = float("-inf")

    @property
    def unused(self) -> bool:
        """Whether nothing was ever sent, so that nothing can come."""
        return self._last_number == 0

    def send(self, pings: Sequence[PingRequest], clock: Clock) -> list[tuple[PingRequest, float, ProbeError]]:
        """Send requests and note them; gives those that could not leave, with the moment and the cause."""
        refused: list[tuple[PingRequest, float, ProbeError]] = []
        usual = [ping for ping in pings if ping[3] == DEFAULT_PAYLOAD_SIZE]
        for first in range(0, len(usual), MAX_SEND_BATCH):
            self._send_some(usual[first : first + MAX_SEND_BATCH], self.transport.send, clock, refused)
        if len(usual) < len(pings):
            for ping in pings:
                if (size := ping[3]) != DEFAULT_PAYLOAD_SIZE:
                    self._send_some([ping], partial(self._send_sized, size), clock, refused)
        return refused

    def _send_sized(self, size: int, requests: Sequence[EchoRequest]) -> dict[int, OSError]:
        return self.transport.send_sized(requests[0], size) if requests else {}

    def _send_some(
        self,
        pings: Sequence[PingRequest],
        send: Callable[[Sequence[EchoRequest]], dict[int, OSError]],
        clock: Clock,
        refused: list[tuple[PingRequest, float, ProbeError]],
    ) -> None:
        """Send what leaves by one call; a request's time is when the call began, so no latency is made better."""
        flights, ends, number = self.pending, self._last_states, self._last_number
        free = SEQUENCES - len(flights)
        requests: list[EchoRequest] = []
        for address, _, _, _ in pings[:free]:
            number += 1
            while number % SEQUENCES in flights:
                number += 1
            requests.append((*pack_address(address), number))
        self._last_number = number
        sent = clock.monotonic()
        failed = send(requests)
        of_timeout, beside = -1.0, list[int]()
        for ping, (source, _, number) in zip(pings, requests, strict=False):
            address, timeout, done, _ = ping
            if failed and (cause := failed.get(number)):
                refused.append((ping, sent, local_os_failure(cause)))
                continue
            if timeout != of_timeout:
                of_timeout, beside = timeout, self._deadline_bucket(sent + timeout)
            sequence = number % SEQUENCES
            flights[sequence] = _new_pending_ping((address, source, number, sent, sent + timeout, done))
            ends[sequence] = _PENDING
            beside.append(number)
        refused.extend((ping, sent, monitor_failure("too many pings in flight")) for ping in pings[free:])

    def _deadline_bucket(self, deadline: float) -> list[int]:
        """Return those that are due in the same part of a second."""
        due = int(deadline * _BUCKETS_PER_SECOND)
        if due not in self._expiring_by_bucket:
            self._expiring_by_bucket[due] = []
            heapq.heappush(self._bucket_heap, due)
        return self._expiring_by_bucket[due]

    def match_replies(self, replies: Sequence[EchoReply]) -> list[tuple[PendingPing, int]]:
        """Take the requests that were answered out of flight, with their answers' stamps; count other answers."""
        flights, ends = self.pending, self._last_states
        landed: list[tuple[PendingPing, int]] = []
        for source, sequence, number, stamp in replies:
            flight = flights.get(sequence)
            # a payload that is ours tells an answer to an earlier request with this sequence; another one tells nothing
            if flight is not None and flight[1] == source and (flight[2] == number or number is None):
                del flights[sequence]
                ends[sequence] = _ANSWERED
                landed.append((flight, stamp))
            else:
                self._count_stray_reply(sequence, number)
        return landed

    def match_error(self, report: IcmpErrorReport) -> PendingPing | None:
        """Take the request that an error concerns out of flight; None where it concerns none."""
        flight = self.pending.get(report.sequence)
        if flight is None or flight.packed_address != report.packed_address:
            return None
        self._last_states[report.sequence] = _ANSWERED
        return self.pending.pop(report.sequence)

    def _count_stray_reply(self, sequence: int, number: int | None) -> None:
        """Count an answer to a request that is over."""
        recent = number is None or self._last_number - number < SEQUENCES
        end = self._last_states[sequence] if recent else _TIMED_OUT
        if end == _ANSWERED:
            self._counts.duplicate += 1
        elif end == _TIMED_OUT:
            self._counts.late += 1

    def count_late(self) -> None:
        """Count an answer that came after its deadline, though nobody had looked yet."""
        self._counts.late += 1

    def pop_expired(self, now: float) -> list[PendingPing]:
        """Take the requests whose deadline has passed out of flight, at most 50 ms after it."""
        late = []
        while self._bucket_heap and self._bucket_heap[0] < int(now * _BUCKETS_PER_SECOND):
            for number in self._expiring_by_bucket.pop(heapq.heappop(self._bucket_heap)):
                sequence = number % SEQUENCES
                flight = self.pending.get(sequence)
                if flight is not None and flight.number == number:
                    del self.pending[sequence]
                    self._last_states[sequence] = _TIMED_OUT
                    late.append(flight)
        return late

    def count_dropped(self, now: float) -> None:
        """Note whether the kernel threw packets away since last time."""
        dropped = self.transport.dropped
        if dropped != self._dropped_count:
            more = dropped - self._dropped_count
            _log.warning("the receive buffer for pings overflowed, %d packets lost", more)
            self._counts.dropped += more
            self._dropped_count, self._dropped_at = dropped, now

    def may_have_been_dropped(self, ping: PendingPing) -> bool:
        """Whether the answer may be among what was thrown away here."""
        return ping.sent <= self._dropped_at
