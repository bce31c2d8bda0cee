"""The time that is written down, while the wall clock is stepped about."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.engine.recorded_time import RecordedTime
from tests.fakes import DAY, HOUR, MINUTE, SECOND, START, FakeClock


def begun(newest: int | None = None) -> tuple[FakeClock, RecordedTime]:
    clock = FakeClock(START)
    return clock, RecordedTime(clock, newest)


def test_it_begins_at_the_wall_clocks_time() -> None:
    clock, scale = begun()
    assert scale.now() == clock.now() == START


def test_it_advances_with_the_monotonic_clock() -> None:
    clock, scale = begun()
    clock.advance(12.345)
    assert scale.now() == START + 12_345


def test_a_reading_of_the_past_is_given_its_own_time() -> None:
    clock, scale = begun()
    sent = clock.monotonic()
    clock.advance(15)
    assert scale.from_monotonic(sent) == START
    assert scale.from_monotonic(clock.monotonic()) == scale.now()


class HeldUpClock(FakeClock):
    """The process stands still right after its next ``times`` looks at the wall clock."""

    times = 0

    def now(self) -> int:
        wall = super().now()
        if self.times > 0:
            self.times -= 1
            self.advance(3)
        return wall


def test_a_process_that_is_held_up_between_the_two_clocks_sees_no_step() -> None:
    clock = HeldUpClock(START)
    clock.times = 1
    scale = RecordedTime(clock, None)
    assert scale.now() == clock.now()
    for times in (1, 2, 4):
        clock.times = times
        assert scale.follow_wall_clock(MINUTE) == 0
        assert scale.now() == clock.now()


def test_clocks_that_are_never_read_close_together_are_accepted_in_the_end() -> None:
    clock = HeldUpClock(START)
    clock.times = 1_000
    scale = RecordedTime(clock, None)
    assert abs(scale.now() - START) < MINUTE


def test_a_step_is_not_followed_before_it_is_looked_for() -> None:
    clock, scale = begun()
    clock.step(HOUR)
    assert scale.now() == START


def test_a_step_forward_is_followed_and_told_once() -> None:
    clock, scale = begun()
    clock.step(HOUR)
    assert scale.follow_wall_clock(MINUTE) == HOUR
    assert scale.now() == clock.now()
    assert scale.follow_wall_clock(MINUTE) == 0


@pytest.mark.parametrize("step", [-1, -999, -29_999])
def test_a_step_backward_by_less_than_half_an_interval_is_followed(step: int) -> None:
    clock, scale = begun()
    clock.advance(100)
    clock.step(step)
    scale.follow_wall_clock(MINUTE)
    assert scale.now() == clock.now()


@pytest.mark.parametrize("step", [-30_000, -HOUR, -400 * DAY])
def test_after_a_greater_step_backward_the_old_scale_goes_on(step: int) -> None:
    clock, scale = begun()
    clock.advance(100)
    before = scale.now()
    clock.step(step)
    assert scale.follow_wall_clock(MINUTE) == step
    clock.advance(60)
    assert scale.now() == before + MINUTE


def test_a_great_step_backward_is_told_once() -> None:
    clock, scale = begun()
    clock.step(-HOUR)
    assert [scale.follow_wall_clock(MINUTE) for _ in range(5)] == [-HOUR, 0, 0, 0, 0]


def test_when_the_wall_clock_is_stepped_back_to_where_it_was_it_is_followed_again() -> None:
    clock, scale = begun()
    clock.step(-HOUR)
    scale.follow_wall_clock(MINUTE)
    clock.advance(600)
    clock.step(HOUR + 5)
    assert scale.follow_wall_clock(MINUTE) == HOUR + 5
    assert scale.now() == clock.now()


def test_an_ordinary_correction_of_the_clock_is_followed_and_not_told() -> None:
    clock, scale = begun()
    for drift in (3, -4, 999, -999):
        clock.step(drift)
        assert scale.follow_wall_clock(MINUTE) == 0
        assert scale.now() == clock.now()


def test_corrections_that_add_up_are_never_told() -> None:
    clock, scale = begun()
    told = []
    for _ in range(5_000):
        clock.advance(1)
        clock.step(1)
        told.append(scale.follow_wall_clock(MINUTE))
    assert set(told) == {0}
    assert scale.now() == clock.now()


def test_what_counts_as_a_small_step_hangs_on_the_interval() -> None:
    clock, scale = begun()
    clock.step(-20 * SECOND)
    scale.follow_wall_clock(10 * SECOND)
    assert scale.now() == START
    scale.follow_wall_clock(MINUTE)
    assert scale.now() == START - 20 * SECOND


def test_a_restart_behind_the_newest_result_begins_just_after_it() -> None:
    _, scale = begun(newest=START + HOUR)
    assert scale.now() == START + HOUR + 1


def test_a_restart_behind_the_newest_result_stays_after_it() -> None:
    clock, scale = begun(newest=START + HOUR)
    for _ in range(10):
        clock.advance(1)
        assert scale.follow_wall_clock(MINUTE) == 0
    assert scale.now() == START + HOUR + 1 + 10 * SECOND


def test_a_restart_at_the_very_millisecond_of_the_newest_result_begins_after_it() -> None:
    _, scale = begun(newest=START)
    assert scale.now() == START + 1


@pytest.mark.parametrize("newest", [None, 0, START - 1])
def test_a_restart_after_the_newest_result_begins_at_the_wall_clocks_time(newest: int | None) -> None:
    _, scale = begun(newest=newest)
    assert scale.now() == START


STEPS = st.lists(
    st.sampled_from([0, 0, 0, 1, -1, 500, -2_000, -29_999, -30_000, 45_000, HOUR, -HOUR, -2 * DAY, 3 * DAY])
)


@given(STEPS, st.integers(0, 59))
def test_with_at_most_one_step_in_an_interval_no_check_is_ever_given_a_time_twice(steps: list[int], when: int) -> None:
    clock, scale = begun()
    times = [scale.now()]
    for step in steps:
        for second in range(60):
            if second == when:
                clock.step(step)
            clock.advance(1)
            scale.follow_wall_clock(MINUTE)
        times.append(scale.now())
    assert all(later > earlier for earlier, later in pairwise(times))


@given(STEPS)
def test_it_never_falls_behind_the_wall_clock(steps: list[int]) -> None:
    clock, scale = begun()
    for step in steps:
        clock.step(step)
        clock.advance(1)
        scale.follow_wall_clock(MINUTE)
        assert scale.now() >= clock.now()


@given(STEPS)
def test_every_notable_step_is_told_with_its_length(steps: list[int]) -> None:
    clock, scale = begun()
    told = []
    for step in steps:
        clock.step(step)
        clock.advance(1)
        told.append(scale.follow_wall_clock(MINUTE))
    assert told == [step if abs(step) >= SECOND else 0 for step in steps]
