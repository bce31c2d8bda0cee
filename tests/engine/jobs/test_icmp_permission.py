"""Whether pings are permitted is looked at often, and written down when it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.engine.jobs.icmp_permission import IcmpPermissionCheck
from monitor.engine.live.state import LiveState
from monitor.errors import StoreError
from monitor.store import outbox
from tests.fakes import START, ledger_in_memory, make_context

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlite_utils import Database

REMEDY = "pings are not permitted: sysctl -w net.ipv4.ping_group_range='0 2147483647'"


class Scene:
    """A keeper, what the system says to it, and a database that may refuse."""

    def __init__(self) -> None:
        self.board = LiveState()
        self.db = ledger_in_memory()
        self.remedy: str | None = None
        self.refuses = False
        self.writes = 0
        self.keeper = IcmpPermissionCheck(
            self.board, self.write, now=lambda: START, context=make_context, remedy=lambda: self.remedy
        )

    async def write(self, work: Callable[[Database], object]) -> object:
        if self.refuses:
            raise StoreError("cannot write: the disk is full")
        self.writes += 1
        return work(self.db)

    @property
    def mails(self) -> list[str]:
        return [mail.subject for mail in outbox.list_mails(self.db)]


@pytest.mark.logs_errors
@pytest.mark.parametrize("remedy", [None, REMEDY])
async def test_the_database_is_written_at_the_first_check_and_then_only_on_changes(
    remedy: str | None,
) -> None:
    scene = Scene()
    scene.remedy = remedy
    for _ in range(5):
        await scene.keeper.run(pings_configured=True)
    assert scene.writes == 1
    scene.remedy = None if remedy else REMEDY
    for _ in range(5):
        await scene.keeper.run(pings_configured=True)
    assert scene.writes == 2


@pytest.mark.logs_errors
async def test_what_could_not_be_written_is_written_at_the_next_look() -> None:
    scene = Scene()
    scene.remedy, scene.refuses = REMEDY, True
    await scene.keeper.run(pings_configured=True)
    assert scene.board.problems["icmp"].text == REMEDY
    assert not scene.mails
    scene.refuses = False
    await scene.keeper.run(pings_configured=True)
    assert len(scene.mails) == 1


@pytest.mark.logs_errors
async def test_a_permission_that_is_taken_away_again_is_told_again() -> None:
    scene = Scene()
    for scene.remedy in (REMEDY, None, REMEDY):
        await scene.keeper.run(pings_configured=True)
        assert ("icmp" in scene.board.problems) is (scene.remedy is not None)
    assert len(scene.mails) == 2


@pytest.mark.logs_errors
async def test_where_nothing_is_pinged_no_permission_is_missed() -> None:
    scene = Scene()
    scene.remedy = REMEDY
    await scene.keeper.run(pings_configured=True)
    await scene.keeper.run(pings_configured=False)
    assert "icmp" not in scene.board.problems
