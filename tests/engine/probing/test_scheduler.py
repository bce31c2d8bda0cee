"""Slots under virtual time: where they lie, that none is doubled or forgotten, and when sweeps are over."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.engine.probing.scheduler import STEP_SIZE, TICK_MS, Scheduler, slot_offset
from tests.fakes import DAY, HOUR, MINUTE, SECOND, START, FakeClock, run_steps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from monitor.engine.probing.scheduler import Slot
    from monitor.model import Millis

SERVERS = tuple(f"web-{number:02d}" for number in range(7))


class NotingCrew:
    """Keeps what it is told, in the order in which it is told; may be made to hold up the loop."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.launched: list[tuple[Slot, Millis, Millis]] = []
        """Slot, by how much it was late, and the monotonic time at which it left."""
        self.lost: list[tuple[Slot, int]] = []
        self.over: list[int] = []
        self.heard: list[tuple[str, int]] = []
        """Every word, with its sweep."""
        self.before: Callable[[Slot], None] = lambda _: None

    def start_checks(self, slot: Slot, late: Millis) -> None:
        self.before(slot)
        self.launched.append((slot, late, int(self._clock.monotonic() * 1000)))
        self.heard.append(("launch", slot.sweep))

    def on_missed(self, slot: Slot, count: int) -> None:
        self.lost.append((slot, count))
        self.heard.append(("missed", slot.sweep))

    def on_sweep_end(self, sweep: int) -> None:
        self.over.append(sweep)
        self.heard.append(("over", sweep))

    def slots_of(self, server: str) -> list[Slot]:
        return [slot for slot, _, _ in self.launched if slot.server == server]

    def times_of(self, server: str) -> list[Millis]:
        return [slot.due for slot in self.slots_of(server)]


class Scene:
    """A pacer, its crew and the clock that both live by."""

    def __init__(self, *servers: str, interval: Millis = MINUTE, start: Millis = START, monotonic: float = 5.0) -> None:
        self.clock = FakeClock(start, monotonic)
        self.crew = NotingCrew(self.clock)
        self.servers = servers
        self.interval = interval
        self.pacer: Scheduler

    def run(self, *acts: tuple[float, Callable[[], object]], until: float) -> NotingCrew:
        """Pace for ``until`` seconds; each act happens so many seconds after the beginning."""

        async def story() -> None:
            self.pacer = Scheduler(self.clock, self.interval, self.crew)
            run_steps(self.pacer.set_servers_steps(self.servers, self.interval))
            task = asyncio.create_task(self.pacer.run())
            loop = asyncio.get_running_loop()
            begin = loop.time()
            for after, act in acts:
                loop.call_at(begin + after, act)
            await asyncio.sleep(until)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self.clock.run(story())
        return self.crew

    def stall(self, seconds: float) -> Callable[[], None]:
        """Hold up the loop: time passes and nobody else is served."""
        return lambda: self.clock.advance(seconds)


# --- where slots lie -------------------------------------------------------------------------------------------------


def test_a_server_is_probed_every_minute_for_three_days_without_any_drift() -> None:
    times = Scene("web-01").run(until=3 * 86_400).times_of("web-01")
    assert len(times) == 3 * 24 * 60
    assert {after - before for before, after in pairwise(times)} == {MINUTE}


def test_a_probe_leaves_never_before_its_slot_and_hardly_after() -> None:
    crew = Scene(*SERVERS).run(until=86_400)
    assert {late for _, late, _ in crew.launched} <= {0, 1}
    assert all(0 <= left - slot.due <= 1 for slot, _, left in crew.launched)


def test_slots_lie_at_the_servers_phase_of_the_wall_clocks_minute() -> None:
    scene = Scene(*SERVERS, start=START + 12_345)
    crew = scene.run(until=600)
    wall = scene.clock.now() - int(scene.clock.monotonic() * 1000)
    for slot, _, _ in crew.launched:
        assert (slot.due + wall) % MINUTE == slot_offset(slot.server, MINUTE)


def test_every_server_has_exactly_one_slot_in_each_sweep() -> None:
    crew = Scene(*SERVERS).run(until=3600)
    by_sweep: dict[int, list[str]] = defaultdict(list)
    for slot, _, _ in crew.launched:
        by_sweep[slot.sweep].append(slot.server)
    whole = [sweep for sweep in crew.over if sweep > 0]
    assert len(whole) >= 58
    assert all(sorted(by_sweep[sweep]) == sorted(SERVERS) for sweep in whole)


