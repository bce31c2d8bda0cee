"""Rows of a CSV file of tickets, exported from a ticket system."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO, get_args

from monitor.cli.app import parse_timestamp
from monitor.cli.csv_input import BadLines, quote_value, read_rows
from monitor.ledger.support.ticket_import import TicketRow
from monitor.ledger.terms import absence_reason, subscription_terms_at
from monitor.sla.tickets import Channel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from monitor.model import Millis
    from monitor.sla.terms import Terms

HEADER = ["ticket", "subscription", "channel", "opened", "responded"]
CHANNELS: tuple[Channel, ...] = get_args(Channel)
MAX_NAME_LENGTH = 200
"""Characters of a ticket's name."""


def read_ticket_rows(
    stream: TextIO, versions: Sequence[Terms], now: Millis, bad_lines: BadLines
) -> Iterator[TicketRow]:
    """Yield the valid rows; add the others to ``bad_lines``. Raises InputError for another header."""
    for number, row in read_rows(stream, HEADER, bad_lines):
        try:
            yield _parse_row(number, row, versions, now)
        except ValueError as fault:
            bad_lines.add(number, str(fault))


def _parse_row(number: int, row: list[str], versions: Sequence[Terms], now: Millis) -> TicketRow:
    """Parse one row. Raises ValueError with the column, the value and the reason."""
    ticket, subscription, name, opened, responded = row
    ticket = ticket.strip()
    if not ticket or not ticket.isprintable() or len(ticket) > MAX_NAME_LENGTH:
        raise ValueError(f"ticket {quote_value(ticket)}: must be one line of text, 1 to {MAX_NAME_LENGTH} characters")
    channel = next((each for each in CHANNELS if each == name), None)
    if channel is None:
        raise ValueError(f"channel {quote_value(name)}: must be {', '.join(CHANNELS[:-1])} or {CHANNELS[-1]}")
    opened_at = _parse_time("opened", opened, now)
    agreed = subscription_terms_at(versions, subscription, opened_at)
    if agreed is None:
        raise ValueError(
            f"subscription {quote_value(subscription)}: {absence_reason(versions, subscription, opened_at)}"
        )
    responded_at = _parse_time("responded", responded, now) if responded else None
    if responded_at is not None and responded_at < opened_at:
        raise ValueError(f"responded {quote_value(responded)}: lies before it was opened")
    return TicketRow(number, ticket, subscription, channel, agreed.level, opened_at, responded_at)


def _parse_time(column: str, text: str, now: Millis) -> Millis:
    try:
        at = parse_timestamp(text)
    except ValueError as error:
        raise ValueError(f"{column} {quote_value(text)}: {error}") from None
    if at > now:
        raise ValueError(f"{column} {quote_value(text)}: lies in the future")
    return at
