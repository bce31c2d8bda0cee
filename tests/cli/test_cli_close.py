from __future__ import annotations

import datetime as dt
import getpass
from typing import TYPE_CHECKING, Any

import pytest

from monitor.store import database, journal
from tests.fakes import open_read_only, open_read_write

if TYPE_CHECKING:
    from tests.cli.conftest import Installation

OCTOBER = int(dt.datetime(2024, 10, 5, 10, 0, tzinfo=dt.UTC).timestamp() * 1000)
MONTH = ("--month", "2024-10")
DOWN = "o" * 10 + "x" * 5 + "o" * 10
EXCLUDE = ("exclude", "add", "--outage", "1", "--clause", "4.3", "--reason", "Wrong firewall rule")


def month(site: Installation, *words: str) -> dict[str, Any]:
    answer = site.run("availability", *MONTH, *words, "--json")
    assert answer.status == 0, answer.err
    found: dict[str, Any] = answer.json
    return found


def entries(site: Installation, *kinds: str) -> list[journal.JournalEntry]:
    db = open_read_only(site.database_path)
    found = list(journal.entries(db, *kinds))
    db.close()
    return found


def imported(site: Installation, *lines: str) -> None:
    file = site.config.with_name("more.csv")
    file.write_text("server,check,time,outcome,latency_ms\n" + "".join(f"{line}\n" for line in lines))
    answer = site.run("import", "csv", str(file))
    assert answer.status == 0, answer.err


