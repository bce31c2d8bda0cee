"""Updating the figures of all subscriptions after each sweep, compared with computing all of them anew.

A database is filled with a month of runs and outages, one server and one ping for each subscription. In every other
sweep some of the checks fail, and recover in the next one. The measurement is the processor time of updating both
windows of every subscription as the daemon does: reader thread and event loop together.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from collections import deque
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import click

from bench.report import Row
from monitor.clock import SystemClock
from monitor.engine.live.figures import LiveFiguresUpdater
from monitor.engine.live.state import CheckEntry, LiveState, SubscriptionEntry
from monitor.engine.live.telemetry import Telemetry
from monitor.ledger.accounts.accounts import LedgerView
from monitor.ledger.terms import record_terms
from monitor.model import PING, CheckKey, Outcome, Run, Subscription
from monitor.outage import OpenOutage
from monitor.sla.calendar import month_of
from monitor.sla.terms import CheckTerms, ServerTerms, Terms
from monitor.store import database, database_thread, results
from monitor.store import history as outages
from monitor.store.history import save_runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlite_utils import Database

    from monitor.model import Millis

INTERVAL = 60_000
DAY = 86_400_000
START: Millis = 1_794_787_200_000
"""2026-11-16 00:00 UTC: in the middle of a month, after a rolling month of history."""
GOAL_SUBSCRIPTIONS = 10_000
"""The number of subscriptions of the goal."""
OUTAGE_EVERY = 10
"""One of this many servers had outages in the past."""
OUTAGES_PER_MONTH = 2
"""Outages of such a server in the month."""


def make_terms(count: int) -> Terms:
    """Return a contract with one subscription on each of ``count`` servers."""
    names = [f"server-{number:05d}" for number in range(count)]
    return Terms(
        in_force=START - 40 * DAY,
        timezone="Europe/Istanbul",
        rounding="down",
        rolling_days=30,
        interval=INTERVAL,
        servers={name: ServerTerms(2, (CheckTerms(PING, "icmp"),)) for name in names},
        subscriptions={
            f"s-{name}": Subscription(f"s-{name}", "c", name, "server", None, None, 1, None, None) for name in names
        },
        customers={"c": "C"},
    )


class SyntheticHistory:
    """A recorded month, and the sweeps after it."""

    def __init__(self, file: Path, terms: Terms) -> None:
        self.terms = terms
        self.db = database.open_read_write(file)
        self.keys = [CheckKey(name, PING) for name in terms.servers]
        with database.transaction(self.db):
            record_terms(self.db, terms, terms.in_force)
            self.numbers = [results.ensure_check_id(self.db, key) for key in self.keys]
            self.runs = [self._month(index) for index in range(len(self.keys))]
        self.now = START

    def _month(self, index: int) -> Run:
        """Write the history of a check: ok for a month, with some outages of five minutes; return the last run."""
        number, first, hold = self.numbers[index], START - 35 * DAY, 2 * INTERVAL
        runs: list[Run] = []
        for repeat in range(OUTAGES_PER_MONTH if index % OUTAGE_EVERY == 0 else 0):
            start = START - (25 - 10 * repeat) * DAY + index * INTERVAL
            last_ok, end = start - INTERVAL, start + 5 * INTERVAL
            runs += [Run(first, last_ok, Outcome.OK, hold), Run(start, end - INTERVAL, Outcome.FAIL, hold)]
            outage = outages.insert_outage(self.db, number, OpenOutage(start, end - INTERVAL, last_ok, "timeout"))
            outages.close_outage(self.db, outage, end)
            first = end
        runs.append(Run(first, START, Outcome.OK, hold))
        save_runs(self.db, ((number, run) for run in runs))
        return runs[-1]

    def record_sweep(self, down: set[int]) -> list[CheckKey]:
        """Write the runs of the next sweep; return the checks with a new run."""
        self.now += INTERVAL
        began = []
        for index, run in enumerate(self.runs):
            outcome = Outcome.FAIL if index in down else Outcome.OK
            if run.outcome is outcome:
                self.runs[index] = Run(run.first, self.now, outcome, run.hold)
            else:
                self.runs[index] = Run(self.now, self.now, outcome, run.hold)
                began.append(self.keys[index])
        with database.transaction(self.db):
            save_runs(self.db, zip(self.numbers, self.runs, strict=True))
        return began


class FigureUpdaterFixture:
    """The daemon's updater of figures, and its live state."""

    def __init__(self, file: Path, history: SyntheticHistory) -> None:
        self.history = history
        self.reader = database_thread.ReaderThread(file)
        self.state = LiveState()
        steps = self.state.replace_config_steps(
            [CheckEntry(*key, "icmp", "127.0.0.1") for key in history.keys],
            [
                SubscriptionEntry(one.id, "c", one.server, one.product, 2, 9975)
                for one in history.terms.subscriptions.values()
            ],
            interval=60_000,
            timezone="UTC",
            released=[],
        )
        deque(steps, maxlen=0)
        self.updater = LiveFiguresUpdater(
            self.reader,
            self.state,
            Telemetry(),
            SystemClock(),
            now=lambda: history.now + 500,
            terms=lambda: history.terms,
            on_mismatches=lambda _: None,
        )

    async def update(self) -> float:
        """Update all figures; return the processor time in seconds."""
        gc.collect()
        began = time.process_time()
        await self.updater.update()
        return time.process_time() - began

    async def record_and_update(self, down: set[int]) -> float:
        """Write a sweep and update; return the processor time in seconds."""
        began = self.history.record_sweep(down)
        for view in self.state.checks.values():
            view.at = self.history.now
        self.updater.on_new_runs(began)
        return await self.update()


