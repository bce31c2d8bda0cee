"""Results, how long they hold, and the runs that they make (docs/contract.md#from-results-to-time)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model import Outcome, Run, Span
from monitor.sla.interval_set import IntervalSet
from monitor.sla.timeline import Bound, History, Timeline, combine, extend_run, runs_of, timeline_of, up_throughout
from tests.sla.sla_fixtures import DAY, FAIL, MINUTE, OK, PING, UNKNOWN, history_from, history_of, outages_of, result

HOLD = 2 * MINUTE
FAR = 10**15


def runs(*results: tuple[int, Outcome], hold: int = HOLD) -> tuple[Run, ...]:
    return runs_of((result(PING, when, outcome) for when, outcome in results), hold)


def up_and_down(*results: tuple[int, Outcome], end: int = DAY, now: int = FAR) -> tuple[list[Span], list[Span]]:
    timeline = timeline_of(history_of(PING, list(results), HOLD), Span(0, end), Bound.COUNTED, now)
    return list(timeline.up), list(timeline.down)


def test_a_result_holds_at_most_two_intervals() -> None:
    assert up_and_down((0, OK)) == ([Span(0, 2 * MINUTE)], [])


def test_a_result_holds_to_the_next_result() -> None:
    assert up_and_down((0, OK), (MINUTE, FAIL), (2 * MINUTE, UNKNOWN)) == (
        [Span(0, MINUTE)],
        [Span(MINUTE, 2 * MINUTE)],
    )


def test_unknown_cuts_what_was_known_before_it() -> None:
    assert up_and_down((0, OK), (1, UNKNOWN)) == ([Span(0, 1)], [])


def test_a_result_exactly_when_its_predecessor_s_hold_ends_continues_the_run() -> None:
    assert runs((0, OK), (HOLD, OK)) == (Run(0, HOLD, OK, HOLD),)


def test_a_result_a_millisecond_later_begins_a_new_run() -> None:
    assert runs((0, OK), (HOLD + 1, OK)) == (Run(0, 0, OK, HOLD), Run(HOLD + 1, HOLD + 1, OK, HOLD))
    assert up_and_down((0, OK), (HOLD + 1, OK))[0] == [Span(0, HOLD), Span(HOLD + 1, 2 * HOLD + 1)]


def test_another_outcome_begins_a_new_run() -> None:
    assert [run.outcome for run in runs((0, OK), (1, FAIL), (2, FAIL), (3, UNKNOWN))] == [OK, FAIL, UNKNOWN]


def test_another_interval_begins_a_new_run_and_each_result_holds_as_it_was_measured() -> None:
    first = extend_run(None, result(PING, 0, OK), HOLD)
    second = extend_run(first, result(PING, MINUTE, OK), 10 * MINUTE)
    assert (first, second) == (Run(0, 0, OK, HOLD), Run(MINUTE, MINUTE, OK, 10 * MINUTE))
    timeline = timeline_of(History((first, second)), Span(0, DAY), Bound.COUNTED, FAR)
    assert list(timeline.up) == [Span(0, 11 * MINUTE)]


def test_results_may_be_given_in_any_order() -> None:
    assert runs((MINUTE, OK), (0, OK), (2 * MINUTE, FAIL)) == runs((0, OK), (MINUTE, OK), (2 * MINUTE, FAIL))


@pytest.mark.parametrize("when", [0, MINUTE, 2 * MINUTE])
def test_a_result_that_does_not_follow_the_run_is_refused(when: int) -> None:
    with pytest.raises(ValueError, match="does not follow"):
        extend_run(Run(0, 2 * MINUTE, OK, HOLD), result(PING, when, OK), HOLD)


def test_two_results_of_one_moment_are_refused() -> None:
    with pytest.raises(ValueError, match="does not follow"):
        runs((0, OK), (0, FAIL))


def test_nothing_holds_past_now() -> None:
    assert up_and_down((0, OK), (MINUTE, OK), now=MINUTE + 30) == ([Span(0, MINUTE + 30)], [])


def test_a_window_after_now_is_empty() -> None:
    history = history_of(PING, [(0, FAIL)], HOLD)
    for reading in Bound:
        assert timeline_of(history, Span(DAY, 2 * DAY), reading, now=MINUTE) == Timeline(IntervalSet(), IntervalSet())


def test_what_began_before_the_window_holds_into_it() -> None:
    history = history_of(PING, [(0, OK), (MINUTE, OK)], HOLD)
    assert list(timeline_of(history, Span(MINUTE + 5, DAY), Bound.COUNTED, FAR).up) == [Span(MINUTE + 5, 3 * MINUTE)]


def test_a_run_that_was_cut_before_the_window_does_not_reach_into_it() -> None:
    history = history_of(PING, [(0, OK), (MINUTE, UNKNOWN)], HOLD)
    assert not timeline_of(history, Span(MINUTE, DAY), Bound.COUNTED, FAR).up


def test_without_a_record_all_is_unknown() -> None:
    for reading in Bound:
        assert timeline_of(History(), Span(0, DAY), reading, FAR) == Timeline(IntervalSet(), IntervalSet())


# --- the three readings of an outage (4.5) ---------------------------------------------------------------------------

STORY = [(0, OK), (MINUTE, FAIL), (2 * MINUTE, FAIL), (3 * MINUTE, OK), (4 * MINUTE, OK)]

FIVE_MINUTES = Span(0, 5 * MINUTE)


def down(reading: Bound, *results: tuple[int, Outcome], window: Span = FIVE_MINUTES) -> list[Span]:
    return list(timeline_of(history_of(PING, list(results), HOLD), window, reading, FAR).down)


def test_counted_is_the_time_that_fails_hold() -> None:
    assert down(Bound.COUNTED, *STORY) == [Span(MINUTE, 3 * MINUTE)]


def test_lowest_reaches_from_the_last_ok_to_the_first_ok() -> None:
    assert down(Bound.LOWEST, *STORY) == [Span(0, 3 * MINUTE)]


def test_highest_ends_at_the_last_fail() -> None:
    assert down(Bound.HIGHEST, *STORY) == [Span(MINUTE, 2 * MINUTE)]
    up = timeline_of(history_of(PING, STORY, HOLD), Span(0, 5 * MINUTE), Bound.HIGHEST, FAR).up
    assert list(up) == [Span(0, MINUTE), Span(2 * MINUTE, 5 * MINUTE)]


def test_lowest_without_an_ok_before_begins_at_the_first_fail() -> None:
    assert down(Bound.LOWEST, *STORY[1:]) == [Span(MINUTE, 3 * MINUTE)]


def test_lowest_without_an_ok_after_reaches_the_end_of_the_window() -> None:
    assert down(Bound.LOWEST, *STORY[:3], window=Span(0, DAY)) == [Span(0, DAY)]


def test_lowest_without_an_ok_after_reaches_now() -> None:
    history = history_of(PING, STORY[:3], HOLD)
    assert list(timeline_of(history, Span(0, DAY), Bound.LOWEST, 10 * MINUTE).down) == [Span(0, 10 * MINUTE)]


def test_unknown_inside_an_outage_neither_ends_it_nor_counts() -> None:
    story = [(0, OK), (MINUTE, FAIL), (2 * MINUTE, UNKNOWN), (3 * MINUTE, FAIL), (4 * MINUTE, OK)]
    assert len(history_of(PING, story, HOLD).outages) == 1
    assert down(Bound.COUNTED, *story) == [Span(MINUTE, 2 * MINUTE), Span(3 * MINUTE, 4 * MINUTE)]
    assert down(Bound.LOWEST, *story) == [Span(0, 4 * MINUTE)]
    assert down(Bound.HIGHEST, *story) == [Span(MINUTE, 2 * MINUTE)]


def test_a_gap_inside_an_outage_neither_ends_it_nor_counts() -> None:
    story = [(0, OK), (MINUTE, FAIL), (10 * MINUTE, FAIL), (11 * MINUTE, OK)]
    window = Span(0, DAY)
    assert len(history_of(PING, story, HOLD).outages) == 1
    assert down(Bound.COUNTED, *story, window=window) == [Span(MINUTE, 3 * MINUTE), Span(10 * MINUTE, 11 * MINUTE)]
    assert down(Bound.LOWEST, *story, window=window) == [Span(0, 11 * MINUTE)]
    assert down(Bound.HIGHEST, *story, window=window) == [Span(MINUTE, 3 * MINUTE)]


def test_the_last_fail_is_the_outage_s_last_also_when_it_lies_after_the_window() -> None:
    window = Span(0, 2 * MINUTE)  # holds the first of the two fails alone
    assert down(Bound.HIGHEST, *STORY, window=window) == [Span(MINUTE, 2 * MINUTE)]


def test_the_last_fail_before_the_window_proves_nothing_inside_it() -> None:
    window = Span(2 * MINUTE + 1, 5 * MINUTE)
    assert down(Bound.COUNTED, *STORY, window=window) == [Span(2 * MINUTE + 1, 3 * MINUTE)]
    assert down(Bound.HIGHEST, *STORY, window=window) == []


def test_an_outage_without_a_result_in_the_window_is_down_in_the_lowest_bound_only() -> None:
    story = [(0, OK), (MINUTE, FAIL), (DAY, OK)]
    window = Span(DAY // 2, DAY // 2 + MINUTE)
    assert down(Bound.LOWEST, *story, window=window) == [window]
    assert down(Bound.COUNTED, *story, window=window) == []


def test_two_outages_keep_their_own_bounds() -> None:
    story = [(0, OK), (1, FAIL), (2, OK), (3, OK), (4, FAIL), (5, OK)]
    assert down(Bound.LOWEST, *story) == [Span(0, 2), Span(3, 5)]
    assert down(Bound.HIGHEST, *story) == []


# --- several checks (4.6) --------------------------------------------------------------------------------------------

STATES = {"up": Timeline(IntervalSet.of(0, 1), IntervalSet()), "down": Timeline(IntervalSet(), IntervalSet.of(0, 1))}
STATES["unknown"] = Timeline(IntervalSet(), IntervalSet())


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ("up", "up", "up"),
        ("up", "down", "down"),
        ("up", "unknown", "unknown"),
        ("down", "down", "down"),
        ("down", "unknown", "down"),
        ("unknown", "unknown", "unknown"),
    ],
)
def test_several_checks_are_down_if_any_is_else_unknown_if_any_is_else_up(one: str, other: str, both: str) -> None:
    assert combine([STATES[one], STATES[other]]) == STATES[both]
    assert combine([STATES[other], STATES[one]]) == STATES[both]
    assert combine([STATES["up"], STATES[other], STATES[one]]) == STATES[both]


def test_one_check_is_itself_and_none_is_unknown() -> None:
    assert combine([STATES["down"]]) == STATES["down"]
    assert combine([]) == STATES["unknown"]


def test_a_check_that_is_excused_is_left_out() -> None:
    excused = IntervalSet.of(0, 1)
    assert combine([STATES["down"], STATES["up"]], [excused, IntervalSet()]) == STATES["up"]
    assert combine([STATES["down"], STATES["unknown"]], [excused, IntervalSet()]) == STATES["unknown"]
    assert combine([STATES["down"], STATES["up"]], [IntervalSet(), excused]) == STATES["down"]


def test_outages_are_found_over_the_whole_record() -> None:
    found = outages_of(PING, runs((0, FAIL), (1, OK), (2, FAIL), (3, UNKNOWN), (4, FAIL)))
    assert [(one.start, one.last_fail, one.end, one.last_ok) for one in found] == [(0, 0, 1, None), (2, 4, None, 1)]


def test_one_run_of_ok_that_covers_a_span_was_up_throughout() -> None:
    history = history_from(0, (OK, 60))
    assert up_throughout(history, Span(0, 61 * MINUTE))
    assert not up_throughout(history, Span(0, 61 * MINUTE + 1))
    assert not up_throughout(history, Span(-1, MINUTE))
    assert not up_throughout(history_from(0, (OK, 60), (UNKNOWN, 1)), Span(0, 61 * MINUTE))
    assert not up_throughout(history_from(0, (UNKNOWN, 60)), Span(0, MINUTE))
    assert not up_throughout(History(), Span(0, MINUTE))


@given(
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from([OK, OK, OK, FAIL, UNKNOWN])), unique_by=lambda one: one[0]),
    st.integers(0, 40),
    st.integers(1, 20),
)
def test_what_was_up_throughout_is_up_in_every_reading(
    results: list[tuple[int, Outcome]], start: int, length: int
) -> None:
    history, span = history_of(PING, results, 30), Span(start, start + length)
    if up_throughout(history, span):
        for reading in Bound:
            assert timeline_of(history, span, reading, FAR) == Timeline(IntervalSet([span]), IntervalSet())
