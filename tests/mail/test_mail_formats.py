"""The filters of the mails' templates: times, durations and figures in both languages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.mail.environment import environment
from tests.mail.sample_mails import ENGLISH, TURKISH

if TYPE_CHECKING:
    from decimal import Decimal

    from monitor.model import Language


def shown(name: str, value: object, language: Language) -> str:
    """Return what a filter makes of the value."""
    recipient = ENGLISH if language == "en" else TURKISH
    return (
        environment(html=False)
        .from_string("{{ value | " + name + " }}")
        .render(value=value, to=recipient, language=language)
    )


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
    assert shown("duration", length, "en") == english
    assert shown("duration", length, "tr") == turkish


def test_a_length_can_be_told_in_hours_however_long() -> None:
    assert shown("duration(days=false)", 345_600_000, "en") == "96 h"
    assert shown("duration(days=false)", 172_860_000, "tr") == "48 sa 1 dk"


@given(st.integers(0, 10**12))
def test_a_length_can_be_read_back(length: int) -> None:
    units = {"d": 86_400_000, "h": 3_600_000, "min": 60_000, "s": 1000}
    words = shown("duration", length, "en").split()
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
    assert shown("rounded_duration", length, "en") == text


@pytest.mark.parametrize(
    ("figure", "english", "turkish"),
    [("99.73", "99.73 %", "%99,73"), ("100.00", "100.00 %", "%100,00"), ("0", "0 %", "%0"), ("10", "10 %", "%10")],
)
def test_a_percentage_keeps_its_decimals(figure: str, english: str, turkish: str) -> None:
    assert shown("percent", figure, "en") == english
    assert shown("percent", figure, "tr") == turkish


@given(st.integers(0, 10_000))
def test_a_percentage_is_never_rounded(hundredths: int) -> None:
    figure = f"{hundredths // 100}.{hundredths % 100:02d}"
    assert shown("percent", figure, "en") == f"{figure} %"


@given(st.decimals(0, 10**12, places=2))
def test_an_amount_is_never_rounded(amount: Decimal) -> None:
    assert shown("amount", f"{amount} USD", "en") == f"{amount} USD"
    assert shown("amount('TRY')", str(amount), "tr") == f"{amount} TRY".replace(".", ",")


def test_an_amount_without_a_currency_is_a_figure() -> None:
    assert shown("amount", "4.99", "tr") == "4,99"


@pytest.mark.parametrize(
    ("at", "english", "turkish"),
    [
        (1_791_320_400_000, "2026-10-06 24:00", "06.10.2026 24:00"),
        (1_791_320_460_000, "2026-10-07 00:01", "07.10.2026 00:01"),
        (1_798_750_800_000, "2026-12-31 24:00", "31.12.2026 24:00"),
    ],
)
def test_a_deadline_at_midnight_is_the_24th_hour_of_the_day_before(at: int, english: str, turkish: str) -> None:
    assert shown("deadline", at, "en") == english
    assert shown("deadline", at, "tr") == turkish


def test_a_time_is_local_to_the_minute_and_never_ahead_of_itself() -> None:
    assert shown("minute", 1_790_936_159_999, "en") == "2026-10-02 13:15"
    assert shown("minute", 1_790_936_159_999, "tr") == "02.10.2026 13:15"


def test_months_are_in_the_language() -> None:
    turkish = [shown("month", f"2026-{number:02d}", "tr") for number in (1, 2, 8, 12)]
    assert turkish == ["Ocak 2026", "Şubat 2026", "Ağustos 2026", "Aralık 2026"]
    assert shown("month", "2026-10", "en") == "October 2026"
