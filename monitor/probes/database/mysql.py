"""MySQL and MariaDB: the handshake, the server's version, and a login where one is asked for.

A connection that ends within the handshake is an error to the server, and after ``max_connect_errors`` of them it
blocks the address. So the handshake is always brought to its end: without a login, by one that is to be denied.
"""

from __future__ import annotations

import hashlib
import re
import struct
from typing import TYPE_CHECKING, NamedTuple

from monitor.model import Reason
from monitor.probes.failures import ProbeError, monitor_failure, server_failure
from monitor.probes.net.connection import ConnectionProbe

if TYPE_CHECKING:
    from monitor.probes.database.settings import MysqlSettings
    from monitor.probes.net.connection import Session

PLACEHOLDER_USER = "sla-monitor"
"""Who is to be denied where no login is configured."""
NEEDS_TLS = "login needs starttls"
UNKNOWN_AUTH_METHOD = "login method not known"

_MAX_PACKET_SIZE = 64 * 1024
_PROTOCOL_VERSION = 10
_LONG_PASSWORD, _PROTOCOL_41, _SSL, _SECURE_CONNECTION, _PLUGIN_AUTH = 0x1, 0x200, 0x800, 0x8000, 0x80000
_CLIENT_CAPABILITIES = _LONG_PASSWORD | _PROTOCOL_41 | _SECURE_CONNECTION | _PLUGIN_AUTH
_UTF8 = 33
_OK, _AUTH_MORE_DATA, _AUTH_SWITCH, _ERROR = 0x00, 0x01, 0xFE, 0xFF
_FAST_AUTH_SUCCESS, _FULL_AUTH = b"\x03", b"\x04"
_COM_QUIT = b"\x01"
_ACCESS_DENIED = (1045, 1698)
_HOST_NOT_PRIVILEGED = 1130
"""The server has looked at where the question comes from, and lets nobody in from there."""
_REASONS = {
    1040: Reason.TOO_MANY_CONNECTIONS,
    1203: Reason.TOO_MANY_CONNECTIONS,
    1226: Reason.TOO_MANY_CONNECTIONS,
    1129: Reason.HOST_BLOCKED,
    _HOST_NOT_PRIVILEGED: Reason.LOGIN,
    1045: Reason.LOGIN,
    1698: Reason.LOGIN,
}
_GREETING = re.compile(
    rb"\x0a([^\0]{1,200})\0.{4}(.{8})\0(..)(?:.(..)(..)(.).{10}(.{12})\0?([^\0]{0,64})\0?)?.*", re.DOTALL
)


class Greeting(NamedTuple):
    """What the server says first."""

    version: str
    nonce: bytes
    capabilities: int
    auth_method: str


class MysqlProbe(ConnectionProbe["MysqlSettings"]):
    """Reads the greeting and logs in."""

    __slots__ = ()

    async def run_session(self, session: Session[MysqlSettings]) -> None:
        """Bring the handshake to its end."""
        settings = session.settings
        asked_for_more = settings.starttls or settings.user is not None
        first = await _read_packet(session, 0, expected=() if asked_for_more else (_HOST_NOT_PRIVILEGED,))
        if first[0] == _ERROR:
            session.connection.end_answer_with(first[3:])
            return
        greeting = parse_greeting(first)
        session.connection.end_answer(f"protocol {_PROTOCOL_VERSION}, version {greeting.version}")
        number = 1
        if settings.starttls:
            if not greeting.capabilities & _SSL:
                raise server_failure(Reason.TLS, "not offered")
            head = struct.pack("<IIB23x", _CLIENT_CAPABILITIES | _SSL, _MAX_PACKET_SIZE, _UTF8)
            await _send_packet(session, number, head, "ask for TLS")
            await session.start_tls(settings)
            number += 1
        await _log_in(session, greeting, number)
        await _send_packet(session, 0, _COM_QUIT, "quit")


