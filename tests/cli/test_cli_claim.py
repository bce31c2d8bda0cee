"""``monitor claim``: what it prints, what it refuses, its exit statuses."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import CommandResult, Installation

MONDAY = round(dt.datetime.fromisoformat("2025-10-06T10:00:00+03:00").timestamp()) * 1000
IN_TIME = "2025-10-08T23:59:59"
LATE = "2025-10-09T00:00:01"


@pytest.fixture
def down(site: Installation) -> Installation:
    """An installation with one outage of 20 of 102 minutes, on Monday 6 October 2025, from 11:20 on."""
    site.record("ping", MONDAY, "o" * 80 + "x" * 20 + "oo")
    return site


def make(site: Installation, *more: str, subscription: str = "acme-web-01", outage: str = "1") -> CommandResult:
    return site.run("claim", "open", "--subscription", subscription, "--outage", outage, *more)


def test_a_claim_in_time_prints_its_id(down: Installation) -> None:
    answer = make(down, "--at", IN_TIME)
    assert (answer.status, answer.out, answer.err) == (0, "1\n", "")
    (claim,) = down.run("claim", "list", "--json").json["claims"]
    assert {key: claim[key] for key in ("id", "subscription", "outage", "in_time", "state")} == {
        "id": 1,
        "subscription": "acme-web-01",
        "outage": 1,
        "in_time": True,
        "state": "open",
    }
    assert (claim["opened_at"], claim["deadline"], claim["answer_due"]) == (
        "2025-10-08T20:59:59Z",
        "2025-10-08T21:00:00Z",
        "2025-10-10T21:00:00Z",
    )


def test_a_late_claim_is_recorded_and_refused_and_the_answer_is_no(down: Installation) -> None:
    answer = make(down, "--at", LATE)
    assert (answer.status, answer.out, answer.err.count("\n")) == (1, "1\n", 1)
    assert "2025-10-08 24:00" in answer.err
    (claim,) = down.run("claim", "list", "--json").json["claims"]
    assert (claim["state"], claim["in_time"], claim["refused_because"]) == ("refused", False, "late")
    (mail,) = [each for each in down.run("mail", "list", "--json").json["mails"] if "talep 1" in each["subject"]]
    assert mail["subject"] == "TALEP REDDEDİLDİ: acme-web-01 (talep 1)"


def test_a_late_claim_prints_the_whole_record_with_json(down: Installation) -> None:
    answer = make(down, "--at", LATE, "--json")
    assert (answer.status, answer.json["state"]) == (1, "refused")
    assert "madde 6.2" in answer.json["letters"][0]["text"]


def test_a_claim_without_a_time_comes_now(down: Installation) -> None:
    assert make(down).status == 1  # October 2025 is long over


def test_an_answer_prints_the_id_and_show_has_the_letter_as_it_was_mailed(down: Installation) -> None:
    make(down, "--at", IN_TIME)
    answer = down.run("claim", "answer", "1", "--note", "Özür dileriz.")
    assert (answer.status, answer.out) == (0, "1\n")
    shown = down.run("claim", "show", "1")
    assert "KREDİ %25: acme-web-01 (talep 1)" in shown.out
    assert "Özür dileriz." in shown.out
    record = down.run("claim", "show", "1", "--json").json
    assert (record["state"], record["final"], record["overdue"]) == ("answered", True, False)
    (said,) = record["letters"]
    (month,) = said["answer"]["months"]
    assert (month["start"], month["end"]) == ("2025-09-30T21:00:00Z", "2025-10-31T21:00:00Z")
    assert (month["down_seconds"], month["availability"], month["amount"]) == (1200, "80.58", "12.48")
    assert said["answer"]["records"]["hash"] in said["text"]


def test_the_answer_of_a_claim_prints_the_whole_record_with_json(down: Installation) -> None:
    make(down, "--at", IN_TIME)
    record = down.run("claim", "answer", "1", "--json").json
    assert (record["id"], record["state"], record["letters"][0]["answer"]["positive"]) == (1, "answered", True)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("open", "--subscription", "nobody", "--outage", "1"), "--subscription nobody"),
        (("open", "--subscription", "acme-web-01", "--outage", "7"), "--outage 7"),
        (("open", "--subscription", "acme-free", "--outage", "1"), "web-01/ping"),
        (("open", "--subscription", "acme-web-01", "--outage", "1", "--at", "2999-01-01"), "--at"),
        (("open", "--subscription", "acme-web-01", "--outage", "1", "--at", "2025-10-06T11:19"), "--at"),
        (("open", "--subscription", "acme-web-01", "--outage", "1", "--at", "soon"), "--at soon"),
        (("open", "--subscription", "acme-web-01", "--outage", "one"), "--outage"),
        (("answer", "9"), "claim 9"),
        (("show", "9"), "claim 9"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_records_nothing(
    down: Installation, words: tuple[str, ...], named: str
) -> None:
    answer = down.run("claim", *words)
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert named in answer.err
    assert down.run("claim", "list", "--json").json == {"claims": []}


def test_the_same_claim_twice_and_a_second_answer_are_bad_input(down: Installation) -> None:
    make(down, "--at", IN_TIME)
    again = make(down, "--at", IN_TIME)
    assert (again.status, "claim 1" in again.err) == (2, True)
    assert down.run("claim", "answer", "1").status == 0
    twice = down.run("claim", "answer", "1")
    assert (twice.status, "answered already" in twice.err) == (2, True)


def test_a_refused_claim_is_not_answered(down: Installation) -> None:
    make(down, "--at", LATE)
    answer = down.run("claim", "answer", "1")
    assert (answer.status, "refused" in answer.err) == (2, True)


def test_a_claim_for_a_service_that_does_not_count_is_kept_and_refused(site: Installation) -> None:
    site.record("site", MONDAY, "oxo")
    answer = make(site, "--at", IN_TIME)
    assert (answer.status, answer.out) == (1, "1\n")
    assert "web-01/site" in answer.err


def test_the_list_marks_an_overdue_answer(down: Installation) -> None:
    assert down.run("claim", "list").out == "no claims\n"
    make(down, "--at", IN_TIME)
    assert "OVERDUE" in down.run("claim", "list").out
    down.run("claim", "answer", "1")
    assert "OVERDUE" not in down.run("claim", "list").out


def test_status_tells_of_overdue_answers(down: Installation) -> None:
    assert down.run("status", "--json").json["claims_overdue"] == 0
    make(down, "--at", IN_TIME)
    assert down.run("status", "--json").json["claims_overdue"] == 1
    assert "1 answer to a claim is overdue" in down.run("status").out
    down.run("claim", "answer", "1")
    assert down.run("status", "--json").json["claims_overdue"] == 0
    assert "waits" not in down.run("status").out


def test_the_credits_of_the_month_know_of_the_claim(down: Installation) -> None:
    make(down, "--at", IN_TIME)
    (owed,) = down.run("credits", "--month", "2025-10", "--json").json["credits"]
    assert (owed["claimed"], owed["percent"], owed["amount"]) == (True, "25", "12.48")


def test_the_books_hold_after_a_claim_and_its_answer(down: Installation) -> None:
    make(down, "--at", IN_TIME)
    down.run("claim", "answer", "1")
    assert down.run("verify").status == 0


def test_an_answer_names_the_closing_of_its_month_and_what_was_corrected_since(down: Installation) -> None:
    make(down, "--at", IN_TIME)
    closed = down.run("close", "--month", "2025-10", "--json").json["closed"]["entry"]
    down.run("exclude", "add", "--outage", "1", "--clause", "4.3", "--reason", "Wrong firewall rule")
    (said,) = down.run("claim", "answer", "1", "--json").json["letters"]
    (month,) = said["answer"]["months"]
    assert month["closed"]["entry"] == closed
    assert [one["why"] for one in month["closed"]["corrections"]] == ["exclusion 1"]
    (account,) = [
        each
        for each in down.run("availability", "--month", "2025-10", "--json").json["subscriptions"]
        if each["id"] == "acme-web-01"
    ]
    assert (month["availability"], month["amount"]) == (account["availability_percent"], account["credit_amount"])
    assert said["answer"]["positive"] is False
    assert f"kayıt defteri girdisi {closed}" in said["text"]
