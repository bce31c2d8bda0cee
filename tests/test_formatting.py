"""Times, lengths and percentages in words."""

from __future__ import annotations

import pytest

from monitor.formatting import (
    format_deadline,
    format_instant,
    join_truncated,
    pluralize,
    truncate,
)

ISTANBUL = "Europe/Istanbul"
T = 1_790_936_107_999  # 2026-10-02T10:15:07.999Z


def test_an_instant_is_local_time_with_its_offset_and_never_ahead_of_itself() -> None:
    assert format_instant(T, ISTANBUL) == "2026-10-02 13:15:07 +03:00"


@pytest.mark.parametrize(
    ("zone", "at", "text"),
    [
        ("Asia/Kolkata", T, "2026-10-02 15:45:07 +05:30"),
        ("America/St_Johns", T, "2026-10-02 07:45:07 -02:30"),
        ("Europe/Berlin", 1_792_888_200_000, "2026-10-25 02:30:00 +02:00"),
        ("Europe/Berlin", 1_792_891_800_000, "2026-10-25 02:30:00 +01:00"),
    ],
)
def test_the_offset_tells_the_two_hours_of_a_clock_change_apart(zone: str, at: int, text: str) -> None:
    assert format_instant(at, zone) == text


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (1_791_320_400_000, "2026-10-06 24:00"),
        (1_791_320_460_000, "2026-10-07 00:01"),
        (1_791_320_340_000, "2026-10-06 23:59"),
        (1_798_750_800_000, "2026-12-31 24:00"),
    ],
)
def test_a_deadline_at_midnight_is_the_24th_hour_of_the_day_before(at: int, text: str) -> None:
    assert format_deadline(at, ISTANBUL) == text


def test_a_list_shows_what_fits_and_that_there_is_more() -> None:
    assert join_truncated(["a", "b", "c"], 7) == "a, b, c"
    assert join_truncated(["a", "b", "c"], 6) == "a, …"
    assert join_truncated(["abcdef", "b"], 5) == "abcd…"
    assert truncate("abcdef", 6) == "abcdef"
    assert truncate("abcdef", 0) == "a…"


@pytest.mark.parametrize(("number", "text"), [(0, "0 entries"), (1, "1 entry"), (2, "2 entries")])
def test_what_is_counted_stands_in_the_plural_unless_it_is_one(number: int, text: str) -> None:
    assert pluralize(number, "entry", "entries") == text
    assert pluralize(number, "mail") == f"{number} mail" + ("" if number == 1 else "s")
