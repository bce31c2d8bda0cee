"""Months, days and rolling windows (5.2.1, 6.4): lengths come from the zone, never from 30 x 24 h."""

from __future__ import annotations

import datetime as dt

import pytest

from monitor.errors import InputError
from monitor.model import Span
from monitor.sla.calendar import (
    date_of,
    day_span,
    midnight,
    month_after,
    month_of,
    month_span,
    month_text,
    parse_month,
    rolling_span,
)
from tests.sla.sla_fixtures import DAY, HOUR, at

ISTANBUL = "Europe/Istanbul"


@pytest.mark.parametrize(
    ("year", "month", "zone", "hours"),
    [
        (2026, 10, ISTANBUL, 744),
        (2026, 4, ISTANBUL, 720),
        (2026, 2, ISTANBUL, 672),
        (2024, 2, ISTANBUL, 696),
        (2028, 2, ISTANBUL, 696),
        (2100, 2, ISTANBUL, 672),
        (2000, 2, "UTC", 696),
        (2026, 3, "Europe/Berlin", 743),
        (2026, 10, "Europe/Berlin", 745),
        (2026, 6, "Europe/Berlin", 720),
        (2026, 3, "America/New_York", 743),
        (2026, 11, "America/New_York", 721),
        (2016, 3, ISTANBUL, 743),  # the last summer time of Turkey begins
        (2016, 9, ISTANBUL, 720),  # and becomes permanent
        (2016, 10, ISTANBUL, 744),  # so that it does not end
        (2016, 11, ISTANBUL, 720),
        (2015, 10, ISTANBUL, 744),  # put off for an election
        (2015, 11, ISTANBUL, 721),
        (2011, 12, "Pacific/Apia", 720),  # a day that was skipped
    ],
)
def test_a_month_is_as_long_as_the_zone_says(year: int, month: int, zone: str, hours: int) -> None:
    span = month_span(year, month, zone)
    assert span.end - span.start == hours * HOUR


@pytest.mark.parametrize(
    ("year", "month", "zone", "start", "end"),
    [
        (2026, 10, ISTANBUL, "2026-09-30T21:00:00+00:00", "2026-10-31T21:00:00+00:00"),
        (2026, 12, ISTANBUL, "2026-11-30T21:00:00+00:00", "2026-12-31T21:00:00+00:00"),
        (2026, 3, "Europe/Berlin", "2026-02-28T23:00:00+00:00", "2026-03-31T22:00:00+00:00"),
        (2026, 10, "Europe/Berlin", "2026-09-30T22:00:00+00:00", "2026-10-31T23:00:00+00:00"),
        (2026, 3, "America/New_York", "2026-03-01T05:00:00+00:00", "2026-04-01T04:00:00+00:00"),
        (2016, 3, ISTANBUL, "2016-02-29T22:00:00+00:00", "2016-03-31T21:00:00+00:00"),
        (2016, 10, ISTANBUL, "2016-09-30T21:00:00+00:00", "2016-10-31T21:00:00+00:00"),
        (2026, 1, "UTC", "2026-01-01T00:00:00+00:00", "2026-02-01T00:00:00+00:00"),
    ],
)
def test_a_month_begins_and_ends_at_local_midnight(year: int, month: int, zone: str, start: str, end: str) -> None:
    assert month_span(year, month, zone) == Span(at(start), at(end))


@pytest.mark.parametrize("zone", [ISTANBUL, "Europe/Berlin", "America/New_York", "UTC"])
def test_months_follow_each_other_without_a_gap(zone: str) -> None:
    months = [(year, month) for year in range(2014, 2030) for month in range(1, 13)]
    spans = [month_span(*month, zone) for month in months]
    assert [span.end for span in spans[:-1]] == [span.start for span in spans[1:]]
    assert [month_of(span.start, zone) for span in spans] == months
    assert [month_of(span.end - 1, zone) for span in spans] == months


def test_the_month_of_an_instant_is_the_zone_s() -> None:
    assert month_of(at("2026-10-31T21:00:00+00:00"), ISTANBUL) == (2026, 11)
    assert month_of(at("2026-10-31T21:00:00+00:00") - 1, ISTANBUL) == (2026, 10)
    assert month_of(at("2026-10-31T21:00:00+00:00"), "UTC") == (2026, 10)
    assert month_of(-1, "UTC") == (1969, 12)


def test_the_month_after_december_is_january() -> None:
    assert (month_after(2026, 11), month_after(2026, 12)) == ((2026, 12), (2027, 1))


@pytest.mark.parametrize(
    ("day", "zone", "hours"),
    [
        ("2026-03-29", "Europe/Berlin", 23),
        ("2026-10-25", "Europe/Berlin", 25),
        ("2026-10-26", "Europe/Berlin", 24),
        ("2026-03-08", "America/New_York", 23),
        ("2026-11-01", "America/New_York", 25),
        ("2016-03-27", ISTANBUL, 23),
        ("2016-10-30", ISTANBUL, 24),
        ("2018-11-04", "America/Sao_Paulo", 23),  # 00:00 does not exist
        ("2011-12-30", "Pacific/Apia", 0),  # the day does not exist
    ],
)
def test_a_day_is_as_long_as_the_zone_says(day: str, zone: str, hours: int) -> None:
    date = dt.date.fromisoformat(day)
    span = day_span(date, date, zone)
    assert span.end - span.start == hours * HOUR


def test_a_day_without_a_midnight_begins_when_the_clock_changes() -> None:
    assert midnight(dt.date(2018, 11, 4), "America/Sao_Paulo") == at("2018-11-04T01:00:00-02:00")


def test_several_days_run_from_0_00_of_the_first_to_24_00_of_the_last() -> None:
    span = day_span(dt.date(2026, 10, 24), dt.date(2026, 10, 25), "Europe/Berlin")
    assert span == Span(at("2026-10-24T00:00:00+02:00"), at("2026-10-26T00:00:00+01:00"))


def test_the_last_of_all_days_ends_too() -> None:
    span = day_span(dt.date.max, dt.date.max, "UTC")
    assert span.end - span.start == DAY


def test_the_date_of_an_instant_is_the_zone_s() -> None:
    assert date_of(at("2026-05-26T20:59:59+00:00"), ISTANBUL) == dt.date(2026, 5, 26)
    assert date_of(at("2026-05-26T21:00:00+00:00"), ISTANBUL) == dt.date(2026, 5, 27)


def test_the_rolling_month_is_so_many_times_24_hours_to_now() -> None:
    now = at("2026-04-10T12:00:00+02:00")
    assert rolling_span(now, 30) == Span(now - 720 * HOUR, now)


@pytest.mark.parametrize(("text", "month"), [("2026-10", (2026, 10)), ("1970-01", (1970, 1)), ("9998-12", (9998, 12))])
def test_a_month_is_read_and_written_as_yyyy_mm(text: str, month: tuple[int, int]) -> None:
    assert parse_month(text) == month
    assert month_text(*month) == text


@pytest.mark.parametrize(
    "text", ["", "2026", "2026-13", "2026-00", "2026-1", "26-10", "2026-10-01", "2026/10", " 2026-10", "2026-10\n",
             "0000-01", "9999-12", "२०२६-10"],
)  # fmt: skip
def test_what_is_no_month_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(InputError, match="YYYY-MM"):
        parse_month(text)
