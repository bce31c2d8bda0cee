"""What the provider has promised and not yet done: hardware to replace (5.2.2), tickets to answer first (5.4.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.ledger.accounts.accounts import Books
from monitor.ledger.support import hardware, tickets

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlite_utils import Database

    from monitor.model import Millis
    from monitor.sla.hardware import Case
    from monitor.sla.terms import Terms
    from monitor.sla.tickets import Clock


@dataclass(frozen=True, slots=True)
class Waits:
    """What waits of one kind, by number."""

    open: tuple[int, ...] = ()
    due_soon: tuple[int, ...] = ()
    """Those of them in the last third of their time."""
    overdue: tuple[int, ...] = ()
    """Those of them for which the promise is broken already."""
    next_due: Millis | None = None
    """When the first of those that are not overdue is due; None where there is none."""


@dataclass(frozen=True, slots=True)
class Promises:
    """Everything that waits."""

    hardware: Waits = Waits()
    tickets: Waits = Waits()


def promises(db: Database, current: Terms, now: Millis) -> Promises:
    """Say what waits now."""
    cases = hardware.waiting(db)
    # most of the time nothing waits, and then nothing else need be read
    some = any(ticket.responded_at is None for ticket in tickets.tickets(db, now))
    clocks = tickets.waiting(db, Books(db, now, current)) if some else ()
    return Promises(_of_hardware(cases, now), _of_tickets(clocks))


def _of_hardware(cases: Iterable[Case], now: Millis) -> Waits:
    known = list(cases)
    return Waits(
        open=tuple(sorted(case.id for case in known)),
        due_soon=tuple(sorted(case.id for case in known if case.due_soon(now))),
        overdue=tuple(sorted(case.id for case in known if case.overdue(now))),
        next_due=min((case.due for case in known if not case.overdue(now)), default=None),
    )


def _of_tickets(clocks: Iterable[Clock]) -> Waits:
    known = list(clocks)
    return Waits(
        open=tuple(clock.ticket.id for clock in known),
        due_soon=tuple(clock.ticket.id for clock in known if clock.due_soon),
        overdue=tuple(clock.ticket.id for clock in known if clock.overdue),
        next_due=min((clock.due for clock in known if clock.due is not None and not clock.overdue), default=None),
    )
