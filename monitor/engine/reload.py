"""The part of the configuration that the engine uses, and its preparation while the engine runs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from monitor.engine.cooperative import chunked
from monitor.engine.live.state import CheckEntry
from monitor.engine.probing.running_checks import ScheduledCheck
from monitor.probes.check_types import CHECK_TYPES
from monitor.probes.http.request import build_request
from monitor.probes.judgement import is_inverted, warning_limit
from monitor.probes.probe import Target

if TYPE_CHECKING:
    from monitor.ledger.context import LedgerContext
    from monitor.mail.delivery.transport import MailTransport
    from monitor.model import Check, CheckKey, Millis, Server
    from monitor.probes.check_types import CheckType
    from monitor.probes.probe import RetryPolicy
    from monitor.probes.resources import ProbeResources


# --- the endpoint of a check: its number of concurrent checks is limited ----------------------------------------------


def endpoint_of(check_type: CheckType, settings: Any, address: str) -> str | None:
    """Return the host and port that a check connects to; None for pings, which hold no connection."""
    if check_type.name == "icmp":
        return None
    if not check_type.needs_url:
        return check_type.target_text(settings, address)
    request = build_request(settings.url, connect_to=settings.address)
    return f"{request.connect_to or request.host}:{request.port}"


STEP_SIZE = 50
"""Servers that are prepared between two turns of the event loop: a millisecond or two."""


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """The part of the configuration that the engine uses."""

    context: LedgerContext
    servers: tuple[Server, ...]
    canaries: tuple[str, ...]
    retry_policy: RetryPolicy
    transport: MailTransport

    @property
    def interval(self) -> Millis:
        """Milliseconds between sweeps."""
        return self.context.interval


@dataclass(frozen=True, slots=True)
class PreparedConfig:
    """A configuration that is ready to be swapped in."""

    scheduled_checks: dict[str, tuple[ScheduledCheck, ...]] = field(default_factory=dict)
    """The checks of each server, by its id."""
    check_entries: list[CheckEntry] = field(default_factory=list)
    warn_days: dict[CheckKey, tuple[int, ...]] = field(default_factory=dict)


async def prepare_config(config: EngineConfig, resources: ProbeResources) -> PreparedConfig:
    """Build the checks of all servers, in steps."""
    prepared = PreparedConfig()
    for servers in chunked(config.servers, STEP_SIZE):
        for server in servers:
            _prepare_server(server, config.retry_policy, prepared, resources)
        await asyncio.sleep(0)
    return prepared


def _prepare_server(
    server: Server, retry_policy: RetryPolicy, prepared: PreparedConfig, resources: ProbeResources
) -> None:
    if server.checks:
        prepared.scheduled_checks[server.id] = tuple(
            _scheduled_check(check, server.address, retry_policy, resources) for check in server.checks
        )
    for check in server.checks:
        address = CHECK_TYPES[check.type].target_text(check.settings, server.address)
        limit = warning_limit(check.settings)
        prepared.check_entries.append(CheckEntry(server.id, check.key.name, check.type, address, limit))
        if days := getattr(check.settings, "warn_days", ()):
            prepared.warn_days[check.key] = days


def _scheduled_check(
    check: Check, address: str, retry_policy: RetryPolicy, resources: ProbeResources
) -> ScheduledCheck:
    check_type = CHECK_TYPES[check.type]
    probe = check_type.build(check.settings, resources)
    own_policy = retry_policy.for_check(check.settings)
    return ScheduledCheck(
        check.key,
        check.type,
        probe,
        Target(address),
        endpoint_of(check_type, check.settings, address),
        None if own_policy is retry_policy else own_policy,
        is_inverted(check.settings),
    )
