"""Runs the exchanges of a banner protocol, as the table in ``protocols.py`` says."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from monitor.model import Outcome, Reason
from monitor.probes.banner.protocols import ExchangeCondition
from monitor.probes.banner.settings import BannerSettings, protocol_of
from monitor.probes.failures import ProbeError, server_failure
from monitor.probes.net.connection import ConnectionProbe
from monitor.probes.redaction import MASK

if TYPE_CHECKING:
    from monitor.probes.banner.protocols import BannerProtocol, Exchange
    from monitor.probes.net.connection import Session
    from monitor.probes.resources import ProbeResources
    from monitor.probes.settings import LoginSettings

_MAX_PRELIMINARY_REPLIES = 5
_CONNECTION_ENDED = (Reason.CLOSED, Reason.RESET)


class BannerProbe(ConnectionProbe[BannerSettings]):
    """Runs the exchanges of the protocol that its settings belong to."""

    __slots__ = ("_protocol",)

    def __init__(self, settings: LoginSettings, resources: ProbeResources) -> None:
        known = {
            name: getattr(settings, name) for name in BannerSettings.__dataclass_fields__ if hasattr(settings, name)
        }
        super().__init__(BannerSettings(**known), resources)
        self._protocol = protocol_of(settings)

    async def run_session(self, session: Session[BannerSettings]) -> None:
        """Run the exchanges in order. Raises ``ProbeError`` at the first reply that is not expected."""
        await _run_protocol(session, self._protocol)


async def _run_protocol(session: Session[BannerSettings], protocol: BannerProtocol) -> None:
    settings = session.settings
    if protocol.implicit_tls or settings.tls:
        await session.start_tls(settings)
    taken = {
        ExchangeCondition.ALWAYS,
        ExchangeCondition.ANONYMOUS if settings.user is None else ExchangeCondition.LOGIN,
    }
    if settings.starttls:
        taken.add(ExchangeCondition.STARTTLS)
    for turn in protocol.exchanges:
        if turn.condition not in taken:
            continue
        try:
            await _run_exchange(session, protocol, turn)
        except ProbeError as error:
            if turn.may_close and error.outcome is Outcome.FAIL and error.reason in _CONNECTION_ENDED:
                return
            raise
        if turn.then_start_tls:
            await session.start_tls(settings)


async def _run_exchange(session: Session[BannerSettings], protocol: BannerProtocol, exchange: Exchange) -> None:
    said = await _ask(session, protocol, exchange, exchange.send)
    if exchange.fallback is not None and said in exchange.fallback_codes:
        said = await _ask(session, protocol, exchange, exchange.fallback)
    for _ in range(_MAX_PRELIMINARY_REPLIES):
        if said not in exchange.preliminary_codes:
            break
        said = await _read_code(session, protocol, exchange)
    if said in protocol.reasons_by_code:
        raise server_failure(protocol.reasons_by_code[said])
    if said not in exchange.expected_codes:
        raise server_failure(exchange.failure_reason, said)


async def _ask(
    session: Session[BannerSettings], protocol: BannerProtocol, exchange: Exchange, template: str | None
) -> str:
    """Send what the template says, if anything, and return the code of the reply."""
    if template is not None:
        words = _public_values(session)
        secrets = _secret_values(session) if exchange.condition is ExchangeCondition.LOGIN else {}
        line = template.format_map(words | secrets)
        await session.connection.send(
            line.encode() + b"\r\n", template.format_map(words | dict.fromkeys(secrets, MASK))
        )
    return await _read_code(session, protocol, exchange)


async def _read_code(session: Session[BannerSettings], protocol: BannerProtocol, exchange: Exchange) -> str:
    lines = await session.connection.read_reply(
        protocol.first_line,
        protocol.continuation_line,
        exchange.last_line or protocol.last_line,
        own_code=protocol.own_code_ends,
    )
    code = next((found for line in reversed(lines) if (found := protocol.code.match(line))), None)
    if code is None:
        raise server_failure(Reason.PROTOCOL)
    return next(group for group in code.groups() if group).decode()


def _public_values(session: Session[BannerSettings]) -> dict[str, str]:
    """Return what stands in templates and may be seen."""
    address = session.connection.own_address
    user = session.settings.user or ""
    return {
        "me": session.settings.helo_name or (f"[IPv6:{address}]" if ":" in address else f"[{address}]"),
        "user": user,
        "quoted_user": _quote(user),
    }


def _secret_values(session: Session[BannerSettings]) -> dict[str, str]:
    """Return what stands in templates and may not be seen."""
    settings = session.settings
    if settings.user is None or settings.password_file is None:
        return {}
    password = session.read_password(settings.password_file)
    secrets = {
        "password": password,
        "quoted_password": _quote(password),
        "sasl": base64.b64encode(f"\0{settings.user}\0{password}".encode()).decode(),
    }
    session.connection.trace.add_secrets(*secrets.values())
    return secrets


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
