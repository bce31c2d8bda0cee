"""One ICMP socket that many pings share: it builds echo requests and reads what comes back.

icmplib builds and parses the packets; the socket's options, its filters and the kernel's receive stamps are ours.
"""

from __future__ import annotations

import secrets
import socket
import struct
from typing import TYPE_CHECKING, NamedTuple

from icmplib import ICMPSocketError, ICMPv4Socket, ICMPv6Socket

from monitor.probes.icmp_filter import ICMP_HEADER, IPV4_HEADER, IPV6_HEADER, only_ours

if TYPE_CHECKING:
    from monitor.probes.resolve import Address

# Linux's numbers that the socket module does not name
SO_RCVBUFFORCE = 33
SO_TIMESTAMPNS = 35
SO_MEMINFO = 55
IP_RECVERR = 11
IPV6_RECVERR = 25

BUFFER = 4 * 1024 * 1024
"""Bytes asked for both ways: the default keeps 256 replies and drops the rest without a word."""
LARGEST = 1024
MOST_AT_ONCE = 20_000
"""Packets taken in one round at most, so that a flood cannot hold the event loop."""

_TIMESPEC = struct.Struct("@ll")
_REPORT = struct.Struct("@IBBBBII")
_FROM_NETWORK = (2, 3)
_MEMINFO = struct.Struct("@9I")
_DROPS = 8
_ANCILLARY = 512

_UNREACHABLE_V4 = {
    0: "network unreachable",
    2: "protocol unreachable",
    3: "port unreachable",
    5: "network unreachable",
    6: "network unreachable",
    9: "administratively prohibited",
    10: "administratively prohibited",
    11: "network unreachable",
    13: "administratively prohibited",
}
_UNREACHABLE_V6 = {
    0: "network unreachable",
    1: "administratively prohibited",
    4: "port unreachable",
    5: "administratively prohibited",
    6: "administratively prohibited",
}
_FRAGMENTATION_NEEDED = 4
_EXPIRED = "time to live exceeded"


class Heard(NamedTuple):
    """One packet that concerns one of our requests."""

    host: str
    """The address that was pinged, without scope."""
    sequence: int
    payload: bytes
    """Of a reply, what it echoes; of an error, nothing."""
    error: str
    """Empty for a reply, else what the network says."""
    stamp_ns: int | None
    """Wall time at which the kernel received it, in nanoseconds."""


def error_text(version: int, kind: int, code: int) -> str | None:
    """Word an ICMP error; None for one that does not end a ping."""
    if version == 4:  # noqa: PLR2004
        if kind == 3 and code != _FRAGMENTATION_NEEDED:  # noqa: PLR2004
            return _UNREACHABLE_V4.get(code, "host unreachable")
        return _EXPIRED if kind == 11 else None  # noqa: PLR2004
    if kind == 1:
        return _UNREACHABLE_V6.get(code, "host unreachable")
    return _EXPIRED if kind == 3 else None  # noqa: PLR2004


class _Checksum:
    """The Internet checksum, without a Python step for every two bytes."""

    def _checksum(self, data: bytes) -> int:
        if len(data) % 2:
            data += b"\0"
        # a sum of 16-bit words with the carry put back is the number itself modulo 0xFFFF
        return ~(int.from_bytes(data) % 0xFFFF) & 0xFFFF


class _EchoV4(_Checksum, ICMPv4Socket):  # type: ignore[misc] # icmplib has no types
    """Type 8 and 0."""


class _EchoV6(_Checksum, ICMPv6Socket):  # type: ignore[misc] # icmplib has no types
    """Type 128 and 129."""


def _open(kind: type[_EchoV4 | _EchoV6]) -> _EchoV4 | _EchoV6:
    """Open a datagram socket, else a raw one; raises the ``OSError`` that icmplib hides."""
    errors: list[OSError] = []
    for privileged in (False, True):
        try:
            return kind(privileged=privileged)
        except ICMPSocketError as error:
            if not isinstance(error.__context__, OSError):
                raise
            errors.append(error.__context__)
    # out of descriptors is the truer answer than "not permitted", whichever came first
    raise next((error for error in errors if not isinstance(error, PermissionError)), errors[-1])


