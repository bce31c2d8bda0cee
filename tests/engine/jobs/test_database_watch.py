"""The watch over the database file: a loss is told on every road, and what is still open is saved."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from monitor.engine.jobs.database_watch import DatabaseWatch
from monitor.engine.live.state import LiveState
from monitor.engine.live.telemetry import Telemetry
from monitor.engine.unsaved_results import UnsavedResults
from monitor.store import database, head_mark, journal
from monitor.store.file_guard import FileGuard
from monitor.store.head_mark import HeadMark
from tests.fakes import START, InlineReader, open_read_only, open_read_write

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sqlite_utils import Database

pytestmark = pytest.mark.logs_errors


class Scene:
    """A database, its guard and its watch; mails are kept."""

    def __init__(self, folder: Path, found_at_start: str | None = None) -> None:
        self.file = folder / database.DATABASE_FILE
        self.db: Database = open_read_write(self.file)
        self.append()
        self.guard = FileGuard(self.file)
        self.live_state, self.telemetry = LiveState(), Telemetry()
        self.relay_answers = True
        self.mails: list[tuple[str, tuple[str, ...]]] = []
        self.watch = DatabaseWatch(
            self.guard,
            InlineReader(open_read_only(self.file)),
            self.file,
            self.live_state,
            self.telemetry,
            UnsavedResults(folder, START),
            now=lambda: START,
            send=self.send,
            found_at_start=found_at_start,
        )

    def append(self) -> None:
        with database.transaction(self.db):
            journal.append(self.db, START, "daemon-started", {})

    async def send(self, subject: str, lines: Sequence[str]) -> bool:
        if self.relay_answers:
            self.mails.append((subject, tuple(lines)))
        return self.relay_answers

    @property
    def mark(self) -> HeadMark | None:
        return head_mark.read(self.file.parent)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    scene.db.close()
    scene.guard.close()


async def test_a_file_that_is_there_is_marked_and_nobody_is_told(scene: Scene) -> None:
    await scene.watch.check()
    await scene.watch.mark()
    assert scene.mark == HeadMark(*journal.head(scene.db))
    assert (scene.live_state.problems, scene.mails, scene.telemetry.database_lost) == ({}, [], False)
    scene.append()
    await scene.watch.mark()
    assert scene.mark == HeadMark(*journal.head(scene.db))


async def test_a_lost_file_is_told_once_on_every_road_and_copied(scene: Scene) -> None:
    await scene.watch.mark()
    await asyncio.to_thread(scene.file.unlink)
    for _ in range(3):
        await scene.watch.check()
    problem = scene.live_state.problems["database"]
    assert "was deleted" in problem.text
    assert not problem.ready
    assert scene.telemetry.database_lost
    [(subject, lines)] = scene.mails
    assert subject == "the monitor's database was lost while it ran"
    assert "was deleted" in lines[0]
    copy = scene.file.with_name("monitor-rescued-20261002T100000Z.db")
    assert journal.head(open_read_only(copy)) == journal.head(scene.db)
    before = scene.mark
    await scene.watch.mark()
    assert scene.mark == before


async def test_a_file_that_is_back_is_told_too(scene: Scene) -> None:
    away = scene.file.with_name("away.db")
    await asyncio.to_thread(scene.file.rename, away)
    await scene.watch.check()
    await asyncio.to_thread(away.rename, scene.file)
    await scene.watch.check()
    assert (scene.live_state.problems, scene.telemetry.database_lost) == ({}, False)


async def test_a_mail_that_the_relay_refuses_is_tried_again(scene: Scene) -> None:
    scene.relay_answers = False
    await asyncio.to_thread(scene.file.unlink)
    await scene.watch.check()
    assert scene.mails == []
    scene.relay_answers = True
    await scene.watch._send_mails()
    await scene.watch._send_mails()
    assert len(scene.mails) == 1


async def test_a_ledger_that_lacks_entries_at_the_start_is_told_until_the_mark_is_deleted(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "the journal ends at entry 1, and entry 9 was recorded")
    head_mark.write(tmp_path, HeadMark(9, "x"))
    watching = asyncio.create_task(scene.watch.run())
    while not scene.mails:  # noqa: ASYNC110 - it is the condition
        await asyncio.sleep(0)
    watching.cancel()
    assert "entry 9 was recorded" in scene.live_state.problems["ledger"].text
    assert scene.telemetry.database_lost
    await scene.watch.mark()
    assert scene.mark == HeadMark(9, "x")
    (tmp_path / head_mark.MARK_FILE).unlink()
    await scene.watch.mark()
    assert scene.live_state.problems == {}
    assert vars(scene.telemetry)["database_lost"] is False
    assert scene.mark == HeadMark(*journal.head(scene.db))
    scene.db.close()
    scene.guard.close()
