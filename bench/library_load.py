"""One piece of work at a pace, by our code or by a library: ``python -m bench.library_load NAME RATE SECONDS``.

Prints how often the work was done and what that took, as JSON. The names are those of ``WORK``.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import aiohttp
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from icmplib import async_ping

from bench.daemon_process import WEBSITE_PORT
from bench.loopback import addresses
from monitor.clock import SystemClock
from monitor.engine.probing.scheduler import TICK_MS, Scheduler
from monitor.model import Outcome
from monitor.probes.check_types import CHECK_TYPES
from monitor.probes.icmp import batch_io
from monitor.probes.icmp.pinger import Pinger
from monitor.probes.net.resolver import parse_ip
from monitor.probes.probe import CallbackProbe, Target
from monitor.probes.resources import open_resources

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
    from contextlib import AbstractAsyncContextManager
    from typing import Any, TypeAlias

    from monitor.engine.probing.scheduler import Slot
    from monitor.model import Millis
    from monitor.probes.probe import Attempt

    OnDone: TypeAlias = Callable[[bool], None]
    """Is called once for each piece of work, with whether it went well."""
    Begin: TypeAlias = Callable[[str, OnDone], None]
    """Begins the work for one address."""

TARGETS: Final = 2_000
TIMEOUT: Final = 2.0
SETTLE_SECONDS: Final = 0.5
"""Seconds after the run in which its last answers come."""


class Tasks:
    """Tasks that are under way."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, bool], on_done: OnDone) -> None:
        """Run one."""

        async def run() -> None:
            on_done(await work)

        task = asyncio.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


@asynccontextmanager
async def own_pings() -> AsyncIterator[Begin]:
    """Ping by our pinger."""
    pinger = Pinger(SystemClock())
    pinger.warm_up()
    targets = {address: parse_ip(address) for address in addresses(TARGETS)}

    def begin(address: str, on_done: OnDone) -> None:
        target = targets[address]
        assert target is not None
        pinger.ping(target, TIMEOUT, lambda attempt: on_done(attempt.outcome is Outcome.OK))

    yield begin
    pinger.close()


@asynccontextmanager
async def own_pings_one_by_one() -> AsyncIterator[Begin]:
    """Ping by our pinger, as it works where the C library has no sendmmsg and recvmmsg."""
    batch_io._SENDMMSG = batch_io._RECVMMSG = None  # noqa: SLF001 - what is measured is what these save
    async with own_pings() as begin:
        yield begin


@asynccontextmanager
async def icmplib_pings() -> AsyncIterator[Begin]:
    """Ping by icmplib, a task and a socket for each ping."""
    tasks = Tasks()

    async def ping(address: str) -> bool:
        host = await async_ping(address, count=1, timeout=TIMEOUT)
        return bool(host.is_alive)

    yield lambda address, on_done: tasks.start(ping(address), on_done)


@asynccontextmanager
async def own_pages() -> AsyncIterator[Begin]:
    """Ask for pages by our client."""
    check_type = CHECK_TYPES["http"]
    async with open_resources(SystemClock()) as resources:
        probes = {}
        for address in addresses(TARGETS):
            settings = check_type.settings(url=f"http://{address}:{WEBSITE_PORT}/")
            probes[address] = check_type.build(settings, resources)

        def begin(address: str, on_done: OnDone) -> None:
            def landed(attempt: Attempt) -> None:
                on_done(attempt.outcome is Outcome.OK)

            probe = probes[address]
            assert isinstance(probe, CallbackProbe)
            probe.start(Target(address), TIMEOUT, landed)

        yield begin


@asynccontextmanager
async def aiohttp_pages() -> AsyncIterator[Begin]:
    """Ask for pages by aiohttp's client: a connection for each, as a check needs it."""
    tasks = Tasks()
    connector = aiohttp.TCPConnector(force_close=True, limit=0)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:

        async def ask(address: str) -> bool:
            try:
                async with session.get(f"http://{address}:{WEBSITE_PORT}/") as response:
                    return bool(await response.read()) and response.status == HTTPStatus.OK
            except (aiohttp.ClientError, TimeoutError):
                return False

        yield lambda address, on_done: tasks.start(ask(address), on_done)


async def run_paced(context: AbstractAsyncContextManager[Begin], rate: int, seconds: float) -> dict[str, float]:
    """Begin the work in batches of a tick, as the scheduler does."""
    targets, good = addresses(TARGETS), 0

    def on_done(well: bool) -> None:  # noqa: FBT001 - a callback
        nonlocal good
        good += well

    async with context as begin:
        await asyncio.sleep(SETTLE_SECONDS)
        begun, start, cpu = 0, time.monotonic(), time.process_time()
        while (passed := time.monotonic() - start) < seconds:
            for number in range(begun, int(passed * rate)):
                begin(targets[number % TARGETS], on_done)
            begun = int(passed * rate)
            await asyncio.sleep(TICK_MS / 1000)
        await asyncio.sleep(SETTLE_SECONDS)
        cpu = time.process_time() - cpu
    return {"done": begun, "good": good, "cpu": cpu}


class CountingRunner:
    """Counts what is started."""

    def __init__(self) -> None:
        self.started = 0

    def start_checks(self, _slot: Slot, _late: Millis) -> None:
        """Count one."""
        self.started += 1

    def on_missed(self, _slot: Slot, count: int) -> None:
        """Ignore missed slots."""

    def on_sweep_end(self, _sweep: int) -> None:
        """Ignore the ends of sweeps."""


async def own_schedule(rate: int, seconds: float) -> dict[str, float]:
    """Start checks by our scheduler, each once a second."""
    runner, interval = CountingRunner(), 1_000
    scheduler = Scheduler(SystemClock(), interval, runner)
    for _ in scheduler.set_servers_steps(addresses(rate), interval):
        pass
    cpu = time.process_time()
    running = asyncio.create_task(scheduler.run())
    await asyncio.sleep(seconds)
    cpu = time.process_time() - cpu
    running.cancel()
    return {"done": runner.started, "good": runner.started, "cpu": cpu}


async def apscheduler_jobs(rate: int, seconds: float) -> dict[str, float]:
    """Start checks by APScheduler, one job a check, each once a second."""
    started = 0

    async def check() -> None:
        nonlocal started
        started += 1

    scheduler = AsyncIOScheduler()
    for _ in range(rate):
        scheduler.add_job(check, "interval", seconds=1)
    scheduler.start()
    before, cpu = started, time.process_time()
    await asyncio.sleep(seconds)
    cpu = time.process_time() - cpu
    done = started - before
    scheduler.shutdown(wait=False)
    return {"done": done, "good": done, "cpu": cpu}


WORK: Final[Mapping[str, Callable[[int, float], Coroutine[Any, Any, dict[str, float]]]]] = {
    "pings": lambda *pace: run_paced(own_pings(), *pace),
    "pings-one-by-one": lambda *pace: run_paced(own_pings_one_by_one(), *pace),
    "pings-icmplib": lambda *pace: run_paced(icmplib_pings(), *pace),
    "pages": lambda *pace: run_paced(own_pages(), *pace),
    "pages-aiohttp": lambda *pace: run_paced(aiohttp_pages(), *pace),
    "schedule": own_schedule,
    "schedule-apscheduler": apscheduler_jobs,
}


if __name__ == "__main__":
    name, rate, seconds = sys.argv[1:]
    sys.stdout.write(json.dumps(asyncio.run(partial(WORK[name], int(rate), float(seconds))())))
