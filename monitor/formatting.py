"""Times, durations, percentages and short texts for people, in both languages of mails and for the page."""

from __future__ import annotations

import datetime as dt
import unicodedata
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitor.model import Language, Millis

MAX_SUBJECT_LENGTH: Final = 60
"""Characters of a subject that a phone shows, about."""
_DATE_FORMATS: Final[Mapping[Language, str]] = {"en": "%Y-%m-%d", "tr": "%d.%m.%Y"}
_UNIT_NAMES: Final[Mapping[Language, tuple[str, str, str, str]]] = {
    "en": ("d", "h", "min", "s"),
    "tr": ("gün", "sa", "dk", "sn"),
}
_MONTH_NAMES: Final[Mapping[Language, tuple[str, ...]]] = {
    "en": (
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ),
    "tr": (
        "Ocak",
        "Şubat",
        "Mart",
        "Nisan",
        "Mayıs",
        "Haziran",
        "Temmuz",
        "Ağustos",
        "Eylül",
        "Ekim",
        "Kasım",
        "Aralık",
    ),
}
_SECOND: Final = 1000
_MINUTE: Final = 60 * _SECOND
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR


def format_instant(at: Millis, timezone: str, language: Language) -> str:
    """Return the local time with its offset: ``2026-10-02 13:15:07 +03:00``; parts of a second are left out."""
    local = _local_datetime(at, timezone)
    return f"{local.strftime(_DATE_FORMATS[language])} {local:%H:%M:%S} {_format_utc_offset(local)}"


def format_minute(at: Millis, timezone: str, language: Language) -> str:
    """Return the local time to the minute, without offset: ``2026-10-02 13:15``."""
    local = _local_datetime(at, timezone)
    return f"{local.strftime(_DATE_FORMATS[language])} {local:%H:%M}"


def format_deadline(at: Millis, timezone: str, language: Language) -> str:
    """Return a deadline to the minute; midnight is 24:00 of the day before."""
    local = _local_datetime(at, timezone)
    if (local.hour, local.minute, local.second) != (0, 0, 0):
        return format_minute(at, timezone, language)
    return f"{(local.date() - dt.timedelta(days=1)).strftime(_DATE_FORMATS[language])} 24:00"


def format_duration(length: Millis, language: Language, *, days: bool = True) -> str:
    """Return an exact duration: ``7 min 30 s``, ``2 d 3 h``, ``0.25 s``; without ``days`` hours come first."""
    d, h, m, s = _UNIT_NAMES[language]
    count, rest = divmod(length, _DAY) if days else (0, length)
    parts = [f"{count} {d}"] if count else []
    for unit, size in ((h, _HOUR), (m, _MINUTE)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {unit}")
    seconds, thousandths = divmod(rest, _SECOND)
    if thousandths:
        parts.append(format_decimal(f"{seconds}.{thousandths:03d}".rstrip("0"), language) + f" {s}")
    elif seconds or not parts:
        parts.append(f"{seconds} {s}")
    return " ".join(parts)


def format_rounded_duration(length: Millis, language: Language) -> str:
    """Return the duration in at most its two largest units, rounded half up: ``7 min``, ``2 h 5 min``."""
    step = _SECOND if length < _MINUTE else _MINUTE if length < _DAY else _HOUR
    return format_duration((length + step // 2) // step * step, language)


def format_percent(text: str, language: Language) -> str:
    """Return a percentage as the language writes it: ``99.73 %``, ``%99,73``."""
    return f"%{format_decimal(text, language)}" if language == "tr" else f"{text} %"


def format_decimal(text: str, language: Language) -> str:
    """Return a figure with the language's decimal sign."""
    return text.replace(".", ",") if language == "tr" else text


def format_month(label: str, language: Language) -> str:
    """Return ``2026-10`` in words: ``October 2026``, ``Ekim 2026``."""
    year, _, number = label.partition("-")
    return f"{_MONTH_NAMES[language][int(number) - 1]} {year}"


def join_truncated(names: Sequence[str], max_length: int) -> str:
    """Return as many names as fit into ``max_length`` characters, at least part of the first; "…" marks the rest."""
    for count in range(len(names), 0, -1):
        text = ", ".join(names[:count]) + (", …" if count < len(names) else "")
        if len(text) <= max_length:
            return text
    return truncate(names[0], max_length)


def truncate(text: str, max_length: int) -> str:
    """Return the text cut to ``max_length`` characters, at least one and its "…"."""
    return text if len(text) <= max_length else text[: max(max_length - 1, 1)] + "…"


def _local_datetime(at: Millis, timezone: str) -> dt.datetime:
    return dt.datetime.fromtimestamp(at // _SECOND, ZoneInfo(timezone))


def _format_utc_offset(local: dt.datetime) -> str:
    offset = local.strftime("%z")
    return f"{offset[:3]}:{offset[3:5]}"


# --- text from outside on one line; counted nouns ---------------------------------------------------------------------

CONTROL_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories that must not appear in a line: controls, lone surrogates, line separators."""


def one_line(text: str) -> str:
    """Return the text on one line: every line break and control character becomes a space, runs of spaces one."""
    return " ".join("".join(" " if unicodedata.category(c) in CONTROL_CATEGORIES else c for c in text).split())


def pluralize(count: int, singular: str, plural: str | None = None) -> str:
    """Return ``1 server`` or ``2 servers``; ``plural`` is the plural if it is irregular."""
    return f"{count} {singular if count == 1 else plural or singular + 's'}"


# --- durations, instants and figures of the operators' page -----------------------------------------------------------

_COARSE_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def format_coarse_duration(milliseconds: Millis) -> str:
    """Return a duration in its two largest units, rounded down: ``3 d 4 h``; no seconds from 10 min on."""
    seconds = max(0, milliseconds) // 1000
    if seconds >= 600:  # noqa: PLR2004
        seconds -= seconds % 60
    for (size, unit), (smaller, its_unit) in pairwise(_COARSE_UNITS):
        if seconds >= size:
            rest = seconds % size // smaller
            return f"{seconds // size} {unit}" + (f" {rest} {its_unit}" if rest else "")
    return f"{seconds} s"


def format_latency(microseconds: int) -> str:
    """Return a latency with two or three significant digits: ``0.42 ms``, ``18 ms``, ``1.3 s``."""
    if microseconds >= 1_000_000:  # noqa: PLR2004 - a second
        return f"{microseconds / 1_000_000:.1f} s"
    if microseconds >= 10_000:  # noqa: PLR2004 - 10 ms: no fractions from here on
        return f"{microseconds // 1000} ms"
    return f"{microseconds / 1000:.2f} ms"


def format_hundredths(hundredths: int) -> str:
    """Return ``9973`` as ``99.73 %``."""
    return f"{hundredths // 100}.{hundredths % 100:02d} %"


def format_error_budget(budget: Millis) -> str:
    """Return what is left of a budget, or by how much it is exceeded."""
    return f"{format_coarse_duration(budget)} left" if budget >= 0 else f"over by {format_coarse_duration(-budget)}"


def format_iso_minute(at: Millis, zone: ZoneInfo) -> str:
    """Return a time in the contract's zone, to the minute."""
    return datetime.fromtimestamp(at // 1000, zone).strftime("%Y-%m-%d %H:%M")


def format_iso_utc(at: Millis) -> str:
    """Return a time for programs: UTC, to the second."""
    return datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
