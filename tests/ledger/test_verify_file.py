"""What lies below the records: pages and indexes of the file, the schema, the journal's head, earlier versions."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlite_utils import Database

from monitor.ledger import exclusions
from monitor.ledger.verify import verify
from monitor.model import Span
from monitor.store import database, journal
from monitor.store.schema import migrations
from tests.fakes import HOUR, MINUTE, START, open_read_only, open_read_write
from tests.ledger.ledger_fixture import LedgerFixture
from tests.ledger.tampering import SLOWER, lived, unlocked, wrong

if TYPE_CHECKING:
    from pathlib import Path


def ledger_file(path: Path) -> Path:
    """A ledger in a closed file, with an exclusion in it."""
    db = open_read_write(path)
    desk = lived(db)
    asked = exclusions.ExclusionRequest(
        clause="4.3", reason="attack", server="web-01", span=Span(START, START + 20 * MINUTE)
    )
    with database.transaction(db):
        exclusions.add(db, desk.context.terms, asked, START + HOUR)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return path


def places_in_index(path: Path, index: str, key: bytes) -> list[int]:
    """Where the bytes of a key stand in the pages of an index of the file."""
    with closing(sqlite3.connect(path)) as db:
        root = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", [index]).fetchone()[0]
        size = db.execute("PRAGMA page_size").fetchone()[0]
    page = path.read_bytes()[(root - 1) * size : root * size]
    found, at = [], page.find(key)
    while at >= 0:
        found.append((root - 1) * size + at)
        at = page.find(key, at + 1)
    return found


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_a_flipped_byte_in_an_index_of_the_journal_is_found_out(tmp_path: Path) -> None:
    """The exclusion vanishes from every account, which finds it by this index, while the chain still holds."""
    file = ledger_file(tmp_path / "monitor.db")
    [at] = places_in_index(file, "journal_kind", b"exclusion-added")
    flip(file, at)
    db = open_read_only(file)
    assert list(journal.entries(db, "exclusion-added")) == []
    error = verify(db).error
    assert error is not None
    assert "damaged" in error
    assert "journal_kind" in error


@pytest.mark.parametrize(
    ("index", "key"),
    [
        ("journal_kind", b"terms"),
        ("journal_kind", b"outage-opened"),
        ("sqlite_autoindex_probed_1", b"web-01"),
        ("sqlite_autoindex_reason_1", b"timeout"),
    ],
)
def test_a_flipped_byte_in_any_index_is_found_out(tmp_path: Path, index: str, key: bytes) -> None:
    file = ledger_file(tmp_path / "monitor.db")
    flip(file, places_in_index(file, index, key)[0])
    assert verify(open_read_only(file)).error is not None


@pytest.mark.parametrize(
    "statement",
    [
        "DROP INDEX journal_kind",
        "DROP INDEX batch_open",
        "DROP TRIGGER journal_head",
        "DROP TRIGGER journal_is_never_rewritten",
        "DROP VIEW readable_results",
        "CREATE TABLE more (id INTEGER)",
        "CREATE INDEX more ON outage (reason)",
        "CREATE VIEW more AS SELECT 1",
        "CREATE TRIGGER more AFTER INSERT ON outage BEGIN DELETE FROM told; END",
        "ALTER TABLE outage ADD COLUMN more TEXT",
    ],
)
def test_a_changed_schema_is_found_out_by_name(statement: str) -> None:
    desk = lived()
    desk.db.execute(statement)
    assert "the schema was changed" in (verify(desk.db).error or "")


def test_a_view_that_hides_results_is_found_out() -> None:
    desk = lived()
    desk.db.execute("DROP VIEW fresh")
    desk.db.execute(f"CREATE VIEW fresh AS SELECT * FROM result WHERE at > {START + MINUTE}")
    assert verify(desk.db).error == "the schema was changed: the view fresh is not that of this version"


def test_statistics_of_the_query_planner_are_no_fault() -> None:
    desk = lived()
    desk.db.execute("ANALYZE")
    assert verify(desk.db).error is None


def test_a_missing_note_of_the_newest_entry_is_a_fault() -> None:
    found = wrong(lived(), "DELETE FROM note WHERE key = 'journal-head'")
    assert found == "the record of the last written journal entry is missing"


@pytest.mark.parametrize(
    "statement",
    [
        f"INSERT INTO result SELECT -5, probed, 0, 1, 400, NULL, batch FROM result WHERE at = {START} AND probed = 1",
        "UPDATE batch SET opened = -1 WHERE id = 3",
        "INSERT INTO packed VALUES (-268435456, 1, 0, 0, x'', 0, x'', x'', x'', 1, 0, x'')",
    ],
)
def test_a_time_before_1970_is_found_out(statement: str) -> None:
    assert "1970" in wrong(lived(), statement)


def test_an_entry_with_a_negative_time_is_found_out() -> None:
    desk = lived()
    journal.append(desk.db, -1, "daemon-stopped", {})
    assert "1970" in (verify(desk.db).error or "")


def test_a_number_of_an_outage_that_would_be_given_twice_is_found_out() -> None:
    assert "once more" in wrong(lived(), "UPDATE sqlite_sequence SET seq = 1 WHERE name = 'outage'")


def test_a_row_that_refers_to_nothing_is_found_out() -> None:
    desk = lived()
    with unlocked(desk.db):
        desk.db.execute("UPDATE alerting SET probed = 99 WHERE probed = 1")
    assert verify(desk.db).error is not None


VERSIONS = [migration.name for migration in migrations._migrations][1:]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_books_of_every_earlier_version_still_verify(tmp_path: Path, version: str) -> None:
    """Their rows are those of today without what later versions added; opening them brings them up to date."""
    new = ledger_file(tmp_path / "new.db")
    old = Database(tmp_path / "monitor.db")
    old.conn.isolation_level = None
    migrations.apply(old, stop_before=version)
    copy_facts(new, old)
    old.close()
    db = open_read_write(tmp_path / "monitor.db")
    assert migrations.pending(db) == []
    verdict = verify(db)
    assert verdict.error is None
    assert verdict.entries > 40
    desk = LedgerFixture(SLOWER, db)
    desk.restart(START + HOUR)
    for minute in range(100, 104):
        desk.record_sweep(minute, web_01="oxxo"[minute - 100])
    assert verify(db).error is None


def copy_facts(new: Path, old: Database) -> None:
    """Copy what both versions have; the journal without the entries that only this version writes."""
    old.execute("ATTACH ? AS new", [str(new)])
    for table in ("reason", "probed", "batch", "result", "run", "outage", "alerting", "mail", "told"):
        columns = ", ".join(f'"{each.name}"' for each in old.table(table).columns)
        old.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM new.{table}")
    previous, numbers = journal.GENESIS_HASH, dict[int, int]()
    for number, at, kind, body in old.execute(
        "SELECT number, at, kind, body FROM new.journal ORDER BY number"
    ).fetchall():
        if kind.startswith("mail"):
            continue
        numbers[number] = len(numbers) + 1
        own = journal.entry_hash(numbers[number], at, kind, body, previous)
        old.execute("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?)", [numbers[number], at, kind, body, previous, own])
        previous = own
    for number in [row[0] for row in old.execute("SELECT id FROM batch ORDER BY id").fetchall()]:
        entry = old.execute("SELECT entry FROM batch WHERE id = ?", [number]).fetchone()[0]
        old.execute("UPDATE batch SET entry = ? WHERE id = ?", [numbers[entry], number])
    old.execute("DETACH new")
