"""Service checks at a pace from a process that does nothing else: it reads what to check, and says what that took.

``python -m bench.checking KIND PORT LOOP RATE SECONDS``; KIND is ``http``, ``https`` or ``tcp``, LOOP is ``asyncio`` or
``uvloop``. The attempts begin as the sweep begins them: without a task where the probe can do that.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

from bench.loopback import addresses
from monitor.clock import SystemClock
from monitor.engine.schedule import BATCH
from monitor.model import Outcome
from monitor.probes.instruments import open_instruments
from monitor.probes.probe import Swift, Target
from monitor.probes.table import CHECK_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from monitor.probes.instruments import Instruments
    from monitor.probes.probe import Attempt, Probe

    Begin: TypeAlias = Callable[[Target, float, Callable[[Attempt], None]], bool]

TARGETS = 2_000
TIMEOUT = 5.0
PATIENCE = 2.0


def probes(kind: str, port: int, instruments: Instruments) -> list[tuple[Probe, Begin | None, Target]]:
    """Make the probes of so many servers."""
    check_type = CHECK_TYPES[kind]
    made: list[tuple[Probe, Begin | None, Target]] = []
    for address in addresses(TARGETS):
        keys: dict[str, Any] = {"port": port} if kind == "tcp" else {"url": f"{kind}://{address}:{port}/"}
        if kind == "https":
            keys["verify_certificate"] = False
        probe = check_type.build(check_type.settings(**keys), instruments)
        made.append((probe, probe.begin if isinstance(probe, Swift) else None, Target(address)))
    return made


async def pace(kind: str, port: int, rate: int, seconds: float) -> dict[str, float]:
    """Begin attempts in batches of a tick, as the schedule does."""
    outcomes = dict.fromkeys(Outcome, 0)
    tasks: set[asyncio.Task[None]] = set()

    def landed(attempt: Attempt) -> None:
        outcomes[attempt.outcome] += 1

    async def attempt(probe: Probe, target: Target) -> None:
        landed(await probe.attempt(target, TIMEOUT))

    async with open_instruments(SystemClock()) as instruments:
        targets = probes(kind, port, instruments)
        begun, start, cpu = 0, time.monotonic(), time.process_time()
        while (passed := time.monotonic() - start) < seconds:
            for number in range(begun, int(passed * rate)):
                probe, begin, target = targets[number % TARGETS]
                if begin is None or not begin(target, TIMEOUT, landed):
                    task = asyncio.create_task(attempt(probe, target))
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
            begun = int(passed * rate)
            await asyncio.sleep(BATCH / 1000)
        cpu = time.process_time() - cpu
        await asyncio.sleep(PATIENCE)
    return {"checks": begun, "answered": outcomes[Outcome.OK], "cpu": cpu}


def main(kind: str, port: str, loop: str, rate: str, seconds: str) -> None:
    """Measure, and say it as JSON."""
    factory = import_module(loop).new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        sys.stdout.write(json.dumps(runner.run(pace(kind, int(port), int(rate), float(seconds)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
