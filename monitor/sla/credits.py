"""Credits (5.1.2, 5.2.2, 5.3.2, 6.4 to 6.6): the exact amount for an availability and a fee."""

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
    """The credit for one cause in one month."""

    percent: int
    """Percent of the monthly fee."""
    certain: bool
    """Whether both bounds have the same credit (docs/contract.md#outages-and-their-bounds)."""
    amount: Decimal | None
    """With two decimals, in ``currency``; ``None`` without a fee."""
    currency: str | None
    clause: str


def credit_percent(product: ProductTerms, figure: Percent | None) -> int:
    """Return the credit of a rounded availability, in percent of the monthly fee; 0 if nothing was measured."""
    if figure is None:
        return 0
    for row in product.bands:
        if figure <= row.upper:
            return row.percent
    return 0


def availability_credit(product: ProductTerms, account: Account, subscription: Subscription) -> Credit:
    """Return the availability credit of a month's account; certain if both bounds fall in the same band."""
    rate = credit_percent(product, account.availability)
    certain = all(credit_percent(product, figure) == rate for figure in (account.lowest, account.highest))
    return Credit(rate, certain, credit_amount(subscription, rate), subscription.currency, product.credit_clause)


def hardware_credit(product: ProductTerms, subscription: Subscription, opened: Millis, replaced: Millis) -> Credit:
    """Return the credit for a replacement of failed hardware (5.2.1, 5.2.2): exactly 12 h is in time."""
    hours = product.hardware_hours
    rate = product.hardware_percent if hours is not None and replaced - opened > hours * _HOUR_MS else 0
    return Credit(
        rate, certain=True, amount=credit_amount(subscription, rate), currency=subscription.currency, clause="5.2.2"
    )


def credit_amount(subscription: Subscription, percent: int) -> Decimal | None:
    """Return ``percent`` of the monthly fee, rounded half up to the cent once; ``None`` without a fee (6.4)."""
    if percent == 0 and subscription.fee is not None:  # the usual case, and fractions are slow
        return _ZERO
    fee = monthly_fee(subscription)
    if fee is None:
        return None
    return _from_cents((2 * fee * percent + 1) // 2)


def monthly_fee(subscription: Subscription) -> Fraction | None:
    """Return the exact fee of one month: the fee of a longer period is divided by its months (6.4)."""
    return None if subscription.fee is None else Fraction(subscription.fee) / subscription.months


def cap_to_fee(amounts: Iterable[Decimal], subscription: Subscription) -> tuple[Decimal, ...]:
    """Return the credits of one service in one month, reduced so that their sum does not exceed its fee (6.6).

    Earlier credits take precedence over later ones.
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
