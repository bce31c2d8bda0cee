"""First attempts without a task: what is ok costs a callback, the rest goes on as ever, results keep their order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from monitor.engine.live.telemetry import Telemetry
from monitor.engine.probing.connectivity import ConnectivityCheck
from monitor.engine.probing.runner import NO_CONNECTIVITY, SLOT_MISSED, CheckRunner
from monitor.engine.probing.running_checks import ScheduledCheck
from monitor.engine.probing.scheduler import Slot
from monitor.engine.recorded_time import RecordedTime
from monitor.model import CheckKey
from monitor.probes.judgement import InvertedProbe
from monitor.probes.probe import RetryPolicy, Target
from tests.engine.probing.callback_probe import ScriptedCallbackProbe
from tests.engine.probing.runner_fakes import NotingRecorder, SilentListener
from tests.fakes import FAIL, OK, UNKNOWN, FakeClock, run_steps

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.model import Millis, Outcome

KEY = CheckKey("web-01", "ping")


class Scene:
    """One server with a swift probe; canaries answer as told."""

    def __init__(self, *script: Outcome, takes: float = 0.1, retries: int = 2, sees: Outcome = OK) -> None:
        self.clock = FakeClock()
        self.recorder = NotingRecorder()
        self.probe = ScriptedCallbackProbe(self.clock, *script, takes=takes)
        self.looks = 0
        self._sees = sees
        sight = ConnectivityCheck(self.clock, {"192.0.2.1": self._look}, SilentListener())
        self.sweeper = CheckRunner(self.clock, RecordedTime(self.clock, None), sight, self.recorder, Telemetry())
        turn = ScheduledCheck(KEY, "icmp", self.probe, Target("192.0.2.7"))
        run_steps(self.sweeper.configure({KEY.server: (turn,)}, RetryPolicy(1.0, retries, 0.5), 60_000))

    async def _look(self) -> Outcome:
        self.looks += 1
        return self._sees

    @property
    def monotonic(self) -> Millis:
        return int(self.clock.monotonic() * 1000)

    def launch(self, sweep: int) -> None:
        self.sweeper.start_checks(Slot(KEY.server, sweep, self.monotonic), 0)

    def run(self, *acts: tuple[float, Callable[[], object]], until: float = 60.0) -> list[str]:
        async def story() -> None:
            loop = asyncio.get_running_loop()
            begin = loop.time()
            for after, act in acts:
                loop.call_at(begin + after, act)
            await asyncio.sleep(until)

        self.clock.run(story())
        return self.recorder.heard

    def over(self, sweep: int) -> Callable[[], None]:
        return lambda: self.sweeper.on_sweep_end(sweep)


def launching(scene: Scene, sweep: int) -> Callable[[], None]:
    return lambda: scene.launch(sweep)


@pytest.mark.parametrize("takes", [0.0, 0.1])
def test_what_is_ok_at_once_is_never_awaited(takes: float) -> None:
    scene = Scene(takes=takes)
    heard = scene.run(*((sweep, launching(scene, sweep)) for sweep in range(3)), (0.5, scene.over(0)))
    assert heard == ["ok of 0", "end of 0", "ok of 1", "ok of 2"]
    assert (scene.probe.begun, scene.probe.awaited, scene.looks) == (3, 0, 0)
    assert scene.recorder.results[0].latency == 400
    assert len(scene.sweeper._running_checks) == 0


def test_a_sweep_ends_with_its_last_flight() -> None:
    scene = Scene(takes=3.0)
    assert scene.run((0, launching(scene, 0)), (1, scene.over(0))) == ["ok of 0", "end of 0"]


def test_what_is_not_ok_is_retried_and_counts_every_attempt() -> None:
    scene = Scene(FAIL, UNKNOWN, OK)
    scene.run((0, launching(scene, 0)), (0.05, scene.over(0)))
    assert scene.recorder.heard == ["ok of 0", "end of 0"]
    assert (scene.probe.begun, scene.probe.awaited) == (1, 2)
    [result] = scene.recorder.results
    assert result.attempts == 3
    assert result.at == scene.clock.now() - 60_000


def test_a_failure_needs_a_canary_that_answers() -> None:
    for sees, outcome, reason in ((OK, FAIL, "timeout"), (FAIL, UNKNOWN, NO_CONNECTIVITY)):
        scene = Scene(FAIL, FAIL, FAIL, sees=sees)
        scene.run((0, launching(scene, 0)))
        assert [(each.outcome, each.reason) for each in scene.recorder.results] == [(outcome, reason)]


def test_those_who_fail_at_once_share_a_look_at_the_canaries() -> None:
    scene = Scene(*[FAIL] * 50, retries=0, takes=0.0)
    turns = {
        f"web-{n}": (ScheduledCheck(CheckKey(f"web-{n}", "ping"), "icmp", scene.probe, Target("")),) for n in range(50)
    }
    run_steps(scene.sweeper.configure(turns, RetryPolicy(1.0, 0, 0), 60_000))
    scene.run(*((0, lambda name=name: scene.sweeper.start_checks(Slot(name, 0, 0), 0)) for name in turns))
    assert len(scene.recorder.results) == 50
    assert scene.looks <= 3


def test_a_slot_that_comes_while_the_one_before_is_in_flight_waits_for_it() -> None:
    scene = Scene(FAIL, OK, FAIL, FAIL, OK, takes=2.0)
    heard = scene.run(
        (0, launching(scene, 0)),
        (1, launching(scene, 1)),
        (1.5, lambda: scene.sweeper.on_missed(Slot(KEY.server, 2, scene.monotonic), 1)),
    )
    assert [name.split()[-1] for name in heard] == ["0", "1", "2"]
    assert [each.at for each in scene.recorder.results] == sorted(each.at for each in scene.recorder.results)
    assert scene.recorder.results[2].reason == SLOT_MISSED
    assert len(scene.sweeper._running_checks) == 0


def test_a_host_that_must_be_looked_up_is_probed_in_a_task() -> None:
    scene = Scene()
    scene.probe.refuses = True
    assert scene.run((0, launching(scene, 0))) == ["ok of 0"]
    assert (scene.probe.begun, scene.probe.awaited) == (0, 1)


@pytest.mark.parametrize("as_callback", [True, False])
def test_a_check_with_a_policy_of_its_own_is_tried_by_that_one(as_callback: bool) -> None:  # noqa: FBT001
    scene = Scene(FAIL, FAIL, FAIL, FAIL, FAIL, retries=0)
    scene.probe.refuses = not as_callback
    own = ScheduledCheck(KEY, "icmp", scene.probe, Target("192.0.2.7"), retry_policy=RetryPolicy(7.0, 3, 2.0))
    run_steps(scene.sweeper.configure({KEY.server: (own,)}, RetryPolicy(1.0, 0, 0.5), 60_000))
    scene.run((0, launching(scene, 0)))
    assert [each.attempts for each in scene.recorder.results] == [4]
    assert set(scene.probe.timeouts) == {7.0}


@pytest.mark.parametrize(
    ("said", "sees", "outcome", "reason"),
    [
        (FAIL, OK, OK, ""),
        (FAIL, FAIL, UNKNOWN, NO_CONNECTIVITY),
        (OK, OK, FAIL, "answers"),
        (OK, FAIL, FAIL, "answers"),
    ],
)
def test_an_inverted_check_is_ok_only_if_a_canary_answers(
    said: Outcome, sees: Outcome, outcome: Outcome, reason: str
) -> None:
    scene = Scene(said, retries=0, sees=sees)
    check = ScheduledCheck(KEY, "icmp", InvertedProbe(scene.probe), Target("192.0.2.7"), inverted=True)
    run_steps(scene.sweeper.configure({KEY.server: (check,)}, RetryPolicy(1.0, 0, 0.5), 60_000))
    scene.run((0, launching(scene, 0)))
    [result] = scene.recorder.results
    assert (result.outcome, result.reason, result.latency) == (outcome, reason, None)


@pytest.mark.logs_errors
def test_a_fault_in_a_swift_probe_leaves_the_slow_road(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()
    scene.probe.breaks = True
    assert scene.run((0, launching(scene, 0)), (1, scene.over(0))) == ["ok of 0", "end of 0"]
    assert "ScriptedCallbackProbe" in caplog.text


@pytest.mark.parametrize(("patience", "heard"), [(5.0, ["ok of 0"]), (0.5, [])])
def test_what_is_in_flight_is_awaited_at_the_end_and_then_dropped(patience: float, heard: list[str]) -> None:
    scene = Scene(takes=1.0)

    async def story() -> None:
        scene.launch(0)
        await scene.sweeper.drain(patience)
        await asyncio.sleep(10)

    scene.clock.run(story())
    assert scene.recorder.heard == heard
    assert len(scene.sweeper._running_checks) == 0