def compute_from_scratch(db: Database, now: Millis, terms: Terms) -> float:
    """Compute both windows anew; return the processor time in seconds."""
    began = time.process_time()
    ledger = LedgerView(db, now, terms)
    ledger.month(*month_of(now, terms.timezone))
    ledger.rolling(terms.rolling_days)
    return time.process_time() - began


async def measure(count: int, sweeps: int, shares: Sequence[float]) -> dict[str, float]:
    """Measure the start, sweeps in which ``shares`` percent of the checks change, and a new computation; in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, database.DATABASE_FILE)
        history = SyntheticHistory(file, make_terms(count))
        fixture = FigureUpdaterFixture(file, history)
        found = {"start": await fixture.update()}
        for share in shares:
            changing = set(range(0, count, max(1, round(100 / share)))) if share else set()
            costs = [
                await fixture.record_and_update(changing if number % 2 == 0 else set()) for number in range(sweeps)
            ]
            found[f"{share:g} %"] = median(costs)
            await fixture.record_and_update(set())
        found["again"] = await fixture.reader.run(lambda db: compute_from_scratch(db, history.now, history.terms))
        await fixture.reader.close()
    return found


@click.command()
@click.option("--subscriptions", default=GOAL_SUBSCRIPTIONS, show_default=True, type=click.IntRange(1))
@click.option(
    "--sweeps", default=6, show_default=True, type=click.IntRange(2), help="Sweeps of each share; their median counts."
)
def main(subscriptions: int, sweeps: int) -> list[Row]:
    """Measure the update of the figures of all subscriptions after a sweep, and their new computation."""
    found = asyncio.run(measure(subscriptions, sweeps, (0.1, 1, 10)))
    again = 1_000 * found["again"]
    rows = [
        Row(
            f"figures of {subscriptions:,} subscriptions kept, {share} of the checks change in a sweep",
            1_000 * found[share],
            "ms CPU",
            again,
            "computed again",
            at_most=50 if share == "0.1 %" and subscriptions == GOAL_SUBSCRIPTIONS else None,
        )
        for share in ("0.1 %", "1 %", "10 %")
    ]
    return [*rows, Row("their first figures at start", 1_000 * found["start"], "ms CPU", again, "computed again")]
