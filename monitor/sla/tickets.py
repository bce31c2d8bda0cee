"""The first response to a ticket; time counts at all hours (5.4.3, 5.4.4, docs/contract.md#first-response)."""

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
"""The clause that a late response breaches."""
CREDIT_CLAUSE: Final = "5.4.5"
"""The clause of the credit for a late response."""

_HOUR_MS = 3_600_000


def response_limit(level: int, channel: Channel) -> Millis | None:
    """Return the limit of the first response for a level (8.1), in milliseconds; None by phone, which has hours."""
    hours = {"ticket": SUPPORT_LEVELS[level].ticket_hours, "email": SUPPORT_LEVELS[level].email_hours}.get(channel)
    return None if hours is None else hours * _HOUR_MS


def channel_available(level: int, channel: Channel, at: Millis, zone: str) -> bool:
    """Return whether a level accepts requests by a channel at a moment: calls from 9:00 to before 18:00, or never.

    The agreement names no days, so calls are accepted on all days [decision].
    """
    phone = SUPPORT_LEVELS[level].phone
    if channel != "phone" or phone == "24/7":
        return True
    if phone is None:
        return False
    first, end = (int(hour) for hour in phone.split("-"))
    return first <= hour_of(at, zone) < end


def response_time(opened: Millis, responded: Millis, downtime: IntervalSet) -> Millis:
    """Return the counted time from the opening to the first answer by a person, in milliseconds.

    ``downtime`` is when the ticket area was down or in maintenance: that time does not count (5.4.3).
    """
    return (IntervalSet.of(opened, responded) - downtime).length


def due_after(opened: Millis, limit: Millis, downtime: IntervalSet) -> Millis:
    """Return the last instant until which at most ``limit`` milliseconds count since the opening."""
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
    """The state of a ticket with regard to its first response."""

    OPEN = "open"
    RESPONDED = "responded"


@dataclass(frozen=True, slots=True)
class TicketOpened:
    """The opening of a ticket, recorded at ``at``."""

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
    """The first answer by a person at ``responded_at``, recorded at ``at``."""

    id: int
    at: Millis
    responded_at: Millis
    by: str


TicketEvent: TypeAlias = TicketOpened | TicketResponded


@dataclass(frozen=True, slots=True)
class Ticket:
    """A request for support after its events."""

    id: int
    subscription: str
    channel: Channel
    level: int
    """The level of the subscription's server at the opening."""
    opened_at: Millis
    responded_at: Millis | None
    reference: str | None
    """Its name in the ticket system."""
    imported: bool
    recorded_at: Millis
    recorded_by: str

    @property
    def name(self) -> str:
        """Its name in reports."""
        return f"ticket {self.id}"

    @property
    def state(self) -> TicketState:
        """Open until the first answer."""
        return TicketState.OPEN if self.responded_at is None else TicketState.RESPONDED

    @property
    def response_limit(self) -> Millis | None:
        """The limit of the first response in milliseconds; None if there is none."""
        return response_limit(self.level, self.channel)


@dataclass(frozen=True, slots=True)
class ResponseClock:
    """The response time of a ticket at a moment, and its deadline."""

    ticket: Ticket
    now: Millis
    downtime: IntervalSet
    """The downtime of the ticket area, as known now."""

    @property
    def until(self) -> Millis:
        """The time of the first answer, or now."""
        return self.now if self.ticket.responded_at is None else self.ticket.responded_at

    @property
    def elapsed(self) -> Millis:
        """The counted time to the first answer, or to now, in milliseconds."""
        return response_time(self.ticket.opened_at, self.until, self.downtime)

    @property
    def paused(self) -> Millis:
        """The time that does not count (5.4.3), in milliseconds."""
        return self.until - self.ticket.opened_at - self.elapsed

    @property
    def due(self) -> Millis | None:
        """The last instant at which the answer is in time, included; downtime of the ticket area postpones it."""
        limit = self.ticket.response_limit
        return None if limit is None else due_after(self.ticket.opened_at, limit, self.downtime)

    @property
    def breached(self) -> bool:
        """Whether the limit is exceeded, answered or not (5.4.4); exactly at the limit is in time."""
        limit = self.ticket.response_limit
        return limit is not None and self.elapsed > limit

    @property
    def in_time(self) -> bool | None:
        """Whether the answer was in time; None while this is undecided, and if there is no limit."""
        if self.breached:
            return False
        return None if self.ticket.response_limit is None or self.ticket.responded_at is None else True

    @property
    def overdue(self) -> bool:
        """Whether it is open and the limit is exceeded."""
        return self.ticket.responded_at is None and self.breached

    @property
    def due_soon(self) -> bool:
        """Whether it is open and in the last third of its limit."""
        limit = self.ticket.response_limit
        return (
            self.ticket.responded_at is None
            and limit is not None
            and not self.breached
            and 3 * self.elapsed > 2 * limit
        )


def tickets_from(events: Iterable[TicketEvent]) -> tuple[Ticket, ...]:
    """Return the tickets, by id, after events. Only the first answer of a ticket counts."""
    found: dict[int, Ticket] = {}
    for event in sorted(events, key=lambda event: not isinstance(event, TicketOpened)):
        if isinstance(event, TicketOpened):
            found[event.id] = Ticket(
                id=event.id,
                subscription=event.subscription,
                channel=event.channel,
                level=event.level,
                opened_at=event.opened_at,
                responded_at=None,
                reference=event.reference,
                imported=event.imported,
                recorded_at=event.at,
                recorded_by=event.by,
            )
        elif event.id in found and found[event.id].responded_at is None:
            found[event.id] = replace(found[event.id], responded_at=event.responded_at)
    return tuple(found[number] for number in sorted(found))
