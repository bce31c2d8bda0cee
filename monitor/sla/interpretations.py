"""Where the agreement is silent: what was decided, by name, so that a report can say which reading was used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monitor.sla.terms import Terms


@dataclass(frozen=True, slots=True)
class Decision:
    """One reading of a silent place: the setting's name, the value used, and the clause that leaves it open."""

    setting: str
    value: str
    clause: str


FIXED = (
    Decision("prorate_fee", "no", "6.4"),
    Decision("unknown_time", "neither up nor down", "5.1.2"),
    Decision("business_days", "Monday to Friday without Turkish public holidays; half-day holidays count", "6.2"),
    Decision("credit_cap", "the monthly fee, all credits of one service in one month together", "6.6"),
    Decision("exclusion_of_one_check", "excuses that check; the instant stays down while another is down", "4.5"),
    Decision("changed_product", "product, fee and target of the last day in the window apply to it whole", "5.2.1"),
)
"""Those that no configuration changes."""


def decisions(terms: Terms) -> tuple[Decision, ...]:
    """Return every decision that a month read with these terms hangs on."""
    return (
        Decision("rounding", terms.rounding, "5.1.2"),
        Decision("timezone", terms.timezone, "5.2.1"),
        Decision("credit", terms.credit, "6.2"),
        Decision("support_credit", _share(terms.support_credit), "5.4.5"),
        Decision("ticket_area", terms.ticket_area or "none that is watched", "5.4.3"),
        Decision("rolling_days", str(terms.rolling_days), "7"),
        *FIXED,
    )


def _share(percent: int | None) -> str:
    return "none" if percent is None else f"{percent} % of the monthly fee for each"
