"""Opening a TCP connection by callbacks: a task for each of thousands a minute would cost more than the connection.

Of several addresses, whichever takes the connection first (RFC 8305, happy eyeballs).
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections import deque
from typing import TYPE_CHECKING

from monitor.model import Outcome
from monitor.probes.connect import handshake_us
from monitor.probes.failures import NotOkError, local, of_connection
from monitor.probes.trace import CONNECT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from monitor.probes.net.address import Address
    from monitor.probes.trace import Trail

HEAD_START = 0.25
"""Seconds that an address is tried alone before the next one is tried beside it."""


class Opening:
    """One connection in the making; the caller sets the deadline, and gives up when it has passed."""

    def __init__(
        self,
        trail: Trail,
        addresses: Sequence[Address],
        port: int,
        opened: Callable[[socket.socket, Address], None],
        refused: Callable[[NotOkError], None],
    ) -> None:
        """``opened`` gets the socket, and closes it; ``refused`` is called where no address takes the connection.

        Then it gets the last refusal, but a local fault before any other: an address that could not be asked leaves
        it open whether the server answers there. One of the two is called once, perhaps before ``begin`` returns.
        """
        self._loop = asyncio.get_running_loop()
        self._trail = trail
        self._waiting = deque(addresses)
        self._port = port
        self._opened = opened
        self._refused = refused
        self._trying: dict[int, tuple[socket.socket, Address]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._fault: NotOkError | None = None
        self.handshake_us: int | None = None
        """The kernel's own measure of the connection that came about; None where it has none."""

    def begin(self) -> None:
        """Try the first address; the step ``connect`` begins."""
        self._trail.begin(CONNECT, self._place(self._waiting[0]))
        self._trail.sent()
        self._try_next()

    def give_up(self) -> None:
        """Drop what is under way, and call nobody."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
        for fd, (sock, _) in self._trying.items():
            self._loop.remove_writer(fd)
            sock.close()
        self._trying.clear()

    def _place(self, address: Address) -> str:
        return f"{address} port {self._port}"

    def _try_next(self) -> None:
        address = self._waiting.popleft()
        try:
            sock = socket.socket(address.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        except OSError as error:
            self._note(address, local(error))
            return
        try:
            number = sock.connect_ex(address.sockaddr(self._port))
        except BaseException:
            sock.close()
            raise
        if number == errno.EINPROGRESS:
            fd = sock.fileno()
            self._trying[fd] = (sock, address)
            self._loop.add_writer(fd, self._ended, fd)
            if self._waiting:
                self._timer = self._loop.call_later(HEAD_START, self._try_next)
        else:
            self._land(sock, address, number)

    def _ended(self, fd: int) -> None:
        self._loop.remove_writer(fd)
        sock, address = self._trying.pop(fd)
        self._land(sock, address, sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))

    def _land(self, sock: socket.socket, address: Address, number: int) -> None:
        if number:
            sock.close()
            self._note(address, of_connection(OSError(number, os.strerror(number)), address))
            return
        self.give_up()
        self.handshake_us = handshake_us(sock)
        self._trail.end(self._place(address), took_us=self.handshake_us)
        self._opened(sock, address)

    def _note(self, address: Address, error: NotOkError) -> None:
        """Take that an address refused; the next one need not wait for its turn."""
        if self._timer is not None:
            self._timer.cancel()
        if self._fault is None or self._fault.outcome is not Outcome.UNKNOWN:
            self._fault = error
        if self._waiting or self._trying:
            left = [*(trying for _, trying in self._trying.values()), *self._waiting]
            self._trail.end(f"{self._place(address)}: {error.reason}")
            self._trail.begin(CONNECT, ", ".join(map(self._place, left)))
        if self._waiting:
            self._try_next()
        elif not self._trying:
            self._refused(self._fault)
