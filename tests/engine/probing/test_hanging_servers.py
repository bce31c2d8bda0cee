"""Two thousand checks in virtual time, five hundred of which get no answer: the others are probed in every sweep."""

from __future__ import annotations

import asyncio
from collections import Counter

from monitor.engine.live.telemetry import Telemetry
from monitor.engine.probing.concurrency import ConcurrencyLimiter
from monitor.engine.probing.connectivity import ConnectivityCheck
from monitor.engine.probing.runner import SLOT_MISSED, CheckRunner
from monitor.engine.probing.running_checks import ScheduledCheck
from monitor.engine.probing.scheduler import Scheduler
from monitor.engine.recorded_time import RecordedTime
from monitor.model import CheckKey, Outcome, Result
from monitor.probes.probe import Attempt, RetryPolicy, Target
from tests.engine.probing.runner_fakes import SilentListener
from tests.fakes import FakeClock, run_steps

ANSWERING = 1_500
HANGING = 500
INTERVAL = 4_000
TIMEOUT = 2.5
PERMITS = 250
"""Fewer than the hanging checks need: without a limit 312 of them are under way at any moment."""
SWEEPS = 5


class SweepRecorder:
    """Keeps results with the sweep they belong to."""

    def __init__(self) -> None:
        self.results: list[tuple[int, Result]] = []
        self.ended: set[int] = set()

    def submit(self, sweep: int, result: Result) -> None:
        self.results.append((sweep, result))

    def end_sweep(self, sweep: int) -> None:
        self.ended.add(sweep)

    def outcomes(self, prefix: str, sweeps: range) -> Counter[tuple[Outcome, str]]:
        """Count outcomes and reasons of the servers whose names begin with ``prefix`` in some sweeps."""
        return Counter(
            (result.outcome, result.reason)
            for sweep, result in self.results
            if sweep in sweeps and result.check.server.startswith(prefix)
        )


class StandInProbe:
    """Answers within 20 ms, or only runs into its timeout."""

    def __init__(self, clock: FakeClock, *, answers: bool) -> None:
        self._clock = clock
        self._answers = answers

    async def attempt(self, _target: Target, timeout: float) -> Attempt:  # noqa: ASYNC109 - the interface of a probe
        at = self._clock.monotonic()
        await asyncio.sleep(0.02 if self._answers else timeout)
        if self._answers:
            return Attempt(Outcome.OK, at, 20_000, "")
        return Attempt(Outcome.FAIL, at, None, "timeout")


async def _answering_canary() -> Outcome:
    return Outcome.OK


async def _run_sweeps(clock: FakeClock, recorder: SweepRecorder, telemetry: Telemetry) -> int:
    """Probe for some sweeps; returns the number of the first whole one."""
    names = [f"up-{number}" for number in range(ANSWERING)] + [f"hangs-{number}" for number in range(HANGING)]
    checks = {
        name: (
            ScheduledCheck(
                CheckKey(name, "site"), "http", StandInProbe(clock, answers="up" in name), Target(name), f"{name}:80"
            ),
        )
        for name in names
    }
    connectivity = ConnectivityCheck(clock, {"192.0.2.1": _answering_canary}, SilentListener())
    limiter = ConcurrencyLimiter(PERMITS)
    runner = CheckRunner(clock, RecordedTime(clock, None), connectivity, recorder, telemetry, limiter)
    run_steps(runner.configure(checks, RetryPolicy(TIMEOUT, 0, 0), INTERVAL))
    scheduler = Scheduler(clock, INTERVAL, runner)
    run_steps(scheduler.set_servers_steps(checks, INTERVAL))
    first = scheduler.sweep + 1
    running = asyncio.create_task(scheduler.run())
    await asyncio.sleep((SWEEPS + 1) * INTERVAL / 1000)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await runner.drain(2 * TIMEOUT)
    return first


def test_five_hundred_servers_that_hang_hold_back_none_of_the_others() -> None:
    clock, recorder, telemetry = FakeClock(), SweepRecorder(), Telemetry()
    first = clock.run(_run_sweeps(clock, recorder, telemetry))
    # in the first sweep nobody knows yet which ones hang; in the last one some still wait
    whole = range(first + 1, first + SWEEPS - 1)
    assert recorder.outcomes("up", whole) == {(Outcome.OK, ""): ANSWERING * len(whole)}
    hanging = recorder.outcomes("hangs", whole)
    assert hanging.total() == HANGING * len(whole)
    assert hanging.keys() == {(Outcome.FAIL, "timeout"), (Outcome.UNKNOWN, SLOT_MISSED)}
    assert telemetry.slots_missed == sum(result.reason == SLOT_MISSED for _, result in recorder.results)
    assert set(whole) <= recorder.ended
