"""Name servers that misbehave, in threads: by datagrams, or by sending who asks to a connection that does."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    Answer = Callable[[socket.socket, bytes, Any], None]

TRUNCATED = b"\x83\x80" + bytes(8)
ANSWERED = b"\x81\x80\0\1\0\1\0\0\0\0"
"""What comes after the number of an answer: that it is too long for a datagram; one question and one record."""


class Datagrams:
    """Answers every datagram as it is told."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._sock = socket.socket(type=socket.SOCK_DGRAM)
        self._sock.bind(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self._over = threading.Event()
        self.port: int = self._sock.getsockname()[1]
        self.reached = False
        """Whether it was asked."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        with socket.socket(type=socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._sock.close()

    def _serve(self) -> None:
        while True:
            with contextlib.suppress(ConnectionError):  # who asked has gone
                question, address = self._sock.recvfrom(4096)
                if self._over.is_set():
                    return
                self.reached = True
                self._answer(self._sock, question, address)


def says(*answers: bytes) -> Answer:
    """Answer by that, after the number of the question."""

    def answer(sock: socket.socket, question: bytes, address: Any) -> None:
        for each in answers:
            sock.sendto(question[:2] + each, address)

    return answer


def says_with_another_number(times: int) -> Answer:
    def answer(sock: socket.socket, question: bytes, address: Any) -> None:
        for _ in range(times):
            sock.sendto(bytes([question[0], question[1] ^ 1]) + question[2:], address)

    return answer


def drips(sock: socket.socket, question: bytes, address: Any) -> None:
    for byte in question:
        sock.sendto(bytes([byte]), address)


def says_from_elsewhere(_sock: socket.socket, question: bytes, address: Any) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as other, contextlib.suppress(ConnectionError):
        other.bind(("127.0.0.2", 0))
        other.sendto(question[:2] + ANSWERED + question[12:], address)


BY_DATAGRAMS: dict[str, Answer] = {
    "hangs": says(),
    "drips": drips,
    "floods": says_with_another_number(2000),
    "another number": says_with_another_number(1),
    "from another address": says_from_elsewhere,
    "garbage": says(bytes(range(256)) * 16),
    "garbage, as much as a datagram takes": says(bytes(range(256)) * 255),
    "NULs": says(bytes(4096)),
    "nothing": says(b""),
    "cut short": says(ANSWERED[:5]),
    "another question": says(ANSWERED[:4] + bytes(6) + b"\x05other\0\0\1\0\1"),
    "a name that points at itself": says(ANSWERED + b"\xc0\x0c\0\1\0\1"),
    "not even UTF-8": says(ANSWERED + b"\x04\xff\xfe\xc3\x28\0\0\1\0\1"),
    "truncated, and takes no connection": says(TRUNCATED),
}
"""What a name server can do before any connection."""


def listener_beside(stack: contextlib.ExitStack) -> socket.socket:
    """Give a listener at whose address all datagrams are answered by a truncated answer, as long as the stack lasts."""
    while True:
        server = stack.enter_context(Datagrams(says(TRUNCATED)))
        with contextlib.suppress(OSError):  # somebody else has that port for connections
            return socket.create_server(("127.0.0.1", server.port))