def _pairs(closed: dict[str, Any], before: dict[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    return list(zip(closed["subscriptions"], before["subscriptions"], strict=True))


def test_a_month_that_is_over_is_closed_with_its_whole_accounts_and_its_terms(site: Installation) -> None:
    site.record("ping", OCTOBER, DOWN)
    before = month(site)
    assert (before["closed"], before["corrections"]) == (None, [])
    closed = site.run("close", *MONTH, "--json").json
    assert (closed["month"], closed["new"]) == ("2024-10", True)
    frozen = [each | {"terms_from": known["terms_from"]} for each, known in _pairs(closed, before)]
    assert frozen == before["subscriptions"]
    after = month(site)
    assert after["subscriptions"] == before["subscriptions"]
    assert after["closed"] == closed["closed"]
    assert closed["closed"]["recorded_by"] == getpass.getuser()
    (entry,) = entries(site, "month-closed")
    assert entry.number == closed["closed"]["entry"]
    assert entry.body["subscriptions"]["acme-web-01"]["down"] == 300_000
    assert entry.body["subscriptions"]["acme-web-01"]["credit_amount"] == "12.48"
    (terms,) = entries(site, "terms")
    assert entry.body["terms"] == terms.number


def test_a_month_is_closed_once(site: Installation) -> None:
    site.record("ping", OCTOBER, DOWN)
    assert "2024-10 is closed" in site.run("close", *MONTH).out
    again = site.run("close", *MONTH)
    assert (again.status, "was already closed" in again.out) == (0, True)
    assert site.run("close", *MONTH, "--json").json["new"] is False
    assert len(entries(site, "month-closed")) == 1


def test_the_last_month_that_is_over_is_meant_where_none_is_named(site: Installation) -> None:
    istanbul = dt.timezone(dt.timedelta(hours=3))
    today = dt.datetime.now(istanbul)
    if today.day == 1 and today.hour == 0:
        pytest.skip("the month has just begun")
    answer = site.run("close", "--json").json
    assert answer["month"] == f"{today.replace(day=1) - dt.timedelta(days=1):%Y-%m}"


def test_a_month_that_runs_or_is_to_come_is_refused(site: Installation) -> None:
    running = f"{dt.datetime.now(dt.timezone(dt.timedelta(hours=3))):%Y-%m}"
    for name in (running, "2999-01"):
        answer = site.run("close", "--month", name)
        assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1)
        assert name in answer.err
    assert entries(site, "month-closed") == []
    assert site.run("close", "--month", "2024-13").status == 2


def test_a_later_exclusion_is_kept_as_a_correction_with_its_change_and_author(site: Installation) -> None:
    site.record("ping", OCTOBER, DOWN)
    site.run("close", *MONTH)
    closed = month(site)["subscriptions"]
    site.run(*EXCLUDE)
    after = month(site)
    (correction,) = after["corrections"]
    assert (correction["why"], correction["recorded_by"]) == ("exclusion 1", getpass.getuser())
    changes = {each["field"]: (each["before"], each["after"]) for each in correction["changes"]}
    assert {each["subscription"] for each in correction["changes"]} == {"acme-web-01"}
    assert changes["down_seconds"] == (300, 0)
    assert changes["excluded_seconds"] == (0, 300)
    assert changes["credit_percent"] == ("25", "0")
    assert changes["exclusions"] == ([], [{"clause": "4.3", "seconds": 300, "reference": "exclusion 1"}])
    was, now = closed[1], after["subscriptions"][1]
    assert changes == {field: (was[field], now[field]) for field in was if was[field] != now[field]}
    added, corrected = entries(site, "exclusion-added", "month-corrected")
    assert corrected.number == added.number + 1
    assert corrected.at == added.at
    assert site.run("verify").status == 0


def test_a_withdrawal_is_a_correction_back(site: Installation) -> None:
    site.record("ping", OCTOBER, DOWN)
    site.run("close", *MONTH)
    site.run(*EXCLUDE)
    site.run("exclude", "withdraw", "1", "--reason", "It was ours")
    first, second = month(site)["corrections"]
    assert second["why"] == "exclusion 1, withdrawn"
    assert [(each["field"], each["before"], each["after"]) for each in first["changes"]] == [
        (each["field"], each["after"], each["before"]) for each in second["changes"]
    ]
    assert site.run("verify").status == 0


def test_a_later_import_is_a_correction_and_the_closing_can_still_be_computed_again(site: Installation) -> None:
    imported(site, *(f"web-01,ping,2024-10-05T10:{minute:02}:00Z,ok,1" for minute in range(0, 30, 2)))
    site.run("close", *MONTH)
    imported(site, "web-01,ping,2024-10-05T10:05:00Z,fail,", "web-01,ping,2024-10-05T10:05:30Z,fail,")
    (correction,) = month(site)["corrections"]
    assert correction["why"] == "import batch 2"
    assert ("outages", [], [1]) in [(each["field"], each["before"], each["after"]) for each in correction["changes"]]
    verdict = site.run("verify")
    assert verdict.status == 0, verdict.err


def test_a_window_recorded_late_is_a_correction(site: Installation) -> None:
    site.record("ping", OCTOBER, DOWN)
    site.run("close", *MONTH)
    site.run(
        *("maintenance", "announce", "--server", "web-01", "--emergency", "They burned", "--reason", "Disks"),
        *("--start", "2024-10-05T10:10Z", "--end", "2024-10-05T10:12Z"),
    )
    (correction,) = month(site)["corrections"]
    assert correction["why"] == "maintenance 1"


def test_an_extension_of_a_window_that_is_over_is_a_correction(site: Installation) -> None:
    site.record("ping", OCTOBER, DOWN)
    told = ("--announced-at", "2024-09-01", "--reference", "status page 12")
    window = ("--start", "2024-10-05T09:00Z", "--end", "2024-10-05T10:10Z")
    site.run("maintenance", "announce", "--server", "web-01", *window, "--reason", "Disks", *told)
    site.run("close", *MONTH)
    site.run("maintenance", "extend", "1", "--end", "2024-10-05T10:12Z", *told)
    (correction,) = month(site)["corrections"]
    assert correction["why"] == "maintenance 1"
    changes = {each["field"]: (each["before"], each["after"]) for each in correction["changes"]}
    assert changes["excluded_seconds"] == (70 * 60, 72 * 60)
    assert changes["down_seconds"] == (5 * 60, 3 * 60)
    assert site.run("verify").status == 0


def test_what_concerns_another_month_or_server_corrects_nothing(site: Installation) -> None:
    site.record("ping", OCTOBER, DOWN)
    site.run("close", *MONTH)
    for server, start, end in (("web-01", "2024-11-01", "2024-11-02"), ("free-01", "2024-10-05", "2024-10-06")):
        words = ("--server", server, "--start", start, "--end", end, "--clause", "4.3", "--reason", "x")
        assert site.run("exclude", "add", *words).status == 0
    # free-01 is on level 1: nothing is measured, and what is excluded there is excluded all the same
    (correction,) = month(site)["corrections"]
    assert {each["subscription"] for each in correction["changes"]} == {"acme-free"}


def test_the_books_as_they_stood_know_neither_a_later_closing_nor_a_later_correction(site: Installation) -> None:
    site.record("ping", OCTOBER, DOWN)
    site.run("close", *MONTH)
    site.run(*EXCLUDE)
    closing, correction = entries(site, "month-closed", "month-corrected")
    early = month(site, "--at", dt.datetime.fromtimestamp((closing.at - 1) / 1000, dt.UTC).isoformat())
    assert (early["closed"], early["corrections"]) == (None, [])
    between = month(site, "--at", dt.datetime.fromtimestamp((correction.at - 1) / 1000, dt.UTC).isoformat())
    assert (between["closed"] is not None, between["corrections"]) == (True, [])
    assert between["subscriptions"][1]["down_seconds"] == 300


def test_a_subscription_that_reaches_back_into_a_closed_month_is_a_correction(site: Installation) -> None:
    site.record("ping", OCTOBER, DOWN)
    site.run("close", *MONTH)
    more = '[[subscription]]\nid = "b-web-01"\ncustomer = "acme"\nserver = "web-01"\nproduct = "colocation"\n'
    site.config.write_text(site.config.read_text() + more)
    imported(site, "web-01,ping,2024-11-05T10:05:00Z,ok,")
    (correction,) = month(site)["corrections"]
    assert correction["why"].startswith("terms of journal entry")
    assert ("b-web-01", "down_seconds", None, 300) in [tuple(each.values()) for each in correction["changes"]]
    assert month(site, "--subscription", "acme-web-01")["corrections"] == []
    assert site.run("verify").status == 0


def test_the_table_says_what_was_closed_and_what_changed(site: Installation) -> None:
    site.record("ping", OCTOBER, DOWN)
    assert "closed" not in site.run("availability", *MONTH).out
    site.run("close", *MONTH)
    site.run(*EXCLUDE)
    said = site.run("availability", *MONTH).out
    assert f"closed {dt.datetime.now(dt.UTC):%Y}" in said
    assert "reason: exclusion 1" in said
    assert "acme-web-01: down was 5 min, is 0 s" in said
    assert "exclusions was none, is exclusion 1 (4.3) 5 min" in said


def test_one_subscription_is_shown_with_its_outages_and_their_bounds(site: Installation) -> None:
    site.record("ping", OCTOBER, DOWN)
    said = site.run("availability", *MONTH, "--subscription", "acme-web-01").out
    assert "4 min - 6 min" in said


def test_a_frozen_figure_that_the_records_do_not_give_is_found_out(site: Installation) -> None:
    site.record("ping", OCTOBER, DOWN)
    site.run("close", *MONTH)
    (closing,) = entries(site, "month-closed")
    closing.body["month"] = "2024-09"
    db = open_read_write(site.database_path)
    with database.transaction(db):
        journal.append(db, closing.at + 1, "month-closed", closing.body)
    db.close()
    broken = site.run("verify")
    assert broken.status == 1
    assert "month 2024-09" in broken.err


def test_a_correction_that_does_not_begin_with_what_stood_there_is_found_out(site: Installation) -> None:
    site.record("ping", OCTOBER, DOWN)
    site.run("close", *MONTH)
    site.run(*EXCLUDE)
    correction = entries(site, "month-corrected")[0]
    db = open_read_write(site.database_path)
    with database.transaction(db):
        journal.append(db, correction.at + 1, "month-corrected", correction.body)
    db.close()
    broken = site.run("verify")
    assert broken.status == 1
    assert "is corrected from" in broken.err
