"""MySQL and MariaDB: the handshake, the server's version, and a login where one is asked for.

A connection that ends within the handshake is an error to the server, and after ``max_connect_errors`` of them it
blocks the address. So the handshake is always brought to its end: without a login, by one that is to be denied.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import struct
from typing import TYPE_CHECKING, NamedTuple

from monitor.model import Outcome, Reason
from monitor.probes.database.mysql_auth import (
    CACHING_SHA2,
    NATIVE,
    PARSEC,
    SUPPORTED_METHODS,
    no_password,
    parsec_response,
    scramble,
)
from monitor.probes.failures import ProbeError, monitor_failure, server_failure
from monitor.probes.net.connection import ConnectionProbe

if TYPE_CHECKING:
    from monitor.probes.database.settings import MysqlSettings
    from monitor.probes.net.connection import Connection, Session

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
_CALLER_REFUSED = (
    1044,  # access denied to a database
    1045,  # access denied
    1130,  # host not allowed
    1251,  # login method not supported by the client
    1275,  # secure logins only
    1524,  # the plugin of the account is not loaded
    1698,  # access denied without a password
    1820,  # password must be changed
    1862,  # password has expired
    1873,  # access denied to change the user
    3118,  # account locked
    3159,  # TLS required
    3955,  # account blocked by wrong passwords
    4151,  # account locked, in MariaDB
)
"""The server works, has looked at the caller, and refuses this one."""
_ANSWER_NOT_UNDERSTOOD = (1043, 1047, 1835)
"""Bad handshake, unknown command, malformed packet: how a method that the check does not know may end."""
_REASONS = dict.fromkeys(_CALLER_REFUSED, Reason.LOGIN) | {
    1040: Reason.TOO_MANY_CONNECTIONS,
    1203: Reason.TOO_MANY_CONNECTIONS,
    1226: Reason.TOO_MANY_CONNECTIONS,
    1129: Reason.HOST_BLOCKED,
}
_MAX_ROUNDS = 8
"""Packets of the server within one login."""
_DENIAL_TIMEOUT = 1.0
"""Seconds to wait for the end of a login that the check cannot complete."""
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
        needs_login = settings.starttls or settings.user is not None
        packets = _Packets(session.connection)
        first = await packets.read(expected=() if needs_login else _CALLER_REFUSED)
        if first[0] == _ERROR:
            session.connection.end_answer_with(first[3:])
            return
        greeting = parse_greeting(first)
        session.connection.end_answer(f"protocol {_PROTOCOL_VERSION}, version {greeting.version}")
        if settings.starttls:
            if not greeting.capabilities & _SSL:
                raise server_failure(Reason.TLS, "not offered")
            head = struct.pack("<IIB23x", _CLIENT_CAPABILITIES | _SSL, _MAX_PACKET_SIZE, _UTF8)
            await packets.send(head, "ask for TLS")
            await session.start_tls(settings)
        if await _log_in(session, greeting, packets):
            packets.begin_command()
            with contextlib.suppress(ProbeError):  # the server may have closed the connection already
                await packets.send(_COM_QUIT, "quit")


class _Packets:
    """The packets of one connection, numbered in both directions together."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._sequence_id = 0

    def begin_command(self) -> None:
        """Start the numbers anew."""
        self._sequence_id = 0

    async def send(self, payload: bytes, description: str) -> None:
        """Send a packet; ``description`` holds no secret."""
        head = len(payload).to_bytes(3, "little") + bytes([self._sequence_id])
        self._sequence_id += 1
        await self.connection.send(head + payload, description)

    async def read(self, *, expected: tuple[int, ...] = ()) -> bytes:
        """Read the next packet; raises ``ProbeError`` for an error whose number is not in ``expected``."""
        wire = self.connection
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
        elif head[3] != self._sequence_id:
            raise server_failure(Reason.PROTOCOL)
        self._sequence_id += 1
        return payload


