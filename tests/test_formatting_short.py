"""Lengths, times and figures as people read them."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from monitor import formatting

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (-5, "0 s"),
        (999, "0 s"),
        (59 * SECOND + 999, "59 s"),
        (MINUTE, "1 min"),
        (4 * MINUTE + 10 * SECOND, "4 min 10 s"),
        (10 * MINUTE + 59 * SECOND, "10 min"),
        (HOUR + 59 * SECOND, "1 h"),
        (HOUR + 48 * MINUTE, "1 h 48 min"),
        (DAY + 59 * MINUTE, "1 d"),
        (3 * DAY + 4 * HOUR + MINUTE, "3 d 4 h"),
    ],
)
def test_a_length_is_told_in_two_units(milliseconds: int, text: str) -> None:
    assert formatting.format_coarse_duration(milliseconds) == text


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [
        (0, "0.00 ms"),
        (412, "0.41 ms"),
        (9_999, "10.00 ms"),
        (10_000, "10 ms"),
        (999_999, "999 ms"),
        (1_340_000, "1.3 s"),
    ],
)
def test_a_latency_has_the_digits_that_matter(microseconds: int, text: str) -> None:
    assert formatting.format_latency(microseconds) == text


@pytest.mark.parametrize(
    ("hundredths", "text"), [(0, "0.00 %"), (9, "0.09 %"), (9973, "99.73 %"), (9905, "99.05 %"), (10_000, "100.00 %")]
)
def test_a_percentage_has_two_decimals(hundredths: int, text: str) -> None:
    assert formatting.format_hundredths(hundredths) == text


@pytest.mark.parametrize(
    ("budget", "text"), [(6_480_000, "1 h 48 min left"), (0, "0 s left"), (-522_000, "over by 8 min 42 s")]
)
def test_a_budget_is_left_or_exceeded(budget: int, text: str) -> None:
    assert formatting.format_error_budget(budget) == text


def test_times_are_local_for_people_and_utc_for_programs() -> None:
    at = 1_790_935_259_999
    assert formatting.format_iso_minute(at, ZoneInfo("Europe/Istanbul")) == "2026-10-02 13:00"
    assert formatting.format_iso_utc(at) == "2026-10-02T10:00:59Z"
