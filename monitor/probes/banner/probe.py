"""Holds the conversations of ``dialogues`` and makes check types of them."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from monitor.model import Outcome, Reason
from monitor.probes.banner.protocols import Only
from monitor.probes.banner.settings import TalkSettings
from monitor.probes.dial import DialledProbe
from monitor.probes.failures import NotOkError, failed
from monitor.probes.redaction import MASK

if TYPE_CHECKING:
    from monitor.probes.banner.protocols import Dialogue, Turn
    from monitor.probes.dial import Call
    from monitor.probes.resources import Instruments
    from monitor.probes.wire_settings import LoginSettings

_HUNG_UP = (Reason.CLOSED, Reason.RESET)


def talk_probe(dialogue: Dialogue, settings: LoginSettings, tools: Instruments) -> DialledProbe[TalkSettings]:
    """Make the probe of a dialogue."""
    given = {name: getattr(settings, name) for name in TalkSettings.__dataclass_fields__ if hasattr(settings, name)}

    async def converse(call: Call[TalkSettings]) -> None:
        await _converse(call, dialogue)

    return DialledProbe(TalkSettings(**given), tools, converse)


async def _converse(call: Call[TalkSettings], dialogue: Dialogue) -> None:
    settings = call.settings
    if dialogue.tls or settings.tls:
        await call.start_tls(settings)
    taken = {Only.ALWAYS, Only.ANONYMOUS if settings.user is None else Only.LOGIN}
    if settings.starttls:
        taken.add(Only.STARTTLS)
    for turn in dialogue.turns:
        if turn.only not in taken:
            continue
        try:
            await _take(call, dialogue, turn)
        except NotOkError as error:
            if turn.farewell and error.outcome is Outcome.FAIL and error.reason in _HUNG_UP:
                return
            raise
        if turn.then_tls:
            await call.start_tls(settings)


async def _take(call: Call[TalkSettings], dialogue: Dialogue, turn: Turn) -> None:
    if turn.send is not None:
        words = _words(call)
        secrets = _secrets(call) if turn.only is Only.LOGIN else {}
        line = turn.send.format_map(words | secrets)
        await call.wire.send(line.encode() + b"\r\n", turn.send.format_map(words | dict.fromkeys(secrets, MASK)))
    lines = await call.wire.reply(dialogue.first, dialogue.rest, turn.last or dialogue.last)
    code = next((found for line in reversed(lines) if (found := dialogue.code.match(line))), None)
    if code is None:
        raise failed(Reason.PROTOCOL)
    said = next(group for group in code.groups() if group).decode()
    if said in dialogue.reasons:
        raise failed(dialogue.reasons[said])
    if said not in turn.good:
        raise failed(turn.otherwise, said)


def _words(call: Call[TalkSettings]) -> dict[str, str]:
    """Give what stands in templates and may be seen."""
    address = call.wire.own_address
    user = call.settings.user or ""
    return {
        "me": f"[IPv6:{address}]" if ":" in address else f"[{address}]",
        "user": user,
        "quoted_user": _quoted(user),
    }


def _secrets(call: Call[TalkSettings]) -> dict[str, str]:
    """Give what stands in templates and may not be seen."""
    settings = call.settings
    if settings.user is None or settings.password_file is None:
        return {}
    password = call.password(settings.password_file)
    secrets = {
        "password": password,
        "quoted_password": _quoted(password),
        "sasl": base64.b64encode(f"\0{settings.user}\0{password}".encode()).decode(),
    }
    call.wire.trail.hide(*secrets.values())
    return secrets


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
