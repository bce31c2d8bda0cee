"""The first response to a ticket: a clock that runs at all hours (5.4.3, 5.4.4, docs/contract.md#first-response)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from monitor.sla.calendar import hour_of
from monitor.sla.interval_set import IntervalSet
from monitor.sla.support_levels import SUPPORT_LEVELS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monitor.model import Millis

Channel: TypeAlias = Literal["ticket", "email", "phone"]
CLAUSE: Final = "5.4.4"
"""What a late answer breaks."""
CREDIT_CLAUSE: Final = "5.4.5"
"""What a credit for it would be paid by."""

_HOUR_MS = 3_600_000


def response_limit(level: int, channel: Channel) -> Millis | None:
    """Return how soon the first answer comes at the latest, by the level (8.1); None by phone: it promises hours."""
    hours = {"ticket": SUPPORT_LEVELS[level].ticket_hours, "email": SUPPORT_LEVELS[level].email_hours}.get(channel)
    return None if hours is None else hours * _HOUR_MS


def channel_available(level: int, channel: Channel, at: Millis, zone: str) -> bool:
    """Whether the level takes a request by this channel at that moment: calls from 9:00 to before 18:00, or never.

    The agreement names no days, so those of the phone are all [decision].
    """
    phone = SUPPORT_LEVELS[level].phone
    if channel != "phone" or phone == "24/7":
        return True
    if phone is None:
        return False
    first, end = (int(hour) for hour in phone.split("-"))
    return first <= hour_of(at, zone) < end


def response_time(opened: Millis, responded: Millis, downtime: IntervalSet) -> Millis:
    """Return the time from the opening to the first human answer (else to now), in milliseconds.

    ``downtime`` is when the ticket area itself was down or in maintenance: that time does not count (5.4.3).
    """
    return (IntervalSet.of(opened, responded) - downtime).length


def due_after(opened: Millis, limit: Millis, downtime: IntervalSet) -> Millis:
    """Return the last instant up to which no more than ``promise`` milliseconds count since the opening."""
    left, at = limit, opened
    for start, end in downtime:
        if end <= at:
            continue
        if start - at > left:
            break
        left -= max(0, start - at)
        at = end
    return at + left


class TicketState(StrEnum):
    """What a ticket is, as far as its first response goes."""

    OPEN = "open"
    RESPONDED = "responded"


@dataclass(frozen=True, slots=True)
class TicketOpened:
    """That a ticket was opened was recorded at ``at``."""

    id: int
    at: Millis
    subscription: str
    channel: Channel
    level: int
    opened_at: Millis
    reference: str | None
    imported: bool
    by: str


@dataclass(frozen=True, slots=True)
class TicketResponded:
    """That a human answered first at ``responded_at`` was recorded at ``at``."""

    id: int
    at: Millis
    responded_at: Millis
    by: str


TicketEvent: TypeAlias = TicketOpened | TicketResponded


@dataclass(frozen=True, slots=True)
class Ticket:
    """A request for support, as the facts of it stand."""

    id: int
    subscription: str
    channel: Channel
    level: int
    """Of the subscription's server when it was opened."""
    opened_at: Millis
    responded_at: Millis | None
    reference: str | None
    """What the ticket system calls it."""
    imported: bool
    recorded_at: Millis
    recorded_by: str

    @property
    def name(self) -> str:
        """What reports call it."""
        return f"ticket {self.id}"

    @property
    def state(self) -> TicketState:
        """Open until somebody answers."""
        return TicketState.OPEN if self.responded_at is None else TicketState.RESPONDED

    @property
    def response_limit(self) -> Millis | None:
        """How soon the first answer comes at the latest, in milliseconds; None where nothing is promised."""
        return response_limit(self.level, self.channel)


@dataclass(frozen=True, slots=True)
class ResponseClock:
    """A ticket's clock at a moment: what counted of its time, and how long it may still run."""

    ticket: Ticket
    now: Millis
    downtime: IntervalSet
    """When the ticket area was away, as far as is known now."""

    @property
    def until(self) -> Millis:
        """Where the clock stopped, or now."""
        return self.now if self.ticket.responded_at is None else self.ticket.responded_at

    @property
    def elapsed(self) -> Millis:
        """What counts of the time to the first answer, or to now."""
        return response_time(self.ticket.opened_at, self.until, self.downtime)

    @property
    def paused(self) -> Millis:
        """What does not count of it (5.4.3)."""
        return self.until - self.ticket.opened_at - self.elapsed

    @property
    def due(self) -> Millis | None:
        """The last instant at which the answer is in time, itself included; it moves while the area is away."""
        promise = self.ticket.response_limit
        return None if promise is None else due_after(self.ticket.opened_at, promise, self.downtime)

    @property
    def breached(self) -> bool:
        """Whether the promise is broken, answered by now or not (5.4.4); exactly at the limit is in time."""
        promise = self.ticket.response_limit
        return promise is not None and self.elapsed > promise

    @property
    def in_time(self) -> bool | None:
        """Whether the promise was kept; None while that is open, and where nothing is promised."""
        if self.breached:
            return False
        return None if self.ticket.response_limit is None or self.ticket.responded_at is None else True

    @property
    def overdue(self) -> bool:
        """Whether it waits still, beyond the promise."""
        return self.ticket.responded_at is None and self.breached

    @property
    def due_soon(self) -> bool:
        """Whether it waits in the last third of its time."""
        promise = self.ticket.response_limit
        return (
            self.ticket.responded_at is None
            and promise is not None
            and not self.breached
            and 3 * self.elapsed > 2 * promise
        )


def tickets_from(events: Iterable[TicketEvent]) -> tuple[Ticket, ...]:
    """Fold facts into tickets, by number. Only the first answer of a ticket is one."""
    found: dict[int, Ticket] = {}
    for fact in sorted(events, key=lambda fact: not isinstance(fact, TicketOpened)):
        if isinstance(fact, TicketOpened):
            found[fact.id] = Ticket(
                id=fact.id,
                subscription=fact.subscription,
                channel=fact.channel,
                level=fact.level,
                opened_at=fact.opened_at,
                responded_at=None,
                reference=fact.reference,
                imported=fact.imported,
                recorded_at=fact.at,
                recorded_by=fact.by,
            )
        elif fact.id in found and found[fact.id].responded_at is None:
            found[fact.id] = replace(found[fact.id], responded_at=fact.responded_at)
    return tuple(found[number] for number in sorted(found))
