"""The figures of the page follow the books from sweep to sweep, and a drift is found."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from typing import TYPE_CHECKING, TypeVar

import pytest

from monitor.engine.live.figures import LiveFiguresUpdater
from monitor.engine.live.state import CheckEntry, LiveState, SubscriptionEntry, WindowFigures
from monitor.engine.live.telemetry import Telemetry
from monitor.errors import StoreError
from monitor.ledger.accounts.accounts import LedgerView
from monitor.model import CheckKey
from tests.fakes import (
    MINUTE,
    OUTCOMES_BY_LETTER,
    START,
    FakeClock,
    InlineReader,
    make_context,
    make_result,
    make_server,
    make_subscription,
    replace_config,
)
from tests.ledger.ledger_fixture import LedgerFixture

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlite_utils import Database

    from monitor.model import Millis

T = TypeVar("T")
NAMES = ("web-01", "web-02")


class BusyReader(InlineReader):
    """A reader between whose readings something may happen, and whose database may refuse."""

    def __init__(self, db: Database) -> None:
        super().__init__(db)
        self.happens: list[Callable[[], None]] = []
        """Before each reading from now on, one after the other."""
        self.refuses = False

    async def run(self, work: Callable[[Database], T]) -> T:
        if self.happens:
            self.happens.pop(0)()
        if self.refuses:
            raise StoreError("cannot read: disk I/O error")
        return await super().run(work)


class Office:
    """Two servers, books, a board and the keeper between them."""

    def __init__(self) -> None:
        subscriptions = [make_subscription("acme", name) for name in NAMES]
        self.desk = LedgerFixture(make_context([make_server(name) for name in NAMES], subscriptions))
        self.desk.apply_terms()
        self.now: Millis = START
        self.board, self.telemetry = LiveState(), Telemetry()
        replace_config(
            self.board,
            [CheckEntry(name, "ping", "icmp", "192.0.2.1") for name in NAMES],
            [SubscriptionEntry(f"acme-{name}", "acme", name, "server", 2, 9975) for name in NAMES],
        )
        self.reader = BusyReader(self.desk.db)
        self.told: list[tuple[str, ...]] = []
        self.clock = FakeClock()
        self.keeper = LiveFiguresUpdater(
            self.reader,
            self.board,
            self.telemetry,
            self.clock,
            now=lambda: self.now,
            terms=lambda: self.desk.context.terms,
            on_mismatches=self.told.append,
        )

    def record(self, minute: int, server: str, letter: str) -> None:
        """Record a result as the recorder does, and tell of it."""
        result = make_result(CheckKey(server, "ping"), START + minute * MINUTE, OUTCOMES_BY_LETTER[letter])
        recorded = self.desk.record(minute, [result], self.now)
        self.board.set_check_result(result)
        self.keeper.on_new_runs(recorded.checks_with_new_runs)

    async def tell(self, letters: str) -> None:
        """Live through minutes, with a look after each."""
        for minute, letter in enumerate(letters):
            self.now = START + minute * MINUTE + 1_000
            for server in NAMES:
                self.record(minute, server, letter)
            self.desk.end_sweep(minute, self.now)
            await self.keeper.update()
            assert self.shown() == self.computed()

    def shown(self) -> dict[str, WindowFigures]:
        return {name: view.figures["month"] for name, view in self.board.subscriptions.items()}

    def computed(self) -> dict[str, WindowFigures]:
        return {
            each.subscription.id: WindowFigures(
                each.account.up,
                each.account.down,
                each.account.unknown,
                each.account.availability,
                each.budget,
                each.credit.percent,
            )
            for each in LedgerView(self.desk.db, self.now, self.desk.context.terms).month(2026, 10).subscriptions
        }


async def test_the_figures_follow_the_books_from_sweep_to_sweep() -> None:
    office = Office()
    await office.tell("ooxxo??ooxo")
    assert {name: figures.down for name, figures in office.shown().items()} == dict.fromkeys(office.shown(), 3 * MINUTE)


async def test_a_check_that_falls_silent_is_unknown_once_its_last_result_holds_no_more() -> None:
    office = Office()
    await office.tell("oo")
    known = office.shown()["acme-web-01"].unknown
    office.now = START + 3 * MINUTE
    office.record(3, "web-02", "o")
    await office.keeper.update()
    assert office.shown()["acme-web-01"].unknown == known
    office.now += 5 * MINUTE
    await office.keeper.update()
    assert office.shown() == office.computed()
    assert office.shown()["acme-web-01"].unknown == known + 5 * MINUTE


def test_the_first_figures_come_before_the_first_sweep_is_written() -> None:
    office = Office()

    async def story() -> None:
        running = asyncio.create_task(office.keeper.run())
        await asyncio.sleep(0.5)
        assert office.shown() == office.computed()
        running.cancel()

    office.clock.run(story())


async def test_the_figures_of_a_subscription_that_is_in_no_window_any_more_are_not_shown() -> None:
    office = Office()
    await office.tell("oo")
    over = make_subscription("acme", "web-02", end=dt.date(2026, 10, 10))
    context = make_context([make_server(name) for name in NAMES], [make_subscription("acme", "web-01"), over])
    office.now += MINUTE
    office.desk.reconfigure(context, office.now)
    office.now += 40 * 24 * 60 * MINUTE
    await office.keeper.update()
    assert office.board.subscriptions["acme-web-02"].figures == {}
    assert set(office.board.subscriptions["acme-web-01"].figures) == {"month", "rolling"}


@pytest.mark.logs_errors
async def test_a_drift_is_found_counted_told_and_mended(caplog: pytest.LogCaptureFixture) -> None:
    office = Office()
    await office.tell("ooxxoo")
    await office.keeper.verify()
    assert (office.telemetry.figures_drift, office.told, dict(office.board.problems)) == (0, [], {})
    planted = office.shown()["acme-web-02"]
    office.desk.db.execute("UPDATE run SET outcome = 0 WHERE outcome = 1 AND probed = 2")
    with caplog.at_level(logging.ERROR):
        await office.keeper.verify()
    assert office.telemetry.figures_drift == 2
    [lines] = office.told
    assert [line.split(":")[0] for line in lines] == ["acme-web-02, month", "acme-web-02, rolling"]
    mended = office.shown()["acme-web-02"]
    assert str(planted) in caplog.text
    assert str(mended) in caplog.text
    assert office.shown() == office.computed()
    assert mended.down == 0
    assert "2 figures differed" in office.board.problems["figures"].text
    await office.keeper.verify()
    assert (office.telemetry.figures_drift, dict(office.board.problems)) == (2, {})


async def test_a_result_that_is_written_between_the_two_readings_is_no_drift() -> None:
    office = Office()
    await office.tell("oo")
    office.now = START + 3 * MINUTE
    office.reader.happens = [lambda: None, lambda: office.record(2, "web-01", "x")]
    await office.keeper.verify()
    assert office.reader.happens == []
    assert (office.telemetry.figures_drift, office.told) == (0, [])
    assert office.shown() == office.computed()
    assert office.shown()["acme-web-01"].down == MINUTE


async def test_after_a_database_that_refused_everything_is_read_again() -> None:
    office = Office()
    await office.tell("oo")
    office.now = START + 2 * MINUTE
    office.record(2, "web-01", "x")
    office.reader.refuses = True
    with pytest.raises(StoreError):
        await office.keeper.update()
    await office.keeper.verify()
    office.reader.refuses = False
    office.now += MINUTE // 2
    await office.keeper.update()
    assert office.shown() == office.computed()
    assert office.shown()["acme-web-01"].down == MINUTE // 2
