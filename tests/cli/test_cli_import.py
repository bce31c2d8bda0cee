from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import CommandResult, Installation

HEADER = "server,check,time,outcome,latency_ms\n"
GOOD = (
    "web-01,ping,2026-10-05T10:00:00Z,ok,0.412\n"
    "web-01,ping,2026-10-05T10:01:00Z,fail,\n"
    "web-01,ping,2026-10-05T13:02:00.000+03:00,ok,1\n"
)


def take(site: Installation, lines: str, header: str = HEADER) -> CommandResult:
    file = site.config.with_name("results.csv")
    file.write_text(header + lines, encoding="utf-8")
    return site.run("import", "csv", str(file))


def test_a_file_becomes_an_outage_and_an_account_and_sends_no_mail(site: Installation) -> None:
    answer = take(site, GOOD)
    assert (answer.status, answer.out) == (0, "3 new results of 3 lines\n")
    (outage,) = site.run("outages", "list", "--json").json["outages"]
    assert (outage["start"], outage["end"], outage["reason"]) == (
        "2026-10-05T10:01:00Z",
        "2026-10-05T10:02:00Z",
        "imported",
    )
    account = site.run("availability", "--month", "2026-10", "--json").json["subscriptions"][1]
    assert (account["up_seconds"], account["down_seconds"]) == (180, 60)
    assert site.run("mail", "list", "--json").json == {"mails": []}
    assert site.run("verify").status == 0


def test_accounts_of_history_from_before_the_records_say_that_later_terms_read_it(site: Installation) -> None:
    take(site, GOOD)
    began = site.run("explain", "web-01", "--at", "2026-10-05T10:00:00Z", "--json").json["checks"][0]["result"]
    answer = site.run("availability", "--month", "2026-10", "--json").json
    assert [each["terms_from"] for each in answer["subscriptions"]] == [None, began["batch_opened_at"]]
    table = site.run("availability", "--month", "2026-10").out
    assert "apply to the time before as well: acme-web-01\n" in table


def test_the_same_file_twice_is_nothing_new(site: Installation) -> None:
    take(site, GOOD + GOOD)
    before = site.run("verify", "--json").json
    assert take(site, GOOD).out == "0 new results of 3 lines\n"
    assert site.run("verify", "--json").json == before


