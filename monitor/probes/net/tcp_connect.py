"""Opening a TCP connection by callbacks: a task for each of thousands a minute would cost more than the connection.

Of several addresses, whichever takes the connection first (RFC 8305, happy eyeballs).
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import struct
import sys
from collections import deque
from itertools import chain, zip_longest
from typing import TYPE_CHECKING

from monitor.model import Outcome
from monitor.probes.failures import ProbeError, connection_failure, local_os_failure, monitor_failure
from monitor.probes.net.resolver import parse_ip
from monitor.probes.probe import CONNECT
from monitor.probes.settings import family_of_source

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from monitor.probes.net.address import Address
    from monitor.probes.trace import AttemptTrace


# --- the kernel's measure of a handshake ------------------------------------------------------------------------------

_TCP_INFO = struct.Struct("@68xI28xI")
"""Of the kernel's ``struct tcp_info``: ``tcpi_rtt`` and ``tcpi_total_retrans``."""


def handshake_us(sock: socket.socket) -> int | None:
    """Return the kernel's own measure of the handshake in microseconds, without the event loop's delay.

    None where it has none, or where a packet of it was lost: then only the time that passed is the truth.
    """
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192)
    if len(info) < _TCP_INFO.size:
        return None
    rtt, retransmitted = _TCP_INFO.unpack_from(info)
    return int(rtt) if rtt and not retransmitted else None


ATTEMPT_DELAY = 0.25
"""Seconds that an address is tried alone before the next one is tried beside it."""


