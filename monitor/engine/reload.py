"""What a configuration asks of the engine, and how that is prepared while all goes on as before."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from monitor.engine.cooperative import slices
from monitor.engine.live.state import CheckEntry
from monitor.engine.turn import Turn
from monitor.probes.check_types import CHECK_TYPES
from monitor.probes.door import door
from monitor.probes.probe import Target

if TYPE_CHECKING:
    from monitor.ledger.context import Context
    from monitor.mail.delivery.transport import Transport
    from monitor.model import Check, CheckKey, Millis, Server
    from monitor.probes.cycle import Plan
    from monitor.probes.resources import Instruments

SLICE = 50
"""Servers that are prepared before the loop may turn again: a millisecond or two."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What a configuration asks of the engine."""

    context: Context
    servers: tuple[Server, ...]
    canaries: tuple[str, ...]
    plan: Plan
    transport: Transport

    @property
    def interval(self) -> Millis:
        """Milliseconds between sweeps."""
        return self.context.interval


@dataclass(frozen=True, slots=True)
class Staged:
    """A configuration that is ready to be swapped in."""

    turns: dict[str, tuple[Turn, ...]] = field(default_factory=dict)
    """What each slot of a server does."""
    entries: list[CheckEntry] = field(default_factory=list)
    warn_days: dict[CheckKey, tuple[int, ...]] = field(default_factory=dict)


async def staged(orders: Orders, instruments: Instruments) -> Staged:
    """Prepare what they ask for, a slice at a time."""
    prepared = Staged()
    for servers in slices(orders.servers, SLICE):
        for server in servers:
            _stage(server, prepared, instruments)
        await asyncio.sleep(0)
    return prepared


def _stage(server: Server, prepared: Staged, instruments: Instruments) -> None:
    if server.checks:
        prepared.turns[server.id] = tuple(_turn(check, server.address, instruments) for check in server.checks)
    for check in server.checks:
        where = CHECK_TYPES[check.type].where(check.settings, server.address)
        prepared.entries.append(CheckEntry(server.id, check.key.name, check.type, where))
        if days := getattr(check.settings, "warn_days", ()):
            prepared.warn_days[check.key] = days


def _turn(check: Check, address: str, instruments: Instruments) -> Turn:
    kind = CHECK_TYPES[check.type]
    probe = kind.build(check.settings, instruments)
    return Turn(check.key, check.type, probe, Target(address), door(kind, check.settings, address))
