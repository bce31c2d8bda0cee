"""`monitor salvage`: what a database with bad pages still says comes into a fresh one, as a fact."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from monitor.store import database, head_mark, journal, results
from tests.fakes import open_read_only, open_read_write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Installation

OCTOBER = 1_790_935_200_000
PAGE = 4096


def set_aside(site: Installation) -> Path:
    """Put the installation's database aside, as the daemon does with one that is damaged."""
    db = open_read_write(site.database_path)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return database.move_aside(site.database_path, "20261003T000000Z")


def spoil(file: Path, *pages: int) -> None:
    with file.open("r+b") as stream:
        for page in pages:
            stream.seek(PAGE * (page - 1))
            stream.write(b"\xff" * PAGE)


def leaf_pages(file: Path, table: str) -> list[int]:
    """Pages of a table in a closed file, found by spoiling none of its root."""
    db = open_read_only(file)
    root = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", [table]).fetchone()[0]
    db.close()
    content = file.read_bytes()
    page = content[(root - 1) * PAGE : root * PAGE]
    assert page[0] in (2, 5), "the table has one page only"
    cells = int.from_bytes(page[3:5])
    offsets = [int.from_bytes(page[12 + 2 * n : 14 + 2 * n]) for n in range(cells)]
    return [int.from_bytes(page[offset : offset + 4]) for offset in offsets]


def test_all_results_of_an_undamaged_file_come_over(site: Installation) -> None:
    site.record("ping", OCTOBER, "ooxxo?")
    file = set_aside(site)
    head_mark.write(site.database_path.parent, head_mark.HeadMark(99, "x"))
    answer = site.run("salvage", str(file), "--json")
    assert answer.status == 0
    assert (answer.json["results"], answer.json["new"], answer.json["unreadable"]) == (6, 6, 0)
    db = open_read_only(site.database_path)
    [fact] = [entry.body for entry in journal.entries(db, "salvaged")]
    assert (fact["file"], fact["results"], fact["new"]) == (file.name, 6, 6)
    assert head_mark.read(site.database_path.parent) is None
    assert site.run("verify").status == 0
    assert len(site.run("outages", "list", "--json").json["outages"]) == 1


def test_a_second_salvage_brings_nothing_new(site: Installation) -> None:
    site.record("ping", OCTOBER, "ooxxo")
    file = set_aside(site)
    assert site.run("salvage", str(file), "--json").json["new"] == 5
    assert site.run("salvage", str(file), "--json").json["new"] == 0
    assert site.run("verify").status == 0


def test_what_lies_around_bad_pages_comes_over(site: Installation) -> None:
    site.record("ping", OCTOBER, "o" * 900)
    file = set_aside(site)
    pages = leaf_pages(file, "result")
    assert len(pages) > 3
    spoil(file, pages[1])
    answer = site.run("salvage", str(file), "--json")
    assert answer.status == 0
    assert 500 < answer.json["new"] < 900
    assert answer.json["unreadable"] > 0
    db = open_read_only(site.database_path)
    assert results.newest_result_at(db) == OCTOBER + 899 * 60_000
    assert site.run("verify").status == 0


def test_the_results_of_the_fresh_ledger_win_over_those_of_the_damaged_one(site: Installation) -> None:
    site.record("ping", OCTOBER, "oooo")
    file = set_aside(site)
    site.record("ping", OCTOBER, "xx")
    answer = site.run("salvage", str(file), "--json")
    assert (answer.json["results"], answer.json["new"]) == (4, 2)
    assert site.run("verify").status == 0


def test_facts_that_have_to_be_recorded_again_are_listed(site: Installation) -> None:
    site.record("ping", OCTOBER, "oo")
    words = ("exclude", "add", "--server", "web-01", "--start", "2026-10-02T10:00Z", "--end", "2026-10-02T11:00Z")
    assert site.run(*words, "--clause", "4.3", "--reason", "attack").status == 0
    file = set_aside(site)
    answer = site.run("salvage", str(file))
    assert "1 fact to record again" in answer.out
    [line] = file.with_name(f"{file.name}.facts.jsonl").read_text().splitlines()
    assert json.loads(line)["kind"] == "exclusion-added"


@pytest.mark.parametrize("content", [b"", b"a shopping list" * 400])
def test_what_is_no_database_is_refused_in_one_line(site: Installation, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "list.db"
    file.write_bytes(content)
    answer = site.run("salvage", str(file))
    assert answer.err.count("\n") == 1 or answer.status == 0
    assert site.run("salvage", str(tmp_path / "nowhere.db")).status == 2


def test_the_database_in_use_is_refused(site: Installation) -> None:
    site.record("ping", OCTOBER, "oo")
    answer = site.run("salvage", str(site.database_path))
    assert answer.status == 2
    assert "this is the database in use" in answer.err