class HappyEyeballsConnect:
    """One connection in the making; the caller sets the deadline, and gives up when it has passed."""

    def __init__(
        self,
        trace: AttemptTrace,
        addresses: Sequence[Address],
        port: int,
        on_connected: Callable[[socket.socket, Address], None],
        on_failed: Callable[[ProbeError], None],
        source: Address | None = None,
    ) -> None:
        """``on_connected`` gets the socket and closes it; ``on_failed`` is called if no address accepts the connection.

        Then it gets the last refusal, but a local fault before any other: an address that could not be asked leaves
        it open whether the server answers there. One of the two is called once, perhaps before ``start`` returns.
        """
        self._loop = asyncio.get_running_loop()
        self._trace = trace
        self._waiting = deque(addresses)
        self._port = port
        self._source = source
        self._on_connected = on_connected
        self._on_failed = on_failed
        self._connecting: dict[int, tuple[socket.socket, Address]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._failure: ProbeError | None = None
        self.handshake_us: int | None = None
        """The kernel's own measure of the connection that came about; None where it has none."""

    def start(self) -> None:
        """Try the first address; the step ``connect`` begins."""
        self._trace.begin(CONNECT, self._endpoint(self._waiting[0]))
        self._trace.sent()
        self._try_next()

    def cancel(self) -> None:
        """Drop what is under way, and call nobody."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
        for fd, (sock, _) in self._connecting.items():
            self._loop.remove_writer(fd)
            sock.close()
        self._connecting.clear()

    def _endpoint(self, address: Address) -> str:
        return f"{address} port {self._port}"

    def _try_next(self) -> None:
        address = self._waiting.popleft()
        try:
            sock = socket.socket(address.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        except OSError as error:
            self._on_attempt_failed(address, local_os_failure(error))
            return
        try:
            if self._source is not None:
                bind_source(sock, self._source)
            number = sock.connect_ex(address.sockaddr(self._port))
        except ProbeError as error:
            sock.close()
            self._on_attempt_failed(address, error)
            return
        except BaseException:
            sock.close()
            raise
        if number == errno.EINPROGRESS:
            fd = sock.fileno()
            self._connecting[fd] = (sock, address)
            self._loop.add_writer(fd, self._on_writable, fd)
            if self._waiting:
                self._timer = self._loop.call_later(ATTEMPT_DELAY, self._try_next)
        else:
            self._on_attempt_done(sock, address, number)

    def _on_writable(self, fd: int) -> None:
        self._loop.remove_writer(fd)
        sock, address = self._connecting.pop(fd)
        self._on_attempt_done(sock, address, sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))

    def _on_attempt_done(self, sock: socket.socket, address: Address, number: int) -> None:
        if number:
            sock.close()
            self._on_attempt_failed(
                address, connection_failure(OSError(number, os.strerror(number)), address, self._source)
            )
            return
        self.cancel()
        self.handshake_us = handshake_us(sock)
        self._trace.end(self._endpoint(address), took_us=self.handshake_us)
        self._on_connected(sock, address)

    def _on_attempt_failed(self, address: Address, error: ProbeError) -> None:
        """Take that an address refused; the next one need not wait for its turn."""
        if self._timer is not None:
            self._timer.cancel()
        if self._failure is None or self._failure.outcome is not Outcome.UNKNOWN:
            self._failure = error
        if self._waiting or self._connecting:
            left = [*(trying for _, trying in self._connecting.values()), *self._waiting]
            self._trace.end(f"{self._endpoint(address)}: {error.reason}")
            self._trace.begin(CONNECT, ", ".join(map(self._endpoint, left)))
        if self._waiting:
            self._try_next()
        elif not self._connecting:
            self._on_failed(self._failure)


# --- connecting from an address of this machine that the check names --------------------------------------------------

SOURCE_NOT_LOCAL = "source address not local"
_BIND_ADDRESS_NO_PORT = 24
"""Linux: the port is chosen when the socket connects, so that two connections to different servers can share one."""


def parse_source(source: str | None) -> Address | None:
    """Return the key ``source`` as an address. Raises ``ProbeError``, unknown, where its interface is missing."""
    return None if source is None else parse_ip(source)


def usable_family(family: str, source: str | None) -> str:
    """Return which addresses can be connected to, by the keys ``family`` and ``source``."""
    return family if source is None else family_of_source(source)


def bind_source(sock: socket.socket, source: Address) -> None:
    """Let a socket send from ``source``. Raises ``ProbeError``, unknown, where that is not this machine's address."""
    try:
        if sys.platform.startswith("linux"):
            sock.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
        sock.bind(source.sockaddr(0))
    except OSError as error:
        if error.errno in (errno.EADDRNOTAVAIL, errno.EINVAL):
            raise monitor_failure(SOURCE_NOT_LOCAL) from None
        raise local_os_failure(error) from None


# --- connecting from a coroutine --------------------------------------------------------------------------------------

ADDRESS_FAMILIES = {"4": socket.AF_INET, "6": socket.AF_INET6}
NO_ADDRESS_OF_FAMILY = "no address of that family"


def is_of_family(address: Address, family: str) -> bool:
    """Whether the key ``family`` lets an address be used."""
    return address.family is ADDRESS_FAMILIES.get(family, address.family)


def interleave_families(addresses: Sequence[Address], family: str) -> list[Address]:
    """Order addresses for trying: families take turns, the preferred one first; ``4`` and ``6`` leave only theirs.

    Raises ``ProbeError``, unknown, where none is left.
    """
    kept = [each for each in addresses if is_of_family(each, family)]
    if not kept:
        raise monitor_failure(NO_ADDRESS_OF_FAMILY)
    first = [each for each in kept if each.family is kept[0].family]
    second = [each for each in kept if each.family is not kept[0].family]
    return [each for each in chain.from_iterable(zip_longest(first, second)) if each is not None]


async def connect_any(
    trace: AttemptTrace, addresses: Sequence[Address], port: int, source: Address | None = None
) -> tuple[Address, socket.socket]:
    """Connect to the first address that answers; the caller sets the deadline and closes the socket.

    ``source`` is the address of this machine to connect from; None: the system chooses. Raises ``ProbeError`` where all
    refuse, see ``HappyEyeballsConnect``.
    """
    landed: asyncio.Future[tuple[Address, socket.socket]] = asyncio.get_running_loop().create_future()

    def opened(sock: socket.socket, address: Address) -> None:
        if landed.done():  # the deadline has passed in this very turn
            sock.close()
        else:
            landed.set_result((address, sock))

    def refused(error: ProbeError) -> None:
        if not landed.done():
            landed.set_exception(error)

    opening = HappyEyeballsConnect(trace, addresses, port, opened, refused, source)
    opening.start()
    try:
        return await landed
    except asyncio.CancelledError:
        if landed.done() and not landed.cancelled() and landed.exception() is None:
            landed.result()[1].close()
        raise
    finally:
        opening.cancel()