class EchoSocket:
    """A non-blocking ICMP socket of one family, with an id of its own where it is raw."""

    def __init__(self, family: socket.AddressFamily) -> None:
        """Open it: as a datagram socket where the system permits that, else raw.

        Raises ``PermissionError`` where neither is permitted, another ``OSError`` for anything else.
        """
        self._v4 = family == socket.AF_INET
        self._icmp = _open(_EchoV4 if self._v4 else _EchoV6)
        self._sock: socket.socket = self._icmp.sock
        self.raw: bool = self._icmp.is_privileged
        self.id = secrets.randbelow(0xFFFF) + 1
        self._early: list[Heard] = []
        self._sock.settimeout(0)
        self._sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        _enlarge(self._sock)
        if self.raw:
            only_ours(self._sock, self.id, v4=self._v4)
        elif self._v4:
            self._sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        else:
            self._sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)

    def close(self) -> None:
        """Close it; more than once does no harm."""
        self._icmp.close()

    @property
    def dropped(self) -> int:
        """How many packets the kernel has thrown away because the receive buffer was full."""
        info = self._sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, _MEMINFO.size)
        return int(_MEMINFO.unpack(info)[_DROPS]) if len(info) == _MEMINFO.size else 0

    def send(self, address: Address, sequence: int, payload: bytes) -> None:
        """Send one echo request; raises ``OSError`` where this machine does not take it."""
        packet = self._icmp._create_packet(self.id, sequence, payload)  # noqa: SLF001 - icmplib builds packets only so
        destination = address.sockaddr(0)
        try:
            self._sock.sendto(packet, destination)
        except OSError:
            if self.raw:
                raise
            # with error reports on, a send can fail with what an earlier request met; the report itself is queued
            self._early.extend(self._reports())
            self._sock.sendto(packet, destination)

    def receive(self) -> list[Heard]:
        """Take all that has come since last time, without waiting."""
        heard, self._early = self._early, []
        for _ in range(MOST_AT_ONCE):
            try:
                data, ancillary, _flags, source = self._sock.recvmsg(LARGEST, _ANCILLARY)
            except BlockingIOError:
                break
            except OSError:  # what a report tells of, said once and no more: the report is read below
                continue
            if said := self._read(data, str(source[0]).partition("%")[0], _stamp(ancillary)):
                heard.append(said)
        if not self.raw:
            heard.extend(self._reports())
        return heard

    def _read(self, data: bytes, source: str, stamp: int | None) -> Heard | None:
        if self.raw and self._v4:
            # icmplib expects an IP header without options
            data = data[max(0, (data[0] & 0x0F) * 4 - IPV4_HEADER) :]
        reply = self._icmp._parse_reply(data, source, 0)  # noqa: SLF001 - icmplib parses packets only so
        if reply is None or (self.raw and reply.id != self.id):
            return None
        start = IPV4_HEADER if self.raw and self._v4 else 0
        if reply.type == self._icmp._ICMP_ECHO_REPLY:  # noqa: SLF001 - the family's own number
            return Heard(source, reply.sequence, data[start + ICMP_HEADER :], "", stamp)
        error = error_text(4 if self._v4 else 6, reply.type, reply.code)
        host = _quoted_host(data[start + ICMP_HEADER :], v4=self._v4)
        return Heard(host, reply.sequence, b"", error, stamp) if error and host else None

    def _reports(self) -> list[Heard]:
        """Read what the network says about earlier requests of a datagram socket."""
        heard: list[Heard] = []
        for _ in range(MOST_AT_ONCE):
            try:
                quoted, ancillary, _flags, destination = self._sock.recvmsg(
                    LARGEST, _ANCILLARY, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT
                )
            except OSError:
                break
            for level, _kind, data in ancillary:
                if level not in (socket.IPPROTO_IP, socket.IPPROTO_IPV6) or len(data) < _REPORT.size:
                    continue
                _, origin, kind, code, *_ = _REPORT.unpack_from(data)
                error = error_text(4 if self._v4 else 6, kind, code) if origin in _FROM_NETWORK else None
                if error and len(quoted) >= ICMP_HEADER:
                    (sequence,) = struct.unpack_from("!H", quoted, 6)
                    host = str(destination[0]).partition("%")[0]
                    heard.append(Heard(host, sequence, b"", error, _stamp(ancillary)))
        return heard


def _quoted_host(quoted: bytes, *, v4: bool) -> str | None:
    """Read to whom the quoted packet went; None where it was no echo request."""
    if v4:
        if len(quoted) <= IPV4_HEADER or quoted[9] != socket.IPPROTO_ICMP or quoted[IPV4_HEADER] != 8:  # noqa: PLR2004
            return None
        return socket.inet_ntop(socket.AF_INET, quoted[16:20])
    if len(quoted) <= IPV6_HEADER or quoted[6] != socket.IPPROTO_ICMPV6 or quoted[IPV6_HEADER] != 128:  # noqa: PLR2004
        return None
    return socket.inet_ntop(socket.AF_INET6, quoted[24:40])


def _stamp(ancillary: list[tuple[int, int, bytes]]) -> int | None:
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(data) >= _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            return int(seconds) * 1_000_000_000 + int(nanoseconds)
    return None


def _enlarge(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
    except OSError:  # beyond the system's limit needs a privilege
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
