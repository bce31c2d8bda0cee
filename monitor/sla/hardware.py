"""Hardware that the provider owns is replaced within 12 hours of its failure, 8 at best (5.2.1, 5.2.2).

Exactly 12 h is in time; so is exactly 8 h.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

from monitor.sla.terms import PRODUCTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monitor.model import Millis, Product

_HOUR_MS: Final = 3_600_000
HARDWARE_PRODUCT: Final[Product] = "server"
"""The one product whose hardware is the provider's: the guarantee and its credit are those of its terms."""
CLAUSE: Final = PRODUCTS[HARDWARE_PRODUCT].credit_clause
REPLACEMENT_GUARANTEE_MS: Final = (PRODUCTS[HARDWARE_PRODUCT].hardware_hours or 0) * _HOUR_MS
"""Milliseconds; over it, a credit is owed (5.2.2)."""
REPLACEMENT_GOAL_MS: Final = 8 * _HOUR_MS
"""Milliseconds: what is aimed at; nothing is owed for missing it (5.2.2)."""

NO_GUARANTEE_REASON: Final[dict[Product, str]] = {
    "colocation": "the hardware of a colocation is the customer's own and is not replaced (8.2)",
    "web-hosting": "the guarantee is one on servers (5.2.1), not on shared hosting (5.1)",
}
"""Why other products have no such guarantee."""


class HardwareCaseState(StrEnum):
    """What a case is."""

    OPEN = "open"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True)
class HardwareCaseOpened:
    """That a part failed was recorded at ``at``."""

    id: int
    at: Millis
    subscription: str
    server: str
    part: str
    opened_at: Millis
    reference: str | None
    by: str


@dataclass(frozen=True, slots=True)
class HardwareReplaced:
    """That the part was replaced was recorded at ``at``."""

    id: int
    at: Millis
    replaced_at: Millis
    by: str


HardwareEvent: TypeAlias = HardwareCaseOpened | HardwareReplaced


@dataclass(frozen=True, slots=True)
class HardwareCase:
    """A part that failed, as the facts of it stand."""

    id: int
    subscription: str
    server: str
    part: str
    reference: str | None
    """The customer's ticket, which is the claim for the credit too (6.1)."""
    opened_at: Millis
    replaced_at: Millis | None
    recorded_at: Millis
    recorded_by: str

    @property
    def state(self) -> HardwareCaseState:
        """Open until it is replaced."""
        return HardwareCaseState.OPEN if self.replaced_at is None else HardwareCaseState.REPLACED

    @property
    def name(self) -> str:
        """What reports call it."""
        return f"hardware {self.id}"

    @property
    def goal(self) -> Millis:
        """The last instant at which the goal is met, itself included."""
        return self.opened_at + REPLACEMENT_GOAL_MS

    @property
    def due(self) -> Millis:
        """The last instant at which the replacement is in time, itself included."""
        return self.opened_at + REPLACEMENT_GUARANTEE_MS

    def elapsed(self, now: Millis) -> Millis:
        """Return how long the replacement took, or has taken until now, in milliseconds."""
        return (now if self.replaced_at is None else self.replaced_at) - self.opened_at

    def breached(self, now: Millis) -> bool:
        """Whether the guarantee is broken, replaced by now or not: then a credit is owed (5.2.2)."""
        return self.elapsed(now) > REPLACEMENT_GUARANTEE_MS

    def overdue(self, now: Millis) -> bool:
        """Whether it waits still, beyond the guarantee."""
        return self.replaced_at is None and self.breached(now)

    def due_soon(self, now: Millis) -> bool:
        """Whether it waits beyond the goal, and the guarantee can still be kept."""
        return self.replaced_at is None and REPLACEMENT_GOAL_MS < self.elapsed(now) <= REPLACEMENT_GUARANTEE_MS

    def in_time(self, now: Millis) -> bool | None:
        """Whether the guarantee was kept; None while that is open."""
        if self.breached(now):
            return False
        return None if self.replaced_at is None else True


def cases_from(events: Iterable[HardwareEvent]) -> tuple[HardwareCase, ...]:
    """Fold facts into cases, by number. A second replacement of one case, or that of none, changes nothing."""
    found: dict[int, HardwareCase] = {}
    for fact in sorted(events, key=lambda fact: not isinstance(fact, HardwareCaseOpened)):
        if isinstance(fact, HardwareCaseOpened):
            found[fact.id] = HardwareCase(
                id=fact.id,
                subscription=fact.subscription,
                server=fact.server,
                part=fact.part,
                reference=fact.reference,
                opened_at=fact.opened_at,
                replaced_at=None,
                recorded_at=fact.at,
                recorded_by=fact.by,
            )
        elif fact.id in found and found[fact.id].replaced_at is None:
            found[fact.id] = replace(found[fact.id], replaced_at=fact.replaced_at)
    return tuple(found[number] for number in sorted(found))
