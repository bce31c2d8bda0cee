"""Tickets out of the ticket system: a file of them is taken in whole, and what is known already is nothing new."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING

from monitor.ledger.outage_history import next_number
from monitor.ledger.support.tickets import append_opening, append_response, tickets

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlite_utils import Database

    from monitor.model import Millis
    from monitor.sla.tickets import Channel, Ticket


@dataclass(frozen=True, slots=True)
class TicketRow:
    """One line of a file: a ticket as the ticket system has it."""

    line_number: int
    """Of the line; 0 stands for the records."""
    reference: str
    subscription: str
    channel: Channel
    level: int
    opened_at: Millis
    responded_at: Millis | None

    @property
    def location(self) -> str:
        """Where it stands, for a message."""
        return f"line {self.line_number} says" if self.line_number else "the records say"


class TicketConflicts(Exception):  # noqa: N818 - it is an answer: nothing was taken
    """Lines that contradict others, or the records: the number of each line, and what it contradicts."""

    def __init__(self, conflicts: list[tuple[int, str]]) -> None:
        super().__init__(conflicts)
        self.conflicts = conflicts


def import_tickets(db: Database, rows: Iterable[TicketRow], at: Millis) -> tuple[int, int]:
    """Record what is new in some lines, in any order; gives how many tickets and how many first answers are new.

    A line may bring the answer to a ticket that is known without one. Raises Clashes, before anything is recorded.
    """
    known = tickets(db)
    stored = {ticket.reference: ticket for ticket in known if ticket.reference is not None}
    said = {
        reference: TicketRow(0, reference, one.subscription, one.channel, one.level, one.opened_at, one.responded_at)
        for reference, one in stored.items()
    }
    clashes: list[tuple[int, str]] = []
    for line in rows:
        before = said.get(line.reference)
        if before is None:
            said[line.reference] = line
        elif (why := _contradiction(line, before)) is not None:
            clashes.append((line.line_number, why))
        elif before.responded_at is None and line.responded_at is not None:
            said[line.reference] = replace(before, responded_at=line.responded_at, line_number=line.line_number)
    if clashes:
        raise TicketConflicts(clashes)
    return _record_rows(db, said, known, at)


def _contradiction(row: TicketRow, before: TicketRow) -> str | None:
    """Say in which column a line says otherwise than what was said before of the same ticket."""
    for column, mine, other in (
        ("subscription", row.subscription, before.subscription),
        ("channel", row.channel, before.channel),
        ("opened", row.opened_at, before.opened_at),
        ("responded", row.responded_at, before.responded_at),
    ):
        if mine != other and not (column == "responded" and None in (mine, other)):
            return f"{column}: {before.location} something else of ticket {row.reference!r}"
    return None


def _record_rows(db: Database, rows: dict[str, TicketRow], known: tuple[Ticket, ...], at: Millis) -> tuple[int, int]:
    opened = answered = 0
    numbers = {ticket.reference: ticket.id for ticket in known}
    answers = {ticket.id for ticket in known if ticket.responded_at is not None}
    free = count(next_number(ticket.id for ticket in known))
    for reference, line in rows.items():
        own = numbers.get(reference)
        if own is None:
            own = next(free)
            opened += 1
            append_opening(
                db,
                own,
                line.subscription,
                line.channel,
                line.level,
                line.opened_at,
                reference,
                at,
                imported=True,
            )
        if line.responded_at is not None and own not in answers:
            answered += 1
            append_response(db, own, line.responded_at, at)
    return opened, answered
