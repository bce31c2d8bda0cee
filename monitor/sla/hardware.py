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
OWNED: Final[Product] = "server"
"""The one product whose hardware is the provider's: the guarantee and its credit are those of its terms."""
CLAUSE: Final = PRODUCTS[OWNED].credit_clause
GUARANTEE: Final = (PRODUCTS[OWNED].hardware_hours or 0) * _HOUR_MS
"""Milliseconds; over it, a credit is owed (5.2.2)."""
GOAL: Final = 8 * _HOUR_MS
"""Milliseconds: what is aimed at; nothing is owed for missing it (5.2.2)."""

WHY_NOT: Final[dict[Product, str]] = {
    "colocation": "the hardware of a colocation is the customer's own and is not replaced (8.2)",
    "web-hosting": "the guarantee is one on servers (5.2.1), not on shared hosting (5.1)",
}
"""Why other products have no such guarantee."""


class CaseState(StrEnum):
    """What a case is."""

    OPEN = "open"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True)
class Opened:
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
class Replaced:
    """That the part was replaced was recorded at ``at``."""

    id: int
    at: Millis
    replaced_at: Millis
    by: str


Fact: TypeAlias = Opened | Replaced


@dataclass(frozen=True, slots=True)
class Case:
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
    def state(self) -> CaseState:
        """Open until it is replaced."""
        return CaseState.OPEN if self.replaced_at is None else CaseState.REPLACED

    @property
    def name(self) -> str:
        """What reports call it."""
        return f"hardware {self.id}"

    @property
    def goal(self) -> Millis:
        """The last instant at which the goal is met, itself included."""
        return self.opened_at + GOAL

    @property
    def due(self) -> Millis:
        """The last instant at which the replacement is in time, itself included."""
        return self.opened_at + GUARANTEE

    def took(self, now: Millis) -> Millis:
        """Return how long the replacement took, or has taken until now, in milliseconds."""
        return (now if self.replaced_at is None else self.replaced_at) - self.opened_at

    def broken(self, now: Millis) -> bool:
        """Whether the guarantee is broken, replaced by now or not: then a credit is owed (5.2.2)."""
        return self.took(now) > GUARANTEE

    def overdue(self, now: Millis) -> bool:
        """Whether it waits still, beyond the guarantee."""
        return self.replaced_at is None and self.broken(now)

    def due_soon(self, now: Millis) -> bool:
        """Whether it waits beyond the goal, and the guarantee can still be kept."""
        return self.replaced_at is None and GOAL < self.took(now) <= GUARANTEE

    def in_time(self, now: Millis) -> bool | None:
        """Whether the guarantee was kept; None while that is open."""
        if self.broken(now):
            return False
        return None if self.replaced_at is None else True


def cases(facts: Iterable[Fact]) -> tuple[Case, ...]:
    """Fold facts into cases, by number. A second replacement of one case, or that of none, changes nothing."""
    found: dict[int, Case] = {}
    for fact in sorted(facts, key=lambda fact: not isinstance(fact, Opened)):
        if isinstance(fact, Opened):
            found[fact.id] = Case(
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
