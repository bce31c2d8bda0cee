"""The mark outside of the database: an older copy and a lost write-ahead log are told, and a kill never is."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from monitor.store import database, head_mark, journal
from monitor.store.head_mark import HeadMark
from tests.fakes import START, open_read_write

if TYPE_CHECKING:
    from pathlib import Path


def test_without_a_mark_nothing_is_missed(tmp_path: Path) -> None:
    db = open_read_write(tmp_path / "monitor.db")
    assert head_mark.read(tmp_path) is None
    assert head_mark.find_loss(db, None) is None


def test_a_database_at_its_mark_or_ahead_of_it_lacks_nothing(tmp_path: Path) -> None:
    db = open_read_write(tmp_path / "monitor.db")
    for _ in range(3):
        journal.append(db, START, "daemon-started", {})
    head_mark.write(tmp_path, HeadMark(*journal.head(db)))
    mark = head_mark.read(tmp_path)
    assert mark == HeadMark(*journal.head(db))
    assert head_mark.find_loss(db, mark) is None
    journal.append(db, START, "daemon-stopped", {})
    assert head_mark.find_loss(db, mark) is None


def test_an_older_copy_lacks_the_marked_entry(tmp_path: Path) -> None:
    db = open_read_write(tmp_path / "monitor.db")
    journal.append(db, START, "daemon-started", {})
    db.execute("VACUUM INTO ?", [str(tmp_path / "backup.db")])
    journal.append(db, START, "daemon-stopped", {})
    mark = HeadMark(*journal.head(db))
    found = head_mark.find_loss(open_read_write(tmp_path / "backup.db"), mark)
    assert found is not None
    assert found.startswith("the journal ends at entry 1, and entry 2 was recorded")


def test_another_database_of_the_same_length_is_told_by_the_hash(tmp_path: Path) -> None:
    one, other = open_read_write(tmp_path / "one.db"), open_read_write(tmp_path / "other.db")
    journal.append(one, START, "daemon-started", {})
    journal.append(other, START + 1, "daemon-started", {})
    assert "another database" in (head_mark.find_loss(other, HeadMark(*journal.head(one))) or "")


def test_a_write_ahead_log_that_is_gone_after_a_kill_is_told(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    db = open_read_write(tmp_path / "monitor.db")
    journal.append(db, START, "daemon-started", {})
    shutil.copy(tmp_path / "monitor.db", kept / "monitor.db")  # the file alone, as a kill leaves it
    assert head_mark.find_loss(open_read_write(kept / "monitor.db"), HeadMark(*journal.head(db))) is not None


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"entry": "x", "hash": ""}', '{"entry": 1'])
def test_a_mark_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / head_mark.MARK_FILE).write_text(text)
    assert head_mark.read(tmp_path) is None


WRITER = """
import sys
from pathlib import Path
from monitor.store import database, head_mark, journal
folder = Path(sys.argv[1])
db = database.open_read_write(folder / "monitor.db")
print("ready", flush=True)
while True:
    with database.transaction(db):
        journal.append(db, 1, "daemon-started", {"text": "x" * 200})
    head_mark.write(folder, head_mark.HeadMark(*journal.head(db)))
"""


@pytest.mark.parametrize("entries", range(1, 12))
def test_a_process_that_is_killed_at_any_moment_leaves_no_false_alarm(tmp_path: Path, entries: int) -> None:
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    while (mark := head_mark.read(tmp_path)) is None or mark.entry < entries:
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    db = database.open_read_write(tmp_path / "monitor.db")
    assert head_mark.find_loss(db, head_mark.read(tmp_path)) is None
    db.close()
