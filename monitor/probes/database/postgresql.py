"""PostgreSQL: the answer to a startup message. No login is made: who is asked for a password has been served."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from monitor.model import Reason
from monitor.probes.failures import server_failure
from monitor.probes.net.connection import ConnectionProbe

if TYPE_CHECKING:
    from monitor.probes.database.settings import PostgresqlSettings
    from monitor.probes.failures import ProbeError
    from monitor.probes.net.connection import Session

_MAX_MESSAGE_SIZE = 16 * 1024
_PROTOCOL_VERSION_3 = 196608
_SSL_REQUEST = struct.pack("!II", 8, 80877103)
_TERMINATE = b"X\0\0\0\4"
_TOO_MANY_CONNECTIONS = "53300"
_HEALTHY_SQLSTATE = re.compile("28...|3D000")
"""The server has looked at who asks, and refuses that one: no access, no such database."""
_AUTH_REQUEST_LENGTHS = {0: 4, 2: 4, 3: 4, 5: 8, 6: 4, 7: 4, 9: 4, 10: None}
"""How a server can begin to ask who somebody is, and how many bytes that takes; None where their number varies."""
_SQLSTATE_FIELD = re.compile(rb"(?:^|\0)C([0-9A-Z]{5})\0")


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
        kind, length = struct.unpack("!cI", await wire.read_exactly(5))
        if kind not in (b"R", b"E") or not 8 <= length <= _MAX_MESSAGE_SIZE:  # noqa: PLR2004 - the shortest that there is
            raise server_failure(Reason.PROTOCOL)
        body = await wire.read_exactly(length - 4)
        if kind == b"E":
            wire.end_answer_with(body)
            if error := failure_from_error(body):
                raise error
        else:
            method = int.from_bytes(body[:4])
            if method not in _AUTH_REQUEST_LENGTHS or _AUTH_REQUEST_LENGTHS[method] not in (None, len(body)):
                raise server_failure(Reason.PROTOCOL)
            wire.end_answer(f"authentication {method}")
            await wire.send(_TERMINATE, "terminate")


def failure_from_error(body: bytes) -> ProbeError | None:
    """Judge the body of an error; None where it shows a server that works."""
    match = _SQLSTATE_FIELD.search(body)
    if match is None:
        return server_failure(Reason.PROTOCOL)
    code = match[1].decode()
    if _HEALTHY_SQLSTATE.fullmatch(code):
        return None
    return (
        server_failure(Reason.TOO_MANY_CONNECTIONS)
        if code == _TOO_MANY_CONNECTIONS
        else server_failure(Reason.STATUS, code)
    )
