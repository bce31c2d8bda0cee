"""Maintenance windows: announced, extended, cancelled, and told to the customers (4.1, 4.9).

A window is nothing but the facts in the journal. The announcement of one counts from the moment at which the customers'
mails were accepted into the outbox: that is this transaction, unless it was made elsewhere, with its own time and a
reference; then who recorded it and when is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from monitor.errors import InputError
from monitor.formatting import one_line
from monitor.ledger.maintenance_windows import known_windows
from monitor.ledger.notifications.mail_queue import queue_mail
from monitor.ledger.outage_history import next_number
from monitor.ledger.recorded_by import recorded_by
from monitor.mail.compose import compose
from monitor.mail.content import MaintenanceMail
from monitor.sla import maintenance as rules
from monitor.store import journal, notification_log

if TYPE_CHECKING:
    from sqlite_utils import Database

    from monitor.ledger.context import LedgerContext
    from monitor.mail.content import MaintenanceChange
    from monitor.model import Millis
    from monitor.sla.maintenance import MaintenanceWindow


@dataclass(frozen=True, slots=True)
class ExternalAnnouncement:
    """An announcement that was made outside of this program."""

    at: Millis
    reference: str


@dataclass(frozen=True, slots=True)
class MaintenanceRequest:
    """What an operator asks to have announced."""

    servers: tuple[str, ...]
    start: Millis
    end: Millis
    reason: str
    emergency: str | None = None
    """Why it cannot wait; None where it is planned."""
    external: ExternalAnnouncement | None = None
    """Where and when it was announced, unless it is now."""


def announce(db: Database, context: LedgerContext, request: MaintenanceRequest, at: Millis) -> MaintenanceWindow:
    """Announce a window and queue the mails that tell of it. Raises InputError where it cannot be as asked."""
    for server in request.servers:
        if server not in context.servers:
            raise InputError(f"--server {server}: no such server in the configuration; `monitor status` lists them")
    if request.end <= request.start:
        raise InputError("--end: a window must end after it starts")
    announced_at = _announced_at(request.external, at)
    number = next_number(window.id for window in known_windows(db))
    body: dict[str, Any] = {
        "window": number,
        "servers": sorted(set(request.servers)),
        "start": request.start,
        "end": request.end,
        "reason": one_line(request.reason),
        "emergency": one_line(request.emergency) if request.emergency is not None else None,
    }
    _append_event(db, "maintenance-announced", body, request.external, announced_at, at)
    window = window_of(db, number)
    _notify_customers(db, context, window, "announced", None, request.external, at)
    return window


def extend(
    db: Database, context: LedgerContext, number: int, end: Millis, external: ExternalAnnouncement | None, at: Millis
) -> MaintenanceWindow:
    """Return a window another end: a later one is a new announcement, an earlier one holds at once.

    One that is over can still be given a later end: work that overran, or an extension that was announced elsewhere and
    is recorded now. Raises InputError for a window that is unknown or cancelled, and for one that is over and would
    become shorter.
    """
    window = window_of(db, number)
    before = window.end
    state = rules.state_at(window, at)
    if state is rules.MaintenanceState.CANCELLED or (state is rules.MaintenanceState.OVER and end < before):
        raise InputError(f"window {number} is {state}: announce another one")
    if end == before:
        raise InputError(f"--end: window {number} ends then already")
    if end <= window.start:
        raise InputError(f"--end: a window must end after it starts; `monitor maintenance cancel {number}` cancels it")
    _append_event(db, "maintenance-extended", {"window": number, "end": end}, external, _announced_at(external, at), at)
    window = window_of(db, number)
    _notify_customers(db, context, window, "extended" if end > before else "shortened", before, external, at)
    return window


def cancel(db: Database, context: LedgerContext, number: int, at: Millis) -> MaintenanceWindow:
    """Cancel a window: before its start nothing of it is left, later it ends now."""
    before = _open_window(db, number, at)
    _append_event(db, "maintenance-cancelled", {"window": number}, None, at, at)
    _notify_customers(db, context, before, "cancelled", None, None, at)
    return window_of(db, number)


def _announced_at(external: ExternalAnnouncement | None, at: Millis) -> Millis:
    if external is None:
        return at
    if external.at > at:
        raise InputError("--announced-at: an announcement that was made elsewhere cannot lie in the future")
    return external.at


def _open_window(db: Database, number: int, at: Millis) -> MaintenanceWindow:
    window = window_of(db, number)
    if (state := rules.state_at(window, at)) in (rules.MaintenanceState.OVER, rules.MaintenanceState.CANCELLED):
        raise InputError(f"window {number} is {state}: announce another one")
    return window


def window_of(db: Database, number: int) -> MaintenanceWindow:
    """Return one window by its number. Raises InputError for one that is not there."""
    for window in known_windows(db):
        if window.id == number:
            return window
    raise InputError(f"window {number}: there is none; `monitor maintenance list` shows them")


def _append_event(
    db: Database,
    kind: str,
    body: dict[str, Any],
    external: ExternalAnnouncement | None,
    announced_at: Millis,
    at: Millis,
) -> None:
    body["announced_at"] = announced_at
    body["reference"] = one_line(external.reference) if external else None
    body["recorded_by"] = recorded_by()
    journal.append(db, at, kind, body)


def _notify_customers(
    db: Database,
    context: LedgerContext,
    window: MaintenanceWindow,
    change: MaintenanceChange,
    previous_end: Millis | None,
    external: ExternalAnnouncement | None,
    at: Millis,
) -> None:
    """Queue one mail for each customer concerned; with no customer concerned, one for the operators."""
    customers: list[str | None] = [*context.customers_of(window.servers, at)] or [None]
    for customer in customers:
        servers = window.servers
        if customer is not None:
            servers = tuple(s for s in servers if customer in context.customers_of((s,), at))
        letter = compose(
            MaintenanceMail(
                recipient=context.recipient(customer),
                change=change,
                kind=window.kind,
                id=window.id,
                servers=servers,
                start=window.start,
                end=window.end,
                reason=window.reason,
                reference=external.reference if external else "",
                previous_end=previous_end,
                notice_shortfall=rules.notice_shortfall(window.parts[-1], window.kind),
            )
        )
        queue_mail(
            db,
            context,
            "maintenance",
            at=at,
            customer=customer,
            body={"window": window.id, "change": change},
            letter=letter,
            refers=notification_log.maintenance_thread(db, window.id, customer),
        )
