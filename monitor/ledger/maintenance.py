"""Announces, extends and cancels maintenance windows, and mails the customers (4.1, 4.9).

The rule is docs/contract.md#what-does-not-count. A window consists of its facts in the journal. The time of its
announcement is the time at which the mails enter the outbox, in this transaction. An announcement made outside of this
program has a time and a reference of its own; the fact states also who recorded it and when.
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
    """An operator's request to announce a window."""

    servers: tuple[str, ...]
    start: Millis
    end: Millis
    reason: str
    emergency: str | None = None
    """Why the maintenance cannot wait; None if it is planned."""
    external: ExternalAnnouncement | None = None
    """The announcement outside of this program; None if it is announced now."""


def announce(db: Database, context: LedgerContext, request: MaintenanceRequest, at: Millis) -> MaintenanceWindow:
    """Announce a window and queue the mails about it. Raises InputError if the request is not valid."""
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
    """Set another end of a window: a later end is a new announcement, an earlier end applies at once.

    A window that is over can still get a later end: the work took longer, or the extension was announced outside of
    this program. Raises InputError if the window does not exist or is cancelled, or if it is over and would become
    shorter.
    """
    window = window_of(db, number)
    before = window.end
    state = rules.state_at(window, at)
    if state is rules.MaintenanceState.CANCELLED or (state is rules.MaintenanceState.OVER and end < before):
        raise InputError(f"window {number} is {state}: announce another one")
    if end == before:
        raise InputError(f"--end: window {number} ends at that time already")
    if end <= window.start:
        raise InputError(f"--end: a window must end after it starts; `monitor maintenance cancel {number}` cancels it")
    _append_event(db, "maintenance-extended", {"window": number, "end": end}, external, _announced_at(external, at), at)
    window = window_of(db, number)
    _notify_customers(db, context, window, "extended" if end > before else "shortened", before, external, at)
    return window


def cancel(db: Database, context: LedgerContext, number: int, at: Millis) -> MaintenanceWindow:
    """Cancel a window: before its start it has no effect at all, later it ends now."""
    before = _open_window(db, number, at)
    _append_event(db, "maintenance-cancelled", {"window": number}, None, at, at)
    _notify_customers(db, context, before, "cancelled", None, None, at)
    return window_of(db, number)


def _announced_at(external: ExternalAnnouncement | None, at: Millis) -> Millis:
    if external is None:
        return at
    if external.at > at:
        raise InputError("--announced-at: an announcement made elsewhere cannot be in the future")
    return external.at


def _open_window(db: Database, number: int, at: Millis) -> MaintenanceWindow:
    window = window_of(db, number)
    if (state := rules.state_at(window, at)) in (rules.MaintenanceState.OVER, rules.MaintenanceState.CANCELLED):
        raise InputError(f"window {number} is {state}: announce another one")
    return window


def window_of(db: Database, number: int) -> MaintenanceWindow:
    """Return one window by its number. Raises InputError if there is no such window."""
    for window in known_windows(db):
        if window.id == number:
            return window
    raise InputError(f"window {number} does not exist; see `monitor maintenance list`")


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
    """Queue one mail for each customer with a subscription on the servers; without any, one for the operators."""
    customers: list[str | None] = [*context.customers_of(window.servers, at)] or [None]
    for customer in customers:
        servers = window.servers
        if customer is not None:
            servers = tuple(s for s in servers if customer in context.customers_of((s,), at))
        mail = compose(
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
            rendered=mail,
            refers=notification_log.maintenance_thread(db, window.id, customer),
        )
