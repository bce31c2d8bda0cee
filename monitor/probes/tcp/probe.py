"""TCP: does a port take a connection, and does a script of send and expect run through."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import TYPE_CHECKING

from monitor.model import Reason
from monitor.probes.dial import DialledProbe
from monitor.probes.failures import failed
from monitor.probes.knock import Knock
from monitor.probes.net.connection import MOST_LINES
from monitor.probes.regex_search import Pattern
from monitor.probes.tcp.settings import script_step
from monitor.probes.trace import SEARCH

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.probes.dial import Call
    from monitor.probes.probe import Attempt, Target
    from monitor.probes.resources import Instruments
    from monitor.probes.tcp.settings import TcpSettings


_LONG = 60.0
"""Seconds: the deadline of the attempt comes first."""


class TcpProbe(DialledProbe["TcpSettings"]):
    """Connects, and plays the script where there is one."""

    __slots__ = ()

    def __init__(self, settings: TcpSettings, tools: Instruments) -> None:
        super().__init__(settings, tools, converse)

    def begin(self, target: Target, timeout: float, done: Callable[[Attempt], None]) -> bool:
        """Try once without a task, where a connection is all, and no name has to be looked up; see ``Swift``."""
        settings = self._settings
        if settings.script or settings.tls or settings.family != "any":
            return False
        return Knock(self._tools.clock, done).begin(settings.host or target.host, settings.port, timeout)


async def converse(call: Call[TcpSettings]) -> None:
    """Play the script, if there is one. The latency of a mere connection is the kernel's measure of the handshake."""
    settings, wire = call.settings, call.wire
    if settings.tls:
        await call.start_tls(settings)
    elif not settings.script:
        wire.trail.latency_us = wire.handshake_us
    for line in settings.script:
        step = script_step(line)
        if step.verb == "send":
            await wire.send(step.text.encode() + b"\r\n", step.text)
        elif step.verb == "starttls":
            await call.start_tls(settings)
        else:
            await _expect(call, _pattern(step.text))


async def _expect(call: Call[TcpSettings], pattern: Pattern) -> None:
    """Read lines until one matches; the server hanging up before is no answer."""
    wire = call.wire
    for _ in range(MOST_LINES):
        wire.await_answer()
        line = await wire.line()
        wire.heard_bytes(line)
        found = pattern.glance(line)
        if found is None:
            wire.trail.begin(SEARCH, pattern.text)
            found = await call.tools.searches.find(pattern, line, _LONG)
            wire.trail.end()
        if found:
            return
        await asyncio.sleep(0)
    raise failed(Reason.PROTOCOL, "too long")


@lru_cache(maxsize=1024)
def _pattern(text: str) -> Pattern:
    return Pattern(text)
