"""The pending deadlines of support: hardware to replace (5.2.2) and first responses to tickets (5.4.4)."""

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
    """The pending cases of one kind, by number."""

    open: tuple[int, ...] = ()
    due_soon: tuple[int, ...] = ()
    """Those of ``open`` in the last third of their time limit."""
    overdue: tuple[int, ...] = ()
    """Those of ``open`` whose deadline has passed."""
    next_due: Millis | None = None
    """The next deadline of those that are not overdue; None if there is none."""


@dataclass(frozen=True, slots=True)
class SupportDeadlines:
    """All pending deadlines."""

    hardware: PendingDeadlines = PendingDeadlines()
    tickets: PendingDeadlines = PendingDeadlines()


def read_deadlines(db: Database, current: Terms, now: Millis) -> SupportDeadlines:
    """Return the pending deadlines."""
    cases = hardware.open_cases(db)
    # mostly no ticket is unanswered, and then no ledger view is needed
    any_unanswered = any(ticket.responded_at is None for ticket in tickets.tickets(db, now))
    clocks = tickets.unanswered_response_clocks(db, LedgerView(db, now, current)) if any_unanswered else ()
    return SupportDeadlines(_hardware_deadlines(cases, now), _ticket_deadlines(clocks))


def _hardware_deadlines(cases: Iterable[HardwareCase], now: Millis) -> PendingDeadlines:
    case_list = list(cases)
    return PendingDeadlines(
        open=tuple(sorted(case.id for case in case_list)),
        due_soon=tuple(sorted(case.id for case in case_list if case.due_soon(now))),
        overdue=tuple(sorted(case.id for case in case_list if case.overdue(now))),
        next_due=min((case.due for case in case_list if not case.overdue(now)), default=None),
    )


def _ticket_deadlines(clocks: Iterable[ResponseClock]) -> PendingDeadlines:
    clock_list = list(clocks)
    return PendingDeadlines(
        open=tuple(clock.ticket.id for clock in clock_list),
        due_soon=tuple(clock.ticket.id for clock in clock_list if clock.due_soon),
        overdue=tuple(clock.ticket.id for clock in clock_list if clock.overdue),
        next_due=min((clock.due for clock in clock_list if clock.due is not None and not clock.overdue), default=None),
    )
