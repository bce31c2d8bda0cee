"""Maintenance windows: announced, extended, cancelled, and told to the customers (4.1, 4.9).

A window is nothing but the facts in the journal. The announcement of one counts from the moment at which the customers'
mails were accepted into the outbox: that is this transaction, unless it was made elsewhere, with its own time and a
reference; then who recorded it and when is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from monitor.errors import InputError
from monitor.ledger.maintenance_windows import known_windows
from monitor.ledger.notifications.mail_queue import post
from monitor.ledger.outage_history import next_number
from monitor.ledger.recorded_by import recorder
from monitor.mail.content import MaintenanceLetter
from monitor.mail.rendering.compose import compose
from monitor.mail.text import one_line
from monitor.sla import maintenance as rules
from monitor.store import journal, notification_log

if TYPE_CHECKING:
    from sqlite_utils import Database

    from monitor.ledger.context import Context
    from monitor.mail.content import Change
    from monitor.model import Millis
    from monitor.sla.maintenance import Window


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """An announcement that was made outside of this program."""

    at: Millis
    reference: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What an operator asks to have announced."""

    servers: tuple[str, ...]
    start: Millis
    end: Millis
    reason: str
    emergency: str | None = None
    """Why it cannot wait; None where it is planned."""
    elsewhere: Elsewhere | None = None
    """Where and when it was announced, unless it is now."""


def announce(db: Database, context: Context, asked: Asked, at: Millis) -> Window:
    """Announce a window and queue the mails that tell of it. Raises InputError where it cannot be as asked."""
    for server in asked.servers:
        if server not in context.servers:
            raise InputError(f"--server {server}: no such server in the configuration; `monitor status` lists them")
    if asked.end <= asked.start:
        raise InputError("--end: a window must end after it starts")
    announced_at = _announced_at(asked.elsewhere, at)
    number = next_number(window.id for window in known_windows(db))
    body: dict[str, Any] = {
        "window": number,
        "servers": sorted(set(asked.servers)),
        "start": asked.start,
        "end": asked.end,
        "reason": one_line(asked.reason),
        "emergency": one_line(asked.emergency) if asked.emergency is not None else None,
    }
    _record(db, "maintenance-announced", body, asked.elsewhere, announced_at, at)
    window = window_of(db, number)
    _tell(db, context, window, "announced", None, asked.elsewhere, at)
    return window


def extend(db: Database, context: Context, number: int, end: Millis, elsewhere: Elsewhere | None, at: Millis) -> Window:
    """Give a window another end: a later one is a new announcement, an earlier one holds at once.

    One that is over can still be given a later end: work that overran, or an extension that was announced elsewhere and
    is recorded now. Raises InputError for a window that is unknown or cancelled, and for one that is over and would
    become shorter.
    """
    window = window_of(db, number)
    before = window.end
    state = rules.state(window, at)
    if state is rules.WindowState.CANCELLED or (state is rules.WindowState.OVER and end < before):
        raise InputError(f"window {number} is {state}: announce another one")
    if end == before:
        raise InputError(f"--end: window {number} ends then already")
    if end <= window.start:
        raise InputError(f"--end: a window must end after it starts; `monitor maintenance cancel {number}` cancels it")
    _record(db, "maintenance-extended", {"window": number, "end": end}, elsewhere, _announced_at(elsewhere, at), at)
    window = window_of(db, number)
    _tell(db, context, window, "extended" if end > before else "shortened", before, elsewhere, at)
    return window


def cancel(db: Database, context: Context, number: int, at: Millis) -> Window:
    """Cancel a window: before its start nothing of it is left, later it ends now."""
    before = _open_window(db, number, at)
    _record(db, "maintenance-cancelled", {"window": number}, None, at, at)
    _tell(db, context, before, "cancelled", None, None, at)
    return window_of(db, number)


def _announced_at(elsewhere: Elsewhere | None, at: Millis) -> Millis:
    if elsewhere is None:
        return at
    if elsewhere.at > at:
        raise InputError("--announced-at: an announcement that was made elsewhere cannot lie in the future")
    return elsewhere.at


def _open_window(db: Database, number: int, at: Millis) -> Window:
    window = window_of(db, number)
    if (state := rules.state(window, at)) in (rules.WindowState.OVER, rules.WindowState.CANCELLED):
        raise InputError(f"window {number} is {state}: announce another one")
    return window


def window_of(db: Database, number: int) -> Window:
    """Give one window by its number. Raises InputError for one that is not there."""
    for window in known_windows(db):
        if window.id == number:
            return window
    raise InputError(f"window {number}: there is none; `monitor maintenance list` shows them")


def _record(
    db: Database, kind: str, body: dict[str, Any], elsewhere: Elsewhere | None, announced_at: Millis, at: Millis
) -> None:
    body["announced_at"] = announced_at
    body["reference"] = one_line(elsewhere.reference) if elsewhere else None
    body["recorded_by"] = recorder()
    journal.append(db, at, kind, body)


def _tell(
    db: Database,
    context: Context,
    window: Window,
    change: Change,
    previous_end: Millis | None,
    elsewhere: Elsewhere | None,
    at: Millis,
) -> None:
    """Queue one mail for each customer concerned; with no customer concerned, one for the operators."""
    customers: list[str | None] = [*context.customers_of(window.servers, at)] or [None]
    for customer in customers:
        servers = window.servers
        if customer is not None:
            servers = tuple(s for s in servers if customer in context.customers_of((s,), at))
        letter = compose(
            MaintenanceLetter(
                reader=context.reader(customer),
                change=change,
                kind=window.kind,
                id=window.id,
                servers=servers,
                start=window.start,
                end=window.end,
                reason=window.reason,
                reference=elsewhere.reference if elsewhere else "",
                previous_end=previous_end,
                short_by=rules.short_by(window.parts[-1], window.kind),
            )
        )
        post(
            db,
            context,
            "maintenance",
            at=at,
            customer=customer,
            body={"window": window.id, "change": change},
            letter=letter,
            refers=notification_log.thread_of_window(db, window.id, customer),
        )
