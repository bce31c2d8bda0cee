"""Two thousand web servers on loopback, five hundred of which take connections and say nothing."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from typing import TYPE_CHECKING, cast

import pytest

from monitor.clock import SystemClock
from monitor.engine.live.telemetry import Telemetry
from monitor.engine.probing.concurrency import ConcurrencyLimiter
from monitor.engine.probing.connectivity import ConnectivityCheck
from monitor.engine.probing.runner import SLOT_MISSED, CheckRunner
from monitor.engine.probing.running_checks import ScheduledCheck
from monitor.engine.probing.scheduler import Scheduler
from monitor.engine.recorded_time import RecordedTime
from monitor.engine.reload import endpoint_of
from monitor.model import CheckKey, Outcome
from monitor.probes.check_types import CHECK_TYPES
from monitor.probes.probe import RetryPolicy, Target
from monitor.probes.resources import open_resources
from tests.fakes import run_steps

if TYPE_CHECKING:
    from monitor.engine.recorder import Recorder
    from monitor.model import Millis, Result

pytestmark = pytest.mark.integration

WELL = 1_500
HANGING = 500
INTERVAL = 4_000
TIMEOUT = 2.5
PLACES = 250
"""Fewer than the hanging ones take: all at once 312 of them are under way at any moment."""
SWEEPS = 5


class Keeper:
    """Keeps results with the sweep they belong to."""

    def __init__(self) -> None:
        self.results: list[tuple[int, Result]] = []
        self.ended: list[int] = []

    def submit(self, sweep: int, result: Result) -> None:
        self.results.append((sweep, result))

    def end_sweep(self, sweep: int) -> None:
        self.ended.append(sweep)


class Witness:
    """Hears of canaries."""

    def on_canary_result(self, address: str, outcome: Outcome) -> None: ...

    def on_connectivity_change(self, *, offline: bool) -> None: ...


class Page(asyncio.Protocol):
    """Answers whatever is asked, and hangs up."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, _data: bytes) -> None:
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        self._transport.close()


async def _ok() -> Outcome:
    return Outcome.OK


def _addresses(count: int, net: int) -> list[str]:
    return [f"127.{net}.{number // 250}.{number % 250 + 1}" for number in range(count)]


async def _watch(well_port: int, hanging_port: int, keeper: Keeper, telemetry: Telemetry) -> Millis:
    """Probe for some sweeps; gives the number of the first whole one."""
    clock = SystemClock()
    async with open_resources(clock) as instruments:
        kind = CHECK_TYPES["http"]
        turns = {}
        for port, addresses in ((well_port, _addresses(WELL, 10)), (hanging_port, _addresses(HANGING, 11))):
            for address in addresses:
                settings = kind.settings(url=f"http://{address}:{port}/")
                probe = kind.build(settings, instruments)
                key = CheckKey(address, "site")
                turns[address] = (
                    ScheduledCheck(key, "http", probe, Target(address), endpoint_of(kind, settings, address)),
                )
        sight = ConnectivityCheck(clock, {"127.0.0.1": _ok}, Witness())
        recorder = cast("Recorder", keeper)
        sweeper = CheckRunner(clock, RecordedTime(clock, None), sight, recorder, telemetry, ConcurrencyLimiter(PLACES))
        run_steps(sweeper.configure(turns, RetryPolicy(TIMEOUT, 0, 0), INTERVAL))
        pacer = Scheduler(clock, INTERVAL, sweeper)
        run_steps(pacer.set_servers_steps(turns, INTERVAL))
        first = pacer.sweep + 1
        pacing = asyncio.create_task(pacer.run())
        await asyncio.sleep((SWEEPS + 1) * INTERVAL / 1000)  # what is tested is that time passes
        pacing.cancel()
        await asyncio.gather(pacing, return_exceptions=True)
        await sweeper.drain(2 * TIMEOUT)
        return first


async def test_five_hundred_servers_that_hang_hold_back_none_of_the_others() -> None:
    keeper, telemetry = Keeper(), Telemetry()
    with socket.create_server(("", 0), backlog=4096) as silent:
        server = await asyncio.get_running_loop().create_server(Page, "", 0, backlog=4096, family=socket.AF_INET)
        async with server:
            ports = (server.sockets[0].getsockname()[1], silent.getsockname()[1])
            first = await _watch(*ports, keeper, telemetry)
    # in the first sweep nobody knows yet who hangs; in the last one some still wait
    whole = range(first + 1, first + SWEEPS - 1)
    later = [(sweep, result) for sweep, result in keeper.results if sweep in whole]
    well = Counter(result.outcome for _, result in later if result.check.server.startswith("127.10."))
    hanging = Counter(
        (result.outcome, result.reason) for _, result in later if result.check.server.startswith("127.11.")
    )
    assert well == {Outcome.OK: WELL * len(whole)}
    assert hanging.total() == HANGING * len(whole)
    assert hanging.keys() == {(Outcome.FAIL, "timeout"), (Outcome.UNKNOWN, SLOT_MISSED)}
    assert telemetry.slots_missed == sum(result.reason == SLOT_MISSED for _, result in keeper.results)
    assert set(whole) <= set(keeper.ended)
