"""Many packets in one call: memory laid out once for sendmmsg and recvmmsg of the C library.

Where the library has none of them, packets go one by one through the same memory: slower, and nothing else.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_SEND_BATCH = 16
"""Packets that leave by one call at most: they share a stamp, and each takes some microseconds to leave."""
MAX_RECEIVE_BATCH = 64
"""Packets that are taken by one call at most."""
MAX_PACKET_SIZE = 192
"""Bytes of a packet that are read: an error, and what it quotes up to the header of our request."""
SOCKADDR_SIZE = 32
"""Bytes for an address of either family."""

_TIMESPEC = struct.Struct("@ll")
CONTROL_SIZE = socket.CMSG_SPACE(_TIMESPEC.size)
_TIMESTAMP_OFFSET = socket.CMSG_LEN(0)
_LONG_SIZE = struct.calcsize("@l")
_SLOT_SIZE = -(-(SOCKADDR_SIZE + CONTROL_SIZE + MAX_PACKET_SIZE) // 64) * 64


class _IoVec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _MsgHdr(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("vectors", ctypes.c_void_p),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _MmsgHdr(ctypes.Structure):
    """Linux's ``mmsghdr``."""

    _fields_ = (("message", _MsgHdr), ("length", ctypes.c_uint))


def _load_mmsg_functions() -> tuple[Any, Any]:
    # PyDLL keeps the interpreter's lock: nothing waits in these calls, and to get it back from a thread that computes
    # takes longer than they do
    library = ctypes.PyDLL(None, use_errno=True)
    send, receive = getattr(library, "sendmmsg", None), getattr(library, "recvmmsg", None)
    if send is None or receive is None:
        return None, None
    send.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)
    receive.argtypes = (*send.argtypes, ctypes.c_void_p)
    return send, receive


_SENDMMSG, _RECVMMSG = _load_mmsg_functions()


class _Arena:
    """Slots of one size, one behind the other, with an entry for each."""

    def __init__(self, count: int, name_length: int, packet_offset: int, packet_size: int, control_size: int) -> None:
        self.memory = bytearray(count * _SLOT_SIZE)
        self._c_buffer = (ctypes.c_char * len(self.memory)).from_buffer(self.memory)
        start = ctypes.addressof(self._c_buffer)
        self._vectors = (_IoVec * count)()
        self.headers = (_MmsgHdr * count)()
        for place, (vector, entry) in enumerate(zip(self._vectors, self.headers, strict=True)):
            slot = start + place * _SLOT_SIZE
            vector.base, vector.length = slot + packet_offset, packet_size
            message = entry.message
            message.name, message.name_length = slot, name_length
            message.vectors, message.vector_count = ctypes.addressof(vector), 1
            if control_size:
                message.control, message.control_length = slot + SOCKADDR_SIZE, control_size
        self.address = ctypes.addressof(self.headers)


class SendBatch:
    """Packets of one shape that leave together: of each, what follows ``fixed`` bytes of its slot is filled in."""

    def __init__(self, sock: socket.socket, name_length: int, packet: bytes, *, one_by_one: bool = False) -> None:
        """Every slot holds a socket address of ``name_length`` bytes, then ``packet``, until it is overwritten."""
        self._sock, self._name_length, self._packet_size = sock, name_length, len(packet)
        self._sendmmsg = None if one_by_one else _SENDMMSG
        self._arena = _Arena(MAX_SEND_BATCH, name_length, name_length, len(packet), 0)
        self.memory = self._arena.memory
        family = struct.pack("@H", sock.family)
        for slot in self.slot_offsets:
            self.memory[slot : slot + len(family)] = family
            self.memory[slot + name_length : slot + name_length + len(packet)] = packet

    @property
    def slot_offsets(self) -> Sequence[int]:
        """Where in the memory each begins."""
        return range(0, MAX_SEND_BATCH * _SLOT_SIZE, _SLOT_SIZE)

    def send(self, first: int, end: int) -> int:
        """Send what stands in slots ``[first, end)``; gives how many left. Raises ``OSError`` where none did."""
        if self._sendmmsg is None:
            self._send_one(first)
            return 1
        address = self._arena.address + first * ctypes.sizeof(_MmsgHdr)
        left: int = self._sendmmsg(self._sock.fileno(), address, end - first, socket.MSG_DONTWAIT)
        if left < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return left

    def _send_one(self, index: int) -> None:
        slot = index * _SLOT_SIZE
        name = bytes(self.memory[slot : slot + self._name_length])
        packet = self.memory[slot + self._name_length : slot + self._name_length + self._packet_size]
        if self._sock.family == socket.AF_INET:
            self._sock.sendto(packet, (socket.inet_ntoa(name[4:8]), 0))
        else:
            scope = int.from_bytes(name[24:28], sys.byteorder)
            self._sock.sendto(packet, (socket.inet_ntop(socket.AF_INET6, name[8:24]), 0, 0, scope))


