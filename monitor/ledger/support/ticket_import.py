"""Imports tickets from a file of the ticket system: all rows or none; known tickets are skipped."""

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
    """One row of a file: a ticket of the ticket system."""

    line_number: int
    """The line of the file; 0 for a recorded ticket."""
    reference: str
    subscription: str
    channel: Channel
    level: int
    opened_at: Millis
    responded_at: Millis | None

    @property
    def location(self) -> str:
        """The start of a message about a conflict."""
        return f"line {self.line_number} says" if self.line_number else "the records say"


class TicketConflicts(Exception):  # noqa: N818 - a result: nothing was imported
    """Rows that contradict other rows or the records: the line number and a message for each."""

    def __init__(self, conflicts: list[tuple[int, str]]) -> None:
        super().__init__(conflicts)
        self.conflicts = conflicts


def import_tickets(db: Database, rows: Iterable[TicketRow], at: Millis) -> tuple[int, int]:
    """Record what is new in some rows, in any order; return the numbers of new tickets and new first responses.

    A row can add the first response to a known ticket. Raises TicketConflicts before anything is recorded.
    """
    existing = tickets(db)
    stored = {ticket.reference: ticket for ticket in existing if ticket.reference is not None}
    merged = {
        reference: TicketRow(
            0, reference, ticket.subscription, ticket.channel, ticket.level, ticket.opened_at, ticket.responded_at
        )
        for reference, ticket in stored.items()
    }
    conflicts: list[tuple[int, str]] = []
    for row in rows:
        earlier = merged.get(row.reference)
        if earlier is None:
            merged[row.reference] = row
        elif (contradiction := _contradiction(row, earlier)) is not None:
            conflicts.append((row.line_number, contradiction))
        elif earlier.responded_at is None and row.responded_at is not None:
            merged[row.reference] = replace(earlier, responded_at=row.responded_at, line_number=row.line_number)
    if conflicts:
        raise TicketConflicts(conflicts)
    return _record_rows(db, merged, existing, at)


def _contradiction(row: TicketRow, earlier: TicketRow) -> str | None:
    """Return the column in which a row contradicts an earlier row or record of the same ticket, as a message."""
    for column, value, earlier_value in (
        ("subscription", row.subscription, earlier.subscription),
        ("channel", row.channel, earlier.channel),
        ("opened", row.opened_at, earlier.opened_at),
        ("responded", row.responded_at, earlier.responded_at),
    ):
        if value != earlier_value and not (column == "responded" and None in (value, earlier_value)):
            return f"{column}: {earlier.location} something else of ticket {row.reference!r}"
    return None


def _record_rows(db: Database, rows: dict[str, TicketRow], existing: tuple[Ticket, ...], at: Millis) -> tuple[int, int]:
    opened = answered = 0
    numbers = {ticket.reference: ticket.id for ticket in existing}
    answered_ids = {ticket.id for ticket in existing if ticket.responded_at is not None}
    free_numbers = count(next_number(ticket.id for ticket in existing))
    for reference, row in rows.items():
        number = numbers.get(reference)
        if number is None:
            number = next(free_numbers)
            opened += 1
            append_opening(
                db,
                number,
                row.subscription,
                row.channel,
                row.level,
                row.opened_at,
                reference,
                at,
                imported=True,
            )
        if row.responded_at is not None and number not in answered_ids:
            answered += 1
            append_response(db, number, row.responded_at, at)
    return opened, answered
