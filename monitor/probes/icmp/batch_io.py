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

MOST_OUT = 16
"""Packets that leave by one call at most: they share a stamp, and each takes some microseconds to leave."""
MOST_IN = 64
"""Packets that are taken by one call at most."""
ROOM = 192
"""Bytes of a packet that are read: an error, and what it quotes up to the header of our request."""
NAME = 32
"""Bytes for an address of either family."""

_TIMESPEC = struct.Struct("@ll")
CONTROL = socket.CMSG_SPACE(_TIMESPEC.size)
_STAMP_AT = socket.CMSG_LEN(0)
_LONG = struct.calcsize("@l")
_SLOT = -(-(NAME + CONTROL + ROOM) // 64) * 64


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Message(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("vectors", ctypes.c_void_p),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Entry(ctypes.Structure):
    """Linux's ``mmsghdr``."""

    _fields_ = (("message", _Message), ("length", ctypes.c_uint))


def _calls() -> tuple[Any, Any]:
    # PyDLL keeps the interpreter's lock: nothing waits in these calls, and to get it back from a thread that computes
    # takes longer than they do
    library = ctypes.PyDLL(None, use_errno=True)
    send, receive = getattr(library, "sendmmsg", None), getattr(library, "recvmmsg", None)
    if send is None or receive is None:
        return None, None
    send.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)
    receive.argtypes = (*send.argtypes, ctypes.c_void_p)
    return send, receive


_SEND, _RECEIVE = _calls()


class _Arena:
    """Slots of one size, one behind the other, with an entry for each."""

    def __init__(self, count: int, name_length: int, packet_at: int, packet: int, control: int) -> None:
        self.memory = bytearray(count * _SLOT)
        self._keep = (ctypes.c_char * len(self.memory)).from_buffer(self.memory)
        start = ctypes.addressof(self._keep)
        self._vectors = (_Vector * count)()
        self.entries = (_Entry * count)()
        for place, (vector, entry) in enumerate(zip(self._vectors, self.entries, strict=True)):
            slot = start + place * _SLOT
            vector.base, vector.length = slot + packet_at, packet
            message = entry.message
            message.name, message.name_length = slot, name_length
            message.vectors, message.vector_count = ctypes.addressof(vector), 1
            if control:
                message.control, message.control_length = slot + NAME, control
        self.address = ctypes.addressof(self.entries)


class Volley:
    """Packets of one shape that leave together: of each, what follows ``fixed`` bytes of its slot is filled in."""

    def __init__(self, sock: socket.socket, name_length: int, packet: bytes, *, one_by_one: bool = False) -> None:
        """``packet`` is what stands in every slot until it is overwritten, behind a name of ``name_length`` bytes."""
        self._sock, self._name_length, self._size = sock, name_length, len(packet)
        self._send = None if one_by_one else _SEND
        self._arena = _Arena(MOST_OUT, name_length, name_length, len(packet), 0)
        self.memory = self._arena.memory
        family = struct.pack("@H", sock.family)
        for slot in self.slots:
            self.memory[slot : slot + len(family)] = family
            self.memory[slot + name_length : slot + name_length + len(packet)] = packet

    @property
    def slots(self) -> Sequence[int]:
        """Where in the memory each begins."""
        return range(0, MOST_OUT * _SLOT, _SLOT)

    def leave(self, first: int, end: int) -> int:
        """Send what stands in slots ``[first, end)``; gives how many left. Raises ``OSError`` where none did."""
        if self._send is None:
            self._one(first)
            return 1
        address = self._arena.address + first * ctypes.sizeof(_Entry)
        left: int = self._send(self._sock.fileno(), address, end - first, socket.MSG_DONTWAIT)
        if left < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return left

    def _one(self, place: int) -> None:
        slot = place * _SLOT
        name = bytes(self.memory[slot : slot + self._name_length])
        packet = self.memory[slot + self._name_length : slot + self._name_length + self._size]
        if self._sock.family == socket.AF_INET:
            self._sock.sendto(packet, (socket.inet_ntoa(name[4:8]), 0))
        else:
            scope = int.from_bytes(name[24:28], sys.byteorder)
            self._sock.sendto(packet, (socket.inet_ntop(socket.AF_INET6, name[8:24]), 0, 0, scope))


class Catch:
    """Room for packets that are taken together: of each its sender's name, the kernel's stamp and its beginning."""

    packet_at = NAME + CONTROL
    """Where in a slot its packet begins; its name begins the slot."""
    slot = _SLOT

    def __init__(self, sock: socket.socket, *, one_by_one: bool = False) -> None:
        self._sock = sock
        self._receive = None if one_by_one else _RECEIVE
        self.most = 1 if self._receive is None else MOST_IN
        """How many packets are taken at once at most; when fewer came, there were no more."""
        self._arena = _Arena(MOST_IN, NAME, self.packet_at, ROOM, CONTROL)
        self._taken = 0
        self._memory = memoryview(self._arena.memory)
        self._blank = memoryview(bytes(len(self._memory)))
        self._entries = memoryview(self._arena.entries).cast("B")
        self._fresh = memoryview(bytes(self._entries))
        self._longs = self._memory.cast("l")
        self._lengths = self._entries.cast("I")[_Entry.length.offset // 4 :: ctypes.sizeof(_Entry) // 4]

    def take(self) -> int:
        """Take what is there, without waiting; gives how many. Raises ``OSError``, ``BlockingIOError`` for none."""
        # no stamp of an earlier packet may seem to be a later one's
        used = self._taken * _SLOT
        self._memory[:used] = self._blank[:used]
        self._taken = 0
        if self._receive is None:
            self._taken = self._one()
            return 1
        entries = used // _SLOT * ctypes.sizeof(_Entry)
        self._entries[:entries] = self._fresh[:entries]
        taken: int = self._receive(self._sock.fileno(), self._arena.address, MOST_IN, socket.MSG_DONTWAIT, None)
        if taken < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        self._taken = taken
        return taken

    def _one(self) -> int:
        data, ancillary, _flags, source = self._sock.recvmsg(ROOM, CONTROL)
        family = self._sock.family
        host = source[0].partition("%")[0]
        begin = 4 if family == socket.AF_INET else 8
        name = socket.inet_pton(family, host)
        self._memory[begin : begin + len(name)] = name
        for _level, _kind, value in ancillary:
            stamp = NAME + _STAMP_AT
            self._memory[stamp : stamp + len(value)] = value
        self._memory[self.packet_at : self.packet_at + len(data)] = data
        self._entries.cast("I")[_Entry.length.offset // 4] = len(data)
        return 1

    def taken(self, count: int) -> memoryview:
        """Give the slots of what was taken."""
        return self._memory[: count * _SLOT]

    def arrivals(self, count: int) -> zip[tuple[int, int, int]]:
        """Give of each how many bytes it has, ``ROOM`` at most, and when the kernel received it.

        That is in seconds and nanoseconds of the wall clock; zeros where it does not say.
        """
        first, step = (NAME + _STAMP_AT) // _LONG, _SLOT // _LONG
        end, longs = count * step, self._longs
        return zip(
            self._lengths[:count].tolist(),
            longs[first:end:step].tolist(),
            longs[first + 1 : end : step].tolist(),
            strict=True,
        )
