"""One ICMP socket that many pings share: it sends echo requests and reads what comes back, stamped by the kernel.

Linux's own options make it what it is: receive stamps, a count of what was dropped, the error queue, a packet filter.
Elsewhere ``portable.py`` pings.
"""

from __future__ import annotations

import os
import secrets
import socket
import struct
from typing import TYPE_CHECKING, NamedTuple

from monitor.probes.icmp_errors import error_text, queued_report, quoted_request
from monitor.probes.icmp_filter import ICMP_HEADER, only_ours

if TYPE_CHECKING:
    from monitor.probes.address import Address

# Linux's numbers that the socket module does not name
SO_RCVBUFFORCE = 33
SO_TIMESTAMPNS = 35
SO_MEMINFO = 55
IP_RECVERR = 11
IPV6_RECVERR = 25

BUFFER = 4 * 1024 * 1024
"""Bytes asked for both ways: the default keeps 256 replies and drops the rest without a word."""
LARGEST = 1024
MOST_AT_ONCE = 2_000
"""Packets taken in one round at most, so that a flood cannot hold the event loop: some 20 ms of work."""

SEQUENCES = 65536

_HEADER = struct.Struct("!BBHHH")
"""Type, code, checksum, id, sequence."""
_PACKET = struct.Struct("!BBHHH8sQ40s")
"""A header, then 56 bytes of payload, as everyone's ping has: the socket's token, the request's number, padding."""
_PADDING = bytes(40)
_TIMESPEC = struct.Struct("@ll")
_MEMINFO = struct.Struct("@9I")
_DROPS = 8
_STAMP_SPACE = socket.CMSG_SPACE(_TIMESPEC.size)
_REPORT_SPACE = 512


class Heard(NamedTuple):
    """One packet that concerns one of our requests."""

    host: str
    """The address that was pinged, without scope."""
    sequence: int
    number: int | None
    """Of a reply, which request it echoes; an error tells no more than the sequence."""
    error: str
    """Empty for a reply, else what the network says."""
    stamp_ns: int | None
    """Wall time at which the kernel received it, in nanoseconds."""
    router: str = ""
    """Who reported an error, where that is known."""


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


class EchoSocket:
    """A non-blocking ICMP socket of one family, with an id of its own."""

    def __init__(self, family: socket.AddressFamily) -> None:
        """Open it: as a datagram socket where the system permits that, else raw.

        Raises ``PermissionError`` where neither is permitted, another ``OSError`` for anything else.
        """
        self._v4 = family == socket.AF_INET
        self._request, self._reply = (8, 0) if self._v4 else (128, 129)
        self._sock, self.raw = _open(family, socket.IPPROTO_ICMP if self._v4 else socket.IPPROTO_ICMPV6)
        self._headed = self.raw and self._v4
        """Whether what is received begins with its IP header."""
        self.id = secrets.randbelow(0xFFFF) + 1
        """The id of a raw socket's requests; that of a datagram socket is the kernel's choice."""
        self._token = os.urandom(8)
        # a sum of 16-bit words with the carry put back is the number itself modulo 0xFFFF
        self._sum = int.from_bytes(_PACKET.pack(self._request, 0, 0, self.id, 0, self._token, 0, _PADDING)) % 0xFFFF
        self.emptied = True
        """Whether the last ``receive`` took all that there was."""
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
        self._sock.close()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._sock.fileno() < 0

    @property
    def dropped(self) -> int:
        """How many packets the kernel has thrown away because the receive buffer was full."""
        info = self._sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, _MEMINFO.size)
        return int(_MEMINFO.unpack(info)[_DROPS]) if len(info) == _MEMINFO.size else 0

    def send(self, address: Address, number: int) -> None:
        """Send an echo request, its sequence the number's lower 16 bits; raises ``OSError`` where it is not taken."""
        sequence = number % SEQUENCES
        # the kernel reckons the checksum itself, except for raw sockets of IPv4
        checksum = ~((self._sum + sequence + number) % 0xFFFF) & 0xFFFF
        packet = _PACKET.pack(self._request, 0, checksum, self.id, sequence, self._token, number, _PADDING)
        try:
            self._sock.sendto(packet, address.sockaddr(0))
        except OSError:
            if self.raw:
                raise
            # with error reports on, a send can fail with what an earlier request met; the report itself is queued
            self._early.extend(self._reports())
            self._sock.sendto(packet, address.sockaddr(0))

    def receive(self) -> list[Heard]:
        """Take what has come since last time, without waiting: all of it, or ``MOST_AT_ONCE`` packets."""
        heard, self._early = self._early, []
        receive, read = self._sock.recvmsg, self._read
        self.emptied = False
        for _ in range(MOST_AT_ONCE):
            try:
                data, ancillary, _flags, source = receive(LARGEST, _STAMP_SPACE)
            except BlockingIOError:
                self.emptied = True
                break
            except OSError:  # what a report tells of, said once and no more: the report is read below
                continue
            if said := read(data, source[0], _stamp(ancillary)):
                heard.append(said)
        if not self.raw:
            heard.extend(self._reports())
        return heard

    def _read(self, data: bytes, source: str, stamp: int | None) -> Heard | None:
        start = (data[0] & 0x0F) * 4 if self._headed else 0
        if len(data) == start + _PACKET.size and data[start] == self._reply:
            _, _, _, ident, sequence, token, number, padding = _PACKET.unpack_from(data, start)
            ours = token == self._token and padding == _PADDING and (ident == self.id or not self.raw)
            return Heard(source.partition("%")[0], sequence, number, "", stamp) if ours else None
        return self._error(data, start, source, stamp)

    def _error(self, data: bytes, start: int, source: str, stamp: int | None) -> Heard | None:
        """Read an error that reached a raw socket: its sender reports, and quotes our request."""
        body = start + ICMP_HEADER
        error = error_text(4 if self._v4 else 6, data[start], data[start + 1]) if len(data) >= body else None
        quoted = quoted_request(data[body:], v4=self._v4) if error else None
        if error is None or quoted is None:
            return None
        host, header = quoted
        *_, ident, sequence = _HEADER.unpack(header)
        if self.raw and ident != self.id:
            return None
        return Heard(host, sequence, None, error, stamp, source.partition("%")[0])

    def _reports(self) -> list[Heard]:
        """Read what the network says about earlier requests of a datagram socket."""
        heard: list[Heard] = []
        for _ in range(MOST_AT_ONCE):
            try:
                quoted, ancillary, _flags, destination = self._sock.recvmsg(
                    LARGEST, _REPORT_SPACE, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT
                )
            except OSError:
                break
            report = queued_report(ancillary, v4=self._v4)
            if report and len(quoted) >= ICMP_HEADER:
                *_, sequence = _HEADER.unpack_from(quoted)
                host = str(destination[0]).partition("%")[0]
                heard.append(Heard(host, sequence, None, report.text, _stamp(ancillary), report.router))
        return heard


def _stamp(ancillary: list[tuple[int, int, bytes]]) -> int | None:
    for level, kind, data in ancillary:
        if kind == SO_TIMESTAMPNS and level == socket.SOL_SOCKET and len(data) >= _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            return int(seconds) * 1_000_000_000 + int(nanoseconds)
    return None


def _enlarge(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
    except OSError:  # beyond the system's limit needs a privilege
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
