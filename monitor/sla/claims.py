"""Claims and their answers, folded from facts in order (6.1 to 6.3, docs/contract.md#claims-and-answers)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monitor.model import CheckKey, Millis


class ClaimState(StrEnum):
    """What a claim is."""

    OPEN = "open"
    REFUSED = "refused"
    ANSWERED = "answered"


class ClaimRefusalReason(StrEnum):
    """Why a claim is refused when it is made; what is due is not looked at any more."""

    LATE = "late"
    """Made after the end of the second business day (6.2)."""
    NOT_MEASURED = "not-measured"
    """For an outage of a check that the subscription's availability is not read on (4.4, 4.5, 4.8)."""


@dataclass(frozen=True, slots=True)
class ClaimOpened:
    """A claim was recorded at ``at``; the customer's ticket came at ``opened_at``."""

    id: int
    at: Millis
    subscription: str
    outage: int
    check: CheckKey
    outage_start: Millis
    """The outage's first fail, from which the deadline is counted."""
    opened_at: Millis
    deadline: Millis
    answer_due: Millis
    by: str


@dataclass(frozen=True, slots=True)
class ClaimRefused:
    """A claim was refused."""

    id: int
    at: Millis
    reason: ClaimRefusalReason
    by: str


@dataclass(frozen=True, slots=True)
class ClaimAnswered:
    """A claim was answered; ``final`` says whether every month that it speaks of was over."""

    id: int
    at: Millis
    final: bool
    entry: int
    """The journal's number of the answer, with its figures."""
    by: str


ClaimEvent: TypeAlias = ClaimOpened | ClaimRefused | ClaimAnswered


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim as its facts stand. Instants are ``Millis``; deadlines are the last instants that are in time."""

    id: int
    subscription: str
    outage: int
    check: CheckKey
    outage_start: Millis
    """The outage's first fail as it was known when the claim was recorded: the deadline hangs on it."""
    opened_at: Millis
    recorded_at: Millis
    recorded_by: str
    deadline: Millis
    answer_due: Millis
    refused: ClaimRefused | None = None
    answers: tuple[ClaimAnswered, ...] = ()
    """At most a provisional one and then a final one."""

    @property
    def in_time(self) -> bool:
        """Whether it was made within two business days; 24:00 itself is in time (6.2)."""
        return self.opened_at <= self.deadline

    @property
    def state(self) -> ClaimState:
        """What it is."""
        if self.refused is not None:
            return ClaimState.REFUSED
        return ClaimState.ANSWERED if self.answers else ClaimState.OPEN

    @property
    def final(self) -> bool:
        """Whether nothing more is to be said: it was refused, or answered for good."""
        return self.refused is not None or any(answer.final for answer in self.answers)

    def overdue(self, now: Millis) -> bool:
        """Whether its answer should have been given by now (6.3); at 24:00 itself it is still in time."""
        return self.state is ClaimState.OPEN and now > self.answer_due


def claims_from(events: Iterable[ClaimEvent]) -> tuple[Claim, ...]:
    """Fold facts into claims by id, in any order; a fact of a claim that was never opened changes nothing."""
    found: dict[int, Claim] = {}
    for fact in sorted(events, key=lambda fact: (not isinstance(fact, ClaimOpened), fact.at)):
        if isinstance(fact, ClaimOpened):
            found[fact.id] = Claim(
                id=fact.id,
                subscription=fact.subscription,
                outage=fact.outage,
                check=fact.check,
                outage_start=fact.outage_start,
                opened_at=fact.opened_at,
                recorded_at=fact.at,
                recorded_by=fact.by,
                deadline=fact.deadline,
                answer_due=fact.answer_due,
            )
        elif (claim := found.get(fact.id)) is not None:
            if isinstance(fact, ClaimRefused):
                found[fact.id] = replace(claim, refused=fact)
            else:
                found[fact.id] = replace(claim, answers=(*claim.answers, fact))
    return tuple(found[key] for key in sorted(found))