def test_the_file_may_come_by_standard_input(site: Installation) -> None:
    command = [sys.executable, "-m", "monitor", "--config", str(site.config), "import", "csv", "-", "--json"]
    done = subprocess.run(command, input=(HEADER + GOOD).encode(), capture_output=True, check=True, timeout=60)
    assert json.loads(done.stdout) == {"lines": 3, "new": 3}


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("nobody,ping,2026-10-05T10:00:00Z,ok,", "server 'nobody'"),
        ("web-01,nothing,2026-10-05T10:00:00Z,ok,", "check 'nothing'"),
        ("free-01,ping,2026-10-05T10:00:00Z,ok,", "check 'ping'"),
        ("web-01,ping,2026-10-05T10:00:00,ok,", "offset"),
        ("web-01,ping,2026-10-05T10:00:00.0001Z,ok,", "milliseconds"),
        ("web-01,ping,2026-13-05T10:00:00Z,ok,", "time '2026-13-05"),
        ("web-01,ping,yesterday,ok,", "time 'yesterday'"),
        ("web-01,ping,2999-10-05T10:00:00Z,ok,", "future"),
        ("web-01,ping,2026-10-05T10:00:00Z,up,", "outcome 'up'"),
        ("web-01,ping,2026-10-05T10:00:00Z,OK,", "outcome 'OK'"),
        ("web-01,ping,2026-10-05T10:00:00Z,ok,fast", "latency_ms 'fast'"),
        ("web-01,ping,2026-10-05T10:00:00Z,ok,-1", "latency_ms '-1'"),
        ("web-01,ping,2026-10-05T10:00:00Z,ok,NaN", "latency_ms 'NaN'"),
        ("web-01,ping,2026-10-05T10:00:00Z,ok,1_000", "latency_ms '1_000'"),
        ("web-01,ping,2026-10-05T10:00:00Z,ok,\u0663", "latency_ms '\u0663'"),
        ("web-01,ping,0001-01-01T00:00:00Z,ok,", "1970"),
        ("web-01,ping,2026-10-05T10:00:00Z,ok", "4 columns"),
        ("web-01,ping,2026-10-05T10:00:00Z,ok,1,2", "6 columns"),
        ('web-01,"ping,2026-10-05T10:00:00Z,ok,', "not CSV"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_taken(site: Installation, line: str, named: str) -> None:
    answer = take(site, GOOD + line + "\n")
    assert answer.status == 2
    assert "line 5: " in answer.err
    assert named in answer.err
    assert site.run("outages", "list", "--json").json == {"outages": []}


def test_twenty_bad_lines_are_told_and_the_rest_is_counted(site: Installation) -> None:
    answer = take(site, "x\n" * 25)
    assert answer.err.count("line ") == 20
    assert "and 5 more bad lines" in answer.err


def test_two_outcomes_for_one_moment_are_an_error(site: Installation) -> None:
    answer = take(site, GOOD + "web-01,ping,2026-10-05T13:00:00+03:00,fail,\n")
    assert (answer.status, "line 5: outcome 'fail': line 2 says ok" in answer.err) == (2, True)
    take(site, GOOD)
    answer = take(site, "web-01,ping,2026-10-05T10:00:00Z,unknown,\n")
    assert (answer.status, "line 2: outcome 'unknown': the records say ok" in answer.err) == (2, True)


def test_all_kinds_of_bad_lines_are_told_in_one_go_in_their_order(site: Installation, tmp_path: Path) -> None:
    take(site, GOOD)
    file = tmp_path / "bad.csv"
    good = b"".join(b"web-01,ping,2026-10-06T10:%02d:00Z,ok,\n" % minute for minute in range(60))
    file.write_bytes(
        HEADER.encode()
        + b"web-01,ping,2026-10-05T10:00:00Z,fail,\n"  # line 2
        + good
        + b'"web-01"x,ping,2026-10-05T10:00:00Z,ok,\n'  # line 63
        + b"web-01,ping,2026-10-05T10:0\x004:00Z,ok,\n"
        + b"web-01,p\xffng,2026-10-05T10:00:00Z,ok,\n"
        + b"web-01,ping," + b"9" * 200_000 + b",ok,\n"
        + b"web-01,ping," + b"9" * 2_000 + b",ok,\n"
        + b'"web-01\n",ping,2026-10-05T10:00:00Z,ok,\n'  # lines 68 and 69
        + b"web-01,ping,2026-10-06T10:07:00.000Z,fail,\n"
        + b'"web-01,ping,2026-10-05T10:00:00Z,ok,\n',
    )  # fmt: skip
    answer = site.run("import", "csv", str(file))
    told = answer.err.splitlines()
    assert (answer.status, told[-1], max(map(len, told)) < 300) == (2, "nothing was imported", True)
    for line, (number, named) in zip(
        told[:-1],
        [
            (2, "outcome 'fail': the records say ok for the same moment"),
            (63, "not CSV"),
            (64, "time '2026-10-05T10:0\\x004:00Z'"),
            (65, "not UTF-8"),
            (66, "not CSV: field larger"),
            (67, "time '9999"),
            (68, "server 'web-01\\n'"),
            (70, "outcome 'fail': line 10 says ok for the same moment"),
            (71, "not CSV"),
        ],
        strict=True,
    ):
        assert f"line {number}: {named}" in line


@pytest.mark.parametrize("header", ["", "server,check,time,outcome\n", "a,b,c,d,e\n", GOOD])
def test_the_header_is_required(site: Installation, header: str) -> None:
    answer = take(site, "", header)
    assert (answer.status, "line 1" in answer.err) == (2, True)


def test_bytes_that_are_no_text_are_refused(site: Installation, tmp_path: Path) -> None:
    file = tmp_path / "garbage.csv"
    file.write_bytes(HEADER.encode() + b"web-01,ping,\xff\xfe,ok,\n")
    answer = site.run("import", "csv", str(file))
    assert (answer.status, "UTF-8" in answer.err, "Traceback" in answer.err) == (2, True, False)


def test_a_file_that_is_not_there_is_named(site: Installation) -> None:
    answer = site.run("import", "csv", "nowhere.csv")
    assert (answer.status, "nowhere.csv" in answer.err, answer.err.count("\n")) == (2, True, 1)
    assert site.run("import", "csv", ".").status == 2
