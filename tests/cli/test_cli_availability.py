from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from tests.fakes import open_read_write

if TYPE_CHECKING:
    from tests.cli.conftest import Installation

OCTOBER = int(dt.datetime(2026, 10, 5, 10, 0, tzinfo=dt.UTC).timestamp() * 1000)
MONTH = ("--month", "2026-10")


def test_a_month_is_accounted_to_the_second_with_both_bounds(site: Installation) -> None:
    site.record("ping", OCTOBER, "o" * 10 + "x" * 5 + "o" * 10)
    account = site.run("availability", *MONTH, "--json").json["subscriptions"][0 + 1]
    assert account["id"] == "acme-web-01"
    # 10 ok hold 10 min, 5 fail hold 5 min, 10 ok hold 9 min and then two intervals
    assert (account["up_seconds"], account["down_seconds"]) == (21 * 60, 5 * 60)
    assert account["availability_percent"] == "80.76"
    assert account["lowest_percent"] == "76.92"
    assert account["highest_percent"] == "84.61"
    assert account["credit_percent"] == "25"
    assert account["credit_amount"] == "12.48"
    assert account["credit_clause"] == "5.2.2"
    assert account["target_met"] is False
    assert account["outages"] == [1]


def test_accounts_say_from_when_on_the_terms_were_in_force_where_they_reach_back(site: Installation) -> None:
    site.record("ping", OCTOBER, "o" * 10)
    begun = site.run("availability", *MONTH, "--json").json["subscriptions"][1]
    assert begun["terms_from"] is None, "there are no results from before them"
    site.record("site", OCTOBER, "o" * 10)
    hosting = '[[subscription]]\nid = "later"\ncustomer = "acme"\nserver = "web-01"\nproduct = "web-hosting"\n'
    site.config.write_text(site.config.read_text() + hosting)
    answer = site.run("availability", *MONTH, "--json").json
    assert [each["terms_from"] for each in answer["subscriptions"]] == [None, None, answer["at"]]
    after = site.run("availability", "--month", "2026-11", "--json").json["subscriptions"][1]
    assert after["terms_from"] is None


def test_the_four_kinds_of_time_add_up_to_the_window(site: Installation) -> None:
    site.record("ping", OCTOBER, "ooxx?oo..ooo")
    account = site.run("availability", *MONTH, "--json").json["subscriptions"][1]
    total = sum(account[f"{kind}_seconds"] for kind in ("up", "down", "excluded", "unknown"))
    assert total == 31 * 86_400


def test_level_one_is_not_measured_and_reads_null(site: Installation) -> None:
    account = site.run("availability", *MONTH, "--json").json["subscriptions"][0]
    assert account["id"] == "acme-free"
    figures = ("availability", "lowest", "highest", "experienced", "coverage")
    assert {account[f"{figure}_percent"] for figure in figures[:4]} == {None}
    assert account["target_met"] is None
    assert (account["credit_percent"], account["credit_amount"], account["currency"]) == ("0", None, None)


def test_the_books_as_they_stood_do_not_know_what_came_later(site: Installation) -> None:
    site.record("ping", OCTOBER, "oooxxxooo")
    early = site.run("availability", *MONTH, "--at", "2026-10-05T10:02:30Z", "--json").json
    assert early["at"] == "2026-10-05T10:02:30Z"
    account = early["subscriptions"][1]
    assert (account["up_seconds"], account["down_seconds"], account["outages"]) == (150, 0, [])
    open_then = site.run("availability", *MONTH, "--at", "2026-10-05T10:04:30Z", "--json").json["subscriptions"][1]
    assert (open_then["up_seconds"], open_then["down_seconds"], open_then["outages"]) == (180, 90, [1])


def test_a_configuration_that_is_not_in_force_yet_is_not_in_the_books_as_they_stood(site: Installation) -> None:
    site.record("ping", OCTOBER, "oooxxxooo")
    then = (*MONTH, "--at", "2026-10-05T10:04:30Z", "--json")
    before = site.run("availability", *then).json
    new = '[[subscription]]\nid = "zeta"\ncustomer = "acme"\nserver = "web-01"\nproduct = "server"\n'
    site.config.write_text(site.config.read_text() + new)
    now = site.run("availability", *MONTH, "--json").json["subscriptions"]
    assert [each["id"] for each in now] == ["acme-free", "acme-web-01", "zeta"], "it has history already"
    assert site.run("availability", *then).json == before


def test_a_window_names_its_nominal_edges_in_the_contracts_zone(site: Installation) -> None:
    answer = site.run("availability", *MONTH, "--json").json
    assert answer["timezone"] == "Europe/Istanbul"
    assert answer["window"] == {"start": "2026-09-30T21:00:00Z", "end": "2026-10-31T21:00:00Z", "label": "2026-10"}


