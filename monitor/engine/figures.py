"""Keeps the figures of the page and the metrics up to date, away from the loop."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from monitor.books.accounts import Books
from monitor.contract.calendar import month_of
from monitor.engine.board import Figures
from monitor.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlite_utils import Database

    from monitor.books.accounts import Accounts
    from monitor.clock import Clock
    from monitor.contract.terms import Terms
    from monitor.engine.board import Board
    from monitor.model import Millis
    from monitor.store.database import Thread

log = logging.getLogger(__name__)

SHARE = 10
"""At most one part in so many of a core goes into keeping the figures up to date."""
LEAST = 1.0
"""Seconds between two readings, at least."""


class FigureKeeper:
    """Reads the accounts of both windows whenever a sweep was written, and not more often than it can afford."""

    def __init__(
        self, reader: Thread, board: Board, clock: Clock, now: Callable[[], Millis], terms: Callable[[], Terms]
    ) -> None:
        self._reader = reader
        self._board = board
        self._clock = clock
        self._now = now
        self._terms = terms
        self._due = asyncio.Event()

    def sweep_written(self) -> None:
        """Read again soon."""
        self._due.set()

    async def run(self) -> None:
        """Keep up until cancelled."""
        while True:
            await self._due.wait()
            self._due.clear()
            began = self._clock.monotonic()
            try:
                await self.read()
            except StoreError as error:
                log.warning("the figures: %s", error)
            await asyncio.sleep(max(LEAST, SHARE * (self._clock.monotonic() - began)))

    async def read(self) -> None:
        """Read both windows of every subscription now."""
        now, terms = self._now(), self._terms()
        for window, accounts in (await self._reader.run(lambda db: _accounts(db, now, terms))).items():
            for each in accounts.subscriptions:
                came_to = each.account
                figures = Figures(
                    up=came_to.up,
                    down=came_to.down,
                    unknown=came_to.unknown,
                    availability=came_to.availability,
                    budget=each.budget,
                    credit=each.credit.percent if window == "month" else None,
                )
                self._board.figures(each.subscription.id, "month" if window == "month" else "rolling", figures)


def _accounts(db: Database, now: Millis, terms: Terms) -> dict[str, Accounts]:
    books = Books(db, now, terms)
    return {
        "month": books.month(*month_of(now, terms.timezone)),
        "rolling": books.rolling(terms.rolling_days),
    }
