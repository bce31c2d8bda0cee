"""Opening the file, bringing its tables up to date, and transactions that happen whole or not at all."""

from __future__ import annotations

import asyncio
import os
import resource
import sqlite3
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from monitor.errors import CorruptDatabaseError, StoreError
from monitor.store import daemon_state, database, database_thread, journal
from monitor.store.schema import migrations
from tests.fakes import START, CrashError, all_results, open_crashing, open_read_only, open_read_write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlite_utils import Database


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / database.DATABASE_FILE


@pytest.fixture
def db(file: Path) -> Iterator[Database]:
    db = open_read_write(file)
    yield db
    db.close()


def schema(db: Database) -> list[tuple[str, ...]]:
    return db.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name").fetchall()


def age(db: Database) -> None:
    """Apply what only a newer version knows."""
    db.table("_sqlite_migrations").insert({"migration_set": "monitor", "name": "2031-01-future", "applied_at": "later"})


def ask_without_end(db: Database) -> None:
    db.execute(
        "WITH RECURSIVE more(x) AS (VALUES (1) UNION ALL SELECT x FROM more) SELECT count(*) FROM more"
    ).fetchone()


def refuse(db: Database) -> None:
    journal.append(db, START, "daemon-started", {})
    db.execute("INSERT INTO nowhere VALUES (1)")


