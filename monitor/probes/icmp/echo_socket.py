"""One ICMP socket that many pings share: it sends echo requests and reads what comes back, stamped by the kernel.

Linux's own options make it what it is: receive stamps, a count of what was dropped, the error queue, a packet filter.
Elsewhere ``portable.py`` pings.
"""

from __future__ import annotations

import os
import secrets
import socket
import struct
import sys
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from monitor.probes.icmp.batch_io import Catch, Volley
from monitor.probes.icmp.packets import error_text, queued_report, quoted_request
from monitor.probes.icmp_filter import ICMP_HEADER, IPV4_HEADER, only_ours
from monitor.probes.icmp_socket import SO_TIMESTAMPNS, dropped_by, open_socket

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.probes.net.address import Address

LARGEST = 1024
"""Bytes of a request that an error quotes, at most."""
MOST_AT_ONCE = 2_000
"""Packets taken in one round at most, so that a flood cannot hold the event loop: some 20 ms of work."""

SEQUENCES = 65536

_HEADER = struct.Struct("!BBHHH")
"""Type, code, checksum, id, sequence."""
_PACKET = struct.Struct("!BBHHH8sQ40s")
"""A header, then 56 bytes of payload, as everyone's ping has: the socket's token, the request's number, padding."""
_PADDING = bytes(40)
_ZEROS = bytes(8)
_TIMESPEC = struct.Struct("@ll")
_REPORT_SPACE = 512

Reply: TypeAlias = "tuple[bytes, int, int]"
"""An answer to one of our requests: who sent it (an address as the network spells it), the request's number, and the
wall time at which the kernel received it, in nanoseconds (0: it does not say). Plain, for thousands come a second."""


Request: TypeAlias = "tuple[bytes, bytes, int]"
"""Where to, as ``packed`` gives it, and the request's number."""


class Heard(NamedTuple):
    """An error of the network that concerns one of our requests."""

    source: bytes
    """The address that was pinged, as the network spells it."""
    sequence: int
    text: str
    stamp_ns: int
    """As that of a reply."""
    router: str
    """Who reported it, where that is known."""


