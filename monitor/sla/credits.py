"""Credits (clauses 5.1.2, 5.2.2, 5.3.2 and 6.4 to 6.6): from a figure and a fee to an amount, exactly."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monitor.model import Millis, Subscription
    from monitor.sla.availability import Account, Percent
    from monitor.sla.terms import ProductTerms

_HOUR_MS = 3_600_000
_ZERO = Decimal("0.00")


@dataclass(frozen=True, slots=True)
class Credit:
    """What is owed for one cause in one month."""

    percent: int
    """Share of the monthly fee."""
    certain: bool
    """Whether the lowest and the highest reading pay the same (docs/contract.md#outages-and-their-bounds)."""
    amount: Decimal | None
    """With two decimals, in ``currency``; ``None`` without a fee."""
    currency: str | None
    clause: str


def credit_percent(product: ProductTerms, figure: Percent | None) -> int:
    """Return the percent of the monthly fee that a rounded figure pays; nothing measured pays nothing."""
    if figure is None:
        return 0
    for row in product.bands:
        if figure <= row.upper:
            return row.percent
    return 0


def availability_credit(product: ProductTerms, account: Account, subscription: Subscription) -> Credit:
    """Return the availability credit of a month's account; certain where all three readings fall in one band."""
    owed = credit_percent(product, account.availability)
    certain = all(credit_percent(product, figure) == owed for figure in (account.lowest, account.highest))
    return Credit(owed, certain, credit_amount(subscription, owed), subscription.currency, product.credit_clause)


def hardware_credit(product: ProductTerms, subscription: Subscription, opened: Millis, replaced: Millis) -> Credit:
    """Return the credit for a replacement of failed hardware (5.2.1, 5.2.2): exactly 12 h is in time."""
    hours = product.hardware_hours
    owed = product.hardware_percent if hours is not None and replaced - opened > hours * _HOUR_MS else 0
    return Credit(
        owed, certain=True, amount=credit_amount(subscription, owed), currency=subscription.currency, clause="5.2.2"
    )


def credit_amount(subscription: Subscription, percent: int) -> Decimal | None:
    """Return ``percent`` of the monthly fee, rounded half up to the cent once; ``None`` without a fee (6.4)."""
    if percent == 0 and subscription.fee is not None:  # nearly always, and fractions are slow
        return _ZERO
    fee = monthly_fee(subscription)
    if fee is None:
        return None
    return _from_cents((2 * fee * percent + 1) // 2)


def monthly_fee(subscription: Subscription) -> Fraction | None:
    """Return the exact fee of one month: one paid for another period is divided by its months (6.4)."""
    return None if subscription.fee is None else Fraction(subscription.fee) / subscription.months


def cap_to_fee(amounts: Iterable[Decimal], subscription: Subscription) -> tuple[Decimal, ...]:
    """Return the credits of one service in one month so that together they never exceed its monthly fee (6.6).

    The earlier ones are paid whole, and what is left bounds the later.
    """
    fee = monthly_fee(subscription)
    left = _from_cents(100 * fee // 1) if fee is not None else Decimal(0)
    paid: list[Decimal] = []
    for one in amounts:
        paid.append(min(one, left))
        left -= paid[-1]
    return tuple(paid)


def _from_cents(cents: int) -> Decimal:
    return Decimal(f"{cents}E-2")
