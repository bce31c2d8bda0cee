"""Rounding and the credit tables (5.1.2, 5.2.2, 5.3.2; docs/contract.md#products-targets-and-credit-tables)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from monitor.sla.availability import percent, percent_text
from monitor.sla.credits import (
    Credit,
    availability_credit,
    cap_to_fee,
    credit_amount,
    credit_percent,
    hardware_credit,
    monthly_fee,
)
from monitor.sla.terms import PRODUCTS
from tests.sla.sla_fixtures import EXAMPLE, HOUR, account_with_downtime, compute_account, whole_segment

if TYPE_CHECKING:
    from monitor.model import Product, Rounding

WEB, SERVER = PRODUCTS["web-hosting"], PRODUCTS["server"]


@pytest.mark.parametrize(
    ("exact", "down", "half_up"),
    [
        # availability in thousandths of a percent, then hundredths both ways
        (100_000, 10_000, 10_000),
        (99_999, 9_999, 10_000),
        (99_755, 9_975, 9_976),
        (99_750, 9_975, 9_975),
        (99_745, 9_974, 9_975),
        (99_744, 9_974, 9_974),
        (98_995, 9_899, 9_900),
        (98_009, 9_800, 9_801),
        (98_005, 9_800, 9_801),
        (98_004, 9_800, 9_800),
        (95_999, 9_599, 9_600),
        (95_995, 9_599, 9_600),
        (89_995, 8_999, 9_000),
        (89_994, 8_999, 8_999),
        (5, 0, 1),
        (4, 0, 0),
        (0, 0, 0),
    ],
)
def test_a_percentage_is_rounded_down_or_half_up(exact: int, down: int, half_up: int) -> None:
    assert percent(exact, 100_000, "down") == down
    assert percent(exact, 100_000, "half-up") == half_up


def test_a_percentage_of_nothing_is_none() -> None:
    assert percent(0, 0, "down") is percent(0, 0, "half-up") is None


def test_a_figure_has_a_bound_only_when_it_reaches_it() -> None:
    """A float would say 99.75 to all of these; only the last is."""
    for whole_, part in [(10**15, 997_499_999_999_999), (2_592_000_000, 2_585_519_999)]:
        assert percent(part, whole_, "down") == 9974
    assert percent(2_585_520_000, 2_592_000_000, "down") == 9975


@pytest.mark.parametrize(
    ("figure", "text"),
    [(10_000, "100.00"), (9_973, "99.73"), (9_900, "99.00"), (9_805, "98.05"), (5, "0.05"), (0, "0.00")],
)
def test_a_percentage_is_written_with_two_decimals(figure: int, text: str) -> None:
    assert percent_text(figure) == text


@pytest.mark.parametrize(
    ("figure", "pays"),
    [
        (10_000, 0),
        (9_975, 0),
        (9_974, 0),
        (9_601, 0),
        (9_600, 0),
        (9_599, 25),
        (9_001, 25),
        (9_000, 25),
        (8_999, 50),
        (1, 50),
        (0, 50),
    ],
)
def test_web_hosting_pays_by_the_table_of_5_1_2(figure: int, pays: int) -> None:
    assert credit_percent(WEB, figure) == pays


@pytest.mark.parametrize(
    ("figure", "pays"),
    [
        (10_000, 0),
        (9_975, 0),
        (9_901, 0),
        (9_900, 0),
        (9_899, 10),
        (9_850, 10),
        (9_802, 10),
        (9_801, 10),
        (9_800, 25),
        (9_799, 25),
        (0, 25),
    ],
)
@pytest.mark.parametrize("product", ["server", "colocation"])
def test_server_and_colocation_pay_by_the_tables_of_5_2_2_and_5_3_2(product: Product, figure: int, pays: int) -> None:
    assert credit_percent(PRODUCTS[product], figure) == pays


@pytest.mark.parametrize("product", ["web-hosting", "server", "colocation"])
def test_what_was_not_measured_pays_nothing(product: Product) -> None:
    assert credit_percent(PRODUCTS[product], None) == 0


@pytest.mark.parametrize(
    ("thousandths", "product", "rounding", "pays"),
    [
        (98_995, "server", "down", 10),
        (98_995, "server", "half-up", 0),
        (98_009, "server", "down", 25),
        (98_009, "colocation", "half-up", 10),
        (95_999, "web-hosting", "down", 25),
        (95_999, "web-hosting", "half-up", 0),
        (89_995, "web-hosting", "down", 50),
        (89_995, "web-hosting", "half-up", 25),
        (98_010, "server", "down", 10),
        (99_000, "server", "down", 0),
        (96_000, "web-hosting", "down", 0),
        (90_000, "web-hosting", "down", 25),
    ],
)
def test_a_gap_of_the_table_belongs_to_the_band_below_it(
    thousandths: int, product: Product, rounding: Rounding, pays: int
) -> None:
    """98.995 % is in the 98.99 band, 98.009 % pays 25 %: the figure has a bound only when it reaches it."""
    figure = percent(thousandths, 100_000, rounding)
    assert credit_percent(PRODUCTS[product], figure) == pays


@pytest.mark.parametrize(
    ("figure", "met"),
    [(9_976, True), (9_975, True), (9_974, False), (9_600, False)],
)
def test_the_target_is_compared_with_the_rounded_figure(figure: int, *, met: bool) -> None:
    made = replace(account_with_downtime(0, 100), availability=figure)
    assert made.target_met is met


def test_between_the_floor_and_the_target_it_is_missed_but_unpaid() -> None:
    made = account_with_downtime(50, 10_000)
    owed = availability_credit(SERVER, made, EXAMPLE)
    assert (made.availability, made.target_met, owed.percent, str(owed.amount)) == (9950, False, 0, "0.00")


def test_every_target_is_99_75() -> None:
    assert {terms.target for terms in PRODUCTS.values()} == {9975}


# --- certainty -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lowest", "counted", "highest", "certain"),
    [
        (9_899, 9_899, 9_899, True),
        (9_801, 9_850, 9_899, True),
        (9_800, 9_850, 9_899, False),
        (9_801, 9_899, 9_900, False),
        (9_900, 9_950, 10_000, True),
        (9_899, 9_900, 9_900, False),
        (9_700, 9_899, 9_950, False),
        (0, 9_000, 9_800, True),
        (None, None, None, True),
        (0, 0, None, False),
    ],
)
def test_a_credit_is_certain_when_both_bounds_fall_in_one_band(
    lowest: int | None, counted: int | None, highest: int | None, *, certain: bool
) -> None:
    made = replace(account_with_downtime(0, 100), lowest=lowest, availability=counted, highest=highest)
    assert availability_credit(SERVER, made, EXAMPLE).certain is certain


# --- amounts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fee", "months", "percent_", "expected"),
    [
        ("49.90", 1, 10, "4.99"),
        ("49.90", 1, 25, "12.48"),  # 12.475
        ("49.90", 1, 50, "24.95"),
        ("49.90", 1, 0, "0.00"),
        ("0", 1, 50, "0.00"),
        ("9.99", 1, 25, "2.50"),  # 2.4975
        ("9.99", 1, 50, "5.00"),  # 4.995
        ("9.98", 1, 25, "2.50"),  # 2.495
        ("9.97", 1, 25, "2.49"),  # 2.4925
        ("0.01", 1, 50, "0.01"),  # half a cent
        ("0.01", 1, 25, "0.00"),
        ("120", 12, 25, "2.50"),
        ("100", 12, 10, "0.83"),
        ("200", 12, 50, "8.33"),  # 16.666... is not rounded to 16.67 first
        ("1", 3, 50, "0.17"),
        ("1000000", 1, 50, "500000.00"),
        ("49.9", 1, 10, "4.99"),
        ("49.905", 1, 10, "4.99"),
        ("1E+3", 1, 10, "100.00"),
    ],
)
def test_a_credit_is_the_monthly_fee_times_the_rate_rounded_half_up_to_the_cent_once(
    fee: str, months: int, percent_: int, expected: str
) -> None:
    assert str(credit_amount(replace(EXAMPLE, fee=Decimal(fee), months=months), percent_)) == expected


def test_without_a_fee_the_amount_is_none() -> None:
    owed = availability_credit(SERVER, account_with_downtime(5, 100), replace(EXAMPLE, fee=None, currency=None))
    assert owed == Credit(25, certain=True, amount=None, currency=None, clause="5.2.2")
    assert monthly_fee(replace(EXAMPLE, fee=None)) is None


@pytest.mark.parametrize(
    ("product", "clause", "pays", "paid"),
    [("web-hosting", "5.1.2", 25, "12.48"), ("server", "5.2.2", 25, "12.48"), ("colocation", "5.3.2", 25, "12.48")],
)
def test_a_credit_names_its_clause_by_product(product: Product, clause: str, pays: int, paid: str) -> None:
    owed = availability_credit(PRODUCTS[product], account_with_downtime(5, 100), EXAMPLE)
    assert (owed.clause, owed.percent, str(owed.amount), owed.currency) == (clause, pays, paid, "USD")


def test_the_fee_is_not_prorated() -> None:
    """A subscription with one day in the month that was down for that day."""
    made = replace(account_with_downtime(100, 100), span=None)
    assert str(availability_credit(SERVER, made, EXAMPLE).amount) == "12.48"


def test_what_was_not_measured_owes_nothing_and_certainly() -> None:
    owed = availability_credit(SERVER, compute_account(whole_segment(0, HOUR, ()), {}), EXAMPLE)
    assert (owed.percent, owed.certain, str(owed.amount)) == (0, True, "0.00")


# --- all credits of one service in one month (6.6) -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fee", "amounts", "paid"),
    [
        ("49.90", ["24.95", "4.99"], ["24.95", "4.99"]),
        ("49.90", ["24.95", "24.95", "4.99"], ["24.95", "24.95", "0.00"]),
        ("49.90", ["24.95", "20.00", "4.99"], ["24.95", "20.00", "4.95"]),
        ("49.90", ["60.00"], ["49.90"]),
        ("49.90", [], []),
    ],
)
def test_all_credits_of_one_month_never_exceed_the_monthly_fee(fee: str, amounts: list[str], paid: list[str]) -> None:
    subscription = replace(EXAMPLE, fee=Decimal(fee))
    assert [str(one) for one in cap_to_fee([Decimal(one) for one in amounts], subscription)] == paid


def test_a_monthly_fee_with_a_fraction_of_a_cent_caps_at_the_whole_cent() -> None:
    subscription = replace(EXAMPLE, fee=Decimal(100), months=12)  # 8.333...
    assert cap_to_fee([Decimal("8.34")], subscription) == (Decimal("8.33"),)


# --- hardware (5.2.1, 5.2.2) -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("took", "pays"),
    [(0, 0), (8 * HOUR, 0), (12 * HOUR - 1, 0), (12 * HOUR, 0), (12 * HOUR + 1, 10), (48 * HOUR, 10)],
)
def test_a_part_replaced_after_more_than_12_hours_pays_10_percent(took: int, pays: int) -> None:
    owed = hardware_credit(SERVER, EXAMPLE, 7, 7 + took)
    assert (owed.percent, owed.clause, owed.certain) == (pays, "5.2.2", True)
    assert str(owed.amount) == ("4.99" if pays else "0.00")


@pytest.mark.parametrize("product", ["colocation", "web-hosting"])
def test_hardware_that_the_provider_does_not_own_or_rent_out_is_not_guaranteed(product: Product) -> None:
    assert hardware_credit(PRODUCTS[product], EXAMPLE, 0, 100 * HOUR).percent == 0
