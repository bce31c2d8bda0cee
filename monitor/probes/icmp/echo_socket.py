"""One ICMP socket that many pings share: it sends echo requests and reads what comes back, stamped by the kernel.

Linux's own options make it what it is: receive stamps, a count of what was dropped, the error queue, a packet filter.
Elsewhere ``portable.py`` pings.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import socket
import struct
import sys
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from monitor.probes.icmp.batch_io import ReceiveBatch, SendBatch
from monitor.probes.icmp.packets import (
    ICMP_HEADER,
    IPV4_HEADER,
    IPV6_HEADER,
    error_text,
    parse_quoted_request,
    read_queued_error,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.probes.net.address import Address


# --- opening a socket with what only Linux has: receive timestamps, the error queue, a drop count ---------------------

# Linux's numbers that the socket module does not name
SO_RCVBUFFORCE = 33
SO_TIMESTAMPNS = 35
SO_MEMINFO = 55
IP_RECVERR = 11
IPV6_RECVERR = 25

SOCKET_BUFFER_SIZE = 4 * 1024 * 1024
"""Bytes asked for both ways: the default keeps 256 replies and drops the rest without a word."""
_MEMINFO = struct.Struct("@9I")
_MEMINFO_DROPS = 8


def open_socket(family: socket.AddressFamily) -> tuple[socket.socket, bool]:
    """Open a non-blocking one: as a datagram socket where the system permits that, else raw; says whether it is raw.

    Raises ``PermissionError`` where neither is permitted, another ``OSError`` for anything else.
    """
    v4 = family == socket.AF_INET
    sock, raw = _open_datagram_or_raw(family, socket.IPPROTO_ICMP if v4 else socket.IPPROTO_ICMPV6)
    sock.settimeout(0)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    _enlarge_buffers(sock)
    if not raw:
        level, option = (socket.IPPROTO_IP, IP_RECVERR) if v4 else (socket.IPPROTO_IPV6, IPV6_RECVERR)
        sock.setsockopt(level, option, 1)
    return sock, raw


def dropped_packets(sock: socket.socket) -> int:
    """Return how many packets the kernel has thrown away because the receive buffer was full."""
    info = sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, _MEMINFO.size)
    return int(_MEMINFO.unpack(info)[_MEMINFO_DROPS]) if len(info) == _MEMINFO.size else 0


def _open_datagram_or_raw(family: socket.AddressFamily, protocol: int) -> tuple[socket.socket, bool]:
    """Open a datagram socket, else a raw one, and say whether it is raw."""
    errors: list[OSError] = []
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            return socket.socket(family, kind, protocol), kind == socket.SOCK_RAW
        except OSError as error:
            errors.append(error)
    # out of descriptors is the truer answer than "not permitted", whichever came first
    raise next((error for error in errors if not isinstance(error, PermissionError)), errors[-1])


def _enlarge_buffers(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER_SIZE)
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, SOCKET_BUFFER_SIZE)
    except OSError:  # beyond the system's limit needs a privilege
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER_SIZE)


# --- keeping the rest of the machine's ICMP out of a raw socket, which otherwise gets a copy of all of it -------------

# Linux's numbers that the socket module does not name
SO_ATTACH_FILTER = 26
SOL_RAW = 255
ICMP_FILTER = 1
ICMP6_FILTER = 1


def attach_packet_filter(sock: socket.socket, ident: int, *, v4: bool) -> None:
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
    program = _bpf_program_v4(ident) if v4 else _bpf_program_v6(ident)
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in program))
    with contextlib.suppress(OSError):  # it only saves time: every packet is looked at again
        sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("@HP", len(program), ctypes.addressof(code)))


# classic BPF: (code, jump if true, jump if false, operand)
_BPF_ACCEPT = (0x06, 0, 0, 0xFFFF)
_BPF_DROP = (0x06, 0, 0, 0)


def _bpf_program_v4(ident: int) -> list[tuple[int, int, int, int]]:
    return [
        (0xB1, 0, 0, 0),  # X = length of the IP header
        (0x50, 0, 0, 0),  # A = type
        (0x15, 0, 2, 0),  # an answer?
        (0x48, 0, 0, 4),  # A = its id
        (0x05, 0, 0, 1),
        (0x48, 0, 0, ICMP_HEADER + IPV4_HEADER + 4),  # A = the id in the quoted request
        (0x15, 0, 1, ident),
        _BPF_ACCEPT,
        _BPF_DROP,
    ]


def _bpf_program_v6(ident: int) -> list[tuple[int, int, int, int]]:
    return [
        (0x30, 0, 0, 0),  # A = type; the packet begins here
        (0x15, 0, 2, 129),
        (0x28, 0, 0, 4),
        (0x05, 0, 0, 1),
        (0x28, 0, 0, ICMP_HEADER + IPV6_HEADER + 4),
        (0x15, 0, 1, ident),
        _BPF_ACCEPT,
        _BPF_DROP,
    ]


MAX_QUOTED_SIZE = 1024
"""Bytes of a request that an error quotes, at most."""
MAX_PACKETS_PER_RECEIVE = 2_000
"""Packets taken in one round at most, so that a flood cannot hold the event loop: some 20 ms of work."""

SEQUENCES = 65536

_HEADER = struct.Struct("!BBHHH")
"""Type, code, checksum, id, sequence."""
_PACKET = struct.Struct("!BBHHH8sQ40s")
"""A header, then 56 bytes of payload: the socket's token, the request's number, padding."""
_NUMBERED = struct.Struct("!8sQ")
"""What a payload begins with: the token and the number."""
_PADDING = bytes(40)
_ZEROS = bytes(8)
_TIMESPEC = struct.Struct("@ll")
_ANCILLARY_SIZE = 512

EchoReply: TypeAlias = "tuple[bytes, int, int | None, int]"
"""An answer with our id: its sender (an address as the network spells it), its sequence, the number of the request that
its payload repeats (None: the payload is not ours), and the wall time at which the kernel received it, in nanoseconds
(0: it does not say). Plain, for thousands come a second."""


EchoRequest: TypeAlias = "tuple[bytes, bytes, int]"
"""Where to, as ``pack_address`` gives it, and the request's number."""


