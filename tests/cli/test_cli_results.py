"""Every single result comes out of the books as it went in, and can be put into others."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from monitor.model import CheckKey, Outcome, Result
from monitor.store import results
from tests.cli.conftest import MINUTE, Installation
from tests.fakes import open_read_write, pack_hours

if TYPE_CHECKING:
    from pathlib import Path

START = 1_790_935_200_000
"""2026-10-02 10:00:00 UTC."""
DAY = ("--start", "2026-10-02T00:00Z", "--end", "2026-10-03T00:00Z")
HEADER = "server,check,time,outcome,latency_ms,attempts,reason\n"


@pytest.fixture(params=["as rows", "packed"])
def books(site: Installation, request: pytest.FixtureRequest) -> Installation:
    """Two checks with something of everything, before and after their hours were packed."""
    site.record("site", START + 7, "oox?o")
    db = open_read_write(site.database_path)
    batch = db.execute("SELECT max(id) FROM batch").fetchone()[0]
    ping = results.ensure_check_id(db, CheckKey("web-01", "ping"))
    odd = Result(CheckKey("web-01", "ping"), START + MINUTE, Outcome.FAIL, 3, None, 'status 500, "ağ yok"')
    results.add(db, batch, [(ping, odd)])
    if request.param == "packed":
        pack_hours(db, START + 3_600_000)
    db.close()
    return site


def test_results_are_printed_in_time_order_with_all_that_is_known_of_them(books: Installation) -> None:
    answer = books.run("results", "web-01", *DAY)
    assert (answer.status, answer.err) == (0, "")
    assert answer.out == HEADER + (
        "web-01,site,2026-10-02T10:00:00.007Z,ok,0.412,1,\n"
        'web-01,ping,2026-10-02T10:01:00Z,fail,,3,"status 500, ""ağ yok"""\n'
        "web-01,site,2026-10-02T10:01:00.007Z,ok,0.412,1,\n"
        "web-01,site,2026-10-02T10:02:00.007Z,fail,,1,timeout\n"
        "web-01,site,2026-10-02T10:03:00.007Z,unknown,,1,timeout\n"
        "web-01,site,2026-10-02T10:04:00.007Z,ok,0.412,1,\n"
    )


def test_one_check_and_a_half_open_stretch_of_time(books: Installation) -> None:
    edges = ("--start", "2026-10-02T10:01:00.007Z", "--end", "2026-10-02T13:02:00.007+03:00")
    answer = books.run("results", "web-01", "--check", "site", *edges)
    assert answer.out == HEADER + "web-01,site,2026-10-02T10:01:00.007Z,ok,0.412,1,\n"


def test_json_is_one_document(books: Installation) -> None:
    body = books.run("results", "web-01", *DAY, "--format", "json").json
    assert (body["server"], body["start"], len(body["results"])) == ("web-01", "2026-10-02T00:00:00Z", 6)
    assert body["results"][:2] == [
        {"check": "site", "time": "2026-10-02T10:00:00.007Z", "outcome": "ok", "attempts": 1,
         "latency_seconds": 0.000412, "reason": ""},
        {"check": "ping", "time": "2026-10-02T10:01:00Z", "outcome": "fail", "attempts": 3,
         "latency_seconds": None, "reason": 'status 500, "ağ yok"'},
    ]  # fmt: skip


def test_where_nothing_was_recorded_nothing_is_printed(books: Installation) -> None:
    then = ("--start", "2025-10-02", "--end", "2025-10-03")
    assert books.run("results", "web-01", *then).out == HEADER
    assert books.run("results", "web-01", *then, "--format", "json").json["results"] == []
    assert books.run("results", "free-01", *DAY).out == HEADER


