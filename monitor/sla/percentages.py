"""Shares of a time in hundredths of a percent, as the contract writes its 99.75 %; whole numbers, rounded once."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from monitor.model import Millis, Rounding

Percent: TypeAlias = int
"""Hundredths of a percent: 9973 is 99.73 %."""

WHOLE = 10_000
"""All of it, in hundredths of a percent."""


def budget(counted: Millis, down: Millis, target: Percent, rounding: Rounding) -> Millis:
    """Return the downtime left of ``counted`` milliseconds before the target is missed; see ``Account.budget_ms``."""
    short = WHOLE - target
    if rounding == "down":
        return counted * short // WHOLE - down
    return counted * (2 * short + 1) // (2 * WHOLE) - down


def percent(part: Millis, whole: Millis, rounding: Rounding) -> Percent | None:
    """Return ``part / whole`` in hundredths of a percent, rounded once (reading.md 2); ``None`` of nothing."""
    if whole == 0:
        return None
    return part * WHOLE // whole if rounding == "down" else (2 * part * WHOLE + whole) // (2 * whole)


def percent_text(hundredths: Percent) -> str:
    """Write ``9973`` as ``99.73``."""
    return f"{hundredths // 100}.{hundredths % 100:02d}"
