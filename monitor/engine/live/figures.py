"""Keeps the figures of the page and the metrics up to date after each sweep.

What changed is read in the reader's thread; the other subscriptions advance in straight lines (``LiveFigures``), here,
a slice at a time. Once a day everything is computed from scratch and compared.
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
"""At most one part in so many of a core goes into keeping the figures up to date."""
MIN_PAUSE = 1.0
"""Seconds between two readings, at least."""
STEP_SIZE = 500
"""Subscriptions that are advanced before the loop may turn again: a millisecond or two."""
REBUILD_STEP_SIZE = 50
"""The same where many of them were read again: their windows are laid out anew, which takes 60 us each."""
REBUILD_THRESHOLD = 500
"""Subscriptions that have to be read again, from where on the collector is kept away."""
MISMATCH_CONFIRMATIONS = 3
"""A difference counts as drift when it is found so often: a result may be written between two looks, not always."""
PROBLEM = "figures"
MAX_MAIL_LINES = 20
"""Lines of one mail about drift."""
_MISMATCH_TEXTS = (
    "figure had drifted from the books and was corrected",
    "figures had drifted from the books and were corrected",
)


class LiveFiguresUpdater:
    """Brings the figures of both windows to now whenever a sweep was written."""

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
        """``on_mismatches`` tells the operators of figures that had drifted, a line each."""
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
        """Take note of checks that gave, after a commit, something else than before, or again after a gap."""
        self._checks_with_new_runs.update(checks)

    def on_sweep_written(self) -> None:
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
                await self.update()
            except StoreError as error:
                log.warning("the figures: %s", error)
            await asyncio.sleep(max(MIN_PAUSE, PAUSE_FACTOR * (self._clock.monotonic() - began)))

    async def update(self) -> None:
        """Bring every subscription's figures to now. Raises StoreError; then everything is read again next time."""
        async with self._lock:
            await self._advance()

    async def _advance(self) -> None:
        keeping, now, terms = self._live_figures, self._now(), self._terms()
        silent: set[str] = set()
        for names in chunked(keeping.names, STEP_SIZE):
            silent |= keeping.stale_subscriptions(names, now, self._newest_result)
            await asyncio.sleep(0)
        # only now: a check that was found to have spoken after a silence is among them
        began, self._checks_with_new_runs = self._checks_with_new_runs, set()
        much = keeping.needs_rebuild or terms is not keeping.current or len(began) + len(silent) > REBUILD_THRESHOLD
        with gc_paused() if much else nullcontext():
            try:
                await self._reader.run(lambda db: keeping.catch_up(db, now, terms, began, silent))
            except StoreError:
                keeping.invalidate()
                raise
            for names in chunked(keeping.names, REBUILD_STEP_SIZE if much else STEP_SIZE):
                for change in keeping.advance(names):
                    self._live_state.set_figures(*change)
                await asyncio.sleep(0)

    def _newest_result(self, check: CheckKey) -> Millis | None:
        view = self._live_state.checks.get(check)
        return view.at if view is not None else None

    async def verify(self) -> None:
        """Compute everything again and compare; log and correct what differs."""
        try:
            async with self._lock:
                found = await self._find_mismatches()
                if found:
                    self._report(found)
                    self._live_figures.invalidate()
                    await self._advance()
                else:
                    self._live_state.clear_problem(PROBLEM)
        except StoreError as error:
            log.warning("the figures could not be checked: %s", error)

    async def _find_mismatches(self) -> list[FigureMismatch]:
        """Look again at what differs: results that came in between the two readings make a difference once."""
        names: set[str] | None = None
        for _ in range(MISMATCH_CONFIRMATIONS):
            await self._advance()
            chosen = names
            with gc_paused():
                found = await self._reader.run(lambda db: find_mismatches(db, self._live_figures, chosen))  # noqa: B023 - awaited here
            if not found:
                break
            names = {drift.subscription for drift in found}
        return found

    def _report(self, mismatches: list[FigureMismatch]) -> None:
        lines = tuple(
            f"{drift.subscription}, {drift.window}: kept {drift.live}, computed {drift.computed}"
            for drift in mismatches
        )
        for line in lines:
            log.error("figures had drifted from the books, and are corrected: %s", line)
        self._telemetry.figures_drifted(len(mismatches))
        self._live_state.set_problem(
            PROBLEM,
            f"{pluralize(len(mismatches), *_MISMATCH_TEXTS)}, the first: {lines[0]}. "
            "Accounts, reports and credits are computed from the books and are not touched; please report it.",
            ready=True,
        )
        more = (f"and {len(lines) - MAX_MAIL_LINES} more, in the log",) if len(lines) > MAX_MAIL_LINES else ()
        self._on_mismatches(lines[:MAX_MAIL_LINES] + more)
