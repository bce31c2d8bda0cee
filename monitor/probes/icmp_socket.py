"""Opening a socket for ICMP with what only Linux has: receive stamps, the error queue, a count of what was dropped."""

from __future__ import annotations

import socket
import struct

# Linux's numbers that the socket module does not name
SO_RCVBUFFORCE = 33
SO_TIMESTAMPNS = 35
SO_MEMINFO = 55
IP_RECVERR = 11
IPV6_RECVERR = 25

BUFFER = 4 * 1024 * 1024
"""Bytes asked for both ways: the default keeps 256 replies and drops the rest without a word."""
_MEMINFO = struct.Struct("@9I")
_DROPS = 8


def open_socket(family: socket.AddressFamily) -> tuple[socket.socket, bool]:
    """Open a non-blocking one: as a datagram socket where the system permits that, else raw; says whether it is raw.

    Raises ``PermissionError`` where neither is permitted, another ``OSError`` for anything else.
    """
    v4 = family == socket.AF_INET
    sock, raw = _open(family, socket.IPPROTO_ICMP if v4 else socket.IPPROTO_ICMPV6)
    sock.settimeout(0)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    _enlarge(sock)
    if not raw:
        level, option = (socket.IPPROTO_IP, IP_RECVERR) if v4 else (socket.IPPROTO_IPV6, IPV6_RECVERR)
        sock.setsockopt(level, option, 1)
    return sock, raw


def dropped_by(sock: socket.socket) -> int:
    """Give how many packets the kernel has thrown away because the receive buffer was full."""
    info = sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, _MEMINFO.size)
    return int(_MEMINFO.unpack(info)[_DROPS]) if len(info) == _MEMINFO.size else 0


def _open(family: socket.AddressFamily, protocol: int) -> tuple[socket.socket, bool]:
    """Open a datagram socket, else a raw one, and say whether it is raw."""
    errors: list[OSError] = []
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            return socket.socket(family, kind, protocol), kind == socket.SOCK_RAW
        except OSError as error:
            errors.append(error)
    # out of descriptors is the truer answer than "not permitted", whichever came first
    raise next((error for error in errors if not isinstance(error, PermissionError)), errors[-1])


def _enlarge(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
    except OSError:  # beyond the system's limit needs a privilege
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
