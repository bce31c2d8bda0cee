"""What the provider has promised and not yet done: hardware to replace (5.2.2), tickets to answer first (5.4.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.ledger.accounts.accounts import LedgerView
from monitor.ledger.support import hardware, tickets

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlite_utils import Database

    from monitor.model import Millis
    from monitor.sla.hardware import HardwareCase
    from monitor.sla.terms import Terms
    from monitor.sla.tickets import ResponseClock


@dataclass(frozen=True, slots=True)
class PendingDeadlines:
    """What waits of one kind, by number."""

    open: tuple[int, ...] = ()
    due_soon: tuple[int, ...] = ()
    """Those of them in the last third of their time."""
    overdue: tuple[int, ...] = ()
    """Those of them for which the promise is broken already."""
    next_due: Millis | None = None
    """When the first of those that are not overdue is due; None where there is none."""


@dataclass(frozen=True, slots=True)
class SupportDeadlines:
    """Everything that waits."""

    hardware: PendingDeadlines = PendingDeadlines()
    tickets: PendingDeadlines = PendingDeadlines()


def read_deadlines(db: Database, current: Terms, now: Millis) -> SupportDeadlines:
    """Say what waits now."""
    cases = hardware.open_cases(db)
    # most of the time nothing waits, and then nothing else need be read
    some = any(ticket.responded_at is None for ticket in tickets.tickets(db, now))
    clocks = tickets.unanswered_response_clocks(db, LedgerView(db, now, current)) if some else ()
    return SupportDeadlines(_hardware_deadlines(cases, now), _ticket_deadlines(clocks))


def _hardware_deadlines(cases: Iterable[HardwareCase], now: Millis) -> PendingDeadlines:
    known = list(cases)
    return PendingDeadlines(
        open=tuple(sorted(case.id for case in known)),
        due_soon=tuple(sorted(case.id for case in known if case.due_soon(now))),
        overdue=tuple(sorted(case.id for case in known if case.overdue(now))),
        next_due=min((case.due for case in known if not case.overdue(now)), default=None),
    )


def _ticket_deadlines(clocks: Iterable[ResponseClock]) -> PendingDeadlines:
    known = list(clocks)
    return PendingDeadlines(
        open=tuple(clock.ticket.id for clock in known),
        due_soon=tuple(clock.ticket.id for clock in known if clock.due_soon),
        overdue=tuple(clock.ticket.id for clock in known if clock.overdue),
        next_due=min((clock.due for clock in known if clock.due is not None and not clock.overdue), default=None),
    )
