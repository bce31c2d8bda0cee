"""Pings by icmplib, where the system is not Linux.

A socket and a thread for each ping, timestamps of our own: right for dozens of servers, not for thousands.
"""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from icmplib import (
    ICMPError,
    ICMPRequest,
    ICMPSocketError,
    ICMPv4Socket,
    ICMPv6Socket,
    SocketPermissionError,
    TimeoutExceeded,
)
from icmplib.utils import unique_identifier

from monitor.model import Outcome, Reason
from monitor.probes.failures import local_os_failure
from monitor.probes.icmp.in_flight import PingCounts
from monitor.probes.icmp.packets import DEFAULT_PAYLOAD_SIZE, error_text, with_reporter
from monitor.probes.icmp.pinger import NOT_PERMITTED
from monitor.probes.probe import FIRST_BYTE, SEND, Attempt, Step, microseconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.clock import Clock
    from monitor.probes.net.address import Address

MAX_CONCURRENT_PINGS = 64
"""Pings that wait for their answers at the same time; others wait for one of them to end."""


class IcmplibPinger:
    """Sends echo requests one by one; the same to its users as ``Pinger``."""

    def __init__(self, clock: Clock) -> None:
        self.counts = PingCounts()
        self._clock = clock
        self._threads = ThreadPoolExecutor(MAX_CONCURRENT_PINGS, thread_name_prefix="ping")
        self._in_flight: set[asyncio.Future[Attempt]] = set()

    def warm_up(self) -> None:
        """Do nothing: every ping opens its own socket."""

    def ping(
        self, address: Address, timeout: float, done: Callable[[Attempt], None], size: int = DEFAULT_PAYLOAD_SIZE
    ) -> None:
        """Send one request; ``done`` is called once: at the answer, at the network's error, after ``timeout`` seconds.

        An attempt that went well has no steps, as ``Pinger``'s.
        """
        loop = asyncio.get_running_loop()
        flight = loop.run_in_executor(self._threads, self._ping_blocking, address, timeout, size)
        self._in_flight.add(flight)
        flight.add_done_callback(partial(self._on_done, done))

    def _on_done(self, done: Callable[[Attempt], None], future: asyncio.Future[Attempt]) -> None:
        self._in_flight.discard(future)
        if not future.cancelled():
            done(future.result())

    def _ping_blocking(self, address: Address, timeout: float, size: int) -> Attempt:
        at = self._clock.monotonic()
        failed = Attempt(Outcome.FAIL, at, None, str(Reason.TIMEOUT))
        try:
            with _open_socket(address) as sock:
                reply, took = _send_and_receive(sock, str(address), timeout, size)
        except TimeoutExceeded:
            return failed._replace(steps=(Step(FIRST_BYTE, microseconds(timeout), str(Reason.TIMEOUT)),))
        except ICMPSocketError as error:
            outcome, reason = _classify_error(error)
            return Attempt(outcome, at, None, reason, (Step(SEND, 0, reason),))
        try:
            reply.raise_for_status()
        except ICMPError as error:
            text = error_text(4 if address.family == socket.AF_INET else 6, reply.type, reply.code) or str(error)
            reason = with_reporter(text, reply.source, address.host)
            return failed._replace(reason=reason, steps=(Step(FIRST_BYTE, took, reason),))
        return Attempt(Outcome.OK, at, took, "")

    def close(self) -> None:
        """Wait for nothing more; what is still in flight is not told of."""
        for flight in self._in_flight:
            flight.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)


def _open_socket(address: Address) -> Any:
    kind = ICMPv4Socket if address.family == socket.AF_INET else ICMPv6Socket
    try:
        return kind(privileged=False)
    except SocketPermissionError:
        return kind(privileged=True)


def _send_and_receive(sock: Any, host: str, timeout: float, size: int) -> tuple[Any, int]:
    request = ICMPRequest(host, unique_identifier(), 0, payload_size=size)
    sock.send(request)
    reply = sock.receive(request, timeout)
    return reply, microseconds(reply.time - request.time)


def _classify_error(error: ICMPSocketError) -> tuple[Outcome, str]:
    if isinstance(error, SocketPermissionError):
        return Outcome.UNKNOWN, NOT_PERMITTED
    cause = error.__context__
    known = local_os_failure(cause) if isinstance(cause, OSError) else None
    return Outcome.UNKNOWN, known.reason if known else f"error {type(error).__name__}"
