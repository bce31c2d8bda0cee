"""The first response to a ticket (5.4.3, 5.4.4, 8.1; reading.md 8)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.contract.intervals import Intervals
from monitor.contract.tickets import missed, response_due, response_time
from tests.contract.worlds import HOUR, QUICK, at

NEVER = Intervals()
FRIDAY = at("2026-10-09T23:00:00+03:00")


@pytest.mark.parametrize(("level", "hours"), [(1, 24), (2, 8), (3, 4), (4, 1)])
def test_the_first_answer_is_due_by_the_level_at_all_hours_of_the_day(level: int, hours: int) -> None:
    due = FRIDAY + hours * HOUR
    assert response_due(FRIDAY, level, NEVER) == due
    assert not missed(FRIDAY, due, level, NEVER)
    assert missed(FRIDAY, due + 1, level, NEVER)


def test_time_in_which_the_ticket_area_was_away_does_not_count() -> None:
    away = Intervals([(FRIDAY - HOUR, FRIDAY + HOUR), (FRIDAY + 2 * HOUR, FRIDAY + 3 * HOUR)])
    assert response_time(FRIDAY, FRIDAY + 4 * HOUR, away) == 2 * HOUR
    assert response_due(FRIDAY, 3, away) == FRIDAY + 6 * HOUR


@pytest.mark.parametrize(
    ("away", "due"),
    [
        ((-2, -1), 4),
        ((-1, 0), 4),
        ((4, 9), 4),  # the limit is reached as it begins
        ((3, 9), 10),
        ((0, 9), 13),
        ((5, 9), 4),
    ],
)
def test_an_absence_moves_what_is_due_only_where_it_falls_into_the_time(away: tuple[int, int], due: int) -> None:
    absence = Intervals.of(*(FRIDAY + hours * HOUR for hours in away))
    assert response_due(FRIDAY, 3, absence) == FRIDAY + due * HOUR


@QUICK
@given(st.lists(st.tuples(st.integers(-5, 40), st.integers(-5, 40)), max_size=5), st.integers(1, 4), st.integers(0, 99))
def test_an_answer_is_missed_exactly_when_it_comes_after_it_is_due(
    absences: list[tuple[int, int]], level: int, took: int
) -> None:
    away = Intervals((start * HOUR, end * HOUR) for start, end in absences)
    due = response_due(0, level, away)
    assert not missed(0, due, level, away)
    answered = took * HOUR // 2
    if answered not in away and answered - 1 not in away:
        assert missed(0, answered, level, away) == (answered > due)
