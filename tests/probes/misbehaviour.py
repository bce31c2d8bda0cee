"""Servers that hold a conversation well up to a stage, and from there on do not: in threads, beside the event loop."""

from __future__ import annotations

import contextlib
import enum
import socket
import ssl
import struct
import threading
import time
import zlib
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

PATIENCE = 20.0
"""Seconds after which a server gives a caller up who neither says anything nor leaves; far more than it ever takes."""
PAUSE = 0.005
"""Seconds between two bytes of a drip."""
GARBAGE = bytes(range(256)) * 16


class Do(enum.Enum):
    """What a server does besides saying something."""

    HEAR = enum.auto()
    """Wait until something was said."""
    TLS = enum.auto()
    """Shake hands."""
    HALF = enum.auto()
    """Shake hands half: the first half of what a server says first."""


Moves = tuple["bytes | int | Do", ...]
"""What a server does in turn: say those bytes, hear so many bytes, or one of ``Do``."""


@dataclass(frozen=True)
class Stage:
    """How far a conversation goes well, and how an answer would begin from there on."""

    name: str
    moves: Moves
    start: bytes = b""
    """How something begins that promises more to come."""
    line: bytes = b"220-more\r\n"
    """What can be said again and again without anything being wrong yet."""
    farewell: bool = False
    """Whether all that was to be shown has been: who hangs up now has done nothing wrong."""
    keys: Mapping[str, Any] = field(default_factory=dict)
    """Keys of the check that lead there: ``CA`` and ``PASSWORD`` stand for the files."""