def test_a_phase_is_the_same_after_every_restart() -> None:
    assert slot_offset("web-01", MINUTE) == slot_offset("web-01", MINUTE)
    assert [slot_offset(name, MINUTE) for name in ("web-01", "web-02", "mail")] == [2_700, 600, 100]


@given(st.text(min_size=1, max_size=64), st.integers(1, DAY))
def test_a_phase_lies_within_the_interval(server: str, interval: int) -> None:
    assert 0 <= slot_offset(server, interval) < interval


def test_phases_of_many_servers_are_spread_evenly() -> None:
    counts = [0] * 60
    for number in range(6_000):
        counts[slot_offset(f"server-{number}", MINUTE) // SECOND] += 1
    assert min(counts) > 60
    assert max(counts) < 150


def test_a_phase_scales_with_the_interval() -> None:
    assert 0 <= slot_offset("web-01", 2 * MINUTE) - 2 * slot_offset("web-01", MINUTE) <= 2 * TICK_MS


def test_slots_lie_on_ticks_and_those_of_one_leave_together() -> None:
    servers = [f"server-{number}" for number in range(6_000)]
    crew = Scene(*servers, interval=10 * SECOND).run(until=30)
    left = {moment for _, _, moment in crew.launched}
    assert {slot_offset(name, 10 * SECOND) % TICK_MS for name in servers} == {0}
    assert len(left) <= 30 * SECOND // TICK_MS + 1
    assert max(late for _, late, _ in crew.launched) <= 1


# --- the wall clock --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [HOUR, -HOUR, 20 * SECOND, -20 * SECOND, 400 * DAY])
def test_a_step_of_the_wall_clock_neither_stops_nor_doubles_a_slot(step: int) -> None:
    scene = Scene("web-01", "web-02")
    crew = scene.run((1000.0, lambda: scene.clock.step(step)), until=7200)
    for server in ("web-01", "web-02"):
        times = crew.times_of(server)
        assert len(times) == 120
        assert {after - before for before, after in pairwise(times)} == {MINUTE}
    assert crew.lost == []


# --- a loop that is held up ------------------------------------------------------------------------------------------


def test_a_loop_that_stalls_for_less_than_an_interval_misses_no_slot() -> None:
    scene = Scene("web-01")
    crew = scene.run((600.0, scene.stall(59)), until=1800)
    assert crew.lost == []
    assert len(crew.times_of("web-01")) == 30


def test_slots_that_pass_while_the_loop_stalls_are_counted_and_not_caught_up_with() -> None:
    scene = Scene("web-01")
    crew = scene.run((600.0, scene.stall(300)), until=1800)
    assert sum(count for _, count in crew.lost) + len(crew.launched) == 30
    assert sum(count for _, count in crew.lost) == 4
    assert len({slot.sweep for slot, _, _ in crew.launched}) == len(crew.launched)


def test_after_a_stall_those_that_have_been_due_for_longest_leave_first() -> None:
    scene = Scene(*(f"s{n}" for n in range(200)))
    crew = scene.run((600.0, scene.stall(50)), until=1800)
    dues = [slot.due for slot, _, _ in crew.launched]
    assert dues == sorted(dues)
    assert max(late for _, late, _ in crew.launched) > 40_000


def test_the_first_missed_slot_is_the_one_that_is_named() -> None:
    scene = Scene("web-01")
    crew = scene.run((600.0, scene.stall(300)), until=1800)
    [(slot, count)] = crew.lost
    before = max(each for each in crew.times_of("web-01") if each < slot.due)
    after = min(each for each in crew.times_of("web-01") if each > slot.due)
    assert slot.due - before == MINUTE
    assert after - slot.due == count * MINUTE


def test_after_a_stall_slots_are_where_they_would_have_been() -> None:
    scene = Scene("web-01")
    times = scene.run((600.0, scene.stall(250.123)), until=1800).times_of("web-01")
    assert {time % MINUTE for time in times} == {times[0] % MINUTE}


def test_a_late_slot_says_by_how_much() -> None:
    scene = Scene("web-01")
    crew = scene.run((600.0, scene.stall(45)), until=1800)
    assert max(late for _, late, _ in crew.launched) == max(left - slot.due for slot, _, left in crew.launched)
    assert all(late == left - slot.due for slot, late, left in crew.launched)


def test_a_pacer_that_is_held_up_says_so() -> None:
    scene = Scene("web-01")
    seen: list[Millis] = []

    def stall() -> None:
        seen.append(scene.pacer.lag)
        scene.clock.advance(90)
        seen.append(scene.pacer.lag)

    scene.run((600.0, stall), until=700)
    assert seen[0] == 0
    assert seen[1] >= 30 * SECOND


def test_a_pacer_with_nothing_overdue_is_not_behind() -> None:
    scene = Scene()
    scene.run(until=1)
    assert scene.pacer.lag == 0


# --- sweeps ----------------------------------------------------------------------------------------------------------


def test_every_sweep_is_over_once_and_in_order() -> None:
    assert Scene(*SERVERS).run(until=6000.1).over == list(range(100))


def test_sweeps_end_also_where_nothing_is_watched() -> None:
    assert Scene().run(until=600.1).over == list(range(10))


def test_a_sweep_is_over_at_a_whole_minute_of_the_wall_clock() -> None:
    scene = Scene(start=START + 42_000)
    crew = scene.run(until=17)
    assert crew.over == []
    scene = Scene(start=START + 42_000)
    crew = scene.run(until=18.1)
    assert crew.over == [0]


def assert_sound(crew: NotingCrew) -> None:
    """Whatever happened: sweeps end once, in order, and nothing of a sweep comes after its end."""
    assert crew.over == list(range(len(crew.over)))
    ended: set[int] = set()
    for word, sweep in crew.heard:
        if word == "over":
            ended.add(sweep)
        else:
            assert sweep not in ended, f"{word} of sweep {sweep} after its end"


def test_nothing_of_a_sweep_comes_after_its_end() -> None:
    assert_sound(Scene(*SERVERS).run(until=3600))


@pytest.mark.parametrize("seconds", [20, 59, 61, 130, 300, 3600])
@pytest.mark.parametrize("when", [600.0, 610.0, 625.0, 659.0])
def test_nothing_of_a_sweep_comes_after_its_end_when_the_loop_stalls(seconds: int, when: float) -> None:
    scene = Scene(*SERVERS)
    assert_sound(scene.run((when, scene.stall(seconds)), until=7200))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3_000), st.floats(0.01, 400)), max_size=6),
    st.sets(st.text("abcdef", min_size=1, max_size=3), max_size=6),
    st.sampled_from([10 * SECOND, MINUTE, 5 * MINUTE]),
)
def test_however_the_loop_stalls_every_slot_is_probed_or_missed(
    stalls: list[tuple[int, float]], servers: set[str], interval: int
) -> None:
    scene = Scene(*servers, interval=interval)
    crew = scene.run(*((float(when), scene.stall(seconds)) for when, seconds in stalls), until=6_000)
    assert_sound(crew)
    for server in servers:
        grid = [slot.due for slot in crew.slots_of(server)]
        for slot, count in crew.lost:
            if slot.server == server:
                grid += [slot.due + number * interval for number in range(count)]
        grid.sort()
        assert grid == list(range(grid[0], grid[0] + len(grid) * interval, interval))


