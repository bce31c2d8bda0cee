"""What the network says of a request: ICMP errors, in words, with who said it; from a raw packet or the error queue."""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

from monitor.model import Reason

IPV4_HEADER = 20
IPV6_HEADER = 40
ICMP_HEADER = 8

DEFAULT_PAYLOAD_SIZE = 56
"""Bytes of payload of an echo request, as everyone's ping has."""
MAX_PAYLOAD_SIZE = 65_507
"""Bytes of payload that an IPv4 packet has room for."""

_UNREACHABLE_V4 = {
    0: Reason.UNREACHABLE.with_detail("network"),
    2: Reason.UNREACHABLE.with_detail("protocol"),
    3: Reason.UNREACHABLE.with_detail("port"),
    5: Reason.UNREACHABLE.with_detail("network"),
    6: Reason.UNREACHABLE.with_detail("network"),
    9: Reason.UNREACHABLE.with_detail("prohibited"),
    10: Reason.UNREACHABLE.with_detail("prohibited"),
    11: Reason.UNREACHABLE.with_detail("network"),
    13: Reason.UNREACHABLE.with_detail("prohibited"),
}
_UNREACHABLE_V6 = {
    0: Reason.UNREACHABLE.with_detail("network"),
    1: Reason.UNREACHABLE.with_detail("prohibited"),
    4: Reason.UNREACHABLE.with_detail("port"),
    5: Reason.UNREACHABLE.with_detail("prohibited"),
    6: Reason.UNREACHABLE.with_detail("prohibited"),
}
_FRAGMENTATION_NEEDED = 4
_HOP_LIMIT_EXCEEDED = Reason.UNREACHABLE.with_detail("hop limit")

_SOCK_EXTENDED_ERR = struct.Struct("@IBBBBII")
"""Linux's ``sock_extended_err``; the address of who reported follows it."""
_ICMP_ORIGINS = (2, 3)
_OFFENDER_V4 = slice(_SOCK_EXTENDED_ERR.size + 4, _SOCK_EXTENDED_ERR.size + 8)
_OFFENDER_V6 = slice(_SOCK_EXTENDED_ERR.size + 8, _SOCK_EXTENDED_ERR.size + 24)


class QueuedError(NamedTuple):
    """One ICMP error that ends a ping."""

    text: str
    reporter: str
    """Who reported it: a router on the road, the server itself, or this machine; empty where that is not known."""


def error_text(version: int, icmp_type: int, code: int) -> str | None:
    """Word an ICMP error; None for one that does not end a ping."""
    if version == 4:  # noqa: PLR2004
        if icmp_type == 3 and code != _FRAGMENTATION_NEEDED:  # noqa: PLR2004
            return _UNREACHABLE_V4.get(code, Reason.UNREACHABLE.with_detail("host"))
        return _HOP_LIMIT_EXCEEDED if icmp_type == 11 else None  # noqa: PLR2004
    if icmp_type == 1:
        return _UNREACHABLE_V6.get(code, Reason.UNREACHABLE.with_detail("host"))
    return _HOP_LIMIT_EXCEEDED if icmp_type == 3 else None  # noqa: PLR2004


def with_reporter(text: str, reporter: str, host: str) -> str:
    """Add who reported an error, unless it was ``host`` itself: routers are few, so reasons stay few."""
    return text if reporter in ("", host) else f"{text} (from {reporter})"


def read_queued_error(ancillary: list[tuple[int, int, bytes]], *, v4: bool) -> QueuedError | None:
    """Read the report that came with a request out of a socket's error queue; None where it is none of the network."""
    for level, _kind, data in ancillary:
        if level not in (socket.IPPROTO_IP, socket.IPPROTO_IPV6) or len(data) < _SOCK_EXTENDED_ERR.size:
            continue
        _, origin, kind, code, *_ = _SOCK_EXTENDED_ERR.unpack_from(data)
        text = error_text(4 if v4 else 6, kind, code) if origin in _ICMP_ORIGINS else None
        if text:
            return QueuedError(text, _format_address(data[_OFFENDER_V4 if v4 else _OFFENDER_V6], v4=v4))
    return None


def parse_quoted_request(quoted: bytes, *, v4: bool) -> tuple[bytes, bytes] | None:
    """Read to whom the packet went that an error quotes, as the network spells it, and its ICMP header.

    None where it was no echo request.
    """
    header = IPV4_HEADER if v4 else IPV6_HEADER
    if v4 and quoted:
        header = (quoted[0] & 0x0F) * 4
    protocol, kind = (socket.IPPROTO_ICMP, 8) if v4 else (socket.IPPROTO_ICMPV6, 128)
    if len(quoted) < header + ICMP_HEADER or quoted[9 if v4 else 6] != protocol or quoted[header] != kind:
        return None
    return quoted[16:20] if v4 else quoted[24:40], quoted[header : header + ICMP_HEADER]


def _format_address(packed: bytes, *, v4: bool) -> str:
    if len(packed) != (4 if v4 else 16) or not any(packed):
        return ""
    return socket.inet_ntop(socket.AF_INET if v4 else socket.AF_INET6, packed)
