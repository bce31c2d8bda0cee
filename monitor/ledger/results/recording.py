"""The one way in for results: probed here or imported, they become runs, outages, journal entries and mails.

Everything in this module runs in the writer's thread, inside one transaction: either all of it happened or none. What
it remembers of each check is only a copy of what the tables say, read again whenever another process wrote or a
transaction failed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING

from monitor.ledger.batches import close_batch
from monitor.ledger.maintenance_windows import known_windows
from monitor.ledger.notifications import outages as notices
from monitor.ledger.remembered import Batch, CheckBooks, OpenBatch, open_outage, run_on
from monitor.model import Run
from monitor.outage import Alerting, Change, Notice, Standing, advance, decide
from monitor.sla.maintenance import active
from monitor.sla.timeline import extend
from monitor.store import journal, outages, results
from monitor.store.history import grow_runs, last_oks, last_runs, put_runs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlite_utils import Database

    from monitor.ledger.context import Context
    from monitor.ledger.remembered import Recorded
    from monitor.model import CheckKey, Millis, Outage, Result
    from monitor.outage import OpenOutage
    from monitor.sla.maintenance import Window

_AT = attrgetter("at")
DAY = 86_400_000
"""Milliseconds: a batch that was left open has no result older than this before it was opened."""


@dataclass
class Recording:
    """The door; one for each database that is written."""

    context: Context
    _checks: dict[CheckKey, CheckBooks] = field(default_factory=dict)
    _windows: tuple[Window, ...] = ()
    _batches: dict[int, OpenBatch] = field(default_factory=dict)
    _closed: set[int] = field(default_factory=set)
    """Sweeps closed by the last transaction: only the next one knows that it was committed."""
    _version: int | None = None

    def forget(self) -> None:
        """Read everything again before the next write: the last one did not happen."""
        self._version = None

    def refresh(self, db: Database) -> None:
        """Read from the tables what another process may have changed."""
        version: int = db.execute("PRAGMA data_version").fetchone()[0]
        committed = {sweep: batch for sweep, batch in self._batches.items() if sweep not in self._closed}
        self._closed.clear()
        if version == self._version:
            self._batches = committed
            return
        runs, oks, opened = last_runs(db), last_oks(db), outages.open_outages(db)
        told = outages.alertings(db)
        self._checks = {}
        for key, number in results.numbers(db).items():
            outage_number, outage = opened.get(number, (None, None))
            standing = Standing(oks.get(number), outage)
            alerting = told.get(number, Alerting())
            self._checks[key] = CheckBooks(number, runs.get(number), standing, outage_number, alerting)
        self._windows = known_windows(db)
        still_open = {number for number, _, _ in results.open_batches(db)}
        self._batches = {sweep: batch for sweep, batch in self._batches.items() if batch.number in still_open}
        self._version = version

    def record(self, db: Database, sweep: int, came: Iterable[Result], at: Millis) -> Recorded:
        """Write down the results of one sweep, or a part of them, in time order; ``at`` is now."""
        self.refresh(db)
        batch = Batch(sorted(came, key=_AT))
        hold = self.context.hold
        for result in batch.came:
            books = self._checks.get(result.check) or self._books(db, result.check)
            run = books.run
            if run is not None and result.at <= run.last:
                batch.refused.append(result)
                continue
            if result.outcome is run_on(books, hold, result.at):
                assert run is not None
                books.run = Run(run.first, result.at, run.outcome, hold)
                batch.grown[books.number, run.first] = result.at
            else:
                self._take(db, sweep, books, result, batch, at)
            batch.taken.append((books.number, result))
        if batch.taken:
            number = self._batch(db, sweep, batch.taken[0][1].at, batch.taken[-1][1].at, at)
            results.add(db, number, batch.taken)
        put_runs(db, batch.begun.values())
        grow_runs(db, batch.grown)
        return batch.recorded()

    def _batch(self, db: Database, sweep: int, first: Millis, last: Millis, at: Millis) -> int:
        batch = self._batches.get(sweep)
        if batch is None:
            batch = self._batches[sweep] = OpenBatch(results.open_batch(db, "probe", at), first, last)
        batch.first, batch.last = min(batch.first, first), max(batch.last, last)
        return batch.number

    def _books(self, db: Database, key: CheckKey) -> CheckBooks:
        if key not in self._checks:
            self._checks[key] = CheckBooks(results.number_of(db, key))
        return self._checks[key]

    def _take(self, db: Database, sweep: int, books: CheckBooks, result: Result, batch: Batch, at: Millis) -> None:
        """Take a result that may change more than its check's run."""
        before, was_open = books.caught_up(), books.outage
        books.standing, change = advance(before, result)
        outage = self._keep(db, books, before, change, result, at)
        silent = any(active(window, result.check.server, result.at) for window in self._windows)
        told = books.alerting
        books.alerting, notice = decide(told, change, result, silent=silent, interval=self.context.interval)
        if books.alerting != told:
            outages.put_alerting(db, books.number, books.alerting)
        if notice:
            # what has settled is told with the beginning of its flapping, which is forgotten from now on
            known = told if notice is Notice.SETTLED else books.alerting
            news = notices.News(notice, result.check, outage, known, result.outcome)
            waits = notice is Notice.DOWN and self._parent_may_fall(result.check.server)
            notices.gather(db, self.context, news, sweep, at, waits=waits)
        books.outage = outage if books.standing.outage else None
        books.run = extend(books.run, result, self.context.hold)
        if books.run.first == result.at:
            batch.begun[books.number, result.at] = books.number, books.run
            batch.began.add(result.check)
        else:
            batch.grown[books.number, books.run.first] = result.at
        if was_open is not None and books.outage is None:
            batch.opened.pop(was_open, None)
            batch.ended.append(was_open)
        elif was_open is None and (opened := open_outage(result.check, books)):
            batch.opened[opened.id] = opened

    def _keep(
        self, db: Database, books: CheckBooks, before: Standing, change: Change, result: Result, at: Millis
    ) -> int | None:
        """Write down what a result did to the outages; gives the number of the outage that it concerns."""
        number = books.outage
        if change is Change.OPENED and books.standing.outage:
            number = outages.begin(db, books.number, books.standing.outage)
            journal.append(db, at, "outage-opened", _opened(number, result.check, books.standing.outage))
        elif change is Change.CONTINUED and number is not None:
            outages.grow(db, number, result.at)
        elif change is Change.ENDED and number is not None and before.outage:
            outages.finish(db, number, result.at)
            ended = {"outage": number, "end": result.at, "last_fail": before.outage.last_fail}
            journal.append(db, at, "outage-ended", ended)
        return number

    def _parent_may_fall(self, server: str) -> bool:
        """Whether the server hangs on one that still counts as up: then that one's next word is awaited."""
        known = self.context.servers.get(server)
        parent = self.context.servers.get(known.parent) if known and known.parent else None
        if parent is None or not parent.checks:
            return False
        books = self._checks.get(parent.checks[0].key)
        return books is not None and books.standing.outage is None

    def end_sweep(self, db: Database, sweep: int, at: Millis) -> int:
        """Close a sweep: its digest goes into the journal, its mails may leave. Gives the journal's length."""
        self.refresh(db)
        batch = self._batches.get(sweep)
        self._closed.add(sweep)
        if batch is not None:
            close_batch(db, batch.number, "probe", (batch.first, batch.last), at)
        notices.release(db, self.context, sweep, at)
        return journal.length(db)

    def take_over(self, db: Database, at: Millis) -> None:
        """Pick up what an earlier process left: close its sweeps and let its gathered mails leave."""
        self.refresh(db)
        for number, source, opened in results.open_batches(db):
            close_batch(db, number, source, results.bounds(db, number, opened - DAY), at)
        self._batches.clear()
        notices.release(db, self.context, 1 << 62, at)

    @property
    def windows(self) -> tuple[Window, ...]:
        """The maintenance windows, as last read."""
        return self._windows

    def standings(self) -> list[tuple[CheckKey, Run | None, Outage | None]]:
        """Give what is known of every check that ever was, as last read or written: its last run, its open outage."""
        return [(key, books.run, open_outage(key, books)) for key, books in self._checks.items()]


def _opened(number: int, key: CheckKey, outage: OpenOutage) -> dict[str, object]:
    return {
        "outage": number,
        "server": key.server,
        "check": key.name,
        "start": outage.start,
        "last_ok": outage.last_ok,
        "reason": outage.reason,
    }
