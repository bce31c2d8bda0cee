"""Ports of this machine that take connections or refuse them, at the word of a test."""

from __future__ import annotations

import contextlib
import errno
import functools
import random
import selectors
import socket
import threading
import time
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from types import TracebackType

PORT = 17171


class TimeRange(NamedTuple):
    """When something was done: it took effect in between. Milliseconds of the wall clock."""

    before: int
    after: int


def address(number: int) -> str:
    """Give one of 250 addresses of 127.0.0.0/8, numbered from 0, that this run has to itself."""
    assert number in range(250)
    return f"{_network()}.{number + 1}"


@functools.cache
def _network() -> str:
    """Claim a network that no other run on this machine has, for as long as this process lives."""
    while True:
        network = f"127.{random.randrange(64, 128)}.{random.randrange(256)}"
        claim = socket.socket()
        try:
            claim.bind((f"{network}.254", PORT))
        except OSError as error:
            claim.close()
            if error.errno != errno.EADDRINUSE:  # another run has it
                raise
        else:
            claim.listen()
            claim.detach()  # stays open until the process ends
            return network


def now_ms() -> int:
    """Give the wall clock's milliseconds."""
    return time.time_ns() // 1_000_000


class Listeners:
    """One listener for each address of this run; a closed one refuses. Takes connections in a thread of its own."""

    def __init__(self, addresses: tuple[str, ...], port: int = PORT) -> None:
        self._port = port
        self._selector = selectors.DefaultSelector()
        self._open: dict[str, socket.socket] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._accept_connections, name="doors")
        for address in addresses:
            self.open(address)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()
        for address in list(self._open):
            self.close(address)
        self._selector.close()

    def open(self, address: str) -> TimeRange:
        """Take connections from now on."""
        before = now_ms()
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)  # noqa: FBT003 - the library's own signature
        listener.bind((address, self._port))
        listener.listen(128)
        with self._lock:
            self._open[address] = listener
            self._selector.register(listener, selectors.EVENT_READ)
        return TimeRange(before, now_ms())

    def close(self, address: str) -> TimeRange:
        """Refuse connections from now on."""
        before = now_ms()
        with self._lock:
            listener = self._open.pop(address)
            self._selector.unregister(listener)
            listener.close()
        return TimeRange(before, now_ms())

    def _accept_connections(self) -> None:
        while not self._stopped.is_set():
            for key, _ in self._selector.select(0.05):
                assert isinstance(key.fileobj, socket.socket)
                with contextlib.suppress(OSError):  # closed in between
                    key.fileobj.accept()[0].close()
