"""The daemon closes the months that are over, by itself."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from monitor.engine.jobs.housekeeping import Housekeeping
from monitor.engine.live.state import LiveState
from monitor.engine.live.telemetry import Telemetry
from monitor.ledger.months.closing import closing_of
from monitor.ledger.months.corrections import DAEMON, LATER_RESULTS, corrections_of
from monitor.ledger.results.recording import Recording
from monitor.ledger.terms import record_terms
from monitor.mail.content import OperatorNews
from monitor.model import Outcome, Result
from monitor.store import database_thread
from tests.fakes import FakeOperatorNotifier, make_context
from tests.ledger.results.import_fixture import KEY, STEP, TERMS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from sqlite_utils import Database

END = int(dt.datetime(2024, 11, 1, tzinfo=dt.timezone(dt.timedelta(hours=3))).timestamp() * 1000)


class Daemon:
    """As much of one as closes months."""

    def __init__(self, file: Path) -> None:
        self.now = END - 60 * STEP
        self.clock_in_doubt = False
        self.writer = database_thread.WriterThread(file)
        self.reader = database_thread.ReaderThread(file)
        self.recording = Recording(replace(make_context(), terms=TERMS))
        self.board, self.messenger = LiveState(), FakeOperatorNotifier()
        self.keeping = Housekeeping(
            *(self.reader, self.writer, file, self.board, Telemetry(), self.messenger),
            now=lambda: self.now,
            context=lambda: self.recording.context,
            holds=lambda: self.clock_in_doubt,
        )

    async def probe(self, slot: int, outcome: Outcome) -> None:
        """Record a result, ``slot`` minutes after the month's end."""
        result = Result(KEY, END + slot * STEP, outcome, 1, None, "" if outcome is Outcome.OK else "timeout")

        def work(db: Database) -> None:
            record_terms(db, TERMS, result.at)
            self.recording.record(db, slot, [result], result.at)
            self.recording.end_sweep(db, slot, result.at)

        await self.writer.run(work)


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    made = Daemon(tmp_path / "monitor.db")
    yield made
    await made.reader.close()
    await made.writer.close()


async def test_a_month_is_closed_once_it_is_over_and_only_once(daemon: Daemon) -> None:
    await daemon.probe(-60, Outcome.OK)
    for now in (END - STEP, END, END + STEP):
        daemon.now = now
        await daemon.keeping.close_months()
        assert await daemon.reader.run(lambda db: closing_of(db, "2024-10")) is None
    daemon.now = END + 60 * STEP
    await daemon.keeping.close_months()
    first = await daemon.reader.run(lambda db: closing_of(db, "2024-10"))
    assert first is not None
    assert (first.at, first.recorded_by) == (END + 60 * STEP, DAEMON)
    daemon.now += 60 * STEP
    await daemon.keeping.close_months()
    assert await daemon.reader.run(lambda db: closing_of(db, "2024-10")) == first
    assert await daemon.reader.run(lambda db: corrections_of(db, "2024-10")) == []


async def test_no_month_is_closed_while_the_clock_is_in_doubt(daemon: Daemon) -> None:
    await daemon.probe(-60, Outcome.OK)
    daemon.now, daemon.clock_in_doubt = END + 60 * STEP, True
    await daemon.keeping.close_months()
    assert await daemon.reader.run(lambda db: closing_of(db, "2024-10")) is None
    daemon.clock_in_doubt = False
    await daemon.keeping.close_months()
    assert await daemon.reader.run(lambda db: closing_of(db, "2024-10")) is not None


async def test_what_results_change_that_come_after_the_closing_is_written_down_as_such(daemon: Daemon) -> None:
    await daemon.probe(-20, Outcome.OK)
    await daemon.probe(-10, Outcome.FAIL)
    daemon.now = END + 10 * STEP
    await daemon.keeping.close_months()
    await daemon.probe(30, Outcome.FAIL)
    daemon.now = END + 40 * STEP
    await daemon.keeping.close_months()
    await daemon.keeping.close_months()
    (correction,) = await daemon.reader.run(lambda db: corrections_of(db, "2024-10"))
    assert (correction.reason, correction.recorded_by) == (LATER_RESULTS, DAEMON)
    assert set(correction.changes["s"]) == {"highest", "credit_certain"}


async def test_empty_books_close_nothing(daemon: Daemon) -> None:
    await daemon.keeping.close_months()
    assert await daemon.reader.run(lambda db: closing_of(db, "2024-10")) is None


@pytest.mark.logs_errors
async def test_the_operators_get_a_mail_when_the_journal_is_broken_and_when_it_is_intact(daemon: Daemon) -> None:
    await daemon.probe(-20, Outcome.OK)
    await daemon.keeping.verify()
    assert (daemon.messenger.problems, daemon.messenger.cleared) == ([], [OperatorNews.JOURNAL])
    await daemon.writer.run(lambda db: db.execute("DELETE FROM result"))
    await daemon.keeping.verify()
    ((news, lines),) = daemon.messenger.problems
    assert (news, lines[-1]) == (OperatorNews.JOURNAL, "monitor verify")
    assert lines[0] in daemon.board.problems["journal"].text
