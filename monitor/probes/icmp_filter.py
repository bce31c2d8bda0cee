"""Keeping the rest of the machine's ICMP out of a raw socket, which would otherwise get a copy of all of it."""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct

# Linux's numbers that the socket module does not name
SO_ATTACH_FILTER = 26
SOL_RAW = 255
ICMP_FILTER = 1
ICMP6_FILTER = 1

IPV4_HEADER = 20
IPV6_HEADER = 40
ICMP_HEADER = 8


def only_ours(sock: socket.socket, ident: int, *, v4: bool) -> None:
    """Let answers and errors through, by type, and of those what carries our id, by a packet filter.

    An answer carries the id at its own place, an error inside the request that it quotes.
    """
    passing = (0, 3, 11) if v4 else (129, 1, 3)
    mask = bytearray(b"\xff" * (4 if v4 else 32))
    for kind in passing:
        word = struct.unpack_from("=I", mask, kind // 32 * 4)[0]
        struct.pack_into("=I", mask, kind // 32 * 4, word & ~(1 << kind % 32))
    level, option = (SOL_RAW, ICMP_FILTER) if v4 else (socket.IPPROTO_ICMPV6, ICMP6_FILTER)
    sock.setsockopt(level, option, bytes(mask))
    program = _program_v4(ident) if v4 else _program_v6(ident)
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in program))
    with contextlib.suppress(OSError):  # it only saves time: every packet is looked at again
        sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("@HP", len(program), ctypes.addressof(code)))


# classic BPF: (code, jump if true, jump if false, operand)
_ACCEPT = (0x06, 0, 0, 0xFFFF)
_DROP = (0x06, 0, 0, 0)


def _program_v4(ident: int) -> list[tuple[int, int, int, int]]:
    return [
        (0xB1, 0, 0, 0),  # X = length of the IP header
        (0x50, 0, 0, 0),  # A = type
        (0x15, 0, 2, 0),  # an answer?
        (0x48, 0, 0, 4),  # A = its id
        (0x05, 0, 0, 1),
        (0x48, 0, 0, ICMP_HEADER + IPV4_HEADER + 4),  # A = the id in the quoted request
        (0x15, 0, 1, ident),
        _ACCEPT,
        _DROP,
    ]


def _program_v6(ident: int) -> list[tuple[int, int, int, int]]:
    return [
        (0x30, 0, 0, 0),  # A = type; the packet begins here
        (0x15, 0, 2, 129),
        (0x28, 0, 0, 4),
        (0x05, 0, 0, 1),
        (0x28, 0, 0, ICMP_HEADER + IPV6_HEADER + 4),
        (0x15, 0, 1, ident),
        _ACCEPT,
        _DROP,
    ]
