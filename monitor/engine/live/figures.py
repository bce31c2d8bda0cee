"""Keeps the figures of the page and the metrics up to date: what changed is read away from the loop, the rest advances.

The figures of a subscription go on in straight lines until something happens to it (``ledger/live/figures.py``). So after a
sweep only a few are read from the books, in the reader's thread, and all of them are advanced to the same moment here,
a slice at a time. Once a day everything is computed again from the beginning, and has to come to the same.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import nullcontext
from typing import TYPE_CHECKING

from monitor.engine.cooperative import slices
from monitor.engine.gc_control import undisturbed
from monitor.errors import StoreError
from monitor.ledger.live.figures import Keeping
from monitor.ledger.live.self_check import drifts
from monitor.mail.text import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from monitor.clock import Clock
    from monitor.engine.live.state import Board
    from monitor.engine.live.telemetry import Telemetry
    from monitor.ledger.live.self_check import Drift
    from monitor.model import CheckKey, Millis
    from monitor.sla.terms import Terms
    from monitor.store.threads import Thread

log = logging.getLogger(__name__)

SHARE = 10
"""At most one part in so many of a core goes into keeping the figures up to date."""
LEAST = 1.0
"""Seconds between two readings, at least."""
SLICE = 500
"""Subscriptions that are advanced before the loop may turn again: a millisecond or two."""
FEW = 50
"""The same where many of them were read again: their windows are laid out anew, which takes 60 us each."""
MUCH = 500
"""Subscriptions that have to be read again, from where on the collector is kept away."""
LOOKS = 3
"""A difference counts as drift when it is found so often: a result may be written between two looks, not always."""
PROBLEM = "figures"
TOLD = 20
"""Lines of one mail about drift."""
_DRIFTED = (
    "figure had drifted from the books and was corrected",
    "figures had drifted from the books and were corrected",
)


class FigureKeeper:
    """Brings the figures of both windows to now whenever a sweep was written."""

    def __init__(
        self,
        reader: Thread,
        board: Board,
        telemetry: Telemetry,
        clock: Clock,
        *,
        now: Callable[[], Millis],
        terms: Callable[[], Terms],
        drifted: Callable[[tuple[str, ...]], None],
    ) -> None:
        """``drifted`` tells the operators of figures that had drifted, a line each."""
        self._reader = reader
        self._board = board
        self._telemetry = telemetry
        self._clock = clock
        self._now = now
        self._terms = terms
        self._drifted = drifted
        self._keeping = Keeping()
        self._began: set[CheckKey] = set()
        self._due = asyncio.Event()
        self._one = asyncio.Lock()

    def runs_began(self, checks: Iterable[CheckKey]) -> None:
        """Take note of checks that gave, after a commit, something else than before, or again after a gap."""
        self._began.update(checks)

    def sweep_written(self) -> None:
        """Advance soon."""
        self._due.set()

    async def run(self) -> None:
        """Keep up until cancelled; the first figures come at once."""
        self._due.set()
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
        """Bring every subscription's figures to now. Raises StoreError; then everything is read again next time."""
        async with self._one:
            await self._advance()

    async def _advance(self) -> None:
        keeping, now, terms = self._keeping, self._now(), self._terms()
        silent: set[str] = set()
        for names in slices(keeping.names, SLICE):
            silent |= keeping.silent(names, now, self._newest)
            await asyncio.sleep(0)
        # only now: a check that was found to have spoken after a silence is among them
        began, self._began = self._began, set()
        much = keeping.stale or terms is not keeping.current or len(began) + len(silent) > MUCH
        with undisturbed() if much else nullcontext():
            try:
                await self._reader.run(lambda db: keeping.catch_up(db, now, terms, began, silent))
            except StoreError:
                keeping.forget()
                raise
            for names in slices(keeping.names, FEW if much else SLICE):
                for change in keeping.advance(names):
                    self._board.figures(*change)
                await asyncio.sleep(0)

    def _newest(self, check: CheckKey) -> Millis | None:
        view = self._board.checks.get(check)
        return view.at if view is not None else None

    async def check(self) -> None:
        """Compute everything again and compare; what differs is said aloud, and mended."""
        try:
            async with self._one:
                found = await self._differing()
                if found:
                    self._tell(found)
                    self._keeping.forget()
                    await self._advance()
                else:
                    self._board.solved(PROBLEM)
        except StoreError as error:
            log.warning("the figures could not be checked: %s", error)

    async def _differing(self) -> list[Drift]:
        """Look again at what differs: results that came in between the two readings make a difference once."""
        names: set[str] | None = None
        for _ in range(LOOKS):
            await self._advance()
            chosen = names
            with undisturbed():
                found = await self._reader.run(lambda db: drifts(db, self._keeping, chosen))  # noqa: B023 - awaited here
            if not found:
                break
            names = {drift.subscription for drift in found}
        return found

    def _tell(self, found: list[Drift]) -> None:
        lines = tuple(
            f"{drift.subscription}, {drift.window}: kept {drift.kept}, computed {drift.computed}" for drift in found
        )
        for line in lines:
            log.error("figures had drifted from the books, and are corrected: %s", line)
        self._telemetry.figures_drifted(len(found))
        self._board.problem(
            PROBLEM,
            f"{counted(len(found), *_DRIFTED)}, the first: {lines[0]}. "
            "Accounts, reports and credits are computed from the books and are not touched; please report it.",
            ready=True,
        )
        more = (f"and {len(lines) - TOLD} more, in the log",) if len(lines) > TOLD else ()
        self._drifted(lines[:TOLD] + more)
