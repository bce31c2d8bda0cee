"""The quotas of a support level (8.1): reinstallations in a calendar year, hours of KVM in a calendar month.

Amounts are whole numbers of the quota's smallest unit: reinstallations, and minutes of KVM.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from monitor.model import Span
from monitor.sla.calendar import date_of, midnight, month_span
from monitor.sla.support_levels import SUPPORT_LEVELS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monitor.model import Millis

QuotaKind: TypeAlias = Literal["reinstall", "kvm"]
QUOTA_KINDS: Final[tuple[QuotaKind, ...]] = get_args(QuotaKind)
QUOTA_UNITS: Final[dict[QuotaKind, str]] = {"reinstall": "reinstallations", "kvm": "hours"}
"""The unit of each quota in output."""

_MINUTES_PER_HOUR: Final = 60


@dataclass(frozen=True, slots=True)
class QuotaUse:
    """A use of a quota at ``at``, recorded at ``recorded_at``."""

    id: int
    subscription: str
    kind: QuotaKind
    amount: int
    at: Millis
    reference: str | None
    forced: str | None
    """The reason for recording more than what was left; None if it was within the quota."""
    recorded_at: Millis
    recorded_by: str


def included_amount(level: int, kind: QuotaKind) -> int:
    """Return the amount that a level includes in one period: reinstallations, or minutes of KVM (8.1)."""
    terms = SUPPORT_LEVELS[level]
    return terms.reinstalls_per_year if kind == "reinstall" else terms.kvm_hours_per_month * _MINUTES_PER_HOUR


def quota_period(kind: QuotaKind, at: Millis, zone: str) -> Span:
    """Return the calendar year (reinstallations) or month (KVM) of an instant, in the contract's zone."""
    day = date_of(at, zone)
    if kind == "kvm":
        return month_span(day.year, day.month, zone)
    return Span(midnight(dt.date(day.year, 1, 1), zone), midnight(dt.date(day.year + 1, 1, 1), zone))


def period_text(kind: QuotaKind, at: Millis, zone: str) -> str:
    """Return the period of an instant as text: ``2026`` or ``2026-10``."""
    day = date_of(at, zone)
    return f"{day.year:04d}" if kind == "reinstall" else f"{day.year:04d}-{day.month:02d}"


def used_amount(uses: Iterable[QuotaUse], subscription: str, kind: QuotaKind, within: Span) -> int:
    """Return the amount of a subscription's quota that was used within a period, whenever it was recorded."""
    return sum(
        use.amount
        for use in uses
        if use.subscription == subscription and use.kind == kind and within.start <= use.at < within.end
    )


def amount_text(kind: QuotaKind, amount: int) -> str:
    """Return an amount in the unit of its quota, exactly: ``2``; minutes of KVM as hours, ``1.5``.

    Raise ValueError for minutes that are not a multiple of 3: they are no finite decimal number of hours.
    """
    if kind == "reinstall":
        return str(amount)
    if amount % 3:
        raise ValueError(f"{amount} minutes are no decimal number of hours")
    hours = Decimal(amount) / _MINUTES_PER_HOUR
    return format(hours.normalize(), "f")


def parse_amount(kind: QuotaKind, text: str) -> int:
    """Return an amount above 0: a whole number of reinstallations, or hours of KVM in steps of 3 minutes (0.05).

    Raise ValueError with the allowed values.
    """
    allowed = (
        "a whole number of reinstallations, from 1"
        if kind == "reinstall"
        else "hours, above 0, in steps of 0.05 (3 minutes), such as 1.5"
    )
    if not text.isascii() or not text.replace(".", "", 1).isdigit() or len(text) > len("100000.00"):
        raise ValueError(allowed)
    amount = Decimal(text) * (1 if kind == "reinstall" else _MINUTES_PER_HOUR)
    if amount != int(amount) or amount <= 0:
        raise ValueError(allowed)
    return int(amount)
