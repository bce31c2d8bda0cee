from __future__ import annotations

import csv
import datetime as dt
import io
from typing import TYPE_CHECKING, Any

import pytest

from monitor.store import database, journal
from tests.fakes import open_read_write

if TYPE_CHECKING:
    from tests.cli.conftest import Installation

OCTOBER = int(dt.datetime(2024, 10, 5, 10, 0, tzinfo=dt.UTC).timestamp() * 1000)
MONTH = ("--month", "2024-10")
DOWN = "o" * 10 + "x" * 5 + "o" * 10


def credits_of(site: Installation, *words: str) -> list[dict[str, Any]]:
    answer = site.run("credits", *MONTH, "--json", *words)
    assert answer.status == 0, answer.err
    found: list[dict[str, Any]] = answer.json["credits"]
    return found


def fact(site: Installation, kind: str, at: int, **body: object) -> None:
    db = open_read_write(site.database_path)
    with database.transaction(db):
        journal.append(db, at, kind, body)
    db.close()


def test_what_is_owed_is_listed_with_its_clause_amount_and_the_month_of_crediting(site: Installation) -> None:
    site.record("ping", OCTOBER, DOWN)
    assert site.run("credits", *MONTH, "--json").json == {
        "month": "2024-10",
        "credits": [
            {
                "subscription": "acme-web-01",
                "customer": "acme",
                "clause": "5.2.2",
                "cause": "availability",
                "percent": "25",
                "amount": "12.48",
                "currency": "USD",
                "credited_in": "2024-11",
                "claimed": False,
                "due": False,
                "certain": True,
                "final": True,
            }
        ],
    }


def test_a_rate_of_nothing_is_not_listed(site: Installation) -> None:
    site.record("ping", OCTOBER, "o" * 25)
    assert credits_of(site) == []
    assert "no credit is owed for 2024-10" in site.run("credits", *MONTH).out


def test_a_claim_made_in_time_makes_the_credit_due(site: Installation) -> None:
    site.record("ping", OCTOBER, DOWN)
    fact(site, "claim-opened", OCTOBER + 1, claim=1, subscription="acme-web-01", outage=1)
    assert [(each["claimed"], each["due"]) for each in credits_of(site)] == [(True, True)]


def test_a_refused_claim_is_none_and_one_of_another_outage_or_subscription_neither(site: Installation) -> None:
    site.record("ping", OCTOBER, DOWN)
    fact(site, "claim-opened", OCTOBER + 1, claim=1, subscription="acme-web-01", outage=1)
    fact(site, "claim-refused", OCTOBER + 1, claim=1)
    fact(site, "claim-opened", OCTOBER + 1, claim=2, subscription="acme-web-01", outage=2)
    fact(site, "claim-opened", OCTOBER + 1, claim=3, subscription="acme-free", outage=1)
    assert [(each["claimed"], each["due"]) for each in credits_of(site)] == [(False, False)]


def test_a_provider_who_credits_without_being_asked_owes_it_unclaimed(site: Installation) -> None:
    text = site.config.read_text().replace("[contract]", '[contract]\ncredit = "automatic"')
    site.config.write_text(text)
    site.record("ping", OCTOBER, DOWN)
    assert [(each["claimed"], each["due"]) for each in credits_of(site)] == [(False, True)]


def test_an_exclusion_takes_the_credit_away(site: Installation) -> None:
    site.record("ping", OCTOBER, DOWN)
    site.run("exclude", "add", "--outage", "1", "--clause", "4.3", "--reason", "Wrong firewall rule")
    assert credits_of(site) == []


def test_a_month_that_still_runs_is_provisional(site: Installation) -> None:
    now = dt.datetime.now(dt.UTC)
    site.record("ping", int(now.timestamp() * 1000) - 25 * 60_000, DOWN)
    month = (now - dt.timedelta(minutes=25)).astimezone(dt.timezone(dt.timedelta(hours=3)))
    later = now.astimezone(dt.timezone(dt.timedelta(hours=3)))
    if (month.year, month.month) != (later.year, later.month):
        pytest.skip("the month changed between the two")
    answer = site.run("credits", "--month", f"{later:%Y-%m}", "--json").json
    assert [each["final"] for each in answer["credits"]] == [False]
    assert "provisional" in site.run("credits", "--month", f"{later:%Y-%m}").out


def test_the_billing_system_gets_a_header_and_a_line_for_each(site: Installation) -> None:
    site.record("ping", OCTOBER, DOWN)
    said = site.run("credits", *MONTH, "--format", "csv").out
    assert "\r" not in said
    (line,) = csv.DictReader(io.StringIO(said))
    assert line == {
        "month": "2024-10",
        "subscription": "acme-web-01",
        "customer": "acme",
        "clause": "5.2.2",
        "cause": "availability",
        "percent": "25",
        "amount": "12.48",
        "currency": "USD",
        "credited_in": "2024-11",
        "claimed": "false",
        "due": "false",
        "certain": "true",
        "final": "true",
    }


def test_a_credit_without_a_fee_has_no_amount(site: Installation) -> None:
    site.config.write_text(site.config.read_text().replace('fee = "49.90"\ncurrency = "USD"\n', ""))
    site.record("ping", OCTOBER, DOWN)
    (record,) = credits_of(site)
    assert (record["percent"], record["amount"], record["currency"]) == ("25", None, None)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--month", "2024-13"), "2024-13"),
        ((), "--month"),
        ((*MONTH, "--format", "xml"), "--format"),
        ((*MONTH, "--format", "csv", "--json"), "--json"),
    ],
)
def test_what_cannot_be_listed_is_named_in_one_line(site: Installation, words: tuple[str, ...], named: str) -> None:
    answer = site.run("credits", *words)
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert named in answer.err
