"""The one way in for results: probed here or imported, they become runs, outages, journal entries and mails.

Everything in this module runs in the writer's thread, inside one transaction: either all of it happened or none. What
it remembers of each check is only a copy of what the tables say, read again whenever another process wrote or a
transaction failed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import TYPE_CHECKING

from monitor.ledger.maintenance_windows import known_windows
from monitor.ledger.notifications import outages as notices
from monitor.model import Outage, Outcome, Run
from monitor.outage import AlertState, Notification, OutageChange, OutageState, advance, decide_notification
from monitor.sla.maintenance import is_active
from monitor.sla.timeline import extend_run
from monitor.store import history, journal, results
from monitor.store.history import extend_runs, last_oks, last_runs, save_runs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlite_utils import Database

    from monitor.ledger.context import LedgerContext
    from monitor.model import CheckKey, Millis, Result
    from monitor.outage import OpenOutage
    from monitor.sla.maintenance import MaintenanceWindow


# --- what the recording remembers of each check, and what it returns --------------------------------------------------


@dataclass(slots=True)
class CheckRecord:
    """What is remembered of one check."""

    number: int
    run: Run | None = None
    outage_state: OutageState = field(default_factory=OutageState)
    """As of the last result that was more than another ok: the run tells of those."""
    outage: int | None = None
    """The number of the open outage."""
    alerting: AlertState = field(default_factory=AlertState)

    def current_outage_state(self) -> OutageState:
        """Return the standing with the oks that came meanwhile."""
        run = self.run
        if run is not None and run.outcome is Outcome.OK and self.outage_state.last_ok != run.last:
            self.outage_state = replace(self.outage_state, last_ok=run.last)
        return self.outage_state


@dataclass(slots=True)
class OpenBatch:
    """A sweep whose digest is not in the journal yet, and within which times its results lie."""

    number: int
    first: Millis
    last: Millis


@dataclass(frozen=True, slots=True)
class RecordedResults:
    """What came of some results: they are in the books."""

    results: tuple[Result, ...]
    rejected: tuple[Result, ...]
    """Results for a time that their check has been accounted for already (the clock ran backwards)."""
    opened_outages: tuple[Outage, ...] = ()
    """Those that began and are still open."""
    ended_outages: tuple[int, ...] = ()
    """The numbers of those that ended."""
    checks_with_new_runs: frozenset[CheckKey] = frozenset()
    """The checks of which a run began: every other result repeated what its check had given before."""


@dataclass(slots=True)
class PendingBatch:
    """Results on their way into the books, and what came of them so far."""

    incoming: list[Result]
    accepted: list[tuple[int, Result]] = field(default_factory=list)
    rejected: list[Result] = field(default_factory=list)
    new_runs: dict[tuple[int, Millis], tuple[int, Run]] = field(default_factory=dict)
    """By check and beginning."""
    extended_runs: dict[tuple[int, Millis], Millis] = field(default_factory=dict)
    """Until when, by check and beginning."""
    checks_with_new_runs: set[CheckKey] = field(default_factory=set)
    opened_outages: dict[int, Outage] = field(default_factory=dict)
    ended_outages: list[int] = field(default_factory=list)

    def as_recorded(self) -> RecordedResults:
        """Say what came of them, once they are written."""
        written = tuple(result for _, result in self.accepted)
        opened, ended = tuple(self.opened_outages.values()), tuple(self.ended_outages)
        return RecordedResults(written, tuple(self.rejected), opened, ended, frozenset(self.checks_with_new_runs))


def unchanged_outcome(record: CheckRecord, hold: Millis, at: Millis) -> Outcome | None:
    """Return the outcome by which a result at ``at`` would only lengthen its check's run; None where any changes more.

    It is what nearly every result is: ok after ok. The same comes of it by ``advance``, ``decide`` and ``extend``.
    """
    run = record.run
    if run is None or run.outcome is not Outcome.OK or run.hold != hold or at - run.last > hold:
        return None
    return Outcome.OK if record.outage is None and record.alerting.flapping_since is None else None


def open_outage(key: CheckKey, record: CheckRecord) -> Outage | None:
    """Return the open outage of a check; None where none is."""
    outage = record.outage_state.open_outage
    if outage is None or record.outage is None:
        return None
    return Outage(record.outage, key, outage.start, outage.last_fail, None, outage.last_ok, outage.reason)


# --- batches of results: each has one journal entry with its digest ---------------------------------------------------


def close_batch(db: Database, batch: int, source: str, within: tuple[Millis, Millis] | None, at: Millis) -> None:
    """Put the digest of a batch into the journal; a batch in which nothing came is forgotten."""
    digest = results.digest_batch(db, batch, within) if within else None
    if digest is None:
        results.drop_batch(db, batch)
        return
    body = {
        "batch": batch,
        "source": source,
        "count": digest.count,
        "first": digest.first,
        "last": digest.last,
        "sha256": digest.sha256,
    }
    results.close_batch(db, batch, journal.append(db, at, "results", body))


_AT = attrgetter("at")


@dataclass
class Recording:
    """The door; one for each database that is written."""

    context: LedgerContext
    _checks: dict[CheckKey, CheckRecord] = field(default_factory=dict)
    _windows: tuple[MaintenanceWindow, ...] = ()
    _batches: dict[int, OpenBatch] = field(default_factory=dict)
    _closed_sweeps: set[int] = field(default_factory=set)
    """Sweeps closed by the last transaction: only the next one knows that it was committed."""
    _data_version: int | None = None

    def invalidate(self) -> None:
        """Read everything again before the next write: the last one did not happen."""
        self._data_version = None

    def refresh(self, db: Database) -> None:
        """Read from the tables what another process may have changed."""
        version: int = db.execute("PRAGMA data_version").fetchone()[0]
        committed = {sweep: batch for sweep, batch in self._batches.items() if sweep not in self._closed_sweeps}
        self._closed_sweeps.clear()
        if version == self._data_version:
            self._batches = committed
            return
        runs, oks, opened = last_runs(db), last_oks(db), history.open_outages(db)
        told = history.read_alerting(db)
        self._checks = {}
        for key, number in results.check_ids(db).items():
            outage_number, outage = opened.get(number, (None, None))
            standing = OutageState(oks.get(number), outage)
            alerting = told.get(number, AlertState())
            self._checks[key] = CheckRecord(number, runs.get(number), standing, outage_number, alerting)
        self._windows = known_windows(db)
        still_open = {number for number, _, _ in results.open_batches(db)}
        self._batches = {sweep: batch for sweep, batch in self._batches.items() if batch.number in still_open}
        self._data_version = version

    def record(self, db: Database, sweep: int, incoming: Iterable[Result], at: Millis) -> RecordedResults:
        """Write down the results of one sweep, or a part of them, in time order; ``at`` is now."""
        self.refresh(db)
        batch = PendingBatch(sorted(incoming, key=_AT))
        hold = self.context.hold
        for result in batch.incoming:
            books = self._checks.get(result.check) or self._check_record(db, result.check)
            run = books.run
            if run is not None and result.at <= run.last:
                batch.rejected.append(result)
                continue
            if result.outcome is unchanged_outcome(books, hold, result.at):
                assert run is not None
                books.run = Run(run.first, result.at, run.outcome, hold)
                batch.extended_runs[books.number, run.first] = result.at
            else:
                self._record_change(db, sweep, books, result, batch, at)
            batch.accepted.append((books.number, result))
        if batch.accepted:
            number = self._sweep_batch(db, sweep, batch.accepted[0][1].at, batch.accepted[-1][1].at, at)
            results.add(db, number, batch.accepted)
        save_runs(db, batch.new_runs.values())
        extend_runs(db, batch.extended_runs)
        return batch.as_recorded()

    def _sweep_batch(self, db: Database, sweep: int, first: Millis, last: Millis, at: Millis) -> int:
        batch = self._batches.get(sweep)
        if batch is None:
            batch = self._batches[sweep] = OpenBatch(results.begin_batch(db, "probe", at), first, last)
        batch.first, batch.last = min(batch.first, first), max(batch.last, last)
        return batch.number

    def _check_record(self, db: Database, key: CheckKey) -> CheckRecord:
        if key not in self._checks:
            self._checks[key] = CheckRecord(results.ensure_check_id(db, key))
        return self._checks[key]

    def _record_change(
        self, db: Database, sweep: int, record: CheckRecord, result: Result, batch: PendingBatch, at: Millis
    ) -> None:
        """Take a result that may change more than its check's run."""
        before, was_open = record.current_outage_state(), record.outage
        record.outage_state, change = advance(before, result)
        outage = self._record_outage(db, record, before, change, result, at)
        silent = any(is_active(window, result.check.server, result.at) for window in self._windows)
        told = record.alerting
        record.alerting, notice = decide_notification(
            told, change, result, in_maintenance=silent, interval=self.context.interval
        )
        if record.alerting != told:
            history.save_alerting(db, record.number, record.alerting)
        if notice:
            # what has settled is told with the beginning of its flapping, which is forgotten from now on
            known = told if notice is Notification.FLAPPING_ENDED else record.alerting
            news = notices.CheckNews(notice, result.check, outage, known, result.outcome)
            waits = notice is Notification.DOWN and self._parent_may_go_down(result.check.server)
            notices.add_news(db, self.context, news, sweep, at, wait_for_parent=waits)
        record.outage = outage if record.outage_state.open_outage else None
        record.run = extend_run(record.run, result, self.context.hold)
        if record.run.first == result.at:
            batch.new_runs[record.number, result.at] = record.number, record.run
            batch.checks_with_new_runs.add(result.check)
        else:
            batch.extended_runs[record.number, record.run.first] = result.at
        if was_open is not None and record.outage is None:
            batch.opened_outages.pop(was_open, None)
            batch.ended_outages.append(was_open)
        elif was_open is None and (opened := open_outage(result.check, record)):
            batch.opened_outages[opened.id] = opened

    def _record_outage(
        self, db: Database, record: CheckRecord, before: OutageState, change: OutageChange, result: Result, at: Millis
    ) -> int | None:
        """Write down what a result did to the outages; gives the number of the outage that it concerns."""
        number = record.outage
        if change is OutageChange.OPENED and record.outage_state.open_outage:
            number = history.insert_outage(db, record.number, record.outage_state.open_outage)
            journal.append(db, at, "outage-opened", _opened_body(number, result.check, record.outage_state.open_outage))
        elif change is OutageChange.CONTINUED and number is not None:
            history.update_last_fail(db, number, result.at)
        elif change is OutageChange.ENDED and number is not None and before.open_outage:
            history.close_outage(db, number, result.at)
            ended = {"outage": number, "end": result.at, "last_fail": before.open_outage.last_fail}
            journal.append(db, at, "outage-ended", ended)
        return number

    def _parent_may_go_down(self, server: str) -> bool:
        """Whether the server hangs on one that still counts as up: then that one's next word is awaited."""
        known = self.context.servers.get(server)
        parent = self.context.servers.get(known.parent) if known and known.parent else None
        if parent is None or not parent.checks:
            return False
        books = self._checks.get(parent.checks[0].key)
        return books is not None and books.outage_state.open_outage is None

    def end_sweep(self, db: Database, sweep: int, at: Millis) -> int:
        """Close a sweep: its digest goes into the journal, its mails may leave. Gives the journal's length."""
        self.refresh(db)
        batch = self._batches.get(sweep)
        self._closed_sweeps.add(sweep)
        if batch is not None:
            close_batch(db, batch.number, "probe", (batch.first, batch.last), at)
        notices.finish_sweep(db, self.context, sweep, at)
        return journal.length(db)

    def recover(self, db: Database, at: Millis) -> None:
        """Pick up what an earlier process left: close its sweeps and let its gathered mails leave."""
        self.refresh(db)
        for number, source, _ in results.open_batches(db):
            close_batch(db, number, source, results.batch_bounds(db, number), at)
        self._batches.clear()
        notices.finish_sweep(db, self.context, 1 << 62, at)

    @property
    def windows(self) -> tuple[MaintenanceWindow, ...]:
        """The maintenance windows, as last read."""
        return self._windows

    def check_states(self) -> list[tuple[CheckKey, Run | None, Outage | None]]:
        """Return what is known of every check that ever was, as last read or written: its last run, its open outage."""
        return [(key, books.run, open_outage(key, books)) for key, books in self._checks.items()]


def _opened_body(number: int, key: CheckKey, outage: OpenOutage) -> dict[str, object]:
    return {
        "outage": number,
        "server": key.server,
        "check": key.name,
        "start": outage.start,
        "last_ok": outage.last_ok,
        "reason": outage.reason,
    }
