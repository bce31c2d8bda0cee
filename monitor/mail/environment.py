"""The Jinja2 environment of the mails, and its filters: dates, numbers and durations of a language, by Babel.

Figures are formatted as ``Decimal``, with as many decimals as the accounts print; nothing is rounded here.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime
from babel.numbers import format_currency, format_decimal, format_percent
from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from markupsafe import Markup

from monitor.formatting import join_truncated, one_line
from monitor.mail.reasons import describe_reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jinja2.runtime import Context

    from monitor.mail.claim_content import ClaimInterpretation
    from monitor.model import Language, Millis

_DATE: Final[Mapping[Language, str]] = MappingProxyType({"en": "yyyy-MM-dd", "tr": "dd.MM.yyyy"})
_PERCENT: Final[Mapping[Language, str]] = MappingProxyType({"en": "{} %", "tr": "%{}"})
_UNITS: Final[Mapping[Language, tuple[str, str, str, str]]] = MappingProxyType(
    {"en": ("d", "h", "min", "s"), "tr": ("gün", "sa", "dk", "sn")}
)
"""The symbols that pages and commands use too; CLDR's short forms are "hr" and "sa."."""
_SECOND: Final = 1000
_MINUTE: Final = 60 * _SECOND
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR


@cache
def environment(*, html: bool) -> Environment:
    """Return the environment that renders templates as HTML, every value escaped, or as plain text."""
    made = Environment(
        loader=PackageLoader("monitor.mail"),
        autoescape=html,  # noqa: S701 - text and subjects are no HTML
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["gap"] = "\0"
    made.filters.update(
        amount=format_amount,
        deadline=format_deadline,
        duration=format_duration,
        interpretation=format_interpretation,
        join_truncated=join_truncated,
        minute=format_minute,
        month=format_month,
        one_line=_one_line,
        percent=format_percentage,
        reason=describe_reason,
        rounded_duration=format_rounded_duration,
        shortened=_shortened,
    )
    return made


# --- filters ----------------------------------------------------------------------------------------------------------


@pass_context
def format_minute(context: Context, at: Millis) -> str:
    """Return the local time to the minute: ``2026-10-02 13:15``, ``02.10.2026 13:15``."""
    language = context["language"]
    pattern = f"{_DATE[language]} HH:mm"
    return format_datetime(_utc(at), pattern, tzinfo=ZoneInfo(context["to"].timezone), locale=language)


@pass_context
def format_deadline(context: Context, at: Millis) -> str:
    """Return a deadline to the minute; midnight is 24:00 of the day before."""
    local = _utc(at).astimezone(ZoneInfo(context["to"].timezone))
    if (local.hour, local.minute, local.second) != (0, 0, 0):
        return format_minute(context, at)
    language = context["language"]
    return format_date(local.date() - dt.timedelta(days=1), _DATE[language], locale=language) + " 24:00"


@pass_context
def format_month(context: Context, label: str) -> str:
    """Return ``2026-10`` in words: ``October 2026``, ``Ekim 2026``."""
    year, _, number = label.partition("-")
    return format_date(dt.date(int(year), int(number), 1), "LLLL yyyy", locale=context["language"])


@pass_context
def format_duration(context: Context, length: Millis, *, days: bool = True) -> str:
    """Return an exact duration: ``7 min 30 s``, ``2 d 3 h``, ``0.25 s``; without ``days`` hours come first."""
    d, h, m, s = _UNITS[context["language"]]
    parts, rest = [], length
    for unit, size in ((d, _DAY), (h, _HOUR), (m, _MINUTE)):
        if unit != d or days:
            count, rest = divmod(rest, size)
            parts += [f"{count} {unit}"] if count else []
    if rest or not parts:
        seconds = Decimal(rest) / _SECOND
        parts.append(f"{format_decimal(seconds, '0.###', locale=context['language'])} {s}")
    return " ".join(parts)


@pass_context
def format_rounded_duration(context: Context, length: Millis) -> str:
    """Return the duration in at most its two largest units, rounded half up: ``7 min``, ``2 h 5 min``."""
    step = _SECOND if length < _MINUTE else _MINUTE if length < _DAY else _HOUR
    return format_duration(context, (length + step // 2) // step * step)


@pass_context
def format_percentage(context: Context, figure: str) -> str:
    """Return a percentage as the language writes it: ``99.73 %``, ``%99,73``."""
    language = context["language"]
    pattern = _PERCENT[language].format(_pattern(figure))
    return format_percent(Decimal(figure).scaleb(-2), pattern, locale=language)


@pass_context
def format_amount(context: Context, amount: str, currency: str | None = None) -> str:
    """Return an amount with its currency: ``4.99 USD``, ``4,99 USD``; it may stand behind the figure in ``amount``."""
    language = context["language"]
    figure, _, code = amount.partition(" ")
    code = currency or code
    if not code:
        return format_decimal(Decimal(figure), _pattern(figure), locale=language)
    return format_currency(Decimal(figure), code, f"{_pattern(figure)} ¤¤", currency_digits=False, locale=language)


def format_interpretation(one: ClaimInterpretation, sentences: Mapping[str, str]) -> str:
    """Return how the agreement is interpreted, in words: by setting and value, or by setting alone."""
    sentence = sentences.get(f"{one.setting}={one.value}") or sentences.get(one.setting, f"{one.setting}: {{value}}")
    return sentence.replace("{value}", one.value)


def _pattern(figure: str) -> str:
    """Return the number pattern with as many decimals as the figure has."""
    decimals = len(figure.partition(".")[2])
    return "0." + "0" * decimals if decimals else "0"


def _utc(at: Millis) -> dt.datetime:
    return dt.datetime.fromtimestamp(at // _SECOND, dt.UTC)


def _one_line(text: str) -> str:
    """Return the text, or the markup, on one line."""
    return type(text)(one_line(text)) if isinstance(text, Markup) else one_line(text)


def _shortened(names: Sequence[str]) -> str:
    """Mark names in a subject, to be shortened to the room that is left; only the subject's layout knows the marks."""
    return "\x01" + "\x02".join(names) + "\x03"
