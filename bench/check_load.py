"""Checks at a pace from a process that does nothing else: it reads what to check, and says what that took.

``python -m bench.check_load`` reads a ``CheckLoad`` as JSON on standard input, and writes a list of what its runs took.
The checks begin as the sweep begins them: without a task where the probe can do that, by a cycle otherwise.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.loopback import addresses
from monitor.clock import SystemClock
from monitor.engine.probing.scheduler import TICK_MS
from monitor.model import Outcome
from monitor.probes.check_types import CHECK_TYPES
from monitor.probes.probe import CallbackProbe, RetryPolicy, Target, run_check
from monitor.probes.resources import open_resources

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from monitor.probes.probe import Attempt, Probe
    from monitor.probes.resources import ProbeResources

    Begin: TypeAlias = Callable[[Target, float, Callable[[Attempt], None]], bool]

TARGETS = 2_000
RETRY_POLICY = RetryPolicy(timeout=5.0, retries=0)
ANSWER_WAIT = 0.3
"""Seconds to wait for the last answers of a run."""


@dataclass(frozen=True, slots=True)
class CheckLoad:
    """The checks to run and their rate."""

    type: str
    keys: dict[str, Any]
    """The keys of the check; ``ADDRESS`` in a text is replaced by the server's address."""
    rate: int
    """Checks a second."""
    seconds: float
    loop: str = "uvloop"
    runs: int = 1


@dataclass(frozen=True, slots=True)
class CheckCost:
    """The cost of a run."""

    checks: int
    answered: int
    cpu: float
    """Seconds of processor time."""

    @property
    def microseconds(self) -> float:
        """Return the cost of one check."""
        return 1e6 * self.cpu / max(1, self.checks)


def measure_checks(load: CheckLoad) -> list[CheckCost]:
    """Run the checks in another process."""
    command = [sys.executable, "-m", "bench.check_load"]
    task = json.dumps(asdict(load), default=str)
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, input=task)  # noqa: S603 - our own program
    return [CheckCost(**each) for each in json.loads(done.stdout)]


def _probes(load: CheckLoad, resources: ProbeResources) -> list[tuple[Probe, Begin | None, Target]]:
    """Return the probes of all servers."""
    kind = CHECK_TYPES[load.type]
    made: list[tuple[Probe, Begin | None, Target]] = []
    for address in addresses(TARGETS):
        keys = {name: _fill_in(name, value, address) for name, value in load.keys.items()}
        probe = kind.build(kind.settings(**keys), resources)
        made.append((probe, probe.start if isinstance(probe, CallbackProbe) else None, Target(address)))
    return made


def _fill_in(name: str, value: Any, address: str) -> Any:
    if isinstance(value, list):
        return tuple(value)
    if name.endswith("_file"):
        return Path(value)
    return value.replace("ADDRESS", address) if isinstance(value, str) else value


async def _run_paced(load: CheckLoad) -> list[CheckCost]:
    """Start checks in batches of a tick, as the scheduler does."""
    tasks: set[asyncio.Task[None]] = set()
    clock, found = SystemClock(), []
    outcomes = dict.fromkeys(Outcome, 0)

    def on_finished(attempt: Attempt) -> None:
        outcomes[attempt.outcome] += 1

    async def whole(probe: Probe, target: Target) -> None:
        on_finished((await run_check(probe, target, RETRY_POLICY, clock)).attempts[-1])

    async with open_resources(clock) as resources:
        targets = _probes(load, resources)
        await asyncio.sleep(ANSWER_WAIT)
        for _ in range(load.runs):
            before = outcomes[Outcome.OK]
            begun, start, cpu = 0, time.monotonic(), time.process_time()
            while (passed := time.monotonic() - start) < load.seconds:
                for number in range(begun, int(passed * load.rate)):
                    probe, begin, target = targets[number % TARGETS]
                    if begin is None or not begin(target, RETRY_POLICY.timeout, on_finished):
                        task = asyncio.create_task(whole(probe, target))
                        tasks.add(task)
                        task.add_done_callback(tasks.discard)
                begun = int(passed * load.rate)
                await asyncio.sleep(TICK_MS / 1000)
            await asyncio.sleep(ANSWER_WAIT)
            cpu = time.process_time() - cpu
            found.append(CheckCost(begun, outcomes[Outcome.OK] - before, cpu))
    return found


def main(load: CheckLoad) -> None:
    """Measure, and print the costs as JSON."""
    factory = import_module(load.loop).new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        sys.stdout.write(json.dumps([asdict(each) for each in runner.run(_run_paced(load))]))


if __name__ == "__main__":
    main(CheckLoad(**json.load(sys.stdin)))
