from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Installation

WEB = ("--subscription", "acme-web-01")


def hours_ago(hours: float) -> str:
    return (dt.datetime.now(dt.UTC) - dt.timedelta(hours=hours)).isoformat()


def fail(site: Installation, hours: float, *words: str) -> None:
    answer = site.run("hardware", "open", *WEB, "--part", "disk 2", "--at", hours_ago(hours), *words)
    assert answer.status == 0, answer.err


def listed(site: Installation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = site.run("hardware", "list", "--json").json["hardware"]
    return found


def test_opening_prints_the_id_or_the_whole_record(site: Installation) -> None:
    words = ("--part", "power supply", "--at", "2026-03-02T10:00+03:00", "--reference", "T-9")
    assert site.run("hardware", "open", *WEB, *words).out == "1\n"
    record = site.run("hardware", "open", *WEB, *words, "--json").json
    assert {key: record[key] for key in ("id", "subscription", "server", "part", "reference", "opened_at")} == {
        "id": 2,
        "subscription": "acme-web-01",
        "server": "web-01",
        "part": "power supply",
        "reference": "T-9",
        "opened_at": "2026-03-02T07:00:00Z",
    }
    assert (record["goal"], record["due"]) == ("2026-03-02T15:00:00Z", "2026-03-02T19:00:00Z")


def test_what_waits_is_open_then_due_soon_then_overdue(site: Installation) -> None:
    for hours in (1, 9, 13):
        fail(site, hours)
    found = listed(site)
    assert [(each["due_soon"], each["overdue"], each["in_time"]) for each in found] == [
        (False, False, None),
        (True, False, None),
        (False, True, False),
    ]
    assert [each["credit_percent"] for each in found] == ["0", "0", "10"]
    shown = site.run("hardware", "list").out.splitlines()[2:]
    assert [
        text in line for text, line in zip(("open", "due in 2 h 59 min", "overdue by 1 h"), shown, strict=True)
    ] == [True] * 3


def test_a_replacement_in_time_ends_it(site: Installation) -> None:
    fail(site, 13)
    assert site.run("hardware", "replaced", "1", "--at", hours_ago(1.5)).out == "1\n"
    (record,) = listed(site)
    assert (record["state"], record["in_time"], record["overdue"]) == ("replaced", True, False)
    assert "replaced in time" in site.run("hardware", "list").out


def test_exactly_12_hours_is_in_time(site: Installation) -> None:
    site.run("hardware", "open", *WEB, "--part", "disk", "--at", "2026-03-02T10:00")
    record = site.run("hardware", "replaced", "1", "--at", "2026-03-02T22:00", "--json").json
    assert (record["in_time"], record["took_seconds"], record["credit_percent"]) == (True, 43_200, "0")


def test_what_a_late_replacement_costs_is_among_the_month_s_credits(site: Installation) -> None:
    site.run("hardware", "open", *WEB, "--part", "disk", "--at", "2026-03-02T10:00", "--reference", "T-9")
    site.run("hardware", "replaced", "1", "--at", "2026-03-02T22:00:00.001")
    (owed,) = site.run("credits", "--month", "2026-03", "--json").json["credits"]
    assert (owed["clause"], owed["cause"], owed["percent"], owed["amount"]) == ("5.2.2", "hardware 1", "10", "4.99")
    assert (owed["claimed"], owed["due"], owed["credited_in"]) == (True, True, "2026-04")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("open", *WEB, "--part", " "), "--part"),
        (("open", *WEB, "--part", "disk", "--reference", ""), "--reference"),
        (("open", *WEB, "--part", "disk", "--at", "2999-01-01"), "--at"),
        (("open", "--subscription", "nobody", "--part", "disk"), "nobody"),
        (("replaced", "9"), "hardware 9"),
    ],
)
def test_a_faulty_record_is_refused_in_one_line(site: Installation, words: tuple[str, ...], named: str) -> None:
    answer = site.run("hardware", *words)
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert named in answer.err
    assert listed(site) == []


def test_the_hardware_of_a_colocation_is_refused_with_its_clause(site: Installation) -> None:
    config = site.config.read_text()
    site.config.write_text(config.replace('product = "server"', 'product = "colocation"'))
    answer = site.run("hardware", "open", *WEB, "--part", "disk")
    assert (answer.status, "8.2" in answer.err) == (2, True)
