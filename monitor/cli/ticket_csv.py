"""A file of tickets out of the ticket system, line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO, get_args

from monitor.cli.app import moment
from monitor.cli.csv_input import BadLines, quoted, rows
from monitor.ledger.subscribed import agreed_at, why_not
from monitor.ledger.support.ticket_import import Line
from monitor.sla.tickets import Channel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from monitor.model import Millis
    from monitor.sla.terms import Terms

HEADER = ["ticket", "subscription", "channel", "opened", "responded"]
CHANNELS: tuple[Channel, ...] = get_args(Channel)
LONGEST = 200
"""Characters of a ticket's name."""


def lines(stream: TextIO, known: Sequence[Terms], now: Millis, bad: BadLines) -> Iterator[Line]:
    """Read line after line; bad ones are noted and left out. Raises InputError where the header is another."""
    for number, row in rows(stream, HEADER, bad):
        try:
            yield _line(number, row, known, now)
        except ValueError as fault:
            bad.add(number, str(fault))


def _line(number: int, row: list[str], known: Sequence[Terms], now: Millis) -> Line:
    """Read one line. Raises ValueError with the column, the value and the reason."""
    ticket, subscription, name, opened, responded = row
    ticket = ticket.strip()
    if not ticket or not ticket.isprintable() or len(ticket) > LONGEST:
        raise ValueError(f"ticket {quoted(ticket)}: must be one line of text, 1 to {LONGEST} characters")
    channel = next((each for each in CHANNELS if each == name), None)
    if channel is None:
        raise ValueError(f"channel {quoted(name)}: must be {', '.join(CHANNELS[:-1])} or {CHANNELS[-1]}")
    opened_at = _time("opened", opened, now)
    agreed = agreed_at(known, subscription, opened_at)
    if agreed is None:
        raise ValueError(f"subscription {quoted(subscription)}: {why_not(known, subscription, opened_at)}")
    responded_at = _time("responded", responded, now) if responded else None
    if responded_at is not None and responded_at < opened_at:
        raise ValueError(f"responded {quoted(responded)}: lies before it was opened")
    return Line(number, ticket, subscription, channel, agreed.level, opened_at, responded_at)


def _time(column: str, text: str, now: Millis) -> Millis:
    try:
        at = moment(text)
    except ValueError as error:
        raise ValueError(f"{column} {quoted(text)}: {error}") from None
    if at > now:
        raise ValueError(f"{column} {quoted(text)}: lies in the future")
    return at
