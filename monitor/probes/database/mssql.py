"""Microsoft SQL Server: the answer to a TDS pre-login, with the server's version and what it offers of encryption."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from monitor.model import Reason
from monitor.probes.failures import server_failure
from monitor.probes.net.connection import ConnectionProbe

if TYPE_CHECKING:
    from monitor.probes.database.settings import MssqlSettings
    from monitor.probes.net.connection import Session

_HEADER = struct.Struct("!BBHHBB")
_PRE_LOGIN, _REPLY, _END_OF_MESSAGE = 0x12, 0x04, 0x01
_VERSION, _ENCRYPTION, _TERMINATOR = 0x00, 0x01, 0xFF
_MAX_PACKET_SIZE = 4096
_ENCRYPTION_NAMES = {0: "available", 1: "on", 2: "not supported", 3: "required"}
_ACCEPTED_ENCRYPTION = {"any": (0, 1, 2, 3), "available": (0, 1, 3), "required": (1, 3)}


class PreLoginResponse(NamedTuple):
    """What a pre-login is answered with."""

    version: str
    encryption: int


def build_pre_login() -> bytes:
    """Build a pre-login packet: our version, encryption available, no instance, no thread, no MARS."""
    options = ((_VERSION, bytes(6)), (_ENCRYPTION, b"\0"), (0x02, b"\0"), (0x03, bytes(4)), (0x04, b"\0"))
    offset = 5 * len(options) + 1
    table, data = b"", b""
    for token, value in options:
        table += struct.pack("!BHH", token, offset + len(data), len(value))
        data += value
    body = table + bytes([_TERMINATOR]) + data
    return _HEADER.pack(_PRE_LOGIN, _END_OF_MESSAGE, _HEADER.size + len(body), 0, 0, 0) + body


class MssqlProbe(ConnectionProbe["MssqlSettings"]):
    """Exchanges a pre-login message."""

    __slots__ = ()

    async def run_session(self, session: Session[MssqlSettings]) -> None:
        """Ask, and leave: nothing is logged in."""
        wire = session.connection
        await wire.send(build_pre_login(), "pre-login")
        wire.begin_answer()
        kind, _, length, _, _, _ = _HEADER.unpack(await wire.read_exactly(_HEADER.size))
        if kind != _REPLY or not _HEADER.size < length <= _MAX_PACKET_SIZE:
            raise server_failure(Reason.PROTOCOL)
        offer = parse_pre_login_response(await wire.read_exactly(length - _HEADER.size))
        wire.end_answer(f"version {offer.version}, encryption {_ENCRYPTION_NAMES[offer.encryption]}")
        if offer.encryption not in _ACCEPTED_ENCRYPTION[session.settings.encryption]:
            raise server_failure(Reason.TLS, f"encryption {_ENCRYPTION_NAMES[offer.encryption]}")


def parse_pre_login_response(body: bytes) -> PreLoginResponse:
    """Read the options of a reply; raises ``ProbeError`` where they do not say what they must."""
    found: dict[int, bytes] = {}
    for place in range(0, len(body), 5):
        if body[place] == _TERMINATOR:
            break
        if place + 5 > len(body):
            raise server_failure(Reason.PROTOCOL)
        token, offset, length = struct.unpack_from("!BHH", body, place)
        if offset + length > len(body):
            raise server_failure(Reason.PROTOCOL)
        found[token] = body[offset : offset + length]
    version, encryption = found.get(_VERSION, b""), found.get(_ENCRYPTION, b"")
    if len(version) != 6 or len(encryption) != 1 or encryption[0] not in _ENCRYPTION_NAMES:  # noqa: PLR2004 - as it is laid down
        raise server_failure(Reason.PROTOCOL)
    major, minor, build = struct.unpack_from("!BBH", version)
    return PreLoginResponse(f"{major}.{minor}.{build}", encryption[0])