@contextmanager
def nothing_can_be_written() -> Iterator[None]:
    """Let no file of this process grow, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


# --- opening ---------------------------------------------------------------------------------------------------------


def test_a_new_file_gets_all_tables_and_its_folder(file: Path) -> None:
    db = open_read_write(file)
    assert {"journal", "result", "run", "outage", "mail"} <= set(db.table_names())
    assert migrations.pending(db) == []
    db.close()


def test_an_empty_file_gets_all_tables(file: Path) -> None:
    file.parent.mkdir()
    file.touch()
    db = open_read_write(file)
    assert journal.length(db) == 0
    db.close()


def test_a_current_file_is_opened_again_as_it_is(file: Path) -> None:
    db = open_read_write(file)
    before = schema(db)
    with database.transaction(db):
        journal.append(db, START, "daemon-started", {})
    db.close()
    db = open_read_write(file)
    assert schema(db) == before
    assert journal.length(db) == 1
    db.close()


def test_a_migration_that_is_missing_is_applied_whole_or_not_at_all(file: Path) -> None:
    """Two processes that open a new file at once both see all migrations missing: the second finds them done."""
    first, second = open_read_write(file), open_read_write(file)
    assert schema(first) == schema(second)
    first.close()
    second.close()


def test_a_file_of_the_version_before_learns_which_entry_was_written_last(file: Path) -> None:
    db = open_read_write(file)
    with database.transaction(db):
        db.execute("DROP TRIGGER journal_head")
        db.execute("DELETE FROM _sqlite_migrations WHERE name = '2026-11-head'")
        journal.append(db, START, "daemon-started", {})
    assert daemon_state.get(db, "journal-head") is None
    db.close()
    db = open_read_write(file)
    for _ in range(2):
        number, hash_ = journal.head(db)
        assert daemon_state.get(db, "journal-head") == {"entry": number, "hash": hash_}
        with database.transaction(db):
            journal.append(db, START, "daemon-stopped", {})
    assert number == 2
    db.close()


def test_a_file_of_a_newer_version_is_refused_by_name(file: Path) -> None:
    db = open_read_write(file)
    age(db)
    db.close()
    with pytest.raises(StoreError, match=r"monitor\.db: written by a newer version \(2031-01-future\); upgrade"):
        open_read_write(file)


def test_a_file_of_a_newer_version_is_not_read_either(file: Path) -> None:
    db = open_read_write(file)
    age(db)
    db.close()
    with pytest.raises(StoreError, match="written by a newer version"):
        open_read_only(file)


def test_a_file_that_is_no_database_is_refused_in_one_line(file: Path) -> None:
    file.parent.mkdir()
    file.write_text("this is not a database, it is a shopping list of some length" * 20)
    for open_it in (database.open_read_write, database.open_read_only):
        with pytest.raises(StoreError) as refused:
            open_it(file)
        assert str(file) in str(refused.value)
        assert "\n" not in str(refused.value)


def test_a_folder_in_the_place_of_the_file_is_refused(file: Path) -> None:
    file.mkdir(parents=True)
    for open_it in (database.open_read_write, database.open_read_only):
        with pytest.raises(StoreError, match=r"monitor\.db"):
            open_it(file)


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(StoreError, match=r"monitor\.db"):
        open_read_write(tmp_path / "data" / "monitor.db")


def test_a_database_at_rest_is_read_where_nothing_can_be_written_beside_it(file: Path) -> None:
    """As on a full disk, or in a folder of somebody else."""
    db = open_read_write(file)
    with database.transaction(db):
        journal.append(db, START, "daemon-started", {})
    db.close()
    with nothing_can_be_written():
        db = open_read_only(file)
        assert journal.length(db) == 1
        db.close()
    file.with_name("monitor.db-wal").write_bytes(b"something waits")
    with nothing_can_be_written(), pytest.raises(StoreError, match="cannot be read"):
        open_read_only(file)


def test_a_damaged_database_is_told_from_one_that_cannot_be_had_now(file: Path) -> None:
    db = open_read_write(file)
    db.execute("DROP TABLE told")
    db.execute("DROP TABLE outage")
    db.close()
    reading = open_read_only(file)
    with (
        pytest.raises(CorruptDatabaseError, match=r"monitor\.db: no such table: outage"),
        database.translate_errors(file),
    ):
        reading.execute("SELECT * FROM outage")
    reading.close()
    file.write_bytes(b"not a database at all" * 999)
    with pytest.raises(CorruptDatabaseError, match="not a database"):
        open_read_only(file)
    assert not isinstance(
        database.store_error("busy", sqlite3.OperationalError("database is locked")), CorruptDatabaseError
    )


def test_where_there_is_no_file_the_books_are_empty_and_none_is_made(file: Path) -> None:
    db = open_read_only(file)
    assert journal.length(db) == 0
    assert list(all_results(db)) == []
    assert not file.exists()


def test_who_reads_cannot_write(file: Path) -> None:
    database.open_read_write(file).close()
    db = open_read_only(file)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        db.execute("DELETE FROM note")
    db.close()


def test_a_name_with_spaces_and_signs_is_one_file(tmp_path: Path) -> None:
    file = tmp_path / "of 50 % ? & # ü" / "monitor.db"
    database.open_read_write(file).close()
    assert file.exists()
    database.open_read_only(file).close()


def test_what_a_figure_hangs_on_survives_a_power_cut(db: Database) -> None:
    assert db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert db.execute("PRAGMA foreign_keys").fetchone() == (1,)


def test_the_data_folder_is_not_for_everybody(file: Path) -> None:
    database.open_read_write(file).close()
    assert file.parent.stat().st_mode & 0o007 == 0


BEFORE_PACKING = """
import sqlite3, sys
from monitor.store.schema import migrations
from sqlite_utils import Database
db = Database(sqlite3.connect(sys.argv[1], isolation_level=None))
migrations.apply(db, stop_before="2026-11-packed")
db.execute("INSERT INTO probed VALUES (1, 'web-01', 'ping')")
db.execute("INSERT INTO batch VALUES (1, 'probe', 0, NULL)")
db.execute("INSERT INTO result VALUES (60000, 1, 0, 1, 412, NULL, 1)")
"""


@pytest.mark.parametrize("opened", [database.open_read_write, database.open_read_only])
def test_a_file_of_the_version_before_is_brought_up_to_date(file: Path, opened: Callable[[Path], Database]) -> None:
    file.parent.mkdir()
    subprocess.run([sys.executable, "-c", BEFORE_PACKING, str(file)], check=True)
    db = opened(file)
    assert migrations.pending(db) == []
    assert [(each.at, each.latency) for each in all_results(db)] == [(60_000, 412)]
    assert db.execute("SELECT time, latency_ms FROM readable_results").fetchall() == [
        ("1970-01-01T00:01:00.000Z", 0.412)
    ]
    db.close()


# --- transactions ----------------------------------------------------------------------------------------------------


def test_a_transaction_that_raises_leaves_nothing(db: Database) -> None:
    with pytest.raises(sqlite3.OperationalError), database.transaction(db):
        refuse(db)
    assert journal.length(db) == 0
    assert not db.conn.in_transaction


def test_a_transaction_inside_another_is_a_part_of_it(db: Database) -> None:
    def nest() -> None:
        with database.transaction(db):
            journal.append(db, START, "daemon-started", {})
        refuse(db)

    with pytest.raises(sqlite3.OperationalError), database.transaction(db):
        nest()
    assert journal.length(db) == 0


def test_a_commit_that_fails_leaves_no_transaction_behind(file: Path) -> None:
    """Else everything written afterwards would be a part of it, told as written and never committed."""
    db, connection = open_crashing(file)
    connection.arm(2)
    with pytest.raises(CrashError), database.transaction(db):
        journal.append(db, START, "daemon-started", {})
    assert not db.conn.in_transaction
    connection.arm(0)
    with database.transaction(db):
        journal.append(db, START, "daemon-started", {})
    db.close()
    assert journal.length(open_read_only(file)) == 1


def test_a_write_after_a_read_does_not_fail_for_what_another_process_wrote_between(file: Path) -> None:
    ours, theirs = open_read_write(file), open_read_write(file)
    journal.length(ours)
    with database.transaction(theirs):
        journal.append(theirs, START, "daemon-started", {})
    with database.transaction(ours):
        assert journal.append(ours, START, "daemon-started", {}) == 2
    ours.close()
    theirs.close()


def test_a_snapshot_shows_one_state_whatever_is_written_meanwhile(file: Path, db: Database) -> None:
    reading = open_read_only(file)
    with database.snapshot(reading):
        assert journal.length(reading) == 0
        with database.transaction(db):
            journal.append(db, START, "daemon-started", {})
        assert journal.length(reading) == 0
    assert journal.length(reading) == 1
    reading.close()


# --- threads ---------------------------------------------------------------------------------------------------------


async def test_each_piece_of_work_of_the_writer_is_one_transaction(file: Path) -> None:
    writer = database_thread.WriterThread(file)
    assert await writer.run(lambda db: db.conn.in_transaction)
    assert await writer.run(lambda db: journal.append(db, START, "daemon-started", {})) == 1
    await writer.close()
    assert journal.length(open_read_only(file)) == 1


async def test_what_the_database_refuses_is_a_store_error_and_has_not_happened(file: Path) -> None:
    writer = database_thread.WriterThread(file)
    with pytest.raises(StoreError, match="cannot write: no such table"):
        await writer.run(refuse)
    assert await writer.run(journal.length) == 0
    await writer.close()


async def test_work_is_done_in_the_order_in_which_it_was_asked_for(file: Path) -> None:
    writer = database_thread.WriterThread(file)
    numbers = await asyncio.gather(
        *[writer.run(lambda db: journal.append(db, START, "daemon-started", {})) for _ in range(50)]
    )
    assert numbers == list(range(1, 51))
    await writer.close()


async def test_closing_finishes_what_was_asked_for(file: Path) -> None:
    writer = database_thread.WriterThread(file)
    asked = asyncio.ensure_future(writer.run(lambda db: journal.append(db, START, "daemon-started", {})))
    await asyncio.sleep(0)
    await writer.close()
    assert await asked == 1


async def test_a_reader_that_is_closed_breaks_off_a_question_without_an_end(file: Path) -> None:
    database.open_read_write(file).close()
    reader = database_thread.ReaderThread(file)
    asked = asyncio.ensure_future(reader.run(ask_without_end))
    await asyncio.sleep(0)
    await reader.close()
    with pytest.raises(StoreError, match="interrupted"):
        await asked


async def test_a_reader_sees_what_was_committed_and_refuses_to_write(file: Path) -> None:
    writer, reader = database_thread.WriterThread(file), database_thread.ReaderThread(file)
    await writer.run(lambda db: journal.append(db, START, "daemon-started", {}))
    assert await reader.run(journal.length) == 1
    with pytest.raises(StoreError, match="cannot read"):
        await reader.run(refuse)
    await reader.close()
    await writer.close()


KILLED = """
import os, sys
from pathlib import Path
from monitor.store import database, journal
db = database.open_read_write(Path(sys.argv[1]))
with database.transaction(db):
    journal.append(db, 1, "daemon-started", {})
db.execute("BEGIN IMMEDIATE")
journal.append(db, 2, "daemon-stopped", {})
os.kill(os.getpid(), 9)
"""


def test_a_process_killed_inside_a_transaction_leaves_only_what_was_committed(file: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED, str(file)], check=False, env={**os.environ})
    assert ended.returncode == -9
    db = open_read_write(file)
    assert [entry.kind for entry in journal.entries(db, "daemon-started", "daemon-stopped")] == ["daemon-started"]
    db.close()
