"""Whether pings are permitted is looked at often, and written down when it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.engine.jobs.icmp_permission import PermissionKeeper
from monitor.engine.live.state import Board
from monitor.errors import StoreError
from monitor.store import outbox
from tests.fakes import START, a_context, books_in_memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlite_utils import Database

REMEDY = "pings are not permitted: sysctl -w net.ipv4.ping_group_range='0 2147483647'"


class Scene:
    """A keeper, what the system says to it, and a database that may refuse."""

    def __init__(self) -> None:
        self.board = Board()
        self.db = books_in_memory()
        self.remedy: str | None = None
        self.refuses = False
        self.writes = 0
        self.keeper = PermissionKeeper(
            self.board, self.write, now=lambda: START, context=a_context, remedy=lambda: self.remedy
        )

    async def write(self, work: Callable[[Database], object]) -> object:
        if self.refuses:
            raise StoreError("cannot write: the disk is full")
        self.writes += 1
        return work(self.db)

    @property
    def mails(self) -> list[str]:
        return [mail.subject for mail in outbox.listing(self.db)]


@pytest.mark.parametrize("remedy", [None, REMEDY])
async def test_the_database_is_written_at_the_first_look_and_then_only_when_something_changes(
    remedy: str | None,
) -> None:
    scene = Scene()
    scene.remedy = remedy
    for _ in range(5):
        await scene.keeper.look(pings=True)
    assert scene.writes == 1
    scene.remedy = None if remedy else REMEDY
    for _ in range(5):
        await scene.keeper.look(pings=True)
    assert scene.writes == 2


async def test_what_could_not_be_written_is_written_at_the_next_look() -> None:
    scene = Scene()
    scene.remedy, scene.refuses = REMEDY, True
    await scene.keeper.look(pings=True)
    assert scene.board.problems["icmp"].text == REMEDY
    assert not scene.mails
    scene.refuses = False
    await scene.keeper.look(pings=True)
    assert len(scene.mails) == 1


async def test_a_permission_that_is_taken_away_again_is_told_again() -> None:
    scene = Scene()
    for scene.remedy in (REMEDY, None, REMEDY):
        await scene.keeper.look(pings=True)
        assert ("icmp" in scene.board.problems) is (scene.remedy is not None)
    assert len(scene.mails) == 2


async def test_where_nothing_is_pinged_no_permission_is_missed() -> None:
    scene = Scene()
    scene.remedy = REMEDY
    await scene.keeper.look(pings=True)
    await scene.keeper.look(pings=False)
    assert "icmp" not in scene.board.problems
