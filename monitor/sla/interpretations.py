"""The interpretations of the agreement where it is silent, by name, so that reports can list them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monitor.sla.terms import Terms


@dataclass(frozen=True, slots=True)
class Interpretation:
    """One interpretation: the name of its setting, its value, and the clause that leaves it open."""

    setting: str
    value: str
    clause: str


FIXED_INTERPRETATIONS = (
    Interpretation("prorate_fee", "no", "6.4"),
    Interpretation("unknown_time", "neither up nor down", "5.1.2"),
    Interpretation("business_days", "Monday to Friday without Turkish public holidays; half-day holidays count", "6.2"),
    Interpretation("credit_cap", "the monthly fee, all credits of one service in one month together", "6.6"),
    Interpretation("exclusion_of_one_check", "excuses that check; the instant stays down while another is down", "4.5"),
    Interpretation(
        "changed_product", "product, fee and target of the last day in the window apply to it whole", "5.2.1"
    ),
)
"""The interpretations that cannot be configured."""


def interpretations_of(terms: Terms) -> tuple[Interpretation, ...]:
    """Return every interpretation that affects a month with these terms."""
    return (
        Interpretation("rounding", terms.rounding, "5.1.2"),
        Interpretation("timezone", terms.timezone, "5.2.1"),
        Interpretation("credit", terms.credit, "6.2"),
        Interpretation("support_credit", _support_credit_text(terms.support_credit), "5.4.5"),
        Interpretation("ticket_area", terms.ticket_area or "none that is watched", "5.4.3"),
        Interpretation("rolling_days", str(terms.rolling_days), "7"),
        *FIXED_INTERPRETATIONS,
    )


def _support_credit_text(percent: int | None) -> str:
    return "none" if percent is None else f"{percent} % of the monthly fee for each"
