"""``monitor ticket``: support tickets and their first response times (5.4.3, 5.4.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from monitor.cli.app import (
    RECORD_NUMBER,
    App,
    format_duration,
    format_utc,
    json_option,
    print_json,
    print_table,
    to_seconds,
)
from monitor.cli.csv_input import BadLines, open_csv
from monitor.cli.ticket_csv import CHANNELS, read_ticket_rows
from monitor.errors import InputError
from monitor.formatting import pluralize
from monitor.ledger.accounts.accounts import LedgerView
from monitor.ledger.support import tickets as ticket_ledger
from monitor.ledger.support.ticket_import import TicketConflicts, import_tickets
from monitor.ledger.terms import terms_versions
from monitor.sla.terms import terms_at
from monitor.sla.tickets import CLAUSE, Channel, channel_available

if TYPE_CHECKING:
    from sqlite_utils import Database

    from monitor.model import Millis
    from monitor.sla.tickets import ResponseClock, Ticket


@click.group()
def ticket() -> None:
    """Record tickets and their first responses, and list them.

    The limit for the first response depends on the support level (8.1) and counts around the clock. Downtime of the
    ticket area does not count (5.4.3).
    """


@ticket.command("open")
@click.option("--subscription", metavar="ID", required=True)
@click.option("--channel", type=click.Choice(CHANNELS), required=True)
@click.option("--at", metavar="T", help="When it was opened; default: now.")
@click.option("--reference", metavar="TEXT", help="The ticket's unique name in the ticket system.")
@json_option
@click.pass_obj
def open_(
    app: App, *, subscription: str, channel: Channel, at: str | None, reference: str | None, as_json: bool
) -> None:
    """Record that a ticket was opened. Prints its id."""
    if reference is not None and not reference.strip():
        raise InputError("--reference: must not be empty")
    opened_at = app.parse_time(at, "--at") if at is not None else None
    with app.open_for_writing() as db:
        now = app.now(db)
        known = terms_versions(db, now, app.config.terms(now))
        recorded = ticket_ledger.open_ticket(db, known, subscription, channel, reference, opened_at, now)
        shown = _ticket_json(*_response_clock(app, db, recorded, now)) if as_json else None
    _print_ticket(recorded, shown)


@ticket.command()
@click.argument("number", metavar="ID", type=RECORD_NUMBER)
@click.option("--at", metavar="T", help="When the first response was sent; default: now.")
@json_option
@click.pass_obj
def responded(app: App, *, number: int, at: str | None, as_json: bool) -> None:
    """Record the first response of a human. Prints the ticket's id. A response exactly at the limit is in time."""
    responded_at = app.parse_time(at, "--at") if at is not None else None
    with app.open_for_writing() as db:
        now = app.now(db)
        recorded = ticket_ledger.record_first_response(db, app.timezone, number, responded_at, now)
        shown = _ticket_json(*_response_clock(app, db, recorded, now)) if as_json else None
    _print_ticket(recorded, shown)


@ticket.command("list")
@click.option("--open", "only_open", is_flag=True, help="Only tickets without a response.")
@json_option
@click.pass_obj
def listing(app: App, *, only_open: bool, as_json: bool) -> None:
    """List tickets with the counted time, the deadline of the response and whether it was met."""
    with app.open_for_reading() as db:
        now = app.now(db)
        listed = [each for each in ticket_ledger.tickets(db) if not only_open or each.responded_at is None]
        known = LedgerView(db, now, app.config.terms(now))
        found = ticket_ledger.response_clocks(known, listed)
    if as_json:
        print_json({"tickets": [_ticket_json(known, clock) for clock in found]})
        return
    print_table(
        ["id", "reference", "subscription", "level", "channel", "opened", "due", "answered", "counted", "state"],
        (
            [
                clock.ticket.id,
                clock.ticket.reference,
                clock.ticket.subscription,
                clock.ticket.level,
                clock.ticket.channel,
                app.format_time(clock.ticket.opened_at),
                app.format_time(clock.due),
                app.format_time(clock.ticket.responded_at),
                format_duration(clock.elapsed // 1000 * 1000),
                _format_state(clock),
            ]
            for clock in found
        ),
        empty="no tickets" if not only_open else "no open tickets",
    )


@ticket.command("import")
@click.argument("file", metavar="FILE")
@json_option
@click.pass_obj
def import_(app: App, *, file: str, as_json: bool) -> None:
    """Import a CSV file of tickets; - reads standard input. Prints how many are new.

    Header and columns: ticket,subscription,channel,opened,responded. Times are ISO 8601 with an offset, at most
    milliseconds, none in the future; responded may be empty and follow in a later file. A ticket that is already
    recorded is skipped if it is equal and an error if it differs. The whole file is imported or nothing of it.
    """
    bad, current = BadLines(), app.config.terms
    with open_csv(file) as stream, app.open_for_writing() as db:
        now = app.now(db)
        read = list(read_ticket_rows(stream, terms_versions(db, now, current(now)), now, bad))
        try:
            new, answered = import_tickets(db, read, now)
        except TicketConflicts as found:
            bad.add_all(found.conflicts, len(found.conflicts))
        bad.raise_any()
    if as_json:
        print_json({"lines": len(read), "new": new, "responded": answered})
    else:
        click.echo(
            f"{pluralize(new, 'new ticket')} and {pluralize(answered, 'new answer')} of {pluralize(len(read), 'line')}"
        )


def _format_state(clock: ResponseClock) -> str:
    if clock.ticket.response_limit is None:
        return f"{clock.ticket.state}, no response time is agreed for {clock.ticket.channel}"
    if clock.ticket.responded_at is not None:
        return f"missed ({CLAUSE})" if clock.breached else "in time"
    if clock.overdue:
        return f"overdue ({CLAUSE})"
    return "open, due soon" if clock.due_soon else "open"


def _response_clock(app: App, db: Database, ticket: Ticket, now: Millis) -> tuple[LedgerView, ResponseClock]:
    known = LedgerView(db, now, app.config.terms(now))
    return known, ticket_ledger.response_clocks(known, [ticket])[0]


def _print_ticket(ticket: Ticket, document: dict[str, Any] | None) -> None:
    if document is None:
        click.echo(ticket.id)
    else:
        print_json(document)


def _ticket_json(ledger: LedgerView, clock: ResponseClock) -> dict[str, Any]:
    one = clock.ticket
    zone = terms_at(ledger.versions, one.opened_at).timezone
    return {
        "id": one.id,
        "reference": one.reference,
        "subscription": one.subscription,
        "channel": one.channel,
        "level": one.level,
        "state": str(one.state),
        "opened_at": format_utc(one.opened_at),
        "responded_at": format_utc(one.responded_at),
        "limit_seconds": None if one.response_limit is None else to_seconds(one.response_limit),
        "due": format_utc(clock.due),
        "took_seconds": to_seconds(clock.elapsed),
        "not_counted_seconds": to_seconds(clock.paused),
        "in_time": clock.in_time,
        "overdue": clock.overdue,
        "due_soon": clock.due_soon,
        "within_hours": channel_available(one.level, one.channel, one.opened_at, zone),
        "clause": CLAUSE,
        "imported": one.imported,
        "recorded_at": format_utc(one.recorded_at),
        "recorded_by": one.recorded_by,
    }