# --- a changed configuration -----------------------------------------------------------------------------------------


def test_servers_that_stay_keep_their_slots_through_a_reload() -> None:
    scene = Scene("web-01", "web-02")
    acts = [
        (600.5 + 7 * number, lambda: run_steps(scene.pacer.set_servers_steps(("web-01", "web-03"), MINUTE)))
        for number in range(20)
    ]
    crew = scene.run(*acts, until=3600)
    times = crew.times_of("web-01")
    assert len(times) == 60
    assert {after - before for before, after in pairwise(times)} == {MINUTE}
    assert_sound(crew)


def test_a_server_that_leaves_is_not_probed_any_more() -> None:
    scene = Scene("web-01", "web-02")
    crew = scene.run((600.0, lambda: run_steps(scene.pacer.set_servers_steps(("web-01",), MINUTE))), until=1200)
    assert len(crew.times_of("web-02")) == 10
    assert len(crew.times_of("web-01")) == 20


def test_a_server_that_comes_is_probed_within_the_next_interval() -> None:
    scene = Scene("web-01")
    crew = scene.run(
        (600.0, lambda: run_steps(scene.pacer.set_servers_steps(("web-01", "web-09"), MINUTE))), until=1200
    )
    times = crew.times_of("web-09")
    assert 605 * SECOND <= times[0] < 665 * SECOND
    assert len(times) == 10
    assert_sound(crew)