class Caller:
    """One connection as the server sees it."""

    def __init__(self, sock: socket.socket, stage: Stage, tls: ssl.SSLContext) -> None:
        self.sock = sock
        self.stage = stage
        self.rest = b""
        """Of a handshake that was begun: what is left to say."""
        self._tls = tls

    def lead(self) -> None:
        """Go through the conversation up to the stage."""
        for move in self.stage.moves:
            if isinstance(move, bytes):
                self.sock.sendall(move)
            elif isinstance(move, int):
                self.sock.recv(move, socket.MSG_WAITALL)
            elif move is Do.HEAR:
                self.sock.recv(4096)
            elif move is Do.TLS:
                self.sock = self._tls.wrap_socket(self.sock, server_side=True)
            else:
                flight = self._flight()
                self.rest = flight[len(flight) // 2 :]
                self.sock.sendall(flight[: len(flight) // 2])

    def _flight(self) -> bytes:
        """Give what a server says first in a handshake."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self._tls.wrap_bio(incoming, outgoing, server_side=True)
        while not outgoing.pending:
            incoming.write(self.sock.recv(4096))
            with contextlib.suppress(ssl.SSLWantReadError):
                tls.do_handshake()
        return outgoing.read()

    def stay(self) -> None:
        """Listen until the other side leaves."""
        while self.sock.recv(4096):
            pass

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def drip(self, what: Iterable[int]) -> None:
        for byte in what:
            self.sock.sendall(bytes([byte]))
            time.sleep(PAUSE)

    def flood(self, what: bytes) -> None:
        much = what * (65536 // len(what))
        while True:
            self.sock.sendall(much)


def endless(what: bytes) -> Iterable[int]:
    while True:
        yield from what


def says(what: bytes, *, stay: bool) -> Callable[[Caller], None]:
    def behave(caller: Caller) -> None:
        caller.sock.sendall(what)
        if stay:
            caller.stay()

    return behave


def hangs_mid_packet(caller: Caller) -> None:
    says(caller.stage.start, stay=True)(caller)


def hangs_up_mid_packet(caller: Caller) -> None:
    says(caller.stage.start, stay=False)(caller)


def resets(caller: Caller) -> None:
    caller.reset()


def resets_mid_packet(caller: Caller) -> None:
    caller.sock.sendall(caller.stage.start)
    caller.reset()


def half_closes(caller: Caller) -> None:
    caller.sock.shutdown(socket.SHUT_WR)
    caller.stay()


def drips(caller: Caller) -> None:
    caller.drip(caller.stage.start)
    caller.drip(endless(b"x"))


def drips_lines(caller: Caller) -> None:
    caller.drip(endless(caller.stage.line))


def floods(what: bytes) -> Callable[[Caller], None]:
    def behave(caller: Caller) -> None:
        caller.sock.sendall(caller.stage.start)
        caller.flood(what)

    return behave


def floods_lines(caller: Caller) -> None:
    caller.flood(caller.stage.line)


def floods_empty_lines(caller: Caller) -> None:
    caller.flood(b"\r\n")


def drips_the_handshake(caller: Caller) -> None:
    caller.drip(caller.rest)
    caller.stay()


def garbage_beneath_tls(caller: Caller) -> None:
    socket.socket.sendall(caller.sock, GARBAGE)  # past the cipher
    caller.stay()


def redirects(caller: Caller) -> None:
    caller.sock.sendall(b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n")


@cache
def _bomb(name: str) -> bytes:
    """Give 64 MiB in some 64 KiB, made bit by bit: whoever counts memory is not to count it here."""
    packer = zlib.compressobj(9, wbits=31 if name == "gzip" else 15)
    packed = b"".join([packer.compress(bytes(65536)) for _ in range(1024)] + [packer.flush()])
    return f"HTTP/1.1 200 OK\r\nContent-Encoding: {name}\r\nContent-Length: {len(packed)}\r\n\r\n".encode() + packed


def bombs(name: str) -> Callable[[Caller], None]:
    def behave(caller: Caller) -> None:
        says(_bomb(name), stay=True)(caller)  # made when it is needed

    return behave


EVERYWHERE: dict[str, Callable[[Caller], None]] = {
    "hangs": Caller.stay,
    "hangs up": lambda _: None,
    "resets": resets,
    "half-closes": half_closes,
    "hangs mid-packet": hangs_mid_packet,
    "hangs up mid-packet": hangs_up_mid_packet,
    "resets mid-packet": resets_mid_packet,
    "drips": drips,
    "drips lines": drips_lines,
    "floods": floods(b"A"),
    "floods NULs": floods(b"\0"),
    "floods garbage": floods(bytes(range(256))),
    "floods lines": floods_lines,
    "floods empty lines": floods_empty_lines,
    "garbage and hangs": says(GARBAGE, stay=True),
    "garbage and hangs up": says(GARBAGE, stay=False),
    "NULs": says(bytes(4096), stay=True),
    "wrong encoding": says("220 ÖK +OK * OK\r\n".encode("utf-16") * 8, stay=True),
    "not even UTF-8": says(b"\xff\xfe\xc3\x28 220 \x80\r\n" * 8, stay=True),
    "a packet of 16 MiB": says(b"\xff\xff\xff\0" + bytes(4096), stay=True),
    "an error of MySQL cut short": says(b"\x02\0\0\0\xff\x10", stay=True),
    "a packet of SSH without a payload": says(b"SSH-2.0-x\r\n\0\0\0\x01\0", stay=True),
    "a KEXINIT of nothing": says(b"SSH-2.0-x\r\n\0\0\0\x0c\x0a\x14" + bytes(10), stay=True),
    "TLS alert": says(b"\x15\x03\x03\x00\x02\x02\x28", stay=True),
}
"""What any server can do at any stage."""
IN_A_HANDSHAKE = {"slow handshake": drips_the_handshake}
OVER_TLS = {"garbage beneath TLS": garbage_beneath_tls}
OF_A_PAGE = {"endless redirect": redirects, "gzip bomb": bombs("gzip"), "deflate bomb": bombs("deflate")}


class Misbehaving:
    """A server on a free port of 127.0.0.1, or at that listener: well up to a stage, from there on as it is told."""

    def __init__(
        self,
        stage: Stage,
        behave: Callable[[Caller], None],
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

    def _start(self, what: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=what, args=args)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._start(self._serve, self._listener.accept()[0])

    def _serve(self, sock: socket.socket) -> None:
        sock.settimeout(PATIENCE)
        caller = Caller(sock, self._stage, self._tls)
        try:
            caller.lead()
            self.reached = True
            self._behave(caller)
        except OSError:
            pass  # the other side has gone
        finally:
            caller.sock.close()
