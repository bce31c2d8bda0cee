"""The first response to a ticket (5.4.3, 5.4.4, 8.1; docs/contract.md#first-response)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.sla.interval_set import IntervalSet
from monitor.sla.tickets import ResponseClock, Ticket, channel_available, response_limit, response_time
from tests.sla.sla_fixtures import HOUR, QUICK, at

NEVER = IntervalSet()
FRIDAY = at("2026-10-09T23:00:00+03:00")


def clock(opened: int, level: int, away: IntervalSet, responded: int | None = None) -> ResponseClock:
    one = Ticket(
        1, "acme-web-01", "ticket", level, opened, responded, None, imported=False, recorded_at=0, recorded_by="a"
    )
    return ResponseClock(one, opened, away)


def response_due(opened: int, level: int, away: IntervalSet) -> int:
    due = clock(opened, level, away).due
    assert due is not None
    return due


def missed(opened: int, responded: int, level: int, away: IntervalSet) -> bool:
    return clock(opened, level, away, responded).breached


@pytest.mark.parametrize(("level", "hours"), [(1, 24), (2, 8), (3, 4), (4, 1)])
def test_the_first_answer_is_due_by_the_level_at_all_hours_of_the_day(level: int, hours: int) -> None:
    due = FRIDAY + hours * HOUR
    assert response_due(FRIDAY, level, NEVER) == due
    assert not missed(FRIDAY, due, level, NEVER)
    assert missed(FRIDAY, due + 1, level, NEVER)


def test_time_in_which_the_ticket_area_was_away_does_not_count() -> None:
    away = IntervalSet([(FRIDAY - HOUR, FRIDAY + HOUR), (FRIDAY + 2 * HOUR, FRIDAY + 3 * HOUR)])
    assert response_time(FRIDAY, FRIDAY + 4 * HOUR, away) == 2 * HOUR
    assert response_due(FRIDAY, 3, away) == FRIDAY + 6 * HOUR


@pytest.mark.parametrize(
    ("away", "due"),
    [
        ((-2, -1), 4),
        ((-1, 0), 4),
        ((4, 9), 9),  # the limit is reached as it begins, and no more than the limit counts in it
        ((3, 9), 10),
        ((0, 9), 13),
        ((5, 9), 4),
    ],
)
def test_an_absence_moves_what_is_due_only_where_it_falls_into_the_time(away: tuple[int, int], due: int) -> None:
    absence = IntervalSet.of(*(FRIDAY + hours * HOUR for hours in away))
    assert response_due(FRIDAY, 3, absence) == FRIDAY + due * HOUR


@QUICK
@given(st.lists(st.tuples(st.integers(-5, 40), st.integers(-5, 40)), max_size=5), st.integers(1, 4), st.integers(0, 99))
def test_an_answer_is_missed_exactly_when_it_comes_after_it_is_due(
    absences: list[tuple[int, int]], level: int, took: int
) -> None:
    away = IntervalSet((start * HOUR, end * HOUR) for start, end in absences)
    due = response_due(0, level, away)
    assert not missed(0, due, level, away)
    for answered in (took * HOUR // 2, due, due + 1):
        assert missed(0, answered, level, away) == (answered > due)


@pytest.mark.parametrize(("level", "hours"), [(1, 24), (2, 8), (3, 4), (4, 1)])
def test_an_email_is_answered_as_soon_as_a_ticket_and_by_phone_hours_are_promised(level: int, hours: int) -> None:
    assert response_limit(level, "ticket") == response_limit(level, "email") == hours * HOUR
    assert response_limit(level, "phone") is None


@pytest.mark.parametrize(("level", "taken"), [(1, [False] * 4), (2, [False, True, True, False]), (4, [True] * 4)])
def test_a_call_is_taken_from_9_to_before_18_local_time_or_always_by_the_level(level: int, taken: list[bool]) -> None:
    times = ("08:59:59", "09:00", "17:59:59", "18:00")
    calls = [at(f"2026-10-11T{time}+03:00") for time in times]
    assert [channel_available(level, "phone", call, "Europe/Istanbul") for call in calls] == taken
    assert all(channel_available(level, "ticket", call, "Europe/Istanbul") for call in calls)
