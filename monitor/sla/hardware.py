"""The replacement of failed hardware of the provider: guarantee 12 hours, goal 8 hours (5.2.1, 5.2.2).

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
"""The only product whose hardware belongs to the provider; its terms have the guarantee and the credit."""
CLAUSE: Final = PRODUCTS[HARDWARE_PRODUCT].credit_clause
REPLACEMENT_GUARANTEE_MS: Final = (PRODUCTS[HARDWARE_PRODUCT].hardware_hours or 0) * _HOUR_MS
"""Milliseconds; after it, a credit is due (5.2.2)."""
REPLACEMENT_GOAL_MS: Final = 8 * _HOUR_MS
"""Milliseconds; missing it has no consequence (5.2.2)."""

NO_GUARANTEE_REASON: Final[dict[Product, str]] = {
    "colocation": "the hardware of a colocation is the customer's own and is not replaced (8.2)",
    "web-hosting": "the guarantee is one on servers (5.2.1), not on shared hosting (5.1)",
}
"""Why other products have no guarantee."""


class HardwareCaseState(StrEnum):
    """The state of a case."""

    OPEN = "open"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True)
class HardwareCaseOpened:
    """The failure of a part, recorded at ``at``."""

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
    """The replacement of the part, recorded at ``at``."""

    id: int
    at: Millis
    replaced_at: Millis
    by: str


HardwareEvent: TypeAlias = HardwareCaseOpened | HardwareReplaced


@dataclass(frozen=True, slots=True)
class HardwareCase:
    """A failed part after its events."""

    id: int
    subscription: str
    server: str
    part: str
    reference: str | None
    """The customer's ticket, which is also the claim for the credit (6.1)."""
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
        """Its name in reports."""
        return f"hardware {self.id}"

    @property
    def goal(self) -> Millis:
        """The last instant at which the goal is met, included."""
        return self.opened_at + REPLACEMENT_GOAL_MS

    @property
    def due(self) -> Millis:
        """The last instant at which the replacement is in time, included."""
        return self.opened_at + REPLACEMENT_GUARANTEE_MS

    def elapsed(self, now: Millis) -> Millis:
        """Return the time to the replacement, or to now if it is open, in milliseconds."""
        return (now if self.replaced_at is None else self.replaced_at) - self.opened_at

    def breached(self, now: Millis) -> bool:
        """Return whether the guarantee is breached, replaced or not: then a credit is due (5.2.2)."""
        return self.elapsed(now) > REPLACEMENT_GUARANTEE_MS

    def overdue(self, now: Millis) -> bool:
        """Return whether it is open and the guarantee is breached."""
        return self.replaced_at is None and self.breached(now)

    def due_soon(self, now: Millis) -> bool:
        """Return whether it is open, the goal is missed and the guarantee not breached yet."""
        return self.replaced_at is None and REPLACEMENT_GOAL_MS < self.elapsed(now) <= REPLACEMENT_GUARANTEE_MS

    def in_time(self, now: Millis) -> bool | None:
        """Return whether the guarantee was kept; None while this is undecided."""
        if self.breached(now):
            return False
        return None if self.replaced_at is None else True


def cases_from(events: Iterable[HardwareEvent]) -> tuple[HardwareCase, ...]:
    """Return the cases, by id, after events. A second replacement, or one of an unknown case, is ignored."""
    found: dict[int, HardwareCase] = {}
    for event in sorted(events, key=lambda event: not isinstance(event, HardwareCaseOpened)):
        if isinstance(event, HardwareCaseOpened):
            found[event.id] = HardwareCase(
                id=event.id,
                subscription=event.subscription,
                server=event.server,
                part=event.part,
                reference=event.reference,
                opened_at=event.opened_at,
                replaced_at=None,
                recorded_at=event.at,
                recorded_by=event.by,
            )
        elif event.id in found and found[event.id].replaced_at is None:
            found[event.id] = replace(found[event.id], replaced_at=event.replaced_at)
    return tuple(found[number] for number in sorted(found))
