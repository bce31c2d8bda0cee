"""At the daemon's end what housekeeping is about to do, or in the middle of, ends without a word."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from monitor.engine.jobs.housekeeping import Housekeeping
from monitor.engine.live.state import LiveState
from monitor.engine.live.telemetry import Telemetry
from monitor.store import database, database_thread
from tests.fakes import FakeOperatorNotifier, make_context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class Long:
    """Work that does not end by itself."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.ended = False

    async def work(self) -> None:
        self.began.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended = True


@pytest.fixture
async def keeping(tmp_path: Path) -> AsyncIterator[Housekeeping]:
    file = tmp_path / database.DATABASE_FILE
    writer = database_thread.WriterThread(file)
    reader = database_thread.ReaderThread(file)
    yield Housekeeping(
        *(reader, writer, file, LiveState(), Telemetry(), FakeOperatorNotifier()), now=lambda: 0, context=make_context
    )
    await reader.close()
    await writer.close()


async def test_work_in_the_middle_is_ended_and_nothing_is_logged(
    keeping: Housekeeping, caplog: pytest.LogCaptureFixture
) -> None:
    long = Long()
    keeping.start()
    keeping.run_every_minute(long.work)
    await long.began.wait()
    await keeping.stop()
    assert long.ended
    assert caplog.messages == []


@pytest.mark.parametrize("turns", range(6))
async def test_work_that_is_about_to_begin_is_not_begun_or_ended_and_nothing_is_logged(
    keeping: Housekeeping, turns: int, caplog: pytest.LogCaptureFixture
) -> None:
    long = Long()
    keeping.start()
    keeping.run_every_minute(long.work)
    for _ in range(turns):
        await asyncio.sleep(0)
    await keeping.stop()
    assert long.ended is long.began.is_set()
    assert caplog.messages == []
