"""Times, lengths, percentages and subjects in words, in both languages."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitor.model import Language, Millis

SUBJECT_LENGTH: Final = 60
"""What a telephone shows of a subject, about."""
_DATE: Final[Mapping[Language, str]] = {"en": "%Y-%m-%d", "tr": "%d.%m.%Y"}
_UNITS: Final[Mapping[Language, tuple[str, str, str, str]]] = {
    "en": ("d", "h", "min", "s"),
    "tr": ("gün", "sa", "dk", "sn"),
}
_MONTHS: Final[Mapping[Language, tuple[str, ...]]] = {
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


def instant(at: Millis, timezone: str, language: Language) -> str:
    """Return the local time with its offset: ``2026-10-02 13:15:07 +03:00``; parts of a second are left out."""
    local = _local(at, timezone)
    return f"{local.strftime(_DATE[language])} {local:%H:%M:%S} {_offset(local)}"


def minute(at: Millis, timezone: str, language: Language) -> str:
    """Return the local time to the minute, without offset: ``2026-10-02 13:15``."""
    local = _local(at, timezone)
    return f"{local.strftime(_DATE[language])} {local:%H:%M}"


def deadline(at: Millis, timezone: str, language: Language) -> str:
    """Return the last moment for something: midnight is 24:00 of the day that it ends."""
    local = _local(at, timezone)
    if (local.hour, local.minute, local.second) != (0, 0, 0):
        return minute(at, timezone, language)
    return f"{(local.date() - dt.timedelta(days=1)).strftime(_DATE[language])} 24:00"


def duration(length: Millis, language: Language, *, days: bool = True) -> str:
    """Return the length, exactly: ``7 min 30 s``, ``2 d 3 h``, ``0.25 s``; without ``days`` hours are the largest."""
    d, h, m, s = _UNITS[language]
    count, rest = divmod(length, _DAY) if days else (0, length)
    parts = [f"{count} {d}"] if count else []
    for unit, size in ((h, _HOUR), (m, _MINUTE)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {unit}")
    seconds, thousandths = divmod(rest, _SECOND)
    if thousandths:
        parts.append(decimal(f"{seconds}.{thousandths:03d}".rstrip("0"), language) + f" {s}")
    elif seconds or not parts:
        parts.append(f"{seconds} {s}")
    return " ".join(parts)


def about(length: Millis, language: Language) -> str:
    """Return the length for a subject, to its two largest units at most, rounded half up: ``7 min``, ``2 h 5 min``."""
    step = _SECOND if length < _MINUTE else _MINUTE if length < _DAY else _HOUR
    return duration((length + step // 2) // step * step, language)


def percent(text: str, language: Language) -> str:
    """Return a percentage as the language writes it: ``99.73 %``, ``%99,73``."""
    return f"%{decimal(text, language)}" if language == "tr" else f"{text} %"


def decimal(text: str, language: Language) -> str:
    """Return a figure with the language's decimal sign."""
    return text.replace(".", ",") if language == "tr" else text


def month(label: str, language: Language) -> str:
    """Return ``2026-10`` in words: ``October 2026``, ``Ekim 2026``."""
    year, _, number = label.partition("-")
    return f"{_MONTHS[language][int(number) - 1]} {year}"


def listed(names: Sequence[str], room: int) -> str:
    """Return as many names as fit into ``room`` characters, at least a piece of the first; "…" stands for the rest."""
    for count in range(len(names), 0, -1):
        text = ", ".join(names[:count]) + (", …" if count < len(names) else "")
        if len(text) <= room:
            return text
    return cut(names[0], room)


def cut(text: str, room: int) -> str:
    """Return the text cut to ``room`` characters, at least one and its "…"."""
    return text if len(text) <= room else text[: max(room - 1, 1)] + "…"


def _local(at: Millis, timezone: str) -> dt.datetime:
    return dt.datetime.fromtimestamp(at // _SECOND, ZoneInfo(timezone))


def _offset(local: dt.datetime) -> str:
    offset = local.strftime("%z")
    return f"{offset[:3]}:{offset[3:5]}"
