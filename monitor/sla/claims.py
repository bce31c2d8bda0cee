"""Claims and their answers, computed from events (6.1 to 6.3, docs/contract.md#claims-and-answers)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monitor.model import CheckKey, Millis


class ClaimState(StrEnum):
    """The state of a claim."""

    OPEN = "open"
    REFUSED = "refused"
    ANSWERED = "answered"


class ClaimRefusalReason(StrEnum):
    """Why a claim is refused when it is recorded; its credit is then not computed."""

    LATE = "late"
    """Made after the end of the second business day (6.2)."""
    NOT_MEASURED = "not-measured"
    """For an outage of a check that does not measure the subscription (4.4, 4.5, 4.8)."""


@dataclass(frozen=True, slots=True)
class ClaimOpened:
    """A claim was recorded at ``at``; the customer's ticket arrived at ``opened_at``."""

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
    """A claim was answered; ``final`` if every month of its outage was over."""

    id: int
    at: Millis
    final: bool
    entry: int
    """The number of the journal entry with the answer's figures."""
    by: str


ClaimEvent: TypeAlias = ClaimOpened | ClaimRefused | ClaimAnswered


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim after its events. Deadlines are the last instants that are in time."""

    id: int
    subscription: str
    outage: int
    check: CheckKey
    outage_start: Millis
    """The outage's first fail as known when the claim was recorded: the deadline is counted from it."""
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
        """The state of the claim."""
        if self.refused is not None:
            return ClaimState.REFUSED
        return ClaimState.ANSWERED if self.answers else ClaimState.OPEN

    @property
    def final(self) -> bool:
        """Whether it was refused or has its final answer."""
        return self.refused is not None or any(answer.final for answer in self.answers)

    def overdue(self, now: Millis) -> bool:
        """Return whether its answer is overdue (6.3); at 24:00 itself it is still in time."""
        return self.state is ClaimState.OPEN and now > self.answer_due


def claims_from(events: Iterable[ClaimEvent]) -> tuple[Claim, ...]:
    """Return the claims, by id, after events in any order; events of a claim that was never opened are ignored."""
    found: dict[int, Claim] = {}
    for event in sorted(events, key=lambda event: (not isinstance(event, ClaimOpened), event.at)):
        if isinstance(event, ClaimOpened):
            found[event.id] = Claim(
                id=event.id,
                subscription=event.subscription,
                outage=event.outage,
                check=event.check,
                outage_start=event.outage_start,
                opened_at=event.opened_at,
                recorded_at=event.at,
                recorded_by=event.by,
                deadline=event.deadline,
                answer_due=event.answer_due,
            )
        elif (claim := found.get(event.id)) is not None:
            if isinstance(event, ClaimRefused):
                found[event.id] = replace(claim, refused=event)
            else:
                found[event.id] = replace(claim, answers=(*claim.answers, event))
    return tuple(found[key] for key in sorted(found))