async def _log_in(session: Session[MysqlSettings], greeting: Greeting, sequence_id: int) -> None:
    user, password = PLACEHOLDER_USER, None
    if session.settings.user is not None and session.settings.password_file is not None:
        user, password = session.settings.user, session.read_password(session.settings.password_file).encode()
    method = greeting.auth_method or "mysql_native_password"
    answer = _scramble(method, password, greeting.nonce)
    ours_too = _CLIENT_CAPABILITIES | (_SSL if session.connection.is_tls else 0)
    body = struct.pack("<IIB23x", ours_too, _MAX_PACKET_SIZE, _UTF8) + user.encode() + b"\0"
    body += bytes([len(answer)]) + answer + method.encode() + b"\0"
    await _send_packet(session, sequence_id, body, f"log in as {user} by {method}")
    for _ in range(4):
        sequence_id += 2
        payload = await _read_packet(session, sequence_id - 1, expected=_ACCESS_DENIED if password is None else ())
        if payload[:1] == bytes([_OK]):
            session.connection.end_answer("ok")
            return
        if payload[:1] == bytes([_ERROR]):  # the denial that was to come
            session.connection.end_answer("denied, as it should be")
            return
        further = _next_auth_response(session, payload, password)
        if further is None:
            sequence_id -= 1
        else:
            await _send_packet(session, sequence_id, further, "log in")
    raise server_failure(Reason.PROTOCOL)


def _next_auth_response(session: Session[MysqlSettings], payload: bytes, password: bytes | None) -> bytes | None:
    """Return what goes on with the login; None where only the server has something to say."""
    if payload[0] == _AUTH_SWITCH:
        method, _, nonce = payload[1:].partition(b"\0")
        session.connection.end_answer("another method")
        if method not in (b"mysql_native_password", b"caching_sha2_password") and password is not None:
            raise monitor_failure(UNKNOWN_AUTH_METHOD)
        return _scramble(method.decode("ascii", "replace"), password, nonce.removesuffix(b"\0"))
    if payload[0] != _AUTH_MORE_DATA:
        raise server_failure(Reason.PROTOCOL)
    session.connection.end_answer("more")
    if payload[1:] == _FAST_AUTH_SUCCESS:
        return None
    if payload[1:] != _FULL_AUTH:
        raise server_failure(Reason.PROTOCOL)
    if password is None:
        return b"\0"
    if not session.connection.is_tls:
        raise monitor_failure(NEEDS_TLS)
    return password + b"\0"


def _scramble(method: str, password: bytes | None, nonce: bytes) -> bytes:
    """Prove that the password is known, without telling it."""
    if password is None:
        return b""
    if method == "caching_sha2_password":
        secret = hashlib.sha256(password).digest()
        mask = hashlib.sha256(hashlib.sha256(secret).digest() + nonce).digest()
    else:  # what the protocol prescribes, broken hash and all
        secret = hashlib.sha1(password, usedforsecurity=False).digest()
        mask = hashlib.sha1(
            nonce + hashlib.sha1(secret, usedforsecurity=False).digest(), usedforsecurity=False
        ).digest()
    return bytes(left ^ right for left, right in zip(secret, mask, strict=True))


def parse_greeting(payload: bytes) -> Greeting:
    """Read the server's first packet; raises ``ProbeError`` for an error or anything else."""
    match = _GREETING.fullmatch(payload)
    if match is None:
        raise server_failure(Reason.PROTOCOL)
    version, first, lower, _, upper, _, second, method = match.groups(b"")
    capabilities = int.from_bytes(lower, "little") | int.from_bytes(upper, "little") << 16
    return Greeting(version.decode("utf-8", "replace"), first + second, capabilities, method.decode("ascii", "replace"))


def failure_from_error(payload: bytes) -> ProbeError:
    """Judge an error packet."""
    if len(payload) < 3:  # noqa: PLR2004 - the mark and the number
        return server_failure(Reason.PROTOCOL)
    code = int.from_bytes(payload[1:3], "little")
    word = _REASONS.get(code, Reason.STATUS)
    return server_failure(word, str(code) if word is Reason.STATUS else "")


async def _read_packet(session: Session[MysqlSettings], sequence_id: int, *, expected: tuple[int, ...] = ()) -> bytes:
    """Read the packet of that number; an error is raised, unless it is one of those that show a server that works."""
    wire = session.connection
    wire.begin_answer()
    head = await wire.read_exactly(4)
    length = int.from_bytes(head[:3], "little")
    if not 0 < length <= _MAX_PACKET_SIZE:
        raise server_failure(Reason.PROTOCOL)
    payload = await wire.read_exactly(length)
    if payload[0] == _ERROR:
        code = int.from_bytes(payload[1:3], "little")
        if code not in expected:
            wire.end_answer_with(payload[3:])
            raise failure_from_error(payload)
    elif head[3] != sequence_id:
        raise server_failure(Reason.PROTOCOL)
    return payload


async def _send_packet(session: Session[MysqlSettings], sequence_id: int, payload: bytes, description: str) -> None:
    await session.connection.send(len(payload).to_bytes(3, "little") + bytes([sequence_id]) + payload, description)
