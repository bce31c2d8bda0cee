"""First responses (5.4.3, 5.4.4): the level's hours, without the time in which the ticket area was away."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import InputError
from monitor.ledger import exclusions
from monitor.ledger.accounts.credits import month_credits
from monitor.ledger.exclusions import ExclusionRequest
from monitor.ledger.support import tickets
from monitor.ledger.support.ticket_import import TicketConflicts, TicketRow, import_tickets
from monitor.model import Span
from monitor.sla.interval_set import IntervalSet
from monitor.sla.tickets import ResponseClock, TicketOpened, TicketResponded
from monitor.sla.tickets import tickets_from as folded
from tests.fakes import DAY, HOUR, MINUTE, START, make_context, make_server, make_subscription
from tests.ledger.ledger_fixture import LedgerFixture
from tests.sla.sla_fixtures import QUICK

if TYPE_CHECKING:
    from monitor.ledger.context import LedgerContext
    from monitor.model import Millis
    from monitor.sla.tickets import Channel, Ticket

NAME = "acme-web-01"
OCTOBER, NOVEMBER = (2026, 10), (2026, 11)
OCTOBER_ENDS = int(dt.datetime(2026, 10, 31, 21, 0, tzinfo=dt.UTC).timestamp()) * 1000
"""Midnight in Istanbul."""


def contract(
    level: int = 4, *, pages: bool = False, area: str | None = "desk-01", percent: int | None = None
) -> LedgerContext:
    servers = [make_server("web-01", level=level), make_server("desk-01", *(["page"] if pages else []))]
    context = make_context(servers, [make_subscription("acme", "web-01", fee=Decimal("49.90"))])
    return replace(context, terms=replace(context.terms, ticket_area=area, support_credit=percent))


def desk_with(context: LedgerContext | None = None) -> LedgerFixture:
    desk = LedgerFixture(context or contract())
    desk.apply_terms(START - 30 * DAY)
    return desk


def open_at(
    desk: LedgerFixture, opened_at: Millis, channel: Channel = "ticket", reference: str | None = None
) -> Ticket:
    known = desk.ledger(START + 90 * DAY).versions
    return tickets.open_ticket(desk.db, known, NAME, channel, reference, opened_at, opened_at)


def answer(desk: LedgerFixture, ticket: Ticket, at: Millis) -> Ticket:
    return tickets.record_first_response(desk.db, desk.context.zone, ticket.id, at, at)


def clock(desk: LedgerFixture, at: Millis) -> ResponseClock:
    (found,) = tickets.response_clocks(desk.ledger(at), tickets.tickets(desk.db, at))
    return found


def late_after(desk: LedgerFixture, opened_at: Millis = START) -> Millis:
    """How long after its opening a ticket that nobody answers becomes late."""
    open_at(desk, opened_at)
    due = clock(desk, opened_at + 5 * HOUR).due
    assert due is not None
    assert not clock(desk, due).breached
    assert clock(desk, due + 1).breached
    return due - opened_at


@pytest.mark.parametrize(("level", "hours"), [(1, 24), (2, 8), (3, 4), (4, 1)])
@pytest.mark.parametrize("channel", ["ticket", "email"])
def test_an_answer_is_due_by_the_level(level: int, hours: int, channel: Channel) -> None:
    desk = desk_with(contract(level))
    answer(desk, open_at(desk, START, channel), START + hours * HOUR)
    assert (clock(desk, START + 2 * DAY).in_time, clock(desk, START + 2 * DAY).due) == (True, START + hours * HOUR)


def test_nothing_is_promised_by_phone() -> None:
    desk = desk_with()
    open_at(desk, START, "phone")
    found = clock(desk, START + 9 * DAY)
    assert (found.due, found.breached, found.in_time, found.overdue, found.due_soon) == (
        None,
        False,
        None,
        False,
        False,
    )


def test_a_ticket_across_the_area_s_outage_is_due_later_by_its_length() -> None:
    desk = desk_with()
    desk.record_sweeps(desk_01="o" * 10 + "x" * 30 + "o" * 80)
    assert late_after(desk) == 90 * MINUTE
    assert clock(desk, START + 90 * MINUTE).paused == 30 * MINUTE


def test_while_the_area_is_away_the_due_time_moves_on() -> None:
    desk = desk_with()
    desk.record_sweeps(desk_01="o" * 50 + "x" * 40)
    open_at(desk, START)
    dues = [clock(desk, START + minute * MINUTE).due for minute in (40, 60, 80)]
    assert dues == [START + minute * MINUTE for minute in (60, 70, 90)]


def test_only_the_pages_of_the_area_count_where_it_has_any() -> None:
    desk = desk_with(contract(pages=True))
    desk.record_sweeps(desk_01="x" * 60, desk_01__page="o" * 60)
    assert late_after(desk) == 60 * MINUTE
    other = desk_with(contract(pages=True))
    other.record_sweeps(desk_01="o" * 60, desk_01__page="o" * 10 + "x" * 10 + "o" * 40)
    assert late_after(other) == 70 * MINUTE


def test_what_is_unknown_of_the_area_counts() -> None:
    desk = desk_with()
    desk.record_sweeps(desk_01="o" * 10 + "?" * 30 + "o" * 40)
    assert late_after(desk) == 60 * MINUTE


@pytest.mark.parametrize(("emergency", "notice", "hours"), [(None, 5 * DAY, 2), ("a hole", 0, 2), (None, 95 * HOUR, 1)])
def test_maintenance_of_the_area_that_excludes_is_taken_out(emergency: str | None, notice: Millis, hours: int) -> None:
    desk = desk_with()
    begin = START + 30 * MINUTE
    desk.announce("desk-01", start=begin, end=begin + HOUR, at=begin - notice, emergency=emergency)
    assert late_after(desk) == hours * HOUR


@pytest.mark.parametrize(
    ("clause", "server", "minutes"), [("4.9", "desk-01", 80), ("4.3", "desk-01", 60), ("4.9", "web-01", 60)]
)
def test_force_majeure_is_taken_out_and_other_excuses_are_not(clause: str, server: str, minutes: int) -> None:
    desk = desk_with()
    span = Span(START + 10 * MINUTE, START + 30 * MINUTE)
    exclusions.add(
        desk.db, desk.context.terms, ExclusionRequest(clause, "an earthquake", server=server, span=span), START
    )
    assert late_after(desk) == minutes * MINUTE


def test_without_an_area_nothing_is_taken_out() -> None:
    desk = desk_with(contract(area=None))
    desk.record_sweeps(desk_01="x" * 60)
    assert late_after(desk) == 60 * MINUTE


def test_an_area_that_moved_is_read_where_it_was() -> None:
    desk = desk_with()
    desk.record_sweeps(desk_01="o" * 20 + "x" * 40, web_01="x" * 60)
    desk.reconfigure(contract(area="web-01"), START + 30 * MINUTE)
    open_at(desk, START)
    # ten minutes of the old place, thirty of the new one
    assert clock(desk, START + 60 * MINUTE).paused == 40 * MINUTE


def test_the_level_of_the_opening_counts() -> None:
    desk = desk_with(contract(2))
    ticket = open_at(desk, START)
    desk.reconfigure(contract(4), START + MINUTE)
    assert (ticket.level, clock(desk, START + HOUR * 5).due) == (2, START + 8 * HOUR)


def test_what_was_recorded_later_does_not_exist_in_the_books_of_before() -> None:
    desk = desk_with()
    ticket = open_at(desk, START)
    tickets.record_first_response(desk.db, desk.context.zone, ticket.id, START + HOUR, START + DAY)
    assert clock(desk, START + 2 * HOUR).overdue
    assert clock(desk, START + DAY).in_time is True


def test_a_missed_answer_pays_what_the_setting_says() -> None:
    desk = desk_with(contract(percent=5))
    answer(desk, open_at(desk, START), START + HOUR + 1)
    answer(desk, open_at(desk, START), START + HOUR)
    (one,) = month_credits(desk.db, desk.ledger(START + DAY), *OCTOBER)
    assert (one.credit.clause, one.credit.amount, one.cause) == ("5.4.5", Decimal("2.50"), "ticket 1")
    assert (one.claimed, one.due) == (True, True)


def test_without_the_setting_a_missed_answer_costs_nothing() -> None:
    desk = desk_with()
    open_at(desk, START)
    assert clock(desk, START + DAY).breached
    assert month_credits(desk.db, desk.ledger(START + DAY), *OCTOBER) == ()


@pytest.mark.parametrize(("before", "month"), [(HOUR + 1, OCTOBER), (HOUR, NOVEMBER), (MINUTE, NOVEMBER)])
def test_the_credit_belongs_to_the_month_in_which_the_time_passed(before: Millis, month: tuple[int, int]) -> None:
    desk = desk_with(contract(percent=5))
    answer(desk, open_at(desk, OCTOBER_ENDS - before), OCTOBER_ENDS + DAY)
    books = desk.ledger(OCTOBER_ENDS + 2 * DAY)
    found = [len(month_credits(desk.db, books, *each)) for each in (OCTOBER, NOVEMBER)]
    assert found == [month == OCTOBER, month == NOVEMBER]


def test_what_cannot_be_is_refused() -> None:
    desk = desk_with()
    ticket = open_at(desk, START, reference="T-1")
    with pytest.raises(InputError, match="ticket 1 has it already"):
        open_at(desk, START, reference="T-1")
    with pytest.raises(InputError, match="before it was opened"):
        answer(desk, ticket, START - 1)
    answer(desk, ticket, START + MINUTE)
    with pytest.raises(InputError, match="only the first answer counts"):
        answer(desk, ticket, START + HOUR)
    with pytest.raises(InputError, match="ticket 2 does not exist"):
        answer(desk, replace(ticket, id=2), START + HOUR)


def test_what_waits_is_what_nobody_answered() -> None:
    desk = desk_with()
    answer(desk, open_at(desk, START), START + MINUTE)
    open_at(desk, START)
    (found,) = tickets.unanswered_response_clocks(desk.db, desk.ledger(START + 41 * MINUTE))
    assert (found.ticket.id, found.due_soon, found.overdue) == (2, True, False)


spans = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 20)).map(lambda one: (one[0], sum(one))), max_size=6)


@given(spans, st.integers(0, 60), st.none() | st.integers(0, 60))
def test_a_clock_is_missed_right_after_its_deadline_and_its_shares_add_up(
    absences: list[tuple[int, int]], now: int, took: int | None
) -> None:
    took = took if took is not None and took <= now else None
    facts: list[TicketOpened | TicketResponded] = [TicketOpened(1, 0, NAME, "ticket", 4, 0, None, False, "us")]  # noqa: FBT003
    facts += [] if took is None else [TicketResponded(1, took, took * 6 * MINUTE, "us")]
    (ticket,) = folded(reversed(facts))
    whole = IntervalSet((start * 6 * MINUTE, end * 6 * MINUTE) for start, end in absences)
    found = ResponseClock(ticket, now * 6 * MINUTE, whole.clip(0, (now if took is None else took) * 6 * MINUTE))
    away = {minute for start, end in absences for minute in range(start, end)}
    counted = sum(minute not in away for minute in range(now if took is None else took))
    assert found.elapsed == counted * 6 * MINUTE
    assert found.paused == found.until - found.elapsed
    assert found.breached == (counted > 10)
    assert found.due is not None
    assert found.breached == (found.until > found.due)
    assert found.overdue == (took is None and counted > 10)
    assert found.due_soon == (took is None and 20 < 3 * counted <= 30)


# --- imported -------------------------------------------------------------------------------------------------------

REFERENCES = st.sampled_from(["T-1", "T-2", "T-3", "T-4"])


def line(reference: str, opened: Millis = START, responded: Millis | None = None, number: int = 2) -> TicketRow:
    return TicketRow(number, reference, NAME, "ticket", 4, opened, responded)


def test_an_answer_may_come_with_a_later_file() -> None:
    desk = desk_with()
    assert import_tickets(desk.db, [line("T-1"), line("T-2")], START + HOUR) == (2, 0)
    assert import_tickets(desk.db, [line("T-1", responded=START + MINUTE), line("T-2")], START + HOUR) == (0, 1)
    assert [ticket.responded_at for ticket in tickets.tickets(desk.db)] == [START + MINUTE, None]
    assert all(ticket.imported for ticket in tickets.tickets(desk.db))


def test_an_answer_recorded_by_hand_is_known_to_the_import() -> None:
    desk = desk_with()
    ticket = open_at(desk, START, reference="T-1")
    answer(desk, ticket, START + MINUTE)
    assert import_tickets(desk.db, [line("T-1", responded=START + MINUTE)], START + HOUR) == (0, 0)
    with pytest.raises(TicketConflicts) as clashes:
        import_tickets(desk.db, [line("T-1", responded=START + 2 * MINUTE)], START + HOUR)
    assert clashes.value.conflicts == [(2, "responded: the records say something else of ticket 'T-1'")]


def test_one_clash_and_nothing_of_the_file_is_taken() -> None:
    desk = desk_with()
    with pytest.raises(TicketConflicts) as clashes:
        import_tickets(
            desk.db, [line("T-1", number=2), line("T-2", number=3), line("T-1", START + 1, number=4)], START + HOUR
        )
    assert clashes.value.conflicts == [(4, "opened: line 2 says something else of ticket 'T-1'")]
    assert tickets.tickets(desk.db) == ()


@QUICK
@given(st.dictionaries(REFERENCES, st.none() | st.integers(1, 9), min_size=1), st.data())
def test_a_file_in_any_order_and_taken_twice_makes_the_same_tickets(
    said: dict[str, int | None], data: st.DataObject
) -> None:
    lines = [line(name, responded=None if took is None else START + took) for name, took in said.items()]
    lines += [line(name) for name in said]
    desk = desk_with()
    new = import_tickets(desk.db, data.draw(st.permutations(lines)), START + HOUR)
    assert new == (len(said), sum(took is not None for took in said.values()))
    assert import_tickets(desk.db, data.draw(st.permutations(lines)), START + DAY) == (0, 0)
    found = {ticket.reference: ticket.responded_at for ticket in tickets.tickets(desk.db)}
    assert found == {name: None if took is None else START + took for name, took in said.items()}