def test_one_subscription_can_be_asked_for_alone(site: Installation) -> None:
    answer = site.run("availability", *MONTH, "--subscription", "acme-free", "--json").json
    assert [each["id"] for each in answer["subscriptions"]] == ["acme-free"]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--month", "2026-13"), "2026-13"),
        (("--month", "October"), "October"),
        (("--month", "2026-10", "--days", "3"), "--days"),
        (("--days", "0"), "--days"),
        (("--at", "yesterday"), "--at"),
        (("--at", "2999-01-01"), "--at"),
        (("--subscription", "nobody"), "nobody"),
    ],
)
def test_what_cannot_be_answered_is_named_in_one_line(site: Installation, words: tuple[str, ...], named: str) -> None:
    answer = site.run("availability", *words)
    assert answer.status == 2
    assert answer.out == ""
    assert answer.err.count("\n") == 1
    assert named in answer.err


def test_the_table_says_what_the_json_says(site: Installation) -> None:
    site.record("ping", OCTOBER, "o" * 10 + "x" * 5 + "o" * 10)
    table = site.run("availability", *MONTH).out
    assert "80.76" in table
    assert "76.92 - 84.61" in table
    assert "25 % = 12.48 USD (5.2.2)" in table
    assert "n/a" in table


def test_outages_are_listed_with_their_bounds(site: Installation) -> None:
    site.record("ping", OCTOBER, "oxxo")
    assert site.run("outages", "list", "--json").json == {
        "outages": [
            {
                "id": 1,
                "server": "web-01",
                "check": "ping",
                "start": "2026-10-05T10:01:00Z",
                "end": "2026-10-05T10:03:00Z",
                "reason": "timeout",
                "last_ok": "2026-10-05T10:00:00Z",
                "last_fail": "2026-10-05T10:02:00Z",
                "counted_seconds": 120,
                "least_seconds": 60,
                "most_seconds": 180,
                "excluded_seconds": 0,
            }
        ]
    }


def test_outages_can_be_asked_for_by_server_and_month(site: Installation) -> None:
    site.record("ping", OCTOBER, "oxo")
    assert len(site.run("outages", "list", "--server", "web-01", *MONTH, "--json").json["outages"]) == 1
    assert site.run("outages", "list", "--month", "2026-09", "--json").json == {"outages": []}
    assert site.run("outages", "list", "--server", "free-01", "--json").json == {"outages": []}
    assert site.run("outages", "list", "--server", "nobody").status == 2


def test_one_outage_is_shown_and_one_that_is_not_there_is_named(site: Installation) -> None:
    site.record("ping", OCTOBER, "oxo")
    assert site.run("outages", "show", "1", "--json").json["id"] == 1
    assert "first ok after" in site.run("outages", "show", "1").out
    missing = site.run("outages", "show", "7")
    assert (missing.status, "outage 7" in missing.err) == (2, True)


def test_status_shows_what_no_longer_holds_as_unknown(site: Installation) -> None:
    site.record("ping", OCTOBER, "ooo")
    answer = site.run("status", "--json").json
    states = {each["id"]: each["state"] for each in answer["servers"]}
    assert states == {"web-01": "unknown", "free-01": "unknown"}
    assert answer["servers"][0]["checks"][0]["since"] == "2026-10-05T10:04:00Z"
    assert answer["daemon"]["running"] is False


def test_status_shows_what_holds_now(site: Installation) -> None:
    now = int(dt.datetime.now(dt.UTC).timestamp() * 1000)
    site.record("ping", now - 3 * 60_000, "oooo")
    site.record("site", now - 3 * 60_000, "ooxx")
    server = site.run("status", "--json").json["servers"][0]
    assert server["state"] == "up"
    ping, web = server["checks"]
    assert (ping["state"], ping["latency_seconds"], ping["availability_percent"]) == ("up", 0.000412, "100.00")
    assert (web["state"], web["latency_seconds"], web["type"]) == ("down", None, "http")
    assert "down" in site.run("status").out


def test_the_journal_is_verified_with_status_zero_and_one(site: Installation) -> None:
    from monitor.store import database

    site.record("ping", OCTOBER, "ooxxo")
    assert site.run("verify").status == 0
    db = open_read_write(site.database_path)
    with database.transaction(db):
        db.execute("UPDATE result SET outcome = 0 WHERE outcome = 1")
    db.close()
    broken = site.run("verify")
    assert broken.status == 1
    assert "batch 1" in broken.err
    assert site.run("verify", "--json").json["ok"] is False
