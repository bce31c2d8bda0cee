"""Microsoft SQL Server: the answer to a TDS pre-login, with the server's version and what it offers of encryption."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from monitor.model import Reason
from monitor.probes.failures import failed

if TYPE_CHECKING:
    from monitor.probes.database.settings import MssqlSettings
    from monitor.probes.dial import Call

_HEAD = struct.Struct("!BBHHBB")
_PRE_LOGIN, _REPLY, _LAST = 0x12, 0x04, 0x01
_VERSION, _ENCRYPTION, _END = 0x00, 0x01, 0xFF
_LONGEST = 4096
_OFFERS = {0: "available", 1: "on", 2: "not supported", 3: "required"}
_ACCEPTED = {"any": (0, 1, 2, 3), "available": (0, 1, 3), "required": (1, 3)}


class Offer(NamedTuple):
    """What a pre-login is answered with."""

    version: str
    encryption: int


def question() -> bytes:
    """Build a pre-login packet: our version, encryption available, no instance, no thread, no MARS."""
    options = ((_VERSION, bytes(6)), (_ENCRYPTION, b"\0"), (0x02, b"\0"), (0x03, bytes(4)), (0x04, b"\0"))
    offset = 5 * len(options) + 1
    table, data = b"", b""
    for token, value in options:
        table += struct.pack("!BHH", token, offset + len(data), len(value))
        data += value
    body = table + bytes([_END]) + data
    return _HEAD.pack(_PRE_LOGIN, _LAST, _HEAD.size + len(body), 0, 0, 0) + body


async def converse(call: Call[MssqlSettings]) -> None:
    """Ask, and leave: nothing is logged in."""
    wire = call.wire
    await wire.send(question(), "pre-login")
    wire.await_answer()
    kind, _, length, _, _, _ = _HEAD.unpack(await wire.exactly(_HEAD.size))
    if kind != _REPLY or not _HEAD.size < length <= _LONGEST:
        raise failed(Reason.PROTOCOL)
    offer = read_offer(await wire.exactly(length - _HEAD.size))
    wire.heard(f"version {offer.version}, encryption {_OFFERS[offer.encryption]}")
    if offer.encryption not in _ACCEPTED[call.settings.encryption]:
        raise failed(Reason.TLS, f"encryption {_OFFERS[offer.encryption]}")


def read_offer(body: bytes) -> Offer:
    """Read the options of a reply; raises ``NotOkError`` where they do not say what they must."""
    found: dict[int, bytes] = {}
    for place in range(0, len(body), 5):
        if body[place] == _END:
            break
        if place + 5 > len(body):
            raise failed(Reason.PROTOCOL)
        token, offset, length = struct.unpack_from("!BHH", body, place)
        if offset + length > len(body):
            raise failed(Reason.PROTOCOL)
        found[token] = body[offset : offset + length]
    version, encryption = found.get(_VERSION, b""), found.get(_ENCRYPTION, b"")
    if len(version) != 6 or len(encryption) != 1 or encryption[0] not in _OFFERS:  # noqa: PLR2004 - as it is laid down
        raise failed(Reason.PROTOCOL)
    major, minor, build = struct.unpack_from("!BBH", version)
    return Offer(f"{major}.{minor}.{build}", encryption[0])
