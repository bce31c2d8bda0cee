"""What servers do that misbehave, at whatever stage of a conversation."""

from __future__ import annotations

import socket
import zlib
from functools import cache
from typing import TYPE_CHECKING

from tests.probes.misbehaving_server import ServerConnection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

GARBAGE = bytes(range(256)) * 16


def endless(data: bytes) -> Iterable[int]:
    while True:
        yield from data


def sends(data: bytes, *, stay: bool) -> Callable[[ServerConnection], None]:
    def behave(caller: ServerConnection) -> None:
        caller.sock.sendall(data)
        if stay:
            caller.wait_for_close()

    return behave


def hangs_mid_packet(caller: ServerConnection) -> None:
    sends(caller.stage.start, stay=True)(caller)


def hangs_up_mid_packet(caller: ServerConnection) -> None:
    sends(caller.stage.start, stay=False)(caller)


def resets(caller: ServerConnection) -> None:
    caller.reset()


def resets_mid_packet(caller: ServerConnection) -> None:
    caller.sock.sendall(caller.stage.start)
    caller.reset()


def half_closes(caller: ServerConnection) -> None:
    caller.sock.shutdown(socket.SHUT_WR)
    caller.wait_for_close()


def drips(caller: ServerConnection) -> None:
    caller.drip(caller.stage.start)
    caller.drip(endless(b"x"))


def drips_lines(caller: ServerConnection) -> None:
    caller.drip(endless(caller.stage.line))


def floods(data: bytes) -> Callable[[ServerConnection], None]:
    def behave(caller: ServerConnection) -> None:
        caller.sock.sendall(caller.stage.start)
        caller.flood(data)

    return behave


def floods_lines(caller: ServerConnection) -> None:
    caller.flood(caller.stage.line)


def floods_empty_lines(caller: ServerConnection) -> None:
    caller.flood(b"\r\n")


def drips_the_handshake(caller: ServerConnection) -> None:
    caller.drip(caller.handshake_rest)
    caller.wait_for_close()


def garbage_beneath_tls(caller: ServerConnection) -> None:
    socket.socket.sendall(caller.sock, GARBAGE)  # past the cipher
    caller.wait_for_close()


def redirects(caller: ServerConnection) -> None:
    caller.sock.sendall(b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n")


@cache
def _bomb(name: str) -> bytes:
    """Give 64 MiB in some 64 KiB, made bit by bit: whoever counts memory is not to count it here."""
    packer = zlib.compressobj(9, wbits=31 if name == "gzip" else 15)
    packed = b"".join([packer.compress(bytes(65536)) for _ in range(1024)] + [packer.flush()])
    return f"HTTP/1.1 200 OK\r\nContent-Encoding: {name}\r\nContent-Length: {len(packed)}\r\n\r\n".encode() + packed


def bombs(name: str) -> Callable[[ServerConnection], None]:
    def behave(caller: ServerConnection) -> None:
        sends(_bomb(name), stay=True)(caller)  # made when it is needed

    return behave


EVERYWHERE: dict[str, Callable[[ServerConnection], None]] = {
    "hangs": ServerConnection.wait_for_close,
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
    "garbage and hangs": sends(GARBAGE, stay=True),
    "garbage and hangs up": sends(GARBAGE, stay=False),
    "NULs": sends(bytes(4096), stay=True),
    "wrong encoding": sends("220 ÖK +OK * OK\r\n".encode("utf-16") * 8, stay=True),
    "not even UTF-8": sends(b"\xff\xfe\xc3\x28 220 \x80\r\n" * 8, stay=True),
    "a packet of 16 MiB": sends(b"\xff\xff\xff\0" + bytes(4096), stay=True),
    "an error of MySQL cut short": sends(b"\x02\0\0\0\xff\x10", stay=True),
    "a packet of SSH without a payload": sends(b"SSH-2.0-x\r\n\0\0\0\x01\0", stay=True),
    "a KEXINIT of nothing": sends(b"SSH-2.0-x\r\n\0\0\0\x0c\x0a\x14" + bytes(10), stay=True),
    "TLS alert": sends(b"\x15\x03\x03\x00\x02\x02\x28", stay=True),
}
"""What any server can do at any stage."""
IN_A_HANDSHAKE = {"slow handshake": drips_the_handshake}
OVER_TLS = {"garbage beneath TLS": garbage_beneath_tls}
IN_A_PAGE = {"endless redirect": redirects, "gzip bomb": bombs("gzip"), "deflate bomb": bombs("deflate")}
