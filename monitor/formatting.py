"""Times, durations, percentages and short texts for people, in both languages of mails and for the page."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.model import Millis

MAX_SUBJECT_LENGTH: Final = 60
"""Characters of a subject that a phone shows, about."""
_SECOND: Final = 1000


def format_instant(at: Millis, timezone: str) -> str:
    """Return the local time with its offset: ``2026-10-02 13:15:07 +03:00``; parts of a second are left out."""
    local = _local_datetime(at, timezone)
    return f"{local:%Y-%m-%d %H:%M:%S} {_format_utc_offset(local)}"


def format_deadline(at: Millis, timezone: str) -> str:
    """Return a deadline to the minute; midnight is 24:00 of the day before."""
    local = _local_datetime(at, timezone)
    if (local.hour, local.minute, local.second) != (0, 0, 0):
        return f"{local:%Y-%m-%d %H:%M}"
    return f"{local.date() - dt.timedelta(days=1)} 24:00"


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


_FORMULA = re.compile("'*[=+\\-@\\t\\r\\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?", re.ASCII)


def csv_cell(value: object) -> object:
    """Return a cell of a CSV file: text that a spreadsheet would run as a formula begins with an apostrophe.

    Numbers stay numbers. ``read_csv_cell`` reverses it.
    """
    if isinstance(value, str) and _FORMULA.match(value) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value


def read_csv_cell(text: str) -> str:
    """Return the text that ``csv_cell`` wrote."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text
