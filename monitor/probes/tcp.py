"""TCP: does a port take a connection."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from monitor.model import Outcome
from monitor.probes.blame import TIMEOUT, NotOkError, failed
from monitor.probes.connect import connect, handshake_us
from monitor.probes.knock import Knock
from monitor.probes.trail import CONNECT, RESOLVE, follow

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.probes.host_settings import TcpSettings
    from monitor.probes.instruments import Instruments
    from monitor.probes.probe import Attempt, Target
    from monitor.probes.trail import Trail


class TcpProbe:
    """Opens a connection and closes it; nothing is sent over it."""

    def __init__(self, settings: TcpSettings, instruments: Instruments) -> None:
        self._host = settings.host
        self._port = settings.port
        self._clock = instruments.clock
        self._resolver = instruments.resolver

    async def attempt(self, target: Target, timeout: float) -> Attempt:  # noqa: ASYNC109 - see Probe
        """Try once, at each address of a name in turn until one takes the connection."""

        async def look(trail: Trail) -> None:
            await self._look(trail, self._host or target.host, self._clock.monotonic() + timeout)

        return await follow(self._clock, timeout, look)

    def begin(self, target: Target, timeout: float, done: Callable[[Attempt], None]) -> bool:
        """Try once without a task, where no name has to be looked up; see ``Swift``."""
        return Knock(self._clock, done).begin(self._host or target.host, self._port, timeout)

    async def _look(self, trail: Trail, host: str, deadline: float) -> None:
        trail.begin(RESOLVE, host)
        addresses = await self._resolver.routed(host)
        trail.end()
        refusals: list[NotOkError] = []
        for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
            trail.begin(CONNECT, str(address))
            trail.sent()
            try:
                async with asyncio.timeout((deadline - self._clock.monotonic()) / left):
                    sock = await connect(address, self._port)
            except TimeoutError:
                refusals.append(failed(TIMEOUT))
            except NotOkError as error:
                refusals.append(error)
            else:
                with sock:
                    trail.latency_us = handshake_us(sock)
                trail.end(took_us=trail.latency_us)
                return
            trail.end(f"{address}: {refusals[-1].reason}")
        # one address that could not be asked leaves it open whether the server answers there
        raise next((each for each in refusals if each.outcome is Outcome.UNKNOWN), refusals[-1])
