"""Questions to the database in a process of their own."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from typing import TYPE_CHECKING

import pytest

from monitor.errors import CorruptDatabaseError, StoreError
from monitor.ledger.verify import verify
from monitor.store import database, journal
from monitor.store.reader_process import ReaderProcess
from tests.fakes import START, open_read_write

if TYPE_CHECKING:
    from pathlib import Path

    from sqlite_utils import Database


def where_and_how_many(_: Database, more: int) -> tuple[int, int, int]:
    return os.getpid(), os.getppid(), os.nice(0) + more


def refuse(db: Database) -> None:
    db.execute("SELECT * FROM nowhere")


def die(_: Database) -> None:
    os._exit(3)


def be_damaged(_: Database) -> None:
    raise CorruptDatabaseError("the file is not what was written")


def say_where_and_never_end(_: Database, place: Path) -> None:
    place.write_text(str(os.getpid()))
    while True:
        os.getpid()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / database.DATABASE_FILE
    db = open_read_write(path)
    with database.transaction(db):
        journal.append(db, START, "daemon-started", {})
    db.close()
    return path


async def test_a_question_is_answered_by_another_process_that_stands_back(file: Path) -> None:
    pid, parent, nice = await ReaderProcess(file).run(partial(where_and_how_many, more=1))
    assert (pid != os.getpid(), parent) == (True, os.getpid())
    assert nice == min(os.nice(0) + 19, 19) + 1


async def test_the_books_are_verified_there(file: Path) -> None:
    verdict = await ReaderProcess(file).run(verify)
    assert (verdict.entries, verdict.error) == (1, None)


async def test_what_the_database_refuses_is_a_store_error_here(file: Path) -> None:
    with pytest.raises(StoreError, match="cannot read: no such table"):
        await ReaderProcess(file).run(refuse)


async def test_damage_is_told_as_damage(file: Path) -> None:
    with pytest.raises(CorruptDatabaseError, match="not what was written"):
        await ReaderProcess(file).run(be_damaged)


async def test_a_process_that_ends_without_an_answer_is_a_store_error(file: Path) -> None:
    with pytest.raises(StoreError, match="ended with 3"):
        await ReaderProcess(file).run(die)


async def test_whoever_stops_waiting_ends_the_process(file: Path, tmp_path: Path) -> None:
    place = tmp_path / "pid"
    os.mkfifo(place)
    asked = asyncio.create_task(ReaderProcess(file).run(partial(say_where_and_never_end, place=place)))
    pid = int(await asyncio.to_thread(place.read_text))
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
