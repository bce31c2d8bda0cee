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
from monitor.probes.failures import NotOkError, failed, ours

if TYPE_CHECKING:
    from monitor.probes.database.settings import MysqlSettings
    from monitor.probes.dial import Call

NOBODY = "sla-monitor"
"""Who is to be denied where no login is configured."""
NEEDS_TLS = "login needs starttls"
UNKNOWN_METHOD = "login method not known"

_LONGEST = 64 * 1024
_PROTOCOL = 10
_LONG_PASSWORD, _PROTOCOL_41, _SSL, _SECURE, _PLUGINS = 0x1, 0x200, 0x800, 0x8000, 0x80000
_CAPABILITIES = _LONG_PASSWORD | _PROTOCOL_41 | _SECURE | _PLUGINS
_UTF8 = 33
_OK, _MORE, _SWITCH, _ERROR = 0x00, 0x01, 0xFE, 0xFF
_FAST_OK, _FULL = b"\x03", b"\x04"
_QUIT = b"\x01"
_DENIED = (1045, 1698)
_NOT_ALLOWED = 1130
"""The server has looked at where the question comes from, and lets nobody in from there."""
_WORDS = {
    1040: Reason.TOO_MANY_CONNECTIONS,
    1203: Reason.TOO_MANY_CONNECTIONS,
    1226: Reason.TOO_MANY_CONNECTIONS,
    1129: Reason.HOST_BLOCKED,
    _NOT_ALLOWED: Reason.LOGIN,
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
    method: str


async def converse(call: Call[MysqlSettings]) -> None:
    """Bring the handshake to its end."""
    settings = call.settings
    asked_for_more = settings.starttls or settings.user is not None
    first = await _packet(call, 0, expected=() if asked_for_more else (_NOT_ALLOWED,))
    if first[0] == _ERROR:
        call.wire.heard_bytes(first[3:])
        return
    greeting = read_greeting(first)
    call.wire.heard(f"protocol {_PROTOCOL}, version {greeting.version}")
    number = 1
    if settings.starttls:
        if not greeting.capabilities & _SSL:
            raise failed(Reason.TLS, "not offered")
        head = struct.pack("<IIB23x", _CAPABILITIES | _SSL, _LONGEST, _UTF8)
        await _send(call, number, head, "ask for TLS")
        await call.start_tls(settings)
        number += 1
    await _log_in(call, greeting, number)
    await _send(call, 0, _QUIT, "quit")


async def _log_in(call: Call[MysqlSettings], greeting: Greeting, number: int) -> None:
    user, password = NOBODY, None
    if call.settings.user is not None and call.settings.password_file is not None:
        user, password = call.settings.user, call.password(call.settings.password_file).encode()
    method = greeting.method or "mysql_native_password"
    answer = _proof(method, password, greeting.nonce)
    ours_too = _CAPABILITIES | (_SSL if call.wire.secured else 0)
    body = struct.pack("<IIB23x", ours_too, _LONGEST, _UTF8) + user.encode() + b"\0"
    body += bytes([len(answer)]) + answer + method.encode() + b"\0"
    await _send(call, number, body, f"log in as {user} by {method}")
    for _ in range(4):
        number += 2
        payload = await _packet(call, number - 1, expected=_DENIED if password is None else ())
        if payload[:1] == bytes([_OK]):
            call.wire.heard("ok")
            return
        if payload[:1] == bytes([_ERROR]):  # the denial that was to come
            call.wire.heard("denied, as it should be")
            return
        further = _next_answer(call, payload, password)
        if further is None:
            number -= 1
        else:
            await _send(call, number, further, "log in")
    raise failed(Reason.PROTOCOL)


def _next_answer(call: Call[MysqlSettings], payload: bytes, password: bytes | None) -> bytes | None:
    """Give what goes on with the login; None where only the server has something to say."""
    if payload[0] == _SWITCH:
        method, _, nonce = payload[1:].partition(b"\0")
        call.wire.heard("another method")
        if method not in (b"mysql_native_password", b"caching_sha2_password") and password is not None:
            raise ours(UNKNOWN_METHOD)
        return _proof(method.decode("ascii", "replace"), password, nonce.removesuffix(b"\0"))
    if payload[0] != _MORE:
        raise failed(Reason.PROTOCOL)
    call.wire.heard("more")
    if payload[1:] == _FAST_OK:
        return None
    if payload[1:] != _FULL:
        raise failed(Reason.PROTOCOL)
    if password is None:
        return b"\0"
    if not call.wire.secured:
        raise ours(NEEDS_TLS)
    return password + b"\0"


def _proof(method: str, password: bytes | None, nonce: bytes) -> bytes:
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


def read_greeting(payload: bytes) -> Greeting:
    """Read the server's first packet; raises ``NotOkError`` for an error or anything else."""
    match = _GREETING.fullmatch(payload)
    if match is None:
        raise failed(Reason.PROTOCOL)
    version, first, lower, _, upper, _, second, method = match.groups(b"")
    capabilities = int.from_bytes(lower, "little") | int.from_bytes(upper, "little") << 16
    return Greeting(version.decode("utf-8", "replace"), first + second, capabilities, method.decode("ascii", "replace"))


def refusal(payload: bytes) -> NotOkError:
    """Judge an error packet."""
    if len(payload) < 3:  # noqa: PLR2004 - the mark and the number
        return failed(Reason.PROTOCOL)
    code = int.from_bytes(payload[1:3], "little")
    word = _WORDS.get(code, Reason.STATUS)
    return failed(word, str(code) if word is Reason.STATUS else "")


async def _packet(call: Call[MysqlSettings], number: int, *, expected: tuple[int, ...] = ()) -> bytes:
    """Read the packet of that number; an error is raised, unless it is one of those that show a server that works."""
    wire = call.wire
    wire.await_answer()
    head = await wire.exactly(4)
    length = int.from_bytes(head[:3], "little")
    if not 0 < length <= _LONGEST:
        raise failed(Reason.PROTOCOL)
    payload = await wire.exactly(length)
    if payload[0] == _ERROR:
        code = int.from_bytes(payload[1:3], "little")
        if code not in expected:
            wire.heard_bytes(payload[3:])
            raise refusal(payload)
    elif head[3] != number:
        raise failed(Reason.PROTOCOL)
    return payload


async def _send(call: Call[MysqlSettings], number: int, payload: bytes, shown: str) -> None:
    await call.wire.send(len(payload).to_bytes(3, "little") + bytes([number]) + payload, shown)
