from __future__ import annotations

import datetime as dt
import getpass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Installation

OCTOBER = int(dt.datetime(2024, 10, 5, 10, 0, tzinfo=dt.UTC).timestamp() * 1000)
MONTH = ("--month", "2024-10")
INTERVAL = ("--server", "web-01", "--start", "2024-10-05T10:10Z", "--end", "2024-10-05T10:12Z")
WHY = ("--clause", "4.3", "--reason", "Wrong firewall rule")


def account(site: Installation, *words: str) -> dict[str, Any]:
    answer: dict[str, Any] = site.run("availability", *MONTH, "--subscription", "acme-web-01", *words, "--json").json[
        "subscriptions"
    ][0]
    return answer


def exclusions(site: Installation) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = site.run("exclude", "list", "--json").json["exclusions"]
    return listed


def test_an_exclusion_of_an_interval_is_taken_out_and_named_by_its_clause_and_id(site: Installation) -> None:
    site.record("ping", OCTOBER, "o" * 10 + "x" * 5 + "o" * 10)
    assert site.run("exclude", "add", *INTERVAL, *WHY).out == "1\n"
    after = account(site)
    assert (after["down_seconds"], after["excluded_seconds"]) == (180, 120)
    assert after["exclusions"] == [{"clause": "4.3", "seconds": 120, "reference": "exclusion 1"}]
    assert after["experienced_percent"] == "80.76"


def test_an_exclusion_of_an_outage_runs_from_its_first_fail_to_its_end(site: Installation) -> None:
    site.record("ping", OCTOBER, "o" * 10 + "x" * 5 + "o" * 10)
    record = site.run("exclude", "add", "--outage", "1", *WHY, "--json").json
    assert (record["start"], record["end"]) == ("2024-10-05T10:10:00Z", "2024-10-05T10:15:00Z")
    assert (record["server"], record["check"], record["outage"]) == ("web-01", "ping", 1)
    assert record["recorded_by"] == getpass.getuser()
    assert (account(site)["down_seconds"], account(site)["excluded_seconds"]) == (0, 300)
    assert site.run("outages", "show", "1", "--json").json["excluded_seconds"] == 300


def test_an_exclusion_of_an_open_outage_grows_with_it(site: Installation) -> None:
    now = int(dt.datetime.now(dt.UTC).timestamp() * 1000)
    site.record("ping", now - 10 * 60_000, "oooo" + "x" * 4)
    record = site.run("exclude", "add", "--outage", "1", *WHY, "--json").json
    assert record["end"] is None
    site.record("ping", now - 2 * 60_000, "xxo")
    assert exclusions(site)[0]["end"] is not None
    shown = site.run("outages", "show", "1", "--json").json
    assert shown["counted_seconds"] == shown["excluded_seconds"] > 0


def test_a_withdrawn_exclusion_is_kept_and_counts_no_more(site: Installation) -> None:
    site.record("ping", OCTOBER, "o" * 10 + "x" * 5 + "o" * 10)
    before = account(site)
    site.run("exclude", "add", "--outage", "1", *WHY)
    assert account(site) != before
    withdrawn = site.run("exclude", "withdraw", "1", "--reason", "It was ours after all", "--json").json
    assert account(site) == before
    assert withdrawn["withdrawn_at"] is not None
    assert exclusions(site) == [withdrawn]
    assert withdrawn["withdrawn_reason"] == "It was ours after all"
    again = site.run("exclude", "withdraw", "1", "--reason", "Once more")
    assert (again.status, again.err.count("\n")) == (2, 1)
    assert "withdrawn already" in again.err


def test_the_books_before_an_exclusion_was_recorded_do_not_know_it(site: Installation) -> None:
    site.record("ping", OCTOBER, "o" * 10 + "x" * 5 + "o" * 10)
    site.run("exclude", "add", "--outage", "1", *WHY)
    assert account(site, "--at", "2024-11-01T00:00Z")["down_seconds"] == 300
    assert account(site)["down_seconds"] == 0


def test_an_exclusion_limited_to_a_subscription_leaves_the_others_their_downtime(site: Installation) -> None:
    more = '[[subscription]]\nid = "b-web-01"\ncustomer = "acme"\nserver = "web-01"\nproduct = "colocation"\n'
    site.config.write_text(site.config.read_text() + more)
    site.record("ping", OCTOBER, "oxxo")
    assert site.run("exclude", "add", "--outage", "1", "--subscription", "b-web-01", *WHY).status == 0
    found = {each["id"]: each for each in site.run("availability", *MONTH, "--json").json["subscriptions"]}
    assert (found["acme-web-01"]["down_seconds"], found["b-web-01"]["down_seconds"]) == (120, 0)
    assert site.run("outages", "show", "1", "--json").json["excluded_seconds"] == 0


