"""Servers that hold a conversation well up to a stage, and then do what they are told: in threads, beside the loop."""

from __future__ import annotations

import contextlib
import enum
import socket
import ssl
import struct
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

IDLE_TIMEOUT = 20.0
"""Seconds after which a server gives a caller up who neither says anything nor leaves; far more than it ever takes."""
DRIP_INTERVAL = 0.005
"""Seconds between two bytes of a drip."""


class Action(enum.Enum):
    """What a server does besides saying something."""

    RECEIVE = enum.auto()
    """Wait until something was said."""
    TLS = enum.auto()
    """Shake hands."""
    HALF_HANDSHAKE = enum.auto()
    """Shake hands half: the first half of what a server says first."""


Steps = tuple["bytes | int | Action", ...]
"""What a server does in turn: say those bytes, hear so many bytes, or one of ``Action``."""


@dataclass(frozen=True)
class Stage:
    """How far a conversation goes well, and how an answer would begin from there on."""

    name: str
    steps: Steps
    start: bytes = b""
    """How something begins that promises more to come."""
    line: bytes = b"220-more\r\n"
    """What can be said again and again without anything being wrong yet."""
    complete: bool = False
    """Whether all that was to be shown has been: who hangs up now has done nothing wrong."""
    keys: Mapping[str, Any] = field(default_factory=dict)
    """Keys of the check that lead there: ``CA`` and ``PASSWORD`` stand for the files."""


class ServerConnection:
    """One connection as the server sees it."""

    def __init__(self, sock: socket.socket, stage: Stage, tls: ssl.SSLContext) -> None:
        self.sock = sock
        self.stage = stage
        self.handshake_rest = b""
        """Of a handshake that was begun: what is left to say."""
        self._tls = tls

    def play(self) -> None:
        """Go through the conversation up to the stage."""
        for move in self.stage.steps:
            if isinstance(move, bytes):
                self.sock.sendall(move)
            elif isinstance(move, int):
                self.sock.recv(move, socket.MSG_WAITALL)
            elif move is Action.RECEIVE:
                self.sock.recv(4096)
            elif move is Action.TLS:
                self.sock = self._tls.wrap_socket(self.sock, server_side=True)
            else:
                flight = self._handshake_start()
                self.handshake_rest = flight[len(flight) // 2 :]
                self.sock.sendall(flight[: len(flight) // 2])

    def _handshake_start(self) -> bytes:
        """Give what a server says first in a handshake."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self._tls.wrap_bio(incoming, outgoing, server_side=True)
        while not outgoing.pending:
            incoming.write(self.sock.recv(4096))
            with contextlib.suppress(ssl.SSLWantReadError):
                tls.do_handshake()
        return outgoing.read()

    def wait_for_close(self) -> None:
        """Listen until the other side leaves."""
        while self.sock.recv(4096):
            pass

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def drip(self, data: Iterable[int]) -> None:
        for byte in data:
            self.sock.sendall(bytes([byte]))
            time.sleep(DRIP_INTERVAL)

    def flood(self, data: bytes) -> None:
        much = data * (65536 // len(data))
        while True:
            self.sock.sendall(much)


class MisbehavingServer:
    """A server on a free port of 127.0.0.1, or at that listener: well up to a stage, from there on as it is told."""

    def __init__(
        self,
        stage: Stage,
        behave: Callable[[ServerConnection], None],
        tls: ssl.SSLContext,
        listener: socket.socket | None = None,
    ) -> None:
        self._stage = stage
        self._behave = behave
        self._tls = tls
        self._listener = listener or socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self.port: int = self._listener.getsockname()[1]
        self.reached = False
        """Whether the conversation got to the stage."""

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # ends the waiting for callers
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _start(self, target: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=target, args=args)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._start(self._serve, self._listener.accept()[0])

    def _serve(self, sock: socket.socket) -> None:
        sock.settimeout(IDLE_TIMEOUT)
        caller = ServerConnection(sock, self._stage, self._tls)
        try:
            caller.play()
            self.reached = True
            self._behave(caller)
        except OSError:
            pass  # the other side has gone
        finally:
            caller.sock.close()
