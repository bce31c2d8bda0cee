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

TRUNCATED_HEADER = b"\x83\x80" + bytes(8)
ANSWER_HEADER = b"\x81\x80\0\1\0\1\0\0\0\0"
"""What comes after the number of an answer: that it is too long for a datagram; one question and one record."""


class UdpNameServer:
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


def replies(*answers: bytes) -> Answer:
    """Answer by that, after the number of the question."""

    def answer(sock: socket.socket, question: bytes, address: Any) -> None:
        for each in answers:
            sock.sendto(question[:2] + each, address)

    return answer


def replies_with_wrong_id(times: int) -> Answer:
    def answer(sock: socket.socket, question: bytes, address: Any) -> None:
        for _ in range(times):
            sock.sendto(bytes([question[0], question[1] ^ 1]) + question[2:], address)

    return answer


def drips(sock: socket.socket, question: bytes, address: Any) -> None:
    for byte in question:
        sock.sendto(bytes([byte]), address)


def replies_from_another_port(_sock: socket.socket, question: bytes, address: Any) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as other, contextlib.suppress(ConnectionError):
        other.bind(("127.0.0.2", 0))
        other.sendto(question[:2] + ANSWER_HEADER + question[12:], address)


UDP_MISBEHAVIOUR: dict[str, Answer] = {
    "hangs": replies(),
    "drips": drips,
    "floods": replies_with_wrong_id(2000),
    "another number": replies_with_wrong_id(1),
    "from another address": replies_from_another_port,
    "garbage": replies(bytes(range(256)) * 16),
    "garbage, as much as a datagram takes": replies(bytes(range(256)) * 255),
    "NULs": replies(bytes(4096)),
    "nothing": replies(b""),
    "cut short": replies(ANSWER_HEADER[:5]),
    "another question": replies(ANSWER_HEADER[:4] + bytes(6) + b"\x05other\0\0\1\0\1"),
    "a name that points at itself": replies(ANSWER_HEADER + b"\xc0\x0c\0\1\0\1"),
    "not even UTF-8": replies(ANSWER_HEADER + b"\x04\xff\xfe\xc3\x28\0\0\1\0\1"),
    "truncated, and takes no connection": replies(TRUNCATED_HEADER),
}
"""What a name server can do before any connection."""


def tcp_listener_with_truncating_udp(stack: contextlib.ExitStack) -> socket.socket:
    """Give a listener at whose address all datagrams are answered by a truncated answer, as long as the stack lasts."""
    while True:
        server = stack.enter_context(UdpNameServer(replies(TRUNCATED_HEADER)))
        with contextlib.suppress(OSError):  # somebody else has that port for connections
            return socket.create_server(("127.0.0.1", server.port))