def test_a_server_that_leaves_and_returns_has_its_old_phase() -> None:
    scene = Scene("web-01", "web-02")
    crew = scene.run(
        (600.0, lambda: run_steps(scene.pacer.set_servers_steps(("web-01",), MINUTE))),
        (900.0, lambda: run_steps(scene.pacer.set_servers_steps(("web-01", "web-02"), MINUTE))),
        until=1200,
    )
    assert len({time % MINUTE for time in crew.times_of("web-02")}) == 1
    assert_sound(crew)


def test_a_server_that_leaves_and_returns_before_its_slot_is_probed_once_in_it() -> None:
    scene = Scene("web-01", "web-02")
    acts = [
        (600.0, lambda: run_steps(scene.pacer.set_servers_steps(("web-01",), MINUTE))),
        (600.1, lambda: run_steps(scene.pacer.set_servers_steps(("web-01", "web-02"), MINUTE))),
    ]
    crew = scene.run(*acts, until=1200)
    times = crew.times_of("web-02")
    assert {after - before for before, after in pairwise(times)} == {MINUTE}
    assert_sound(crew)


def test_a_configuration_applied_in_steps_misses_no_slot_and_doubles_none() -> None:
    staying, coming, leaving = (
        [f"{name}-{number}" for number in range(2 * STEP_SIZE)] for name in ("stay", "come", "go")
    )
    scene = Scene(*staying, *leaving)
    steps: list[Iterator[None]] = []

    def step() -> None:
        if not steps:
            steps.append(scene.pacer.set_servers_steps([*staying, *coming], MINUTE))
        next(steps[0], None)

    crew = scene.run(*((600.0 + 29 * number, step) for number in range(10)), until=1500)
    assert_sound(crew)
    for server in staying:
        assert {after - before for before, after in pairwise(crew.times_of(server))} == {MINUTE}
    for server in coming:
        times = crew.times_of(server)
        assert {after - before for before, after in pairwise(times)} == {MINUTE}
        assert len(times) >= 10
    assert not [server for server in leaving if max(crew.times_of(server)) > 700 * SECOND]


def test_a_server_that_is_added_to_none_wakes_the_pacer() -> None:
    scene = Scene()
    crew = scene.run((30.0, lambda: run_steps(scene.pacer.set_servers_steps(("web-01",), MINUTE))), until=150)
    assert len(crew.times_of("web-01")) == 2


@pytest.mark.parametrize("interval", [30 * SECOND, 2 * MINUTE, 5 * MINUTE])
@pytest.mark.parametrize("when", [600.0, 631.0, 659.0])
def test_a_changed_interval_holds_at_once_and_no_sweep_is_forgotten(interval: int, when: float) -> None:
    scene = Scene(*SERVERS)
    crew = scene.run((when, lambda: run_steps(scene.pacer.set_servers_steps(SERVERS, interval))), until=7200)
    assert_sound(crew)
    changed = int((5 + when) * 1000)
    for server in SERVERS:
        times = crew.times_of(server)
        later = [time for time in times if time > changed]
        assert {after - before for before, after in pairwise(later)} == {interval}
        assert later[0] - changed <= interval


def test_a_changed_interval_leaves_no_gap_that_the_longer_one_would_not_have() -> None:
    for interval in (30 * SECOND, 2 * MINUTE):
        scene = Scene(*SERVERS)
        crew = scene.run((631.0, lambda: run_steps(scene.pacer.set_servers_steps(SERVERS, interval))), until=7200)  # noqa: B023 - run at once
        for server in SERVERS:
            gaps = [after - before for before, after in pairwise(crew.times_of(server))]
            assert max(gaps) <= MINUTE + interval


def test_sweeps_go_on_counting_through_a_changed_interval() -> None:
    scene = Scene("web-01")
    seen: list[int] = []

    def change() -> None:
        seen.append(scene.pacer.sweep)
        run_steps(scene.pacer.set_servers_steps(("web-01",), 30 * SECOND))
        seen.append(scene.pacer.sweep)

    crew = scene.run((610.0, change), until=1200)
    assert seen == [10, 11]
    assert_sound(crew)
    assert crew.over[-1] >= 10 + 18