async def _log_in(session: Session[MysqlSettings], greeting: Greeting, packets: _Packets) -> bool:
    """Return whether the login was accepted; raises ``ProbeError`` unless the denial was to be expected."""
    user, password = PLACEHOLDER_USER, None
    if session.settings.user is not None and session.settings.password_file is not None:
        user, password = session.settings.user, session.read_password(session.settings.password_file).encode()
    # a server switches from these two to the method of the account
    method = greeting.auth_method if greeting.auth_method == CACHING_SHA2 else NATIVE
    login = _Login(method, greeting.nonce, password, is_tls=session.connection.is_tls)
    answer = b"" if password is None else scramble(method, password, greeting.nonce)
    capabilities = _CLIENT_CAPABILITIES | (_SSL if session.connection.is_tls else 0)
    body = struct.pack("<IIB23x", capabilities, _MAX_PACKET_SIZE, _UTF8) + user.encode() + b"\0"
    body += bytes([len(answer)]) + answer + method.encode() + b"\0"
    await packets.send(body, f"log in as {user} by {method}")
    for _ in range(_MAX_ROUNDS):
        try:
            payload = await packets.read(expected=login.expected_errors)
        except ProbeError as error:
            if login.may_end_anyhow and error.outcome is Outcome.FAIL and error.reason in (Reason.CLOSED, Reason.RESET):
                return False
            raise
        if payload[0] in (_OK, _ERROR):
            packets.connection.end_answer("ok" if payload[0] == _OK else "denied, as it should be")
            return payload[0] == _OK
        response = login.respond(payload)
        packets.connection.end_answer(f"login method {login.method}")
        if response is not None:
            await packets.send(response, "log in")
        if login.failure is not None:
            await _await_denial(packets)
            raise login.failure
    raise server_failure(Reason.PROTOCOL)


async def _await_denial(packets: _Packets) -> None:
    """Let the server end a login: to hang up before would count as an error of this host."""
    with contextlib.suppress(ProbeError, TimeoutError):
        async with asyncio.timeout(_DENIAL_TIMEOUT):
            await packets.read()


class _Login:
    """The state of one login. Without a password its denial is the good end, whatever method the server picks."""

    def __init__(self, method: str, nonce: bytes, password: bytes | None, *, is_tls: bool) -> None:
        self.method = method
        self._nonce = nonce
        self._password = password
        self._is_tls = is_tls
        self.failure: ProbeError | None = None
        """Why the check cannot complete the login; the response given with it brings the denial."""

    @property
    def may_end_anyhow(self) -> bool:
        """Whether the check without a login has met a method that it does not know."""
        return self._password is None and self.method not in SUPPORTED_METHODS

    @property
    def expected_errors(self) -> tuple[int, ...]:
        """The numbers of errors that are a good end."""
        if self._password is not None:
            return ()
        return _CALLER_REFUSED + (_ANSWER_NOT_UNDERSTOOD if self.may_end_anyhow else ())

    def respond(self, payload: bytes) -> bytes | None:
        """Return the response to a packet; None where it needs none. Raises ``ProbeError`` where it is garbage."""
        if payload[0] == _AUTH_SWITCH:
            name, _, nonce = payload[1:].partition(b"\0")
            return self._switch_method(name.decode("ascii", "replace"), nonce.removesuffix(b"\0"))
        if self.may_end_anyhow:
            return no_password(self.method)
        if self.method == PARSEC:
            return self._respond_to_salt(payload.removeprefix(bytes([_AUTH_MORE_DATA])))
        if payload[0] != _AUTH_MORE_DATA:
            raise server_failure(Reason.PROTOCOL)
        return self._respond_to_sha2(payload[1:])

    def _switch_method(self, method: str, nonce: bytes) -> bytes:
        self.method, self._nonce = method, nonce
        if self._password is None:
            return no_password(method)
        if method not in SUPPORTED_METHODS:
            return self._give_up(UNKNOWN_AUTH_METHOD)
        return scramble(method, self._password, nonce)

    def _respond_to_sha2(self, said: bytes) -> bytes | None:
        if said == _FAST_AUTH_SUCCESS:
            return None
        if said != _FULL_AUTH:
            raise server_failure(Reason.PROTOCOL)
        if self._password is None:
            return b"\0"
        return self._password + b"\0" if self._is_tls else self._give_up(NEEDS_TLS)

    def _respond_to_salt(self, salt: bytes) -> bytes:
        if self._password is None:
            return no_password(self.method)
        response = parsec_response(self._password, self._nonce, salt)
        return self._give_up(UNKNOWN_AUTH_METHOD) if response is None else response

    def _give_up(self, reason: str) -> bytes:
        self.failure = monitor_failure(reason)
        return b"\0"


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
