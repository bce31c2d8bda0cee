"""Times, lengths and percentages in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.formatting import (
    format_deadline,
    format_decimal,
    format_duration,
    format_instant,
    format_minute,
    format_month,
    format_percent,
    format_rounded_duration,
    join_truncated,
    pluralize,
    truncate,
)

if TYPE_CHECKING:
    from monitor.model import Language

ISTANBUL = "Europe/Istanbul"
T = 1_790_936_107_999  # 2026-10-02T10:15:07.999Z


def test_an_instant_is_local_time_with_its_offset_and_never_ahead_of_itself() -> None:
    assert format_instant(T, ISTANBUL, "en") == "2026-10-02 13:15:07 +03:00"
    assert format_instant(T, ISTANBUL, "tr") == "02.10.2026 13:15:07 +03:00"
    assert format_minute(T, ISTANBUL, "en") == "2026-10-02 13:15"
    assert format_minute(T, ISTANBUL, "tr") == "02.10.2026 13:15"


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
    assert format_instant(at, zone, "en") == text


@pytest.mark.parametrize(
    ("at", "english", "turkish"),
    [
        (1_791_320_400_000, "2026-10-06 24:00", "06.10.2026 24:00"),
        (1_791_320_460_000, "2026-10-07 00:01", "07.10.2026 00:01"),
        (1_791_320_340_000, "2026-10-06 23:59", "06.10.2026 23:59"),
        (1_798_750_800_000, "2026-12-31 24:00", "31.12.2026 24:00"),
    ],
)
def test_a_deadline_at_midnight_is_the_24th_hour_of_the_day_before(at: int, english: str, turkish: str) -> None:
    assert format_deadline(at, ISTANBUL, "en") == english
    assert format_deadline(at, ISTANBUL, "tr") == turkish


@pytest.mark.parametrize(
    ("length", "english", "turkish"),
    [
        (0, "0 s", "0 sn"),
        (1, "0.001 s", "0,001 sn"),
        (250, "0.25 s", "0,25 sn"),
        (45_000, "45 s", "45 sn"),
        (450_000, "7 min 30 s", "7 dk 30 sn"),
        (450_500, "7 min 30.5 s", "7 dk 30,5 sn"),
        (420_013, "7 min 0.013 s", "7 dk 0,013 sn"),
        (3_600_000, "1 h", "1 sa"),
        (86_400_000, "1 d", "1 gün"),
        (183_900_000, "2 d 3 h 5 min", "2 gün 3 sa 5 dk"),
    ],
)
def test_a_length_is_exact(length: int, english: str, turkish: str) -> None:
    assert format_duration(length, "en") == english
    assert format_duration(length, "tr") == turkish


def test_a_length_can_be_told_in_hours_however_long() -> None:
    assert format_duration(345_600_000, "en", days=False) == "96 h"
    assert format_duration(172_860_000, "tr", days=False) == "48 sa 1 dk"


@given(st.integers(0, 10**12))
def test_a_length_can_be_read_back(length: int) -> None:
    units = {"d": 86_400_000, "h": 3_600_000, "min": 60_000, "s": 1000}
    words = format_duration(length, "en").split()
    read = 0
    for figure, unit in zip(words[::2], words[1::2], strict=True):
        whole, _, part = figure.partition(".")
        read += int(whole) * units[unit] + int(part.ljust(3, "0") or "0")
    assert read == length


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (499, "0 s"),
        (500, "1 s"),
        (44_600, "45 s"),
        (59_600, "1 min"),
        (420_013, "7 min"),
        (449_999, "7 min"),
        (450_000, "8 min"),
        (7_500_000, "2 h 5 min"),
        (86_399_999, "1 d"),
        (100_000_000, "1 d 4 h"),
    ],
)
def test_a_subject_tells_a_length_in_round_figures(length: int, text: str) -> None:
    assert format_rounded_duration(length, "en") == text


@pytest.mark.parametrize(("language", "text"), [("en", "99.73 %"), ("tr", "%99,73")])
def test_a_percentage_is_written_as_the_language_writes_it(language: Language, text: str) -> None:
    assert format_percent("99.73", language) == text


def test_figures_and_months_are_in_the_language() -> None:
    assert format_decimal("4.99 USD", "tr") == "4,99 USD"
    assert format_decimal("4.99 USD", "en") == "4.99 USD"
    assert [format_month(f"2026-{number:02d}", "tr") for number in (1, 2, 8, 12)] == [
        "Ocak 2026",
        "Şubat 2026",
        "Ağustos 2026",
        "Aralık 2026",
    ]
    assert format_month("2026-10", "en") == "October 2026"


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
