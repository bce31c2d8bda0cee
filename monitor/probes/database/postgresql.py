"""PostgreSQL: the answer to a startup message. No login is made: who is asked for a password has been served."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from monitor.model import Reason
from monitor.probes.failures import failed

if TYPE_CHECKING:
    from monitor.probes.database.settings import PostgresqlSettings
    from monitor.probes.dial import Call
    from monitor.probes.failures import NotOkError

_LONGEST = 16 * 1024
_VERSION_3 = 196608
_ASK_TLS = struct.pack("!II", 8, 80877103)
_GOODBYE = b"X\0\0\0\4"
_TOO_MANY = "53300"
_SERVED = re.compile("28...|3D000")
"""The server has looked at who asks, and refuses that one: no access, no such database."""
_METHODS = {0: 4, 2: 4, 3: 4, 5: 8, 6: 4, 7: 4, 9: 4, 10: None}
"""How a server can begin to ask who somebody is, and how many bytes that takes; None where their number varies."""
_CODE = re.compile(rb"(?:^|\0)C([0-9A-Z]{5})\0")


async def converse(call: Call[PostgresqlSettings]) -> None:
    """Begin a session, and leave it where a login would come."""
    settings, wire = call.settings, call.wire
    if settings.starttls:
        await wire.send(_ASK_TLS, "ask for TLS")
        wire.await_answer()
        answer = await wire.exactly(1)
        wire.heard_bytes(answer)
        if answer != b"S":
            raise failed(*((Reason.TLS, "not offered") if answer == b"N" else (Reason.PROTOCOL, "")))
        await call.start_tls(settings)
    words = b"".join(text.encode() + b"\0" for text in ("user", settings.user, "database", settings.database, ""))
    message = struct.pack("!I", _VERSION_3) + words
    shown = f"startup, user {settings.user}, database {settings.database}"
    await wire.send(struct.pack("!I", len(message) + 4) + message, shown)
    wire.await_answer()
    kind, length = struct.unpack("!cI", await wire.exactly(5))
    if kind not in (b"R", b"E") or not 8 <= length <= _LONGEST:  # noqa: PLR2004 - the shortest that there is
        raise failed(Reason.PROTOCOL)
    body = await wire.exactly(length - 4)
    if kind == b"E":
        wire.heard_bytes(body)
        if error := refusal(body):
            raise error
    else:
        method = int.from_bytes(body[:4])
        if method not in _METHODS or _METHODS[method] not in (None, len(body)):
            raise failed(Reason.PROTOCOL)
        wire.heard(f"authentication {method}")
        await wire.send(_GOODBYE, "terminate")


def refusal(body: bytes) -> NotOkError | None:
    """Judge the body of an error; None where it shows a server that works."""
    match = _CODE.search(body)
    if match is None:
        return failed(Reason.PROTOCOL)
    code = match[1].decode()
    if _SERVED.fullmatch(code):
        return None
    return failed(Reason.TOO_MANY_CONNECTIONS) if code == _TOO_MANY else failed(Reason.STATUS, code)
