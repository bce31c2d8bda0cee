"""TCP: does a port take a connection, and does a script of send and expect run through."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import TYPE_CHECKING

from monitor.model import Outcome, Reason
from monitor.probes.failures import ProbeError, server_failure
from monitor.probes.net.connection import MAX_REPLY_LINES, ConnectionProbe
from monitor.probes.net.resolver import parse_ip
from monitor.probes.net.tcp_connect import HappyEyeballsConnect
from monitor.probes.probe import RESOLVE, SEARCH, judge_timeout
from monitor.probes.regex_search import Pattern
from monitor.probes.tcp.settings import parse_script_step
from monitor.probes.trace import AttemptTrace

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from monitor.clock import Clock
    from monitor.probes.net.address import Address
    from monitor.probes.net.connection import Session
    from monitor.probes.probe import Attempt, Target
    from monitor.probes.tcp.settings import TcpSettings


# --- a connection that is opened and closed: the check of a mere port, by callbacks -----------------------------------


class ConnectAttempt:
    """One attempt at the port of an address; ``on_done`` is called once, with the kernel's measure of the handshake."""

    def __init__(self, clock: Clock, on_done: Callable[[Attempt], None]) -> None:
        self._clock = clock
        self._on_done = on_done
        self._trace = AttemptTrace(clock)
        self._connect: HappyEyeballsConnect | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self, host: str, port: int, timeout: float) -> bool:
        """Try within ``timeout`` seconds; gives False, and does nothing, where ``host`` is a name to be looked up."""
        self._trace.begin(RESOLVE, host)
        try:
            address = parse_ip(host)
        except ProbeError as error:
            self._finish(error.outcome, error.reason)
            return True
        if address is None:
            return False
        self._deadline = self._clock.monotonic() + timeout
        self._timer = asyncio.get_running_loop().call_later(timeout, self._on_timeout)
        self._connect = HappyEyeballsConnect(self._trace, (address,), port, self._on_connected, self._on_failed)
        self._connect.start()
        return True

    def _on_connected(self, sock: socket.socket, _address: Address) -> None:
        sock.close()
        assert self._connect is not None
        self._trace.latency_us = self._connect.handshake_us
        self._finish(Outcome.OK, "")

    def _on_failed(self, fault: ProbeError) -> None:
        self._finish(fault.outcome, fault.reason)

    def _on_timeout(self) -> None:
        assert self._connect is not None
        self._connect.cancel()
        self._finish(*judge_timeout(self._clock.monotonic() - self._deadline, self._trace.step))

    def _finish(self, outcome: Outcome, reason: str) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._connect = None  # the two know each other: apart, they are freed without a search for cycles
        self._on_done(self._trace.attempt(outcome, reason))


_SEARCH_TIMEOUT = 60.0
"""Seconds: the deadline of the attempt comes first."""


class TcpProbe(ConnectionProbe["TcpSettings"]):
    """Connects, and plays the script where there is one."""

    __slots__ = ()

    def start(self, target: Target, timeout: float, on_done: Callable[[Attempt], None]) -> bool:
        """Try once without a task, if a connection is all and no name must be resolved; see ``CallbackProbe``."""
        settings = self._settings
        if settings.script or settings.tls or settings.family != "any" or settings.source is not None:
            return False
        return ConnectAttempt(self._resources.clock, on_done).start(
            settings.host or target.host, settings.port, timeout
        )

    async def run_session(self, session: Session[TcpSettings]) -> None:
        """Run the script. The latency of a mere connection is the kernel's measure of the handshake."""
        settings, wire = session.settings, session.connection
        if settings.tls:
            await session.start_tls(settings)
        elif not settings.script:
            wire.trace.latency_us = wire.handshake_us
        for line in settings.script:
            step = parse_script_step(line)
            if step.verb == "send":
                await wire.send(step.text.encode() + b"\r\n", step.text)
            elif step.verb == "send-hex":
                await wire.send(bytes.fromhex(step.text), step.text)
            elif step.verb == "expect-hex":
                await wire.read_until(bytes.fromhex(step.text))
            elif step.verb == "starttls":
                await session.start_tls(settings)
            else:
                await _expect(session, _pattern(step.text))


async def _expect(session: Session[TcpSettings], pattern: Pattern) -> None:
    """Read lines until one matches; the server hanging up before is no answer."""
    wire = session.connection
    for _ in range(MAX_REPLY_LINES):
        wire.begin_answer()
        line = await wire.read_line()
        wire.end_answer_with(line)
        found = pattern.search_now(line)
        if found is None:
            wire.trace.begin(SEARCH, pattern.text)
            found = await session.resources.regex_workers.search(pattern, line, _SEARCH_TIMEOUT)
            wire.trace.end()
        if found:
            return
        await asyncio.sleep(0)
    raise server_failure(Reason.PROTOCOL, "too long")


@lru_cache(maxsize=1024)
def _pattern(text: str) -> Pattern:
    return Pattern(text)
