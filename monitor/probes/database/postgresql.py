"""PostgreSQL and its poolers: the answer to a startup message. The check never logs in.

A server that asks for a password has served the caller. The check then closes the connection without a word: a
terminate message in place of a password would be a FATAL line in the server's log.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import struct
from typing import TYPE_CHECKING

from monitor.model import Reason
from monitor.probes.failures import server_failure
from monitor.probes.net.connection import ConnectionProbe

if TYPE_CHECKING:
    from monitor.probes.database.settings import PostgresqlSettings
    from monitor.probes.failures import ProbeError
    from monitor.probes.net.connection import Connection, Session

_MAX_MESSAGE_SIZE = 16 * 1024
_MAX_MESSAGES = 100
"""Messages between the end of the authentication and a session that is ready: PostgreSQL sends about 15."""
_PROTOCOL_VERSION_3 = 196608
_SSL_REQUEST = struct.pack("!II", 8, 80877103)
_TERMINATE = b"X\0\0\0\4"
_READY_TIMEOUT = 1.0
"""Seconds that a session without a password may take to be ready before the check leaves it."""
_AUTHENTICATED = 0
_AUTH_REQUEST_LENGTHS = {_AUTHENTICATED: 4, 2: 4, 3: 4, 5: 8, 6: 4, 7: 4, 9: 4, 10: None}
"""How a server can begin an authentication, and the length of that message; None where it varies."""

_SQLSTATE_FIELD = re.compile(rb"(?:^|\0)C([0-9A-Z]{5})\0")
_MESSAGE_FIELD = re.compile(rb"(?:^|\0)M([^\0]*)\0")
_TOO_MANY_CONNECTIONS = "53300"
_CALLER_REFUSED = re.compile("28...|3D000|42501|55000")
"""The server works and refuses this caller: no access, no such database, one that takes no connections."""
_POOLER_CODE = re.compile("08...|58000|XX000")
"""Poolers report most errors by one of these (PgBouncer 08P01, PgCat 58000, Pgpool-II XX000): words decide."""
_FULL_WORDS = re.compile(
    rb"(?:\(\w+\) )?(?:sorry, )?(?:"
    rb"no more connections allowed|client connections exceeded|connection limit exceeded|"
    rb"too many (?:\w+ ){0,2}(?:clients|connections)|max(?:imum)? (?:number of )?(?:client )?(?:clients|connections)|"
    rb"remaining connection slots are reserved|bouncer resources exhaustion)",
    re.IGNORECASE,
)
_CALLER_REFUSED_WORDS = re.compile(
    rb"(?:\(\w+\) )?(?:"
    rb"no such (?:database|user)|(?:[\"\w]+ )?authentication failed|(?:unix socket )?login rejected|invalid password|"
    rb"no authentication method|no (?:pg|pool)_hba|no pool configured|not allowed|address not in tenant|"
    rb"(?:SSL|TLS)(?: connection)?(?: is)? required|.{0,40}requires (?:SSL|TLS)|unsupported startup parameter|"
    rb"(?:database|role|user) \"[^\"]*\" (?:is disabled|does not exist)|"
    rb"tenant(?:/user| or user)|no tenant identifier|endpoint id is not specified)",
    re.IGNORECASE,
)


class PostgresqlProbe(ConnectionProbe["PostgresqlSettings"]):
    """Sends a startup message and judges the answer."""

    __slots__ = ()

    async def run_session(self, session: Session[PostgresqlSettings]) -> None:
        """Begin a session, and leave it where a login would come."""
        settings, wire = session.settings, session.connection
        if settings.starttls:
            await wire.send(_SSL_REQUEST, "ask for TLS")
            wire.begin_answer()
            answer = await wire.read_exactly(1)
            wire.end_answer_with(answer)
            if answer != b"S":
                raise server_failure(*((Reason.TLS, "not offered") if answer == b"N" else (Reason.PROTOCOL, "")))
            await session.start_tls(settings)
        words = b"".join(text.encode() + b"\0" for text in ("user", settings.user, "database", settings.database, ""))
        message = struct.pack("!I", _PROTOCOL_VERSION_3) + words
        shown = f"startup, user {settings.user}, database {settings.database}"
        await wire.send(struct.pack("!I", len(message) + 4) + message, shown)
        wire.begin_answer()
        kind, body = await _read_message(wire, b"RE")
        if kind == b"E":
            _judge_error(wire, body)
            return
        method = int.from_bytes(body[:4])
        if method not in _AUTH_REQUEST_LENGTHS or _AUTH_REQUEST_LENGTHS[method] not in (None, len(body)):
            raise server_failure(Reason.PROTOCOL)
        wire.end_answer(f"authentication {method}")
        wire.trace.answer_complete()
        if method == _AUTHENTICATED:
            await _leave_session(wire)


async def _leave_session(wire: Connection) -> None:
    """Wait until the session is ready, then end it. Raises ``ProbeError`` where the server refuses everybody.

    A server that still sends when the connection is closed writes an error into its log.
    """
    said = "not ready yet"
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_READY_TIMEOUT):
            for _ in range(_MAX_MESSAGES):
                wire.begin_answer()
                kind, body = await _read_message(wire)
                if kind == b"E":
                    _judge_error(wire, body)
                    return
                if kind == b"Z":
                    said = "ready"
                    break
    wire.end_answer(said)
    await wire.send(_TERMINATE, "terminate")


async def _read_message(wire: Connection, kinds: bytes | None = None) -> tuple[bytes, bytes]:
    """Return the kind and the body of the next message; of one of ``kinds`` if given. Raises ``ProbeError``."""
    kind, length = struct.unpack("!cI", await wire.read_exactly(5))
    shortest = 4 if kinds is None else 8
    if (kinds is not None and kind not in kinds) or not shortest <= length <= _MAX_MESSAGE_SIZE:
        raise server_failure(Reason.PROTOCOL)
    return kind, await wire.read_exactly(length - 4)


def _judge_error(wire: Connection, body: bytes) -> None:
    wire.end_answer_with(body)
    if error := failure_from_error(body):
        raise error


def failure_from_error(body: bytes) -> ProbeError | None:
    """Judge the body of an error; None where it shows a server that works."""
    match = _SQLSTATE_FIELD.search(body)
    if match is None:
        return server_failure(Reason.PROTOCOL)
    code = match[1].decode()
    if _CALLER_REFUSED.fullmatch(code):
        return None
    found = _MESSAGE_FIELD.search(body) if _POOLER_CODE.fullmatch(code) else None
    words = found[1] if found else b""
    if code == _TOO_MANY_CONNECTIONS or _FULL_WORDS.match(words):
        return server_failure(Reason.TOO_MANY_CONNECTIONS)
    if _CALLER_REFUSED_WORDS.match(words):
        return None
    return server_failure(Reason.STATUS, code)
