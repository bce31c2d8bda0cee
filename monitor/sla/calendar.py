"""Months in a zone, business days and deadlines (6.2 to 6.4, docs/contract.md#the-month).

Durations are computed in UTC, days and months by the rules of the zone: there are days of 23 and 25 hours.
"""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache
from zoneinfo import ZoneInfo

from monitor.errors import InputError
from monitor.model import Millis, Span

CLAIM_DAYS = 2
"""Business days in which a claim must be made (6.2)."""
ANSWER_DAYS = 2
"""Business days in which a claim must be answered (6.3)."""

_DAY_MS = 86_400_000
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MILLISECOND = dt.timedelta(milliseconds=1)
_ONE_DAY = dt.timedelta(days=1)
_SATURDAY = 5
_MONTHS_PER_YEAR = 12

FIRST_YEAR = 1970
LAST_YEAR = 9998
"""The ledger accepts times in these years only, so that additions stay within the calendar of Python."""


@lru_cache(maxsize=8192)
def midnight(day: dt.date, zone: str) -> Millis:
    """Return the first instant of a local day; if a clock change removes 00:00, the instant of the change."""
    local = dt.datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))
    return (local - _EPOCH) // _MILLISECOND


def day_span(first: dt.date, last: dt.date, zone: str) -> Span:
    """Return the span from 00:00 of the first day to 24:00 of the last (docs/contract.md#the-month)."""
    if last == dt.date.max:
        return Span(midnight(first, zone), midnight(last, zone) + _DAY_MS)
    return Span(midnight(first, zone), midnight(last + _ONE_DAY, zone))


def date_of(at: Millis, zone: str) -> dt.date:
    """Return the local date of an instant."""
    return (_EPOCH + at * _MILLISECOND).astimezone(ZoneInfo(zone)).date()


def hour_of(at: Millis, zone: str) -> int:
    """Return the local hour of an instant, 0 to 23."""
    return (_EPOCH + at * _MILLISECOND).astimezone(ZoneInfo(zone)).hour


def month_span(year: int, month: int, zone: str) -> Span:
    """Return the calendar month in the zone: its own length, never 30 x 24 h."""
    return Span(midnight(dt.date(year, month, 1), zone), midnight(dt.date(*month_after(year, month), 1), zone))


def month_of(at: Millis, zone: str) -> tuple[int, int]:
    """Return the year and the month of an instant, in the zone."""
    day = date_of(at, zone)
    return day.year, day.month


def month_after(year: int, month: int) -> tuple[int, int]:
    """Return the following month, in which a credit is paid (6.4)."""
    return (year + 1, 1) if month == _MONTHS_PER_YEAR else (year, month + 1)


def parse_month(text: str) -> tuple[int, int]:
    """Return the year and the month of ``YYYY-MM``, 1970 to 9998. Raise ``InputError`` for anything else."""
    found = re.fullmatch(r"([0-9]{4})-(0[1-9]|1[0-2])", text)
    if not found or not FIRST_YEAR <= int(found[1]) <= LAST_YEAR:
        raise InputError(f"{text!r} is not a month: write YYYY-MM, such as 2026-10")
    return int(found[1]), int(found[2])


def month_text(year: int, month: int) -> str:
    """Return ``YYYY-MM``."""
    return f"{year:04d}-{month:02d}"


def rolling_span(now: Millis, days: int) -> Span:
    """Return the last ``days`` x 24 h until now."""
    return Span(now - days * _DAY_MS, now)


@lru_cache(maxsize=256)
def _public_holidays(year: int) -> frozenset[dt.date]:
    # loading the library takes a tenth of a second, and most commands do not need it
    from holidays.countries.turkey import Turkey  # noqa: PLC0415

    return frozenset(Turkey(years=year))


def is_business_day(day: dt.date) -> bool:
    """Return whether a day is one: Monday to Friday without Turkish public holidays; half-day holidays are.

    See docs/contract.md#claims-and-answers.
    """
    return day.weekday() < _SATURDAY and day not in _public_holidays(day.year)


def end_of_business_day(at: Millis, count: int, zone: str) -> Millis:
    """Return 24:00 of the ``count``-th business day after the local day of ``at``, which is day 0."""
    day = date_of(at, zone)
    while count > 0:
        day += _ONE_DAY
        count -= is_business_day(day)
    return midnight(day + _ONE_DAY, zone)


def claim_deadline(outage_start: Millis, zone: str) -> Millis:
    """Return the last instant at which a claim is in time, included (6.2, docs/contract.md#claims-and-answers)."""
    return end_of_business_day(outage_start, CLAIM_DAYS, zone)


def answer_deadline(claimed_at: Millis, zone: str) -> Millis:
    """Return the last instant at which the provider's answer is in time, included (6.3)."""
    return end_of_business_day(claimed_at, ANSWER_DAYS, zone)
