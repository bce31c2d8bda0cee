"""The agreement's tables, and a configuration's terms written down and read back."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model import Subscription
from monitor.sla.interpretations import FIXED_INTERPRETATIONS, interpretations_of
from monitor.sla.terms import (
    CUSTOMER_CLAUSES,
    EXCLUSION_CLAUSES,
    PRODUCTS,
    RECORDED_CLAUSES,
    CheckTerms,
    ServerTerms,
    Terms,
    clause_order,
    measured_checks,
    terms_body,
    terms_from_body,
)
from tests.sla.sla_fixtures import QUICK
from tests.sla.terms_examples import ONE, SERVERS, TERMS

if TYPE_CHECKING:
    from monitor.model import Product


# --- products (5.1 to 5.3) -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("product", "clause", "credit_clause", "measured", "hardware"),
    [
        ("web-hosting", "5.1", "5.1.2", "web", None),
        ("server", "5.2", "5.2.2", "ping", 12),
        ("colocation", "5.3", "5.3.2", "ping", None),
    ],
)
def test_each_product_has_its_clauses(
    product: Product, clause: str, credit_clause: str, measured: str, hardware: int | None
) -> None:
    terms = PRODUCTS[product]
    assert (terms.clause, terms.credit_clause, terms.measured) == (clause, credit_clause, measured)
    assert terms.hardware_hours == hardware


def test_every_clause_has_its_place_in_the_agreement() -> None:
    assert [clause_order(clause) for clause in EXCLUSION_CLAUSES] == list(range(10))
    assert clause_order("4.9") < clause_order("4.10")
    with pytest.raises(KeyError):
        clause_order("4.11")


def test_an_operator_records_all_clauses_but_4_1_and_4_5() -> None:
    assert RECORDED_CLAUSES == ("4.2", "4.3", "4.4", "4.6", "4.7", "4.8", "4.9", "4.10")
    assert set(CUSTOMER_CLAUSES) < set(RECORDED_CLAUSES)


# --- what is measured ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("server", "product", "measured"),
    [
        ("two", "server", ("ping",)),
        ("three", "colocation", ("ping",)),
        ("four", "server", ("ping",)),
        ("four", "web-hosting", ("site",)),
        ("shops", "web-hosting", ("site", "shop")),
        ("web-ping", "web-hosting", ()),
        ("web-ping", "server", ("ping",)),
        ("none", "server", ()),
        ("none", "web-hosting", ()),
        ("unknown", "server", ()),
    ],
)
def test_availability_is_read_on_the_checks_of_the_product(
    server: str, product: Product, measured: tuple[str, ...]
) -> None:
    one = Subscription("x", "acme", server, product, None, None, 1, None, None)
    assert measured_checks(TERMS, one) == measured


def test_a_result_holds_two_intervals() -> None:
    assert TERMS.hold == 120_000


# --- written down and read back --------------------------------------------------------------------------------------


def test_terms_are_written_in_plain_values() -> None:
    body = terms_body(TERMS)
    assert body["timezone"] == "Europe/Istanbul"
    assert body["servers"]["four"] == {"level": 4, "checks": [["ping", "icmp"], ["site", "https"], ["mail", "smtp"]]}
    assert body["subscriptions"]["x"] == {
        "id": "x",
        "customer": "acme",
        "server": "four",
        "product": "server",
        "fee": "49.90",
        "currency": "USD",
        "months": 12,
        "start": "2026-01-01",
        "end": None,
    }


def test_the_same_terms_give_the_same_text_in_whatever_order_they_were_configured() -> None:
    turned = Terms(
        2_000, "Europe/Istanbul", "down", 30, 60_000, dict(reversed(SERVERS.items())), {"x": ONE}, {"acme": "Acme Ltd"}
    )
    assert json.dumps(terms_body(turned)) == json.dumps(terms_body(TERMS))


names = st.text(min_size=1, max_size=5)
days = st.one_of(st.none(), st.dates())
fees = st.one_of(st.none(), st.decimals(0, 10**6, places=2), st.sampled_from([Decimal("1E+3"), Decimal("49.900")]))


@st.composite
def some_terms(draw: st.DrawFn) -> Terms:
    checks = st.lists(st.builds(CheckTerms, names, names), max_size=3).map(tuple)
    subscriptions = st.builds(
        Subscription,
        names,
        names,
        names,
        st.sampled_from(list(PRODUCTS)),
        fees,
        st.one_of(st.none(), names),
        st.integers(1, 36),
        days,
        days,
    )
    return Terms(
        in_force=draw(st.integers(0, 10**13)),
        timezone=draw(names),
        rounding=draw(st.sampled_from(["down", "half-up"])),
        rolling_days=draw(st.integers(1, 90)),
        interval=draw(st.integers(1, 10**6)),
        servers=draw(st.dictionaries(names, st.builds(ServerTerms, st.integers(1, 4), checks), max_size=3)),
        subscriptions=draw(st.dictionaries(names, subscriptions, max_size=3)),
        customers=draw(st.dictionaries(names, names, max_size=3)),
        credit=draw(st.sampled_from(["on-claim", "automatic"])),
        support_credit=draw(st.none() | st.integers(1, 100)),
        ticket_area=draw(st.none() | names),
    )


@QUICK
@given(some_terms())
def test_what_was_written_is_read_back_exactly(terms: Terms) -> None:
    read_back = terms_from_body(terms.in_force, json.loads(json.dumps(terms_body(terms))))
    assert read_back == terms
    fees_of = [[str(one.fee) for one in each.subscriptions.values()] for each in (terms, read_back)]
    assert sorted(fees_of[0]) == sorted(fees_of[1])


def test_terms_written_before_the_newer_keys_are_those_of_the_agreement() -> None:
    body = terms_body(TERMS)
    del body["credit"], body["support_credit"], body["ticket_area"]
    assert terms_from_body(TERMS.in_force, body) == TERMS


# --- what was decided where the agreement is silent ------------------------------------------------------------------


def test_a_report_can_say_which_reading_was_used() -> None:
    found = {one.setting: one.value for one in interpretations_of(TERMS)}
    assert found["rounding"] == "down"
    assert found["timezone"] == "Europe/Istanbul"
    assert found["rolling_days"] == "30"
    assert {one.setting for one in FIXED_INTERPRETATIONS} < set(found)
    assert all(one.value and one.clause for one in interpretations_of(TERMS))
