from __future__ import annotations

import datetime as dt
import getpass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Installation

OCTOBER = int(dt.datetime(2024, 10, 5, 10, 0, tzinfo=dt.UTC).timestamp() * 1000)


def explained(site: Installation, at: str, *words: str) -> dict[str, Any]:
    answer = site.run("explain", "web-01", "--at", at, "--json", *words)
    assert answer.status == 0, answer.err
    found: dict[str, Any] = answer.json
    return found


def test_an_instant_is_explained_by_its_result_and_its_journal_entry(site: Installation) -> None:
    site.record("ping", OCTOBER, "ooxxoo")
    said = explained(site, "2024-10-05T10:02:30Z", "--check", "ping")
    assert said["at"] == "2024-10-05T10:02:30Z"
    (check,) = said["checks"]
    assert (check["name"], check["state"]) == ("ping", "down")
    result = check["result"]
    assert (result["time"], result["holds_until"]) == ("2024-10-05T10:02:00Z", "2024-10-05T10:03:00Z")
    assert (result["outcome"], result["reason"], result["attempts"]) == ("fail", "timeout", 1)
    assert (result["source"], result["batch"]) == ("probe", 1)
    assert result["entry"] > 0
    assert check["outage"] == {
        "id": 1,
        "start": "2024-10-05T10:02:00Z",
        "end": "2024-10-05T10:04:00Z",
        "reason": "timeout",
    }
    verdicts = [(each["id"], each["verdict"], each["clause"]) for each in said["subscriptions"]]
    assert verdicts == [("acme-web-01", "down", None)]


def test_an_excluded_instant_names_the_record_it_is_charged_to_and_who_made_it(site: Installation) -> None:
    site.record("ping", OCTOBER, "ooxxoo")
    site.run("exclude", "add", "--outage", "1", "--clause", "4.8", "--reason", "Their program")
    site.run("exclude", "add", "--outage", "1", "--clause", "4.3", "--reason", "Their mistake")
    site.run("exclude", "withdraw", "1", "--reason", "Not so")
    said = explained(site, "2024-10-05T10:02:30Z")
    verdict = said["subscriptions"][0]
    assert (verdict["verdict"], verdict["clause"], verdict["reference"]) == ("excluded", "4.3", "exclusion 2")
    first, second = said["exclusions"]
    assert (first["reference"], first["withdrawn_reason"]) == ("exclusion 1", "Not so")
    assert (second["reason"], second["recorded_by"], second["withdrawn_at"]) == (
        "Their mistake",
        getpass.getuser(),
        None,
    )


def test_a_window_that_covers_an_instant_is_named_with_who_announced_it(site: Installation) -> None:
    site.record("ping", OCTOBER, "ooxxoo")
    words = ("--server", "web-01", "--start", "2024-10-05T10:00Z", "--end", "2024-10-05T11:00Z", "--reason", "Disks")
    site.run("maintenance", "announce", *words)
    site.run("maintenance", "announce", *words, "--emergency", "They burn")
    said = explained(site, "2024-10-05T10:02:30Z")
    late, urgent = said["windows"]
    assert (late["reference"], late["excludes"], late["short_by_seconds"] > 0) == ("maintenance 1", False, True)
    assert (urgent["clause"], urgent["excludes"], urgent["recorded_by"]) == ("4.9", True, getpass.getuser())
    assert said["subscriptions"][0]["reference"] == "maintenance 2"
    table = site.run("explain", "web-01", "--at", "2024-10-05T10:02:30Z").out
    assert "maintenance 2 (4.9)" in table
    assert "excludes nothing" in table
    assert "journal entry" in table


def test_where_no_result_holds_the_last_one_before_is_named(site: Installation) -> None:
    site.record("ping", OCTOBER, "oo")
    said = explained(site, "2024-10-05T12:00:00Z", "--check", "ping")
    (check,) = said["checks"]
    assert (check["state"], check["result"], check["last_result_at"]) == ("unknown", None, "2024-10-05T10:01:00Z")
    assert said["subscriptions"][0]["verdict"] == "unknown"
    assert "the last result before is from" in site.run("explain", "web-01", "--at", "2024-10-05T12:00:00Z").out


def test_an_imported_result_says_so(site: Installation) -> None:
    file = site.config.with_name("more.csv")
    file.write_text("server,check,time,outcome,latency_ms\nweb-01,ping,2024-10-05T10:00:00Z,fail,\n")
    site.run("import", "csv", str(file))
    result = explained(site, "2024-10-05T10:00:01Z")["checks"][0]["result"]
    assert (result["source"], result["reason"]) == ("import", "imported")
    assert "imported, batch 1" in site.run("explain", "web-01", "--at", "2024-10-05T10:00:01Z").out


def test_a_server_on_level_one_has_no_checks_and_its_subscription_is_unknown(site: Installation) -> None:
    answer = site.run("explain", "free-01", "--at", "2024-10-05T10:00Z", "--json").json
    assert answer["checks"] == []
    assert [(each["id"], each["verdict"], each["checks"]) for each in answer["subscriptions"]] == [
        ("acme-free", "unknown", [])
    ]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("nobody", "--at", "2024-10-05T10:00Z"), "nobody"),
        (("web-01", "--at", "soon"), "--at"),
        (("web-01", "--at", "2999-01-01"), "future"),
        (("web-01", "--at", "2024-10-05T10:00Z", "--check", "mail"), "it has ping, site"),
        (("web-01",), "--at"),
    ],
)
def test_what_cannot_be_explained_is_named_in_one_line(site: Installation, words: tuple[str, ...], named: str) -> None:
    answer = site.run("explain", *words)
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert named in answer.err