class IcmpErrorReport(NamedTuple):
    """An error of the network that concerns one of our requests."""

    packed_address: bytes
    """The address that was pinged, as the network spells it."""
    sequence: int
    text: str
    stamp_ns: int
    """As that of a reply."""
    reporter: str
    """Who reported it, where that is known."""


class EchoSocket:
    """A non-blocking ICMP socket of one family, with an id of its own."""

    def __init__(self, family: socket.AddressFamily, *, one_by_one: bool = False) -> None:
        """Open it: as a datagram socket where the system permits that, else raw.

        ``one_by_one`` does without the calls for many packets, as where the C library has none. Raises
        ``PermissionError`` where neither is permitted, another ``OSError`` for anything else.
        """
        self._v4 = family == socket.AF_INET
        self._request_type, self._reply_type = (8, 0) if self._v4 else (128, 129)
        self._sock, self.raw = open_socket(family)
        self._ip_header_size = IPV4_HEADER if self.raw and self._v4 else 0
        """Bytes of IP header that what is received begins with; more where the header has options."""
        self.id = secrets.randbelow(0xFFFF) + 1
        """The id of a raw socket's requests; that of a datagram socket is the kernel's choice."""
        self._token = os.urandom(8)
        packet = _PACKET.pack(self._request_type, 0, 0, self.id, 0, self._token, 0, _PADDING)
        # a sum of 16-bit words with the carry put back is the number itself modulo 0xFFFF
        self._checksum_base = int.from_bytes(packet) % 0xFFFF
        self.drained = True
        """Whether the last ``receive`` took all that there was."""
        self._early_errors: list[IcmpErrorReport] = []
        if self.raw:
            attach_packet_filter(self._sock, self.id, v4=self._v4)
        self._allocate_buffers(packet, one_by_one=one_by_one)

    def _allocate_buffers(self, packet: bytes, *, one_by_one: bool) -> None:
        """Lay out the memory for what is sent and received at once, and how it is read."""
        before, host, after = (4, 4, 8) if self._v4 else (8, 16, 4)
        self._outgoing = SendBatch(self._sock, before + host + after, packet, one_by_one=one_by_one)
        # from the host on: what follows it in the name, then the packet up to its number
        self._pack_request = struct.Struct(f"!{host}s{after}sBBHHH8sQ").pack_into
        self._request_offsets = [slot + before for slot in self._outgoing.slot_offsets]
        self._incoming = ReceiveBatch(self._sock, one_by_one=one_by_one)
        ahead = (
            f"!{before}x{host}s{ReceiveBatch.packet_offset - before - host + self._ip_header_size}x{_PACKET.format[1:]}"
        )
        self._iter_packets = struct.Struct(f"{ahead}{ReceiveBatch.slot_size - struct.calcsize(ahead)}x").iter_unpack
        self._source_slice = slice(before, before + host)

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
        return dropped_packets(self._sock)

    def send(self, requests: Sequence[EchoRequest]) -> dict[int, OSError]:
        """Send echo requests, ``MOST_OUT`` at most; a request's sequence is the lower 16 bits of its number.

        Gives what kept those that were not taken from leaving, by their numbers.
        """
        fill, memory, token, kind, ident, base = (
            *(self._pack_request, self._outgoing.memory, self._token, self._request_type, self.id, self._checksum_base),
        )
        for place, (host, rest, number) in zip(self._request_offsets, requests, strict=False):
            sequence = number % SEQUENCES
            # the kernel reckons the checksum itself, except for raw sockets of IPv4
            checksum = ~((base + sequence + number) % 0xFFFF) & 0xFFFF
            fill(memory, place, host, rest, kind, 0, checksum, ident, sequence, token, number)
        first, count = 0, len(requests)
        refused: dict[int, OSError] = {}
        while first < count:
            try:
                first += self._outgoing.send(first, count)
            except OSError as error:
                if cause := self._retry_send(first, error):
                    refused[requests[first][2]] = cause
                first += 1
        return refused

    def send_sized(self, request: EchoRequest, size: int) -> dict[int, OSError]:
        """Send one echo request with ``size`` bytes of payload; returns what ``send`` returns."""
        packed, rest, number = request
        payload = (_NUMBERED.pack(self._token, number) + bytes(max(0, size - _NUMBERED.size)))[:size]
        packet = _HEADER.pack(self._request_type, 0, 0, self.id, number % SEQUENCES) + payload
        checksum = ~(int.from_bytes(packet + bytes(len(packet) % 2)) % 0xFFFF) & 0xFFFF
        packet = _HEADER.pack(self._request_type, 0, checksum, self.id, number % SEQUENCES) + payload
        host = socket.inet_ntop(self._sock.family, packed)
        target = (host, 0) if self._v4 else (host, 0, 0, int.from_bytes(rest, sys.byteorder))
        try:
            self._sock.sendto(packet, target)
        except OSError as error:
            if self.raw:
                return {number: error}
            self._early_errors.extend(self._read_error_queue())
            try:
                self._sock.sendto(packet, target)
            except OSError as second:
                return {number: second}
        return {}

    def _retry_send(self, index: int, error: OSError) -> OSError | None:
        """Try once more to send what was refused; gives why it cannot be sent, if it cannot."""
        if self.raw:
            return error
        # with error reports on, a send can fail with what an earlier request met; the report itself is queued
        self._early_errors.extend(self._read_error_queue())
        try:
            self._outgoing.send(index, index + 1)
        except OSError as second:
            return second
        return None

    def receive(self) -> tuple[list[EchoReply], list[IcmpErrorReport]]:
        """Return what arrived since the last call, without waiting: about ``MAX_PACKETS_PER_RECEIVE`` at most."""
        replies: list[EchoReply] = []
        errors, self._early_errors = self._early_errors, []
        self.drained, rounds = False, 0
        while rounds < MAX_PACKETS_PER_RECEIVE and not self.drained:
            count = 0
            try:
                count = self._incoming.receive()
                self.drained = count < self._incoming.capacity
            except BlockingIOError:
                self.drained = True
            except OSError:
                pass  # what a report tells of, said once and no more: the report is read below
            rounds += count or 1
            self._classify(count, replies, errors)
        if not self.raw:
            errors.extend(self._read_error_queue())
        return replies, errors

    def _classify(self, count: int, replies: list[EchoReply], errors: list[IcmpErrorReport]) -> None:
        """Tell the answers to our requests from errors, and from what does not concern us."""
        if not count:
            return
        reply, token, any_id, own = self._reply_type, self._token, not self.raw, self.id
        whole = self._ip_header_size + _PACKET.size
        rows = zip(
            self._incoming.lengths_and_timestamps(count),
            self._iter_packets(self._incoming.received_slots(count)),
            strict=True,
        )
        for place, ((length, seconds, nanos), packet) in enumerate(rows):
            source, kind, _, _, ident, sequence, echoed, number, _ = packet
            if length == whole and kind == reply and echoed == token and (any_id or ident == own):
                replies.append((source, sequence, number, seconds * 1_000_000_000 + nanos))
            else:
                self._classify_other(place, length, seconds * 1_000_000_000 + nanos, replies, errors)

    def _classify_other(
        self, index: int, length: int, stamp_ns: int, replies: list[EchoReply], errors: list[IcmpErrorReport]
    ) -> None:
        """Read a packet of another shape: an answer with another payload or with IP options, or an error."""
        slot = bytes(self._incoming.received_slots(index + 1)[index * ReceiveBatch.slot_size :])
        data = slot[ReceiveBatch.packet_offset : ReceiveBatch.packet_offset + length]
        start = (data[0] & 0x0F) * 4 if self._ip_header_size and data else 0
        if len(data) < start + ICMP_HEADER:
            return
        kind, _, _, ident, sequence = _HEADER.unpack_from(data, start)
        if kind == self._reply_type:
            # it counts whatever its payload is: some servers pad, cut or rewrite it
            if not self.raw or ident == self.id:
                number = self._number_in(data[start + ICMP_HEADER :], sequence)
                replies.append((slot[self._source_slice], sequence, number, stamp_ns))
        elif error := self._parse_error(slot, data, start, stamp_ns):
            errors.append(error)

    def _number_in(self, payload: bytes, sequence: int) -> int | None:
        """Return the number of the request that a payload repeats; None where the payload is not that of a request."""
        if len(payload) < _NUMBERED.size:
            return None
        token, number = _NUMBERED.unpack_from(payload)
        return int(number) if token == self._token and number % SEQUENCES == sequence else None

    def _parse_error(self, slot: bytes, data: bytes, start: int, stamp_ns: int) -> IcmpErrorReport | None:
        """Read an error that reached a raw socket: its sender reports, and quotes our request."""
        body = start + ICMP_HEADER
        error = error_text(4 if self._v4 else 6, data[start], data[start + 1])
        quoted = parse_quoted_request(data[body:], v4=self._v4) if error else None
        if error is None or quoted is None:
            return None
        host, header = quoted
        *_, ident, sequence = _HEADER.unpack(header)
        if self.raw and ident != self.id:
            return None
        return IcmpErrorReport(
            host, sequence, error, stamp_ns, socket.inet_ntop(self._sock.family, slot[self._source_slice])
        )

    def _read_error_queue(self) -> list[IcmpErrorReport]:
        """Read what the network says about earlier requests of a datagram socket."""
        heard: list[IcmpErrorReport] = []
        for _ in range(MAX_PACKETS_PER_RECEIVE):
            try:
                quoted, ancillary, _flags, destination = self._sock.recvmsg(
                    MAX_QUOTED_SIZE, _ANCILLARY_SIZE, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT
                )
            except OSError:
                break
            report = read_queued_error(ancillary, v4=self._v4)
            if report and len(quoted) >= ICMP_HEADER:
                *_, sequence = _HEADER.unpack_from(quoted)
                host = socket.inet_pton(self._sock.family, str(destination[0]).partition("%")[0])
                heard.append(
                    IcmpErrorReport(host, sequence, report.text, _receive_timestamp_ns(ancillary), report.reporter)
                )
        return heard


def pack_address(address: Address) -> tuple[bytes, bytes]:
    """Return an address as the network spells it, and what follows it in the system's own form: zeros, or the scope."""
    if address.family == socket.AF_INET:
        return socket.inet_aton(address.host), _ZEROS
    return socket.inet_pton(socket.AF_INET6, address.host), address.scope.to_bytes(4, sys.byteorder)


def _receive_timestamp_ns(ancillary: list[tuple[int, int, bytes]]) -> int:
    for level, kind, data in ancillary:
        if kind == SO_TIMESTAMPNS and level == socket.SOL_SOCKET and len(data) >= _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            return int(seconds) * 1_000_000_000 + int(nanoseconds)
    return 0
