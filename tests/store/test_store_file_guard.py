"""The database file under a running process: deleted, moved, replaced, truncated, overwritten; and nothing falsely."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from monitor.errors import StoreError
from monitor.store import database, journal
from monitor.store.database_thread import WriterThread
from monitor.store.file_guard import FileGuard, LostDatabaseError
from tests.fakes import START, open_read_write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlite_utils import Database


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / database.DATABASE_FILE


@pytest.fixture
def db(file: Path) -> Database:
    return open_read_write(file)


@pytest.fixture
def guard(db: Database, file: Path) -> Iterator[FileGuard]:
    write(db, 3)
    guard = FileGuard(file)
    yield guard
    db.close()  # before the guard: a descriptor that is closed takes SQLite's locks with it
    guard.close()


def write(db: Database, entries: int) -> None:
    for _ in range(entries):
        with database.transaction(db):
            journal.append(db, START, "daemon-started", {"text": "x" * 500})


def checkpoint(db: Database) -> None:
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def delete(file: Path) -> None:
    file.unlink()


def move(file: Path) -> None:
    file.rename(file.with_name("elsewhere.db"))


def replace(file: Path) -> None:
    other = file.with_name("other.db")
    shutil.copy(file, other)
    other.replace(file)


def replace_by_another_database(file: Path) -> None:
    other = file.with_name("other.db")
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE more (id INTEGER)")
    other.replace(file)


def truncate_to_nothing(file: Path) -> None:
    os.truncate(file, 0)


def truncate_by_a_page(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 4096)


def overwrite_with_text(file: Path) -> None:
    with file.open("r+b") as stream:
        stream.write(b"no database" * 50)


def delete_the_log(file: Path) -> None:
    file.with_name(f"{file.name}-wal").unlink()


def replace_the_log(file: Path) -> None:
    log = file.with_name(f"{file.name}-wal")
    log.unlink()
    log.write_bytes(b"")


@pytest.mark.parametrize(
    ("act", "word"),
    [
        (delete, "was deleted"),
        (move, "was moved away"),
        (replace, "was replaced"),
        (replace_by_another_database, "was replaced"),
        (truncate_to_nothing, "was overwritten"),
        (truncate_by_a_page, "was truncated"),
        (overwrite_with_text, "was overwritten"),
        (delete_the_log, "-wal was deleted"),
        (replace_the_log, "-wal was replaced"),
    ],
)
def test_what_happens_to_the_file_is_noticed(
    guard: FileGuard, db: Database, file: Path, act: Callable[[Path], None], word: str
) -> None:
    checkpoint(db)
    assert guard.check() is None
    act(file)
    assert word in (guard.check() or "")
    assert guard.loss == guard.check()


def test_an_older_copy_that_is_written_over_the_file_is_noticed(guard: FileGuard, db: Database, file: Path) -> None:
    checkpoint(db)
    old = file.read_bytes()
    write(db, 50)
    checkpoint(db)
    assert guard.check() is None
    file.write_bytes(old)
    assert "older copy" in (guard.check() or "")
    write_back = file.with_name("new.db")
    assert not write_back.exists()


def test_a_file_that_is_back_under_its_name_is_as_good_as_before(guard: FileGuard, file: Path) -> None:
    away = file.with_name("away.db")
    file.rename(away)
    assert guard.check() is not None
    away.rename(file)
    assert guard.check() is None


def test_a_file_that_was_overwritten_stays_lost(guard: FileGuard, db: Database, file: Path) -> None:
    checkpoint(db)
    content = file.read_bytes()
    overwrite_with_text(file)
    assert guard.check() is not None
    file.write_bytes(content)
    assert guard.check() is not None


def test_what_a_healthy_database_does_is_no_loss(guard: FileGuard, db: Database, file: Path) -> None:
    for act in ("wal_checkpoint(TRUNCATE)", "wal_checkpoint(PASSIVE)", "wal_checkpoint(RESTART)", "optimize"):
        write(db, 20)
        db.execute(f"PRAGMA {act}")
        assert guard.check() is None
    for _ in range(3):
        other = database.open_read_write(file)
        write(other, 5)
        other.close()
        assert guard.check() is None
    db.execute("DELETE FROM note WHERE key = 'x'")
    with closing(sqlite3.connect(file, isolation_level=None)) as shell:
        shell.execute("VACUUM")
    assert guard.check() is None
    checkpoint(db)
    assert guard.check() is None


WRITES = """
import sys
from pathlib import Path
from monitor.store import database, journal
for _ in range(15):
    db = database.open_read_write(Path(sys.argv[1]))
    with database.transaction(db):
        for _ in range(200):
            journal.append(db, 1, "daemon-started", {"text": "x" * 900})
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
"""


def test_another_process_that_writes_and_checkpoints_is_no_loss(guard: FileGuard, file: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", WRITES, str(file)])
    looks = 0
    while other.poll() is None:
        assert guard.check() is None
        looks += 1
    assert other.returncode == 0
    assert looks > 10


def test_a_file_that_is_not_there_cannot_be_guarded(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        FileGuard(tmp_path / "nowhere.db")


async def test_the_writer_writes_nothing_into_a_file_that_is_lost(file: Path) -> None:
    writer = WriterThread(file)
    writer.guard = FileGuard(file)
    away = file.with_name("away.db")
    assert await writer.run(lambda db: journal.append(db, START, "daemon-started", {})) == 1
    file.rename(away)  # noqa: ASYNC240 - nothing else runs
    with pytest.raises(LostDatabaseError, match="moved away"):
        await writer.run(lambda db: journal.append(db, START, "daemon-stopped", {}))
    away.rename(file)
    assert await writer.run(journal.length) == 1
    await writer.close()
    writer.guard.close()


async def test_a_page_that_sqlite_finds_damaged_is_a_loss(file: Path) -> None:
    writer = WriterThread(file)
    writer.guard = FileGuard(file)

    def damaged(_: Database) -> None:
        error = sqlite3.DatabaseError("database disk image is malformed")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error

    with pytest.raises(LostDatabaseError, match="malformed"):
        await writer.run(damaged)
    assert writer.guard.damaged
    with pytest.raises(LostDatabaseError, match="is damaged"):
        await writer.run(journal.length)
    await writer.close()
    writer.guard.close()
