"""Claims and answers (6.2, 6.3): business days in Turkey, the day of the problem is day 0."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.sla.calendar import (
    answer_deadline,
    claim_deadline,
    date_of,
    end_of_business_day,
    is_business_day,
    midnight,
)
from tests.sla.holidays_of_2026 import HOLIDAYS_2026
from tests.sla.sla_fixtures import DAY, QUICK, at

ISTANBUL = "Europe/Istanbul"


def days_of(year: int) -> list[dt.date]:
    first = dt.date(year, 1, 1)
    return [day for day in (first + dt.timedelta(days=n) for n in range(366)) if day.year == year]


def test_the_business_days_of_2026_are_weekdays_without_the_public_holidays() -> None:
    holidays = {dt.date.fromisoformat(day) for day in HOLIDAYS_2026}
    expected = [day for day in days_of(2026) if day.isoweekday() <= 5 and day not in holidays]
    assert [day for day in days_of(2026) if is_business_day(day)] == expected
    assert len(expected) == 261 - 10  # four of the holidays are at a weekend


@pytest.mark.parametrize("day", HOLIDAYS_2026)
def test_a_public_holiday_is_no_business_day(day: str) -> None:
    assert not is_business_day(dt.date.fromisoformat(day))


@pytest.mark.parametrize("day", ["2026-03-19", "2026-05-26", "2026-10-28"])
def test_a_half_day_holiday_is_a_business_day(day: str) -> None:
    assert is_business_day(dt.date.fromisoformat(day))


@pytest.mark.parametrize(("day", "open_"), [("2024-04-10", False), ("2025-04-01", False), ("2025-04-02", True)])
def test_religious_holidays_move_with_the_years(day: str, *, open_: bool) -> None:
    assert is_business_day(dt.date.fromisoformat(day)) is open_


@pytest.mark.parametrize(
    ("start", "deadline"),
    [
        # an ordinary week: Monday, then the end of Wednesday
        ("2026-10-05T10:15:00+03:00", "2026-10-08T00:00:00+03:00"),
        ("2026-10-05T00:00:00+03:00", "2026-10-08T00:00:00+03:00"),
        ("2026-10-05T23:59:59+03:00", "2026-10-08T00:00:00+03:00"),
        ("2026-10-06T00:00:00+03:00", "2026-10-09T00:00:00+03:00"),
        # the day of the problem is day 0 on a weekend too
        ("2026-10-08T12:00:00+03:00", "2026-10-13T00:00:00+03:00"),
        ("2026-10-09T12:00:00+03:00", "2026-10-14T00:00:00+03:00"),
        ("2026-10-10T12:00:00+03:00", "2026-10-14T00:00:00+03:00"),
        ("2026-10-11T12:00:00+03:00", "2026-10-14T00:00:00+03:00"),
        # the eve of Kurban Bayramı: Tuesday the 26th is a half-day and counts, then nothing until Monday
        ("2026-05-22T12:00:00+03:00", "2026-05-27T00:00:00+03:00"),
        ("2026-05-25T12:00:00+03:00", "2026-06-02T00:00:00+03:00"),
        ("2026-05-26T12:00:00+03:00", "2026-06-03T00:00:00+03:00"),
        ("2026-05-28T12:00:00+03:00", "2026-06-03T00:00:00+03:00"),
        # Ramazan Bayramı: Thursday the 19th is a half-day, Friday the 20th a holiday
        ("2026-03-17T12:00:00+03:00", "2026-03-20T00:00:00+03:00"),
        ("2026-03-18T12:00:00+03:00", "2026-03-24T00:00:00+03:00"),
        ("2026-03-19T12:00:00+03:00", "2026-03-25T00:00:00+03:00"),
        # single holidays
        ("2025-12-31T12:00:00+03:00", "2026-01-06T00:00:00+03:00"),
        ("2026-01-01T12:00:00+03:00", "2026-01-06T00:00:00+03:00"),
        ("2026-04-22T12:00:00+03:00", "2026-04-28T00:00:00+03:00"),
        ("2026-04-30T12:00:00+03:00", "2026-05-06T00:00:00+03:00"),
        ("2026-05-18T12:00:00+03:00", "2026-05-22T00:00:00+03:00"),
        ("2026-07-14T12:00:00+03:00", "2026-07-18T00:00:00+03:00"),
        ("2026-08-28T12:00:00+03:00", "2026-09-02T00:00:00+03:00"),
        ("2026-10-27T12:00:00+03:00", "2026-10-31T00:00:00+03:00"),
        ("2026-10-28T12:00:00+03:00", "2026-11-03T00:00:00+03:00"),
    ],
)
def test_a_claim_is_in_time_to_the_end_of_the_second_business_day(start: str, deadline: str) -> None:
    assert claim_deadline(at(start), ISTANBUL) == at(deadline)
    assert answer_deadline(at(start), ISTANBUL) == at(deadline)


def test_a_claim_at_24_00_itself_is_in_time_and_a_millisecond_later_it_is_not() -> None:
    deadline = claim_deadline(at("2026-10-05T10:15:00+03:00"), ISTANBUL)
    midnight_of_thursday = at("2026-10-07T23:59:59+03:00") + 1000
    assert midnight_of_thursday <= deadline < midnight_of_thursday + 1


def test_the_day_of_the_problem_is_a_day_of_the_contract_s_zone() -> None:
    start = at("2026-10-05T23:30:00+00:00")  # already Tuesday in Istanbul
    assert claim_deadline(start, ISTANBUL) == at("2026-10-09T00:00:00+03:00")
    assert claim_deadline(start, "UTC") == at("2026-10-08T00:00:00+00:00")


def test_a_deadline_across_a_clock_change_is_at_local_midnight() -> None:
    start = at("2026-10-23T12:00:00+02:00")  # Friday; the clock goes back on Sunday
    assert claim_deadline(start, "Europe/Berlin") == at("2026-10-28T00:00:00+01:00")


def test_no_business_day_after_is_the_end_of_the_day_itself() -> None:
    assert end_of_business_day(at("2026-10-04T12:00:00+03:00"), 0, ISTANBUL) == at("2026-10-05T00:00:00+03:00")


@QUICK
@given(st.integers(at("2020-01-01T00:00:00+00:00"), at("2030-01-01T00:00:00+00:00")))
def test_between_the_problem_and_the_deadline_lie_two_business_days(start: int) -> None:
    deadline = claim_deadline(start, ISTANBUL)
    first, last = date_of(start, ISTANBUL), date_of(deadline - 1, ISTANBUL)
    after = [first + dt.timedelta(days=n) for n in range(1, (last - first).days + 1)]
    assert sum(map(is_business_day, after)) == 2
    assert is_business_day(last)
    assert deadline == midnight(last + dt.timedelta(days=1), ISTANBUL)
    assert claim_deadline(start + DAY, ISTANBUL) >= deadline


def test_the_calendar_of_holidays_is_not_loaded_before_it_is_asked() -> None:
    """It takes a tenth of a second, and most commands never need it."""
    program = "import sys, monitor.sla.calendar, monitor.sla.credits; sys.exit('holidays' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