class EchoSocket:
    """A non-blocking ICMP socket of one family, with an id of its own."""

    def __init__(self, family: socket.AddressFamily, *, one_by_one: bool = False) -> None:
        """Open it: as a datagram socket where the system permits that, else raw.

        ``one_by_one`` does without the calls for many packets, as where the C library has none. Raises
        ``PermissionError`` where neither is permitted, another ``OSError`` for anything else.
        """
        self._v4 = family == socket.AF_INET
        self._request, self._reply = (8, 0) if self._v4 else (128, 129)
        self._sock, self.raw = open_socket(family)
        self._headed = IPV4_HEADER if self.raw and self._v4 else 0
        """Bytes of IP header that what is received begins with; more where the header has options."""
        self.id = secrets.randbelow(0xFFFF) + 1
        """The id of a raw socket's requests; that of a datagram socket is the kernel's choice."""
        self._token = os.urandom(8)
        packet = _PACKET.pack(self._request, 0, 0, self.id, 0, self._token, 0, _PADDING)
        # a sum of 16-bit words with the carry put back is the number itself modulo 0xFFFF
        self._sum = int.from_bytes(packet) % 0xFFFF
        self.emptied = True
        """Whether the last ``receive`` took all that there was."""
        self._early: list[Heard] = []
        if self.raw:
            only_ours(self._sock, self.id, v4=self._v4)
        self._lay_out(packet, one_by_one=one_by_one)

    def _lay_out(self, packet: bytes, *, one_by_one: bool) -> None:
        """Lay out the memory for what is sent and received at once, and how it is read."""
        before, host, after = (4, 4, 8) if self._v4 else (8, 16, 4)
        self._volley = Volley(self._sock, before + host + after, packet, one_by_one=one_by_one)
        # from the host on: what follows it in the name, then the packet up to its number
        self._fill = struct.Struct(f"!{host}s{after}sBBHHH8sQ").pack_into
        self._places = [slot + before for slot in self._volley.slots]
        self._catch = Catch(self._sock, one_by_one=one_by_one)
        ahead = f"!{before}x{host}s{Catch.packet_at - before - host + self._headed}x{_PACKET.format[1:]}"
        self._read = struct.Struct(f"{ahead}{Catch.slot - struct.calcsize(ahead)}x").iter_unpack
        self._source = slice(before, before + host)

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
        return dropped_by(self._sock)

    def send(self, requests: Sequence[Request]) -> dict[int, OSError]:
        """Send echo requests, ``MOST_OUT`` at most; a request's sequence is the lower 16 bits of its number.

        Gives what kept those that were not taken from leaving, by their numbers.
        """
        fill, memory, token, kind, ident, base = (
            *(self._fill, self._volley.memory, self._token, self._request, self.id, self._sum),
        )
        for place, (host, rest, number) in zip(self._places, requests, strict=False):
            sequence = number % SEQUENCES
            # the kernel reckons the checksum itself, except for raw sockets of IPv4
            checksum = ~((base + sequence + number) % 0xFFFF) & 0xFFFF
            fill(memory, place, host, rest, kind, 0, checksum, ident, sequence, token, number)
        first, count = 0, len(requests)
        refused: dict[int, OSError] = {}
        while first < count:
            try:
                first += self._volley.leave(first, count)
            except OSError as error:
                if cause := self._again(first, error):
                    refused[requests[first][2]] = cause
                first += 1
        return refused

    def _again(self, place: int, error: OSError) -> OSError | None:
        """Try once more to send what was refused; gives why it cannot be sent, if it cannot."""
        if self.raw:
            return error
        # with error reports on, a send can fail with what an earlier request met; the report itself is queued
        self._early.extend(self._reports())
        try:
            self._volley.leave(place, place + 1)
        except OSError as second:
            return second
        return None

    def receive(self) -> tuple[list[Reply], list[Heard]]:
        """Take what has come since last time, without waiting: all of it, or about ``MOST_AT_ONCE`` packets."""
        replies: list[Reply] = []
        errors, self._early = self._early, []
        self.emptied, rounds = False, 0
        while rounds < MOST_AT_ONCE and not self.emptied:
            count = 0
            try:
                count = self._catch.take()
                self.emptied = count < self._catch.most
            except BlockingIOError:
                self.emptied = True
            except OSError:
                pass  # what a report tells of, said once and no more: the report is read below
            rounds += count or 1
            self._sort(count, replies, errors)
        if not self.raw:
            errors.extend(self._reports())
        return replies, errors

    def _sort(self, count: int, replies: list[Reply], errors: list[Heard]) -> None:
        """Tell the answers to our requests from errors, and from what does not concern us."""
        if not count:
            return
        reply, token, any_id, own = self._reply, self._token, not self.raw, self.id
        whole = self._headed + _PACKET.size
        rows = zip(self._catch.arrivals(count), self._read(self._catch.taken(count)), strict=True)
        for place, ((length, seconds, nanos), packet) in enumerate(rows):
            source, kind, _, _, ident, sequence, echoed, number, padding = packet
            if length == whole and kind == reply and echoed == token:
                if padding == _PADDING and sequence == number % SEQUENCES and (any_id or ident == own):
                    replies.append((source, number, seconds * 1_000_000_000 + nanos))
            elif error := self._error(place, length, seconds * 1_000_000_000 + nanos):
                errors.append(error)

    def _error(self, place: int, length: int, stamp: int) -> Heard | None:
        """Read an error that reached a raw socket: its sender reports, and quotes our request."""
        slot = bytes(self._catch.taken(place + 1)[place * Catch.slot :])
        data = slot[Catch.packet_at : Catch.packet_at + length]
        start = (data[0] & 0x0F) * 4 if self._headed and data else 0
        body = start + ICMP_HEADER
        error = error_text(4 if self._v4 else 6, data[start], data[start + 1]) if len(data) >= body else None
        quoted = quoted_request(data[body:], v4=self._v4) if error else None
        if error is None or quoted is None:
            return None
        host, header = quoted
        *_, ident, sequence = _HEADER.unpack(header)
        if self.raw and ident != self.id:
            return None
        return Heard(host, sequence, error, stamp, socket.inet_ntop(self._sock.family, slot[self._source]))

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
                host = socket.inet_pton(self._sock.family, str(destination[0]).partition("%")[0])
                heard.append(Heard(host, sequence, report.text, _stamp(ancillary), report.router))
        return heard


def packed(address: Address) -> tuple[bytes, bytes]:
    """Give an address as the network spells it, and what follows it in the system's own form: zeros, or the scope."""
    if address.family == socket.AF_INET:
        return socket.inet_aton(address.host), _ZEROS
    return socket.inet_pton(socket.AF_INET6, address.host), address.scope.to_bytes(4, sys.byteorder)


def _stamp(ancillary: list[tuple[int, int, bytes]]) -> int:
    for level, kind, data in ancillary:
        if kind == SO_TIMESTAMPNS and level == socket.SOL_SOCKET and len(data) >= _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            return int(seconds) * 1_000_000_000 + int(nanoseconds)
    return 0
