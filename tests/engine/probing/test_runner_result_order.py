"""Results of one check come in the order of their times, however long a cycle takes: none is ever refused for that."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from monitor.engine.live.telemetry import Telemetry
from monitor.engine.probing.connectivity import ConnectivityCheck
from monitor.engine.probing.runner import SLOT_MISSED, CheckRunner
from monitor.engine.probing.running_checks import ScheduledCheck
from monitor.engine.probing.scheduler import Slot
from monitor.engine.recorded_time import RecordedTime
from monitor.model import CheckKey
from monitor.probes.probe import RetryPolicy, Target
from tests.engine.probing.runner_fakes import NotingRecorder, SilentListener
from tests.fakes import FAIL, OK, UNKNOWN, FakeClock, ScriptedProbe, run_steps

if TYPE_CHECKING:
    from monitor.model import Millis, Outcome

KEY = CheckKey("web-01", "ping")


class Scene:
    """One server that fails at first and then does not; its failures are confirmed by a canary that takes its time."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.recorder = NotingRecorder()
        began = self.clock.now()
        probe = ScriptedProbe(self.clock, lambda at: FAIL if at < began + 500 else OK)
        timescale = RecordedTime(self.clock, None)
        sight = ConnectivityCheck(self.clock, {"192.0.2.1": self._slowly}, SilentListener())
        self.sweeper = CheckRunner(self.clock, timescale, sight, self.recorder, Telemetry())
        turn = ScheduledCheck(KEY, "icmp", probe, Target("192.0.2.7"))
        run_steps(self.sweeper.configure({KEY.server: (turn,)}, RetryPolicy(0.1, 0, 0), 1_000))

    async def _slowly(self) -> Outcome:
        await asyncio.sleep(5)
        return OK

    @property
    def monotonic(self) -> Millis:
        return int(self.clock.monotonic() * 1000)

    def launch(self, sweep: int) -> None:
        self.sweeper.start_checks(Slot(KEY.server, sweep, self.monotonic), 0)


def test_a_result_waits_for_that_of_the_cycle_before_it() -> None:
    scene = Scene()

    async def story() -> None:
        scene.launch(1)
        await asyncio.sleep(1)
        scene.sweeper.on_sweep_end(1)
        scene.launch(2)
        await asyncio.sleep(30)
        scene.sweeper.on_sweep_end(2)

    scene.clock.run(story())
    assert scene.recorder.heard == ["fail of 1", "end of 1", "ok of 2", "end of 2"]
    assert [each.at for each in scene.recorder.results] == sorted(each.at for each in scene.recorder.results)


def test_a_missed_slot_waits_for_the_cycle_before_it_too() -> None:
    scene = Scene()

    async def story() -> None:
        scene.launch(1)
        await asyncio.sleep(3)
        scene.sweeper.on_missed(Slot(KEY.server, 2, scene.monotonic - 2_000), 2)
        scene.launch(4)
        await asyncio.sleep(30)

    scene.clock.run(story())
    assert [each.outcome for each in scene.recorder.results] == [FAIL, UNKNOWN, OK]
    assert scene.recorder.results[1].reason == SLOT_MISSED
    assert [each.at for each in scene.recorder.results] == sorted(each.at for each in scene.recorder.results)


def test_a_missed_slot_is_written_at_once_where_nothing_is_under_way() -> None:
    scene = Scene()

    async def story() -> None:
        scene.sweeper.on_missed(Slot(KEY.server, 2, scene.monotonic), 1)

    scene.clock.run(story())
    assert scene.recorder.heard == ["unknown of 2"]