def test_of_overlapping_exclusions_the_clause_that_stands_first_is_charged(site: Installation) -> None:
    site.record("ping", OCTOBER, "o" * 10 + "x" * 5 + "o" * 10)
    site.run("exclude", "add", "--outage", "1", "--clause", "4.10", "--reason", "Used the spare line")
    site.run("exclude", "add", *INTERVAL, "--clause", "4.9", "--reason", "Strike")
    after = account(site)
    assert after["exclusions"] == [
        {"clause": "4.9", "seconds": 120, "reference": "exclusion 2"},
        {"clause": "4.10", "seconds": 180, "reference": "exclusion 1"},
    ]
    assert after["excluded_seconds"] == 300


def test_an_exclusion_of_another_check_excuses_nothing_that_is_not_measured(site: Installation) -> None:
    site.record("ping", OCTOBER, "oxxo")
    site.record("site", OCTOBER + 1, "oxxo")
    assert site.run("exclude", "add", "--outage", "2", *WHY, "--json").json["check"] == "site"
    assert account(site)["excluded_seconds"] == 0


CSV = "server,check,time,outcome,latency_ms\n"


def imported(site: Installation, **outcomes: str) -> None:
    file = site.config.with_name("more.csv")
    lines = (f"web-01,ping,2024-10-05T10:{minute[1:]}:00Z,{outcome},\n" for minute, outcome in outcomes.items())
    file.write_text(CSV + "".join(lines))
    assert site.run("import", "csv", str(file)).status == 0


def test_an_exclusion_follows_its_outage_where_an_import_lengthens_it(site: Installation) -> None:
    imported(site, m00="ok", m01="fail", m03="ok", m04="fail", m06="ok")
    assert [each["id"] for each in site.run("outages", "list", "--json").json["outages"]] == [1, 2]
    site.run("exclude", "add", "--outage", "2", *WHY)
    file = site.config.with_name("more.csv")
    file.write_text(CSV + "web-01,ping,2024-10-05T10:03:30Z,fail,\n")
    site.run("import", "csv", str(file))
    assert [(each["outage"], each["start"]) for each in exclusions(site)] == [(2, "2024-10-05T10:03:30Z")]


def test_the_table_lists_what_was_excluded_and_by_whom(site: Installation) -> None:
    assert site.run("exclude", "list").out == "no exclusions\n"
    site.run("exclude", "add", *INTERVAL, *WHY)
    table = site.run("exclude", "list").out
    assert "Wrong firewall rule" in table
    assert getpass.getuser() in table


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--outage", "7", *WHY), "--outage 7"),
        (("--server", "nobody", *INTERVAL[2:], *WHY), "nobody"),
        ((*INTERVAL, "--check", "mail", *WHY), "it has ping, site"),
        ((*INTERVAL, "--subscription", "nobody", *WHY), "nobody"),
        ((*INTERVAL, "--subscription", "acme-free", *WHY), "is on server free-01, not on web-01"),
        (("--server", "web-01", "--start", "2024-10-05", "--end", "2024-10-05", *WHY), "--end"),
        (("--server", "web-01", "--start", "2024-10-05", *WHY), "--end"),
        (("--server", "web-01", "--start", "soon", "--end", "2024-10-05", *WHY), "--start"),
        ((*INTERVAL, "--outage", "1", *WHY), "--outage cannot be combined"),
        ((*WHY,), "--outage"),
        ((*INTERVAL, "--clause", "4.1", "--reason", "x"), "4.2, 4.3, 4.4, 4.6, 4.7, 4.8, 4.9, 4.10"),
        ((*INTERVAL, "--clause", "4.5", "--reason", "x"), "--clause 4.5"),
        ((*INTERVAL, "--clause", "4.11", "--reason", "x"), "--clause 4.11"),
        (
            (*INTERVAL, "--clause", "4.9", "--subscription", "acme-web-01", "--reason", "x"),
            "4.3, 4.4, 4.6, 4.8, 4.10",
        ),
        ((*INTERVAL, "--clause", "4.3", "--reason", " "), "--reason"),
        ((*INTERVAL, "--clause", "4.3"), "--reason"),
    ],
)
def test_a_faulty_exclusion_records_nothing(site: Installation, words: tuple[str, ...], named: str) -> None:
    answer = site.run("exclude", "add", *words)
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert named in answer.err
    assert site.run("exclude", "list", "--json").json == {"exclusions": []}


def test_an_exclusion_of_an_outage_names_no_other_check(site: Installation) -> None:
    site.record("ping", OCTOBER, "oxxo")
    assert site.run("exclude", "add", "--outage", "1", "--check", "ping", *WHY).status == 0
    wrong = site.run("exclude", "add", "--outage", "1", "--check", "site", *WHY)
    assert (wrong.status, "web-01/ping" in wrong.err) == (2, True)


def test_an_exclusion_that_is_not_there_is_named(site: Installation) -> None:
    answer = site.run("exclude", "withdraw", "9", "--reason", "x")
    assert (answer.status, "exclusion 9" in answer.err) == (2, True)