def test_what_is_printed_is_nothing_new_to_these_books_and_the_whole_to_others(
    books: Installation, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = books.run("results", "web-01", *DAY).out
    file = tmp_path / "results.csv"
    file.write_text(text, encoding="utf-8")
    assert books.run("import", "csv", str(file)).out == "0 new results of 6 lines\n"
    (tmp_path / "other").mkdir()
    other = Installation(tmp_path / "other", capsys)
    assert other.run("import", "csv", str(file)).out == "6 new results of 6 lines\n"
    assert other.run("results", "web-01", *DAY).out == text
    assert other.run("verify").status == 0


def test_an_outcome_other_than_the_recorded_one_is_a_fault_also_in_packed_months(
    books: Installation, tmp_path: Path
) -> None:
    file = tmp_path / "results.csv"
    lines = list(csv.reader(io.StringIO(books.run("results", "web-01", *DAY).out)))
    lines[3][3] = "unknown"
    file.write_text("\n".join(",".join(line[:5]) for line in lines), encoding="utf-8")
    answer = books.run("import", "csv", str(file))
    assert (answer.status, "line 4: outcome 'unknown': the records say ok" in answer.err) == (2, True)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("web-01,ping,2026-10-02T10:30:00Z,fail,,many,timeout", "attempts 'many'"),
        ("web-01,ping,2026-10-02T10:30:00Z,fail,,-1,timeout", "attempts '-1'"),
        ("web-01,ping,2026-10-02T10:30:00Z,fail,,1,two\tcells", "reason 'two"),
        ("web-01,ping,2026-10-02T10:30:00Z,ok,1,1,timeout", "reason 'timeout': must be empty"),
        ("web-01,ping,2026-10-02T10:30:00Z,fail,", "5 columns instead of 7"),
    ],
)
def test_attempts_and_reasons_are_checked(site: Installation, tmp_path: Path, line: str, named: str) -> None:
    file = tmp_path / "results.csv"
    file.write_text(f"{HEADER}{line}\n", encoding="utf-8")
    answer = site.run("import", "csv", str(file))
    assert (answer.status, f"line 2: {named}" in answer.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("nobody", *DAY), "nobody: no such server"),
        (("web-01", "--check", "mail", *DAY), "--check mail: server web-01 has no such check"),
        (("web-01", "--start", "2026-10-02", "--end", "2026-10-02"), "--end 2026-10-02: must lie after"),
        (("web-01", "--start", "noon", "--end", "2026-10-02"), "--start noon: not a time"),
        (("web-01", "--start", "2026-10-02"), "--end"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(site: Installation, words: tuple[str, ...], named: str) -> None:
    answer = site.run("results", *words)
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert named in answer.err


def test_whoever_reads_may_have_enough_before_the_end(site: Installation) -> None:
    site.record("site", START, "o" * 20_000)
    command = [sys.executable, "-m", "monitor", "--config", str(site.config), "results", "web-01"]
    command += ["--start", "2026-10-01", "--end", "2026-12-01"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ}) as told:
        assert told.stdout is not None
        assert told.stderr is not None
        assert told.stdout.readline().decode() == HEADER
        told.stdout.close()
        assert told.stderr.read() == b""
    assert told.returncode == 0


@pytest.mark.parametrize("reason", ["=HYPERLINK(1)", "+1+1", "-1+1", "@SUM(1)", "'=1", "-5"])
def test_no_reason_runs_as_a_formula_and_each_can_be_read_again(
    site: Installation, tmp_path: Path, reason: str
) -> None:
    file = tmp_path / "in.csv"
    file.write_text(
        f'{HEADER}web-01,ping,2026-10-02T10:30:00Z,fail,,1,"{reason if reason == "-5" else chr(39) + reason}"\n'
    )
    assert site.run("import", "csv", str(file)).status == 0
    stretch = ("web-01", "--start", "2026-10-02T10:00Z", "--end", "2026-10-02T11:00Z")
    found = site.run("results", *stretch, "--format", "json").json["results"]
    assert [each["reason"] for each in found] == [reason]
    printed = site.run("results", *stretch).out
    assert next(csv.reader(printed.splitlines()[1:]))[-1] in (f"'{reason}", "-5")
    file.write_text(printed)
    assert site.run("import", "csv", str(file)).out == "0 new results of 1 line\n"
