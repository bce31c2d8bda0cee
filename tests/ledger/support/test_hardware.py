"""Failed hardware (5.2.1, 5.2.2): 8 h are the goal, 12 h the guarantee, and a credit where it was broken."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import InputError
from monitor.ledger.accounts.accounts import LedgerView
from monitor.ledger.accounts.credits import month_credits
from monitor.ledger.support import hardware
from monitor.sla.hardware import HardwareCaseOpened, HardwareReplaced, cases_from
from tests.fakes import DAY, HOUR, START, make_context, make_server, make_subscription
from tests.ledger.ledger_fixture import LedgerFixture

if TYPE_CHECKING:
    from monitor.ledger.accounts.credits import MonthCredit
    from monitor.ledger.context import LedgerContext
    from monitor.model import Millis, Product
    from monitor.sla.hardware import HardwareCase

NAME = "acme-web-01"
OCTOBER, NOVEMBER = (2026, 10), (2026, 11)
OCTOBER_ENDS = int(dt.datetime(2026, 10, 31, 21, 0, tzinfo=dt.UTC).timestamp()) * 1000
"""Midnight in Istanbul."""


def contract(product: Product = "server", end: dt.date | None = None) -> LedgerContext:
    one = make_subscription("acme", "web-01", product, fee=Decimal("49.90"), end=end)
    server = make_server("web-01", "site") if product == "web-hosting" else make_server("web-01")
    return make_context([server], [one])


def desk_with(context: LedgerContext | None = None) -> LedgerFixture:
    desk = LedgerFixture(context or contract())
    desk.apply_terms(START - 30 * DAY)
    return desk


def fail(
    desk: LedgerFixture, opened_at: Millis, reference: str | None = None, at: Millis | None = None
) -> HardwareCase:
    at = opened_at if at is None else at
    return hardware.open_case(desk.db, desk.context.terms, NAME, "disk 2", reference, opened_at, at)


def mend(desk: LedgerFixture, case: HardwareCase, replaced_at: Millis, at: Millis | None = None) -> HardwareCase:
    at = replaced_at if at is None else at
    return hardware.record_replacement(desk.db, desk.context.zone, case.id, replaced_at, at)


def credits_of(desk: LedgerFixture, month: tuple[int, int], at: Millis) -> list[MonthCredit]:
    return list(month_credits(desk.db, LedgerView(desk.db, at, desk.context.terms), *month))


@pytest.mark.parametrize(
    ("took", "percents"),
    [(8 * HOUR, []), (12 * HOUR, []), (12 * HOUR + 1, [10])],
)
def test_exactly_12_hours_is_in_time_and_a_millisecond_more_is_not(took: Millis, percents: list[int]) -> None:
    desk = desk_with()
    case = mend(desk, fail(desk, START), START + took)
    assert case.in_time(START + DAY) is not bool(percents)
    assert [each.credit.percent for each in credits_of(desk, OCTOBER, START + DAY)] == percents


def test_a_late_part_pays_10_percent_of_the_fee_by_5_2_2() -> None:
    desk = desk_with()
    mend(desk, fail(desk, START), START + 13 * HOUR)
    (one,) = credits_of(desk, OCTOBER, START + DAY)
    assert (one.credit.clause, one.credit.percent, one.credit.amount) == ("5.2.2", 10, Decimal("4.99"))
    assert (one.cause, one.credited_in, one.credit.certain) == ("hardware 1", "2026-11", True)


def test_whoever_waits_beyond_the_guarantee_has_the_credit_already() -> None:
    desk = desk_with()
    fail(desk, START)
    assert credits_of(desk, OCTOBER, START + 12 * HOUR) == []
    assert len(credits_of(desk, OCTOBER, START + 13 * HOUR)) == 1


@pytest.mark.parametrize(
    ("failed", "month"),
    [
        (OCTOBER_ENDS - 12 * HOUR - 1, OCTOBER),
        (OCTOBER_ENDS - 12 * HOUR, NOVEMBER),
        (OCTOBER_ENDS - 4 * HOUR, NOVEMBER),
    ],
)
def test_the_credit_belongs_to_the_month_in_which_the_12_hours_passed(failed: Millis, month: tuple[int, int]) -> None:
    desk = desk_with()
    mend(desk, fail(desk, failed), failed + 2 * DAY)
    at = OCTOBER_ENDS + 5 * DAY
    assert [len(credits_of(desk, each, at)) for each in (OCTOBER, NOVEMBER)] == [month == OCTOBER, month == NOVEMBER]


def test_after_the_subscriptions_end_the_credit_belongs_to_the_month_of_the_failure() -> None:
    desk = desk_with(contract(end=dt.date(2026, 10, 31)))
    fail(desk, OCTOBER_ENDS - HOUR)
    assert len(credits_of(desk, OCTOBER, OCTOBER_ENDS + DAY)) == 1


def test_the_customer_s_ticket_is_the_claim() -> None:
    desk = desk_with()
    fail(desk, START, reference="ticket 77")
    fail(desk, START + HOUR)
    found = credits_of(desk, OCTOBER, START + DAY)
    assert [(each.cause, each.claimed, each.due) for each in found] == [
        ("hardware 1", True, True),
        ("hardware 2", False, False),
    ]


def test_all_credits_stay_under_the_fee() -> None:
    desk = desk_with()
    for _ in range(11):
        fail(desk, START, reference="ticket 77")
    amounts = [each.credit.amount for each in credits_of(desk, OCTOBER, START + DAY)]
    assert amounts == [Decimal("4.99")] * 10 + [Decimal("0.00")]


@pytest.mark.parametrize(("product", "clause"), [("colocation", "8.2"), ("web-hosting", "5.2.1")])
def test_other_products_have_no_such_guarantee(product: Product, clause: str) -> None:
    desk = desk_with(contract(product))
    with pytest.raises(InputError, match=rf"{product}.*\({clause}\)"):
        fail(desk, START)
    assert desk.journal_bodies("hardware-opened") == []


def test_what_is_recorded_later_does_not_exist_in_the_books_of_before() -> None:
    desk = desk_with()
    case = fail(desk, START, at=START + DAY)
    assert credits_of(desk, OCTOBER, START + 20 * HOUR) == []
    assert len(credits_of(desk, OCTOBER, START + DAY)) == 1
    mend(desk, case, START + HOUR, at=START + 2 * DAY)
    assert credits_of(desk, OCTOBER, START + 2 * DAY) == []
    assert len(credits_of(desk, OCTOBER, START + DAY)) == 1


def test_neither_the_future_nor_the_wrong_order_is_recorded() -> None:
    desk = desk_with()
    with pytest.raises(InputError, match="failed in the future"):
        fail(desk, START + 1, at=START)
    case = fail(desk, START - HOUR, at=START)
    with pytest.raises(InputError, match="before it failed, at 2026-10-02 12:00"):
        mend(desk, case, START - HOUR - 1, at=START)
    with pytest.raises(InputError, match="replaced in the future"):
        mend(desk, case, START + 1, at=START)
    assert len(desk.journal_bodies("hardware-opened")) == 1
    assert desk.journal_bodies("hardware-replaced") == []


def test_a_part_is_replaced_once() -> None:
    desk = desk_with()
    case = fail(desk, START)
    mend(desk, case, START + HOUR)
    with pytest.raises(InputError, match="replaced already, at 2026-10-02 14:00"):
        mend(desk, case, START + 2 * HOUR)
    with pytest.raises(InputError, match="hardware 2 does not exist"):
        mend(desk, replace(case, id=2), START + 2 * HOUR)


@given(st.integers(0, 20 * HOUR), st.none() | st.integers(0, 20 * HOUR))
def test_a_case_is_open_due_soon_overdue_or_replaced(now: Millis, took: Millis | None) -> None:
    took = took if took is not None and took <= now else None
    facts: list[HardwareCaseOpened | HardwareReplaced] = [
        HardwareCaseOpened(1, 0, NAME, "web-01", "disk", 0, None, "us")
    ]
    facts += [] if took is None else [HardwareReplaced(1, took, took, "us")]
    (case,) = cases_from(reversed(facts))
    assert case.overdue(now) == (took is None and now > 12 * HOUR)
    assert case.due_soon(now) == (took is None and 8 * HOUR < now <= 12 * HOUR)
    assert case.breached(now) == ((now if took is None else took) > case.due)
    assert (case.in_time(now) is None) == (took is None and now <= 12 * HOUR)