class ReceiveBatch:
    """Room for packets that are taken together: of each its sender's name, the kernel's stamp and its beginning."""

    packet_offset = SOCKADDR_SIZE + CONTROL_SIZE
    """Where in a slot its packet begins; its name begins the slot."""
    slot_size = _SLOT_SIZE

    def __init__(self, sock: socket.socket, *, one_by_one: bool = False) -> None:
        self._sock = sock
        self._recvmmsg = None if one_by_one else _RECVMMSG
        self.capacity = 1 if self._recvmmsg is None else MAX_RECEIVE_BATCH
        """How many packets are taken at once at most; when fewer came, there were no more."""
        self._arena = _Arena(MAX_RECEIVE_BATCH, SOCKADDR_SIZE, self.packet_offset, MAX_PACKET_SIZE, CONTROL_SIZE)
        self._received_count = 0
        self._memory = memoryview(self._arena.memory)
        self._zeros = memoryview(bytes(len(self._memory)))
        self._headers = memoryview(self._arena.headers).cast("B")
        self._initial_headers = memoryview(bytes(self._headers))
        self._longs = self._memory.cast("l")
        self._lengths = self._headers.cast("I")[_MmsgHdr.length.offset // 4 :: ctypes.sizeof(_MmsgHdr) // 4]

    def receive(self) -> int:
        """Take what is there, without waiting; gives how many. Raises ``OSError``, ``BlockingIOError`` for none."""
        # no stamp of an earlier packet may seem to be a later one's
        used = self._received_count * _SLOT_SIZE
        self._memory[:used] = self._zeros[:used]
        self._received_count = 0
        if self._recvmmsg is None:
            self._received_count = self._receive_one()
            return 1
        entries = used // _SLOT_SIZE * ctypes.sizeof(_MmsgHdr)
        self._headers[:entries] = self._initial_headers[:entries]
        taken: int = self._recvmmsg(
            self._sock.fileno(), self._arena.address, MAX_RECEIVE_BATCH, socket.MSG_DONTWAIT, None
        )
        if taken < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        self._received_count = taken
        return taken

    def _receive_one(self) -> int:
        data, ancillary, _flags, source = self._sock.recvmsg(MAX_PACKET_SIZE, CONTROL_SIZE)
        family = self._sock.family
        host = source[0].partition("%")[0]
        begin = 4 if family == socket.AF_INET else 8
        name = socket.inet_pton(family, host)
        self._memory[begin : begin + len(name)] = name
        for _level, _kind, value in ancillary:
            stamp = SOCKADDR_SIZE + _TIMESTAMP_OFFSET
            self._memory[stamp : stamp + len(value)] = value
        self._memory[self.packet_offset : self.packet_offset + len(data)] = data
        self._headers.cast("I")[_MmsgHdr.length.offset // 4] = len(data)
        return 1

    def received_slots(self, count: int) -> memoryview:
        """Return the slots of what was taken."""
        return self._memory[: count * _SLOT_SIZE]

    def lengths_and_timestamps(self, count: int) -> zip[tuple[int, int, int]]:
        """Return of each how many bytes it has, ``MAX_PACKET_SIZE`` at most, and when the kernel received it.

        That is in seconds and nanoseconds of the wall clock; zeros where it does not say.
        """
        first, step = (SOCKADDR_SIZE + _TIMESTAMP_OFFSET) // _LONG_SIZE, _SLOT_SIZE // _LONG_SIZE
        end, longs = count * step, self._longs
        return zip(
            self._lengths[:count].tolist(),
            longs[first:end:step].tolist(),
            longs[first + 1 : end : step].tolist(),
            strict=True,
        )
