"""Updates the figures of the page and the metrics after each sweep.

The reader's thread reads what changed; the figures of all other subscriptions advance linearly (``LiveFigures``), on
the event loop in steps. Once a day everything is computed from scratch and compared.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import nullcontext
from typing import TYPE_CHECKING

from monitor.engine.cooperative import chunked
from monitor.engine.gc_control import gc_paused
from monitor.errors import StoreError
from monitor.formatting import pluralize
from monitor.ledger.live_figures.figures import LiveFigures
from monitor.ledger.live_figures.self_check import find_mismatches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from monitor.clock import Clock
    from monitor.engine.live.state import LiveState
    from monitor.engine.live.telemetry import Telemetry
    from monitor.ledger.live_figures.self_check import FigureMismatch
    from monitor.model import CheckKey, Millis
    from monitor.sla.terms import Terms
    from monitor.store.database_thread import DatabaseThread

log = logging.getLogger(__name__)

PAUSE_FACTOR = 10
"""The pause after an update, as a multiple of its duration: an update uses at most a tenth of a core."""
MIN_PAUSE = 1.0
"""The shortest pause between two updates in seconds."""
STEP_SIZE = 500
"""Subscriptions that are advanced between two turns of the event loop: a millisecond or two."""
REBUILD_STEP_SIZE = 50
"""The same if many were read again: their windows are projected anew, which takes 60 us each."""
REBUILD_THRESHOLD = 500
"""Subscriptions to read again above which the garbage collector is paused."""
MISMATCH_CONFIRMATIONS = 3
"""Times that a difference must be found to count: results may be written between two reads, but not each time."""
PROBLEM = "figures"
MAX_MAIL_LINES = 20
"""Lines of one mail about differences."""
_MISMATCH_TEXTS = (
    "figure differed from the books and was corrected",
    "figures differed from the books and were corrected",
)


class LiveFiguresUpdater:
    """Updates the figures of both windows whenever a sweep was written."""

    def __init__(
        self,
        reader: DatabaseThread,
        live_state: LiveState,
        telemetry: Telemetry,
        clock: Clock,
        *,
        now: Callable[[], Millis],
        terms: Callable[[], Terms],
        on_mismatches: Callable[[tuple[str, ...]], None],
    ) -> None:
        """``on_mismatches`` mails the operators the figures that differed, one line each."""
        self._reader = reader
        self._live_state = live_state
        self._telemetry = telemetry
        self._clock = clock
        self._now = now
        self._terms = terms
        self._on_mismatches = on_mismatches
        self._live_figures = LiveFigures()
        self._checks_with_new_runs: set[CheckKey] = set()
        self._due = asyncio.Event()
        self._lock = asyncio.Lock()

    def on_new_runs(self, checks: Iterable[CheckKey]) -> None:
        """Add checks with a new run: another outcome than before, or a result after a gap."""
        self._checks_with_new_runs.update(checks)

    def on_sweep_written(self) -> None:
        """Request an update."""
        self._due.set()

    async def run(self) -> None:
        """Update until cancelled; the first update starts at once."""
        self._due.set()
        while True:
            await self._due.wait()
            self._due.clear()
            began = self._clock.monotonic()
            try:
                await self.update()
            except StoreError as error:
                log.warning("the figures: %s", error)
            await asyncio.sleep(max(MIN_PAUSE, PAUSE_FACTOR * (self._clock.monotonic() - began)))

    async def update(self) -> None:
        """Update the figures of all subscriptions. After a StoreError everything is read again next time."""
        async with self._lock:
            await self._advance()

    async def _advance(self) -> None:
        figures, now, terms = self._live_figures, self._now(), self._terms()
        stale: set[str] = set()
        for names in chunked(figures.names, STEP_SIZE):
            stale |= figures.stale_subscriptions(names, now, self._newest_result)
            await asyncio.sleep(0)
        # after the steps above, so that it includes checks that just got a result after a gap
        new_runs, self._checks_with_new_runs = self._checks_with_new_runs, set()
        large_update = (
            figures.needs_rebuild or terms is not figures.current or len(new_runs) + len(stale) > REBUILD_THRESHOLD
        )
        with gc_paused() if large_update else nullcontext():
            try:
                await self._reader.run(lambda db: figures.catch_up(db, now, terms, new_runs, stale))
            except StoreError:
                figures.invalidate()
                raise
            for names in chunked(figures.names, REBUILD_STEP_SIZE if large_update else STEP_SIZE):
                for change in figures.advance(names):
                    self._live_state.set_figures(*change)
                await asyncio.sleep(0)

    def _newest_result(self, check: CheckKey) -> Millis | None:
        view = self._live_state.checks.get(check)
        return view.at if view is not None else None

    async def verify(self) -> None:
        """Compute all figures from scratch and compare; report and correct what differs."""
        try:
            async with self._lock:
                mismatches = await self._find_mismatches()
                if mismatches:
                    self._report(mismatches)
                    self._live_figures.invalidate()
                    await self._advance()
                else:
                    self._live_state.clear_problem(PROBLEM)
        except StoreError as error:
            log.warning("the figures could not be checked: %s", error)

    async def _find_mismatches(self) -> list[FigureMismatch]:
        """Return figures that differ each time: results between two reads cause a difference only once."""
        names: set[str] | None = None
        for _ in range(MISMATCH_CONFIRMATIONS):
            await self._advance()
            chosen = names
            with gc_paused():
                mismatches = await self._reader.run(lambda db: find_mismatches(db, self._live_figures, chosen))  # noqa: B023 - awaited here
            if not mismatches:
                break
            names = {mismatch.subscription for mismatch in mismatches}
        return mismatches

    def _report(self, mismatches: list[FigureMismatch]) -> None:
        lines = tuple(
            f"{mismatch.subscription}, {mismatch.window}: shown {mismatch.live}, computed {mismatch.computed}"
            for mismatch in mismatches
        )
        for line in lines:
            log.error("figures differed from the ledger and are corrected: %s", line)
        self._telemetry.figures_drifted(len(mismatches))
        self._live_state.set_problem(
            PROBLEM,
            f"{pluralize(len(mismatches), *_MISMATCH_TEXTS)}, the first: {lines[0]}. "
            "Accounts, reports and credits are computed from the books and are not affected; please report this error.",
            ready=True,
        )
        more = (f"and {len(lines) - MAX_MAIL_LINES} more, in the log",) if len(lines) > MAX_MAIL_LINES else ()
        self._on_mismatches(lines[:MAX_MAIL_LINES] + more)
