from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import CommandResult, Installation

WEB = ("--subscription", "acme-web-01")
HEADER = "ticket,subscription,channel,opened,responded\n"


def minutes_ago(minutes: float) -> str:
    return (dt.datetime.now(dt.UTC) - dt.timedelta(minutes=minutes)).isoformat()


def listed(site: Installation, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = site.run("ticket", "list", *words, "--json").json["tickets"]
    return found


def imported(site: Installation, text: str, *words: str) -> CommandResult:
    file = site.config.with_name("tickets.csv")
    file.write_text(text)
    return site.run("ticket", "import", str(file), *words)


def test_opening_prints_the_id_or_the_whole_record(site: Installation) -> None:
    words = ("--channel", "email", "--at", "2026-03-02T10:00", "--reference")
    assert site.run("ticket", "open", *WEB, *words, "T-1").out == "1\n"
    record = site.run("ticket", "open", *WEB, *words, "T-2", "--json").json
    assert {key: record[key] for key in ("id", "reference", "subscription", "channel", "level", "opened_at")} == {
        "id": 2,
        "reference": "T-2",
        "subscription": "acme-web-01",
        "channel": "email",
        "level": 4,
        "opened_at": "2026-03-02T07:00:00Z",
    }
    assert (record["due"], record["limit_seconds"]) == ("2026-03-02T08:00:00Z", 3600)


def test_what_waits_is_open_then_due_soon_then_overdue(site: Installation) -> None:
    for minutes in (10, 50, 70):
        site.run("ticket", "open", *WEB, "--channel", "ticket", "--at", minutes_ago(minutes))
    found = listed(site, "--open")
    assert [(each["due_soon"], each["overdue"], each["in_time"]) for each in found] == [
        (False, False, None),
        (True, False, None),
        (False, True, False),
    ]
    assert "overdue (5.4.4)" in site.run("ticket", "list").out


@pytest.mark.parametrize(
    ("at", "in_time", "said"),
    [("2026-03-02T11:00", True, "in time"), ("2026-03-02T11:00:00.001", False, "missed (5.4.4)")],
)
def test_exactly_at_the_limit_is_in_time(site: Installation, at: str, in_time: bool, said: str) -> None:  # noqa: FBT001
    site.run("ticket", "open", *WEB, "--channel", "ticket", "--at", "2026-03-02T10:00")
    record = site.run("ticket", "responded", "1", "--at", at, "--json").json
    assert (record["in_time"], record["state"]) == (in_time, "responded")
    assert said in site.run("ticket", "list").out
    assert listed(site, "--open") == []


def test_a_call_says_whether_it_came_in_the_hours_of_the_level(site: Installation) -> None:
    site.config.write_text(site.config.read_text().replace("level = 1", "level = 3"))
    free = ("--subscription", "acme-free", "--channel", "phone")
    calls = [site.run("ticket", "open", *free, "--at", f"2026-03-02T{at}", "--json").json for at in ("08:59", "09:00")]
    assert [call["within_hours"] for call in calls] == [False, True]
    assert [(call["due"], call["limit_seconds"], call["in_time"]) for call in calls] == [(None, None, None)] * 2


def test_the_area_s_outage_does_not_count(site: Installation) -> None:
    config = site.config.read_text()
    site.config.write_text(config.replace("[contract]\n", '[contract]\nticket_area = "web-01"\n'))
    start = int(dt.datetime(2024, 10, 5, 10, 0, tzinfo=dt.UTC).timestamp() * 1000)
    site.record("site", start, "o" * 10 + "x" * 30 + "o" * 60)
    site.run("ticket", "open", *WEB, "--channel", "ticket", "--at", "2024-10-05T10:00:00Z")
    record = site.run("ticket", "responded", "1", "--at", "2024-10-05T11:30:00Z", "--json").json
    assert (record["took_seconds"], record["not_counted_seconds"], record["in_time"]) == (3600, 1800, True)


def test_a_missed_answer_is_owed_where_its_rate_is_set(site: Installation) -> None:
    site.run("ticket", "open", *WEB, "--channel", "ticket", "--at", "2026-03-02T10:00")
    month = ("credits", "--month", "2026-03", "--json")
    assert site.run(*month).json["credits"] == []
    config = site.config.read_text()
    site.config.write_text(config.replace("[contract]\n", "[contract]\nsupport_credit = 5\n"))
    (owed,) = site.run(*month).json["credits"]
    assert (owed["clause"], owed["cause"], owed["amount"]) == ("5.4.5", "ticket 1", "2.50")


def test_a_file_is_taken_in_once(site: Installation) -> None:
    text = (
        HEADER
        + "T-1,acme-web-01,ticket,2026-03-02T10:00:00+03:00,2026-03-02T10:20:00+03:00\n"
        + "T-2,acme-web-01,email,2026-03-02T12:00:00Z,\n"
    )
    assert imported(site, text).out == "2 new tickets and 1 new answer of 2 lines\n"
    assert imported(site, text, "--json").json == {"lines": 2, "new": 0, "responded": 0}
    assert imported(site, text.replace("Z,\n", "Z,2026-03-02T12:30:00Z\n"), "--json").json["responded"] == 1
    assert [(each["reference"], each["in_time"], each["imported"]) for each in listed(site)] == [
        ("T-1", True, True),
        ("T-2", True, True),
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("T-1,acme-web-01,ticket,2026-03-02T10:00:00Z", "line 2: 4 columns instead of 5"),
        (",acme-web-01,ticket,2026-03-02T10:00:00Z,", "line 2: ticket ''"),
        ("T-1,nobody,ticket,2026-03-02T10:00:00Z,", "line 2: subscription 'nobody': no such subscription"),
        ("T-1,acme-web-01,fax,2026-03-02T10:00:00Z,", "line 2: channel 'fax': must be ticket, email or phone"),
        ("T-1,acme-web-01,ticket,2026-03-02T10:00:00,", "line 2: opened '2026-03-02T10:00:00': must be ISO 8601"),
        ("T-1,acme-web-01,ticket,2999-03-02T10:00:00Z,", "line 2: opened '2999-03-02T10:00:00Z': lies in the future"),
        ("T-1,acme-web-01,ticket,2026-03-02T10:00:00Z,x", "line 2: responded 'x'"),
        (
            "T-1,acme-web-01,ticket,2026-03-02T10:00:00Z,2026-03-02T09:00:00Z",
            "line 2: responded '2026-03-02T09:00:00Z': lies before it was opened",
        ),
        (
            "T-0,acme-web-01,ticket,2026-03-02T10:00:00Z,\nT-0,acme-web-01,email,2026-03-02T10:00:00Z,",
            "line 3: channel: line 2 says something else of ticket 'T-0'",
        ),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_taken(site: Installation, line: str, said: str) -> None:
    answer = imported(site, f"{HEADER}{line}\nT-9,acme-web-01,ticket,2026-03-02T10:00:00Z,\n")
    assert (answer.status, answer.out) == (2, "")
    assert answer.err.startswith(f"monitor: {said}")
    assert answer.err.endswith("nothing was imported\n")
    assert listed(site) == []


def test_the_first_twenty_bad_lines_are_named_and_the_rest_counted(site: Installation) -> None:
    answer = imported(site, HEADER + "T-1,nobody,ticket,2026-03-02T10:00:00Z,\n" * 25)
    assert answer.err.count("no such subscription") == 20
    assert "and 5 more bad lines" in answer.err


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("open", *WEB, "--channel", "fax"), "'fax'"),
        (("open", *WEB, "--channel", "ticket", "--reference", " "), "--reference"),
        (("open", *WEB, "--channel", "ticket", "--at", "2999-01-01"), "--at"),
        (("open", "--subscription", "nobody", "--channel", "ticket"), "nobody"),
        (("responded", "9"), "ticket 9"),
        (("import", "/nowhere/tickets.csv"), "/nowhere/tickets.csv"),
    ],
)
def test_a_faulty_record_is_refused_in_one_line(site: Installation, words: tuple[str, ...], named: str) -> None:
    answer = site.run("ticket", *words)
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert named in answer.err
    assert listed(site) == []
