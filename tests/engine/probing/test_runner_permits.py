"""Cycles of services wait for places: what cannot begin before its slot is over is a missed slot, never a silence."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from monitor.engine.live.telemetry import Telemetry
from monitor.engine.probing.concurrency import ConcurrencyLimiter
from monitor.engine.probing.connectivity import ConnectivityCheck
from monitor.engine.probing.runner import SLOT_MISSED, CheckRunner
from monitor.engine.probing.running_checks import ScheduledCheck
from monitor.engine.probing.scheduler import Scheduler, Slot
from monitor.engine.recorded_time import RecordedTime
from monitor.model import CheckKey
from monitor.probes.probe import RetryPolicy, Target
from tests.engine.probing.callback_probe import ScriptedCallbackProbe
from tests.engine.probing.runner_fakes import NotingRecorder, SilentListener
from tests.fakes import FAIL, OK, FakeClock, run_steps

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.model import Outcome, Result

INTERVAL = 10_000


class Scene:
    """Servers with one service each, paced; a canary answers, so failures are believed."""

    def __init__(self, most: int, takes: dict[str, float]) -> None:
        self.clock = FakeClock()
        self.recorder = NotingRecorder()
        self.telemetry = Telemetry()
        sight = ConnectivityCheck(self.clock, {"192.0.2.1": self._sees}, SilentListener())
        timescale = RecordedTime(self.clock, None)
        self.sweeper = CheckRunner(
            self.clock, timescale, sight, self.recorder, self.telemetry, ConcurrencyLimiter(most)
        )
        self.pacer = Scheduler(self.clock, INTERVAL, self.sweeper)
        self.probes = {name: ScriptedCallbackProbe(self.clock, takes=seconds) for name, seconds in takes.items()}
        self.watch(*takes)

    def watch(self, *names: str) -> None:
        turns = {
            name: (ScheduledCheck(CheckKey(name, "site"), "http", self.probes[name], Target(name), f"{name}:80"),)
            for name in names
        }
        run_steps(self.sweeper.configure(turns, RetryPolicy(8.0, 0, 0), INTERVAL))
        run_steps(self.pacer.set_servers_steps(turns, INTERVAL))

    async def _sees(self) -> Outcome:
        return OK

    def live(self, seconds: float, *, half_time: Callable[[], None] = lambda: None) -> None:
        async def story() -> None:
            pacing = asyncio.create_task(self.pacer.run())
            await asyncio.sleep(seconds / 2)
            half_time()
            await asyncio.sleep(seconds / 2)
            pacing.cancel()
            await asyncio.gather(pacing, return_exceptions=True)

        self.clock.run(story())

    def of(self, name: str) -> list[Result]:
        return [result for result in self.recorder.results if result.check.server == name]


def test_a_cycle_that_waits_begins_when_another_ends_and_its_waiting_is_lag() -> None:
    scene = Scene(1, {"a": 3.0, "b": 3.0})
    scene.live(40)
    assert {result.outcome for result in scene.recorder.results} == {OK}
    assert scene.telemetry.slots_missed == 0
    assert scene.telemetry.lag.total > 0 or abs(scene.of("a")[0].at - scene.of("b")[0].at) >= 3_000


def test_what_cannot_begin_before_its_slot_is_over_is_missed_counted_and_next() -> None:
    scene = Scene(1, {"a": 7.0, "b": 7.0, "c": 7.0})
    scene.live(300)
    missed = [result for result in scene.recorder.results if result.reason == SLOT_MISSED]
    assert len(missed) == scene.telemetry.slots_missed > 0
    began = {name: scene.probes[name].begun for name in "abc"}
    assert max(began.values()) - min(began.values()) <= 2, began
    for name in "abc":
        assert abs(len(scene.of(name)) - 30) <= 2
        times = [result.at for result in scene.of(name)]
        assert times == sorted(times)


def test_a_sweep_ends_only_when_those_that_wait_have_begun_or_missed_their_slot() -> None:
    scene = Scene(1, {"a": 7.0, "b": 7.0, "c": 7.0})
    scene.live(300)
    heard = scene.recorder.heard
    for sweep in range(1, 25):
        end = heard.index(f"end of {sweep}")
        assert not [said for said in heard[end + 1 :] if said.endswith(f" of {sweep}")]
        assert sum(said.endswith(f" of {sweep}") for said in heard[:end]) == 3


def test_a_server_that_leaves_while_it_waits_is_not_probed_and_its_sweep_ends() -> None:
    scene = Scene(1, {"a": 7.0, "b": 7.0, "c": 7.0})
    begun: dict[str, int] = {}

    def leave() -> None:
        begun.update({name: scene.probes[name].begun for name in "abc"})
        scene.watch("a")

    scene.live(120, half_time=leave)
    assert scene.probes["b"].begun == begun["b"]
    assert scene.probes["a"].begun - begun["a"] >= 5
    assert not scene.sweeper._admission_queue.checks
    last = max(int(said.split()[-1]) for said in scene.recorder.heard if said.startswith("end of"))
    assert last >= scene.pacer.sweep - 2


def test_stopping_waits_for_nobody_who_has_not_begun() -> None:
    scene = Scene(1, {"a": 3.0, "b": 3.0, "c": 3.0})
    for name in "abc":
        scene.probes[name]._script = [FAIL] * 9

    async def story() -> None:
        pacing = asyncio.create_task(scene.pacer.run())
        await asyncio.sleep(10)
        pacing.cancel()
        for name in "ab":
            scene.sweeper.start_checks(_slot(scene, name), 0)
        begun = sum(probe.begun for probe in scene.probes.values())
        await scene.sweeper.drain(30)
        assert sum(probe.begun for probe in scene.probes.values()) == begun

    scene.clock.run(story())
    assert len(scene.sweeper._running_checks) == 0


def _slot(scene: Scene, server: str) -> Slot:
    return Slot(server, scene.pacer.sweep, int(scene.clock.monotonic() * 1000))
