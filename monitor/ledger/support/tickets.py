"""Tickets and their first responses (5.4.3, 5.4.4, docs/contract.md#first-response), from the facts of the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.errors import InputError
from monitor.formatting import format_instant, one_line
from monitor.ledger.outage_history import next_number
from monitor.ledger.recorded_by import recorded_by
from monitor.ledger.terms import breach_counts_within, require_terms
from monitor.model import CheckKey, Span
from monitor.sla import portal_downtime
from monitor.sla import tickets as rules
from monitor.sla.tickets import ResponseClock, Ticket
from monitor.store import journal

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlite_utils import Database

    from monitor.ledger.accounts.accounts import LedgerView
    from monitor.model import Millis
    from monitor.sla.interval_set import IntervalSet
    from monitor.sla.terms import Terms
    from monitor.sla.tickets import Channel

OPENED, RESPONDED = TICKET_EVENTS = ("ticket-opened", "ticket-responded")


def tickets(db: Database, at: Millis | None = None) -> tuple[Ticket, ...]:
    """Return the tickets that were recorded by ``at`` (by default all), in order of their numbers."""
    return rules.tickets_from(_event(entry) for entry in journal.entries(db, *TICKET_EVENTS, until=at))


def _event(entry: journal.JournalEntry) -> rules.TicketEvent:
    body = entry.body
    if entry.kind == RESPONDED:
        return rules.TicketResponded(body["ticket"], entry.at, body["responded_at"], body["recorded_by"])
    return rules.TicketOpened(
        id=body["ticket"],
        at=entry.at,
        subscription=body["subscription"],
        channel=body["channel"],
        level=body["level"],
        opened_at=body["opened_at"],
        reference=body["reference"],
        imported=body["imported"],
        by=body["recorded_by"],
    )


def open_ticket(
    db: Database,
    versions: Sequence[Terms],
    subscription: str,
    channel: Channel,
    reference: str | None,
    opened_at: Millis | None,
    at: Millis,
) -> Ticket:
    """Record that a ticket was opened, at ``opened_at`` or by default now; ``versions`` are all terms.

    Raises InputError if the subscription was not in force then, or if another ticket has the same reference.
    """
    ticket_time = at if opened_at is None else opened_at
    if ticket_time > at:
        raise InputError("--at: a ticket cannot have been opened in the future")
    level = require_terms(versions, subscription, ticket_time).level
    existing = tickets(db)
    reference = None if reference is None else one_line(reference)
    for ticket in existing:
        if reference is not None and ticket.reference == reference:
            raise InputError(f"--reference {reference}: ticket {ticket.id} has it already")
    number = next_number(ticket.id for ticket in existing)
    append_opening(db, number, subscription, channel, level, ticket_time, reference, at, imported=False)
    return ticket_of(db, number)


def append_opening(
    db: Database,
    number: int,
    subscription: str,
    channel: Channel,
    level: int,
    opened_at: Millis,
    reference: str | None,
    at: Millis,
    *,
    imported: bool,
) -> None:
    """Append the opening of a ticket to the journal; the caller has validated it."""
    body = {
        "ticket": number,
        "subscription": subscription,
        "channel": channel,
        "level": level,
        "opened_at": opened_at,
        "reference": reference,
        "imported": imported,
        "recorded_by": recorded_by(),
    }
    journal.append(db, at, OPENED, body)


def append_response(db: Database, number: int, responded_at: Millis, at: Millis) -> None:
    """Append the first response to the journal; the caller has validated it."""
    journal.append(db, at, RESPONDED, {"ticket": number, "responded_at": responded_at, "recorded_by": recorded_by()})


def record_first_response(db: Database, zone: str, number: int, responded_at: Millis | None, at: Millis) -> Ticket:
    """Record the first human response, at ``responded_at`` or by default now. Raises InputError."""
    ticket = ticket_of(db, number)
    response_time = at if responded_at is None else responded_at
    if ticket.responded_at is not None:
        first = format_instant(ticket.responded_at, zone)
        raise InputError(f"ticket {number} was answered first at {first}: only the first answer counts")
    if response_time > at:
        raise InputError("--at: a ticket cannot have been answered in the future")
    if response_time < ticket.opened_at:
        opened = format_instant(ticket.opened_at, zone)
        raise InputError(f"--at: a ticket cannot have been answered before it was opened, at {opened}")
    append_response(db, number, response_time, at)
    return ticket_of(db, number)


def ticket_of(db: Database, number: int) -> Ticket:
    """Return one ticket by its number. Raises InputError if there is no such ticket."""
    for ticket in tickets(db):
        if ticket.id == number:
            return ticket
    raise InputError(f"ticket {number} does not exist; see `monitor ticket list`")


def response_clocks(ledger: LedgerView, selected: Collection[Ticket]) -> tuple[ResponseClock, ...]:
    """Return the response clocks of some tickets, in their order; the portal's downtime is computed once for all."""
    now = ledger.at
    if not selected:
        return ()
    ends = [now if ticket.responded_at is None else ticket.responded_at for ticket in selected]
    downtime = _portal_downtime(ledger, Span(min(ticket.opened_at for ticket in selected), max(ends)))
    return tuple(
        ResponseClock(ticket, now, downtime.clip(ticket.opened_at, end))
        for ticket, end in zip(selected, ends, strict=True)
    )


def _portal_downtime(ledger: LedgerView, window: Span) -> IntervalSet:
    """Return the downtime of the support portal (5.4.3)."""
    parts = portal_downtime.portal_periods(ledger.versions, window)
    keys = [(CheckKey(part.server, name), part.span) for part in parts for name in part.checks]
    return portal_downtime.portal_downtime(
        parts, {key: ledger.history(*key) for key in keys}, ledger.exclusions, ledger.at
    )


def unanswered_response_clocks(db: Database, ledger: LedgerView) -> tuple[ResponseClock, ...]:
    """Return the response clocks of the tickets without a first response, as of the ledger view."""
    return response_clocks(ledger, [ticket for ticket in tickets(db, ledger.at) if ticket.responded_at is None])


def breached_response_clocks(db: Database, ledger: LedgerView, window: Span) -> tuple[ResponseClock, ...]:
    """Return the response clocks that were breached in a month; see ``breach_counts_within``."""
    candidates = [
        ticket
        for ticket in tickets(db, ledger.at)
        if ticket.opened_at < window.end and (ticket.responded_at is None or ticket.responded_at >= window.start)
    ]
    return tuple(
        clock
        for clock in response_clocks(ledger, candidates)
        if clock.breached
        and clock.due is not None
        and breach_counts_within(ledger.versions, clock.ticket.subscription, clock.due, clock.ticket.opened_at, window)
    )
