"""Records measured results: stores them with their runs, outages, journal entries and mails.

Everything in this module runs in the writer's thread, inside one transaction. Recording has two steps:
``transitions.compute_changes`` computes what results change, ``Recording`` writes it. The state in memory is a copy of
the tables, read again whenever another process has written or a transaction has failed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from monitor.ledger.maintenance_windows import known_windows
from monitor.ledger.notifications import outages as notifications
from monitor.ledger.results.transitions import CheckState, RecordedState, compute_changes
from monitor.model import Outage
from monitor.outage import AlertState, OutageChange, OutageState
from monitor.store import history, journal, results

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlite_utils import Database

    from monitor.ledger.context import LedgerContext
    from monitor.ledger.results.transitions import Changes, Transition
    from monitor.model import CheckKey, Millis, Result, Run
    from monitor.outage import OpenOutage
    from monitor.sla.maintenance import MaintenanceWindow


@dataclass(slots=True)
class OpenBatch:
    """The batch of a sweep whose digest is not in the journal yet, with the time range of its results."""

    number: int
    first: Millis
    last: Millis


@dataclass(frozen=True, slots=True)
class RecordedResults:
    """Recorded results and what they changed."""

    results: tuple[Result, ...]
    rejected: tuple[Result, ...]
    """Results for a time that is accounted for already, since the clock ran backwards."""
    opened_outages: tuple[Outage, ...] = ()
    """The outages that started and are still open."""
    ended_outages: tuple[int, ...] = ()
    """The ids of the outages that ended."""
    checks_with_new_runs: frozenset[CheckKey] = frozenset()
    """The checks with a new run; the results of all others repeat the last outcome."""


# --- batches of results: each has one journal entry with its digest ---------------------------------------------------


def close_batch(db: Database, batch: int, source: str, within: tuple[Millis, Millis] | None, at: Millis) -> None:
    """Append the digest of a batch to the journal; an empty batch is deleted."""
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


@dataclass
class Recording:
    """Records the results of sweeps; there is one for each database."""

    context: LedgerContext
    _check_ids: dict[CheckKey, int] = field(default_factory=dict)
    _outage_ids: dict[CheckKey, int] = field(default_factory=dict)
    """The id of the open outage of each check that has one."""
    _state: RecordedState = field(default_factory=RecordedState)
    _windows: tuple[MaintenanceWindow, ...] = ()
    _batches: dict[int, OpenBatch] = field(default_factory=dict)
    _closed_sweeps: set[int] = field(default_factory=set)
    """Sweeps closed by the last transaction, which is known to be committed only at the next one."""
    _data_version: int | None = None

    def invalidate(self) -> None:
        """Read the state again before the next write, since the last transaction failed."""
        self._data_version = None

    def refresh(self, db: Database) -> None:
        """Read the state from the tables, if another process may have changed them."""
        version: int = db.execute("PRAGMA data_version").fetchone()[0]
        committed = {sweep: batch for sweep, batch in self._batches.items() if sweep not in self._closed_sweeps}
        self._closed_sweeps.clear()
        if version == self._data_version:
            self._batches = committed
            return
        runs, last_oks, open_outages = history.last_runs(db), history.last_oks(db), history.open_outages(db)
        alerting = history.read_alerting(db)
        self._check_ids = results.check_ids(db)
        self._outage_ids.clear()
        self._state = RecordedState()
        for key, check_id in self._check_ids.items():
            outage = None
            if check_id in open_outages:
                self._outage_ids[key], outage = open_outages[check_id]
            if check_id in runs:
                self._state.runs[key] = runs[check_id]
            outage_state = OutageState(last_oks.get(check_id), outage)
            self._state.checks[key] = CheckState(outage_state, alerting.get(check_id, AlertState()))
        self._windows = known_windows(db)
        still_open = {check_id for check_id, _, _ in results.open_batches(db)}
        self._batches = {sweep: batch for sweep, batch in self._batches.items() if batch.number in still_open}
        self._data_version = version

    def record(self, db: Database, sweep: int, incoming: Iterable[Result], at: Millis) -> RecordedResults:
        """Record the results of one sweep, or a part of them; ``at`` is now."""
        self.refresh(db)
        changes = compute_changes(self._state, incoming, self.context, self._windows)
        recorded = self._write(db, sweep, changes, at)
        self._state.apply(changes)
        return recorded

    def _write(self, db: Database, sweep: int, changes: Changes, at: Millis) -> RecordedResults:
        """Write changes: outages, notifications and journal first, then the results and their runs."""
        ids = self._check_ids
        for result in changes.accepted:
            if result.check not in ids:
                ids[result.check] = results.ensure_check_id(db, result.check)
        opened: dict[int, Outage] = {}
        ended: list[int] = []
        for transition in changes.transitions:
            outage_id = self._write_outage(db, transition, at)
            outage = _as_outage(outage_id, transition.result.check, transition.outage)
            if outage is not None and transition.change is OutageChange.OPENED:
                opened[outage.id] = outage
            elif outage is not None and transition.change is OutageChange.ENDED:
                opened.pop(outage.id, None)
                ended.append(outage.id)
            self._write_notification(db, transition, outage_id, sweep, at)
        if changes.accepted:
            batch = self._sweep_batch(db, sweep, changes.accepted[0].at, changes.accepted[-1].at, at)
            results.add(db, batch, ((ids[result.check], result) for result in changes.accepted))
        history.save_runs(db, ((ids[key], run) for (key, _), run in changes.new_runs.items()))
        history.extend_runs(db, {(ids[key], first): last for (key, first), last in changes.extended_runs.items()})
        checks_with_new_runs = frozenset(key for key, _ in changes.new_runs)
        return RecordedResults(
            tuple(changes.accepted), tuple(changes.rejected), tuple(opened.values()), tuple(ended), checks_with_new_runs
        )

    def _sweep_batch(self, db: Database, sweep: int, first: Millis, last: Millis, at: Millis) -> int:
        batch = self._batches.get(sweep)
        if batch is None:
            batch = self._batches[sweep] = OpenBatch(results.begin_batch(db, "probe", at), first, last)
        batch.first, batch.last = min(batch.first, first), max(batch.last, last)
        return batch.number

    def _write_outage(self, db: Database, transition: Transition, at: Millis) -> int | None:
        """Write the change of an outage; return the id of the outage that the result concerns."""
        key, outage, result = transition.result.check, transition.outage, transition.result
        outage_id = self._outage_ids.get(key)
        if outage is None:
            return outage_id
        if transition.change is OutageChange.OPENED:
            outage_id = self._outage_ids[key] = history.insert_outage(db, self._check_ids[key], outage)
            body = {
                "outage": outage_id,
                "server": key.server,
                "check": key.name,
                "start": outage.start,
                "last_ok": outage.last_ok,
                "reason": outage.reason,
            }
            journal.append(db, at, "outage-opened", body)
        elif transition.change is OutageChange.CONTINUED and outage_id is not None:
            history.update_last_fail(db, outage_id, result.at)
        elif transition.change is OutageChange.ENDED and outage_id is not None:
            del self._outage_ids[key]
            history.close_outage(db, outage_id, result.at)
            body = {"outage": outage_id, "end": result.at, "last_fail": outage.last_fail}
            journal.append(db, at, "outage-ended", body)
        return outage_id

    def _write_notification(
        self, db: Database, transition: Transition, outage: int | None, sweep: int, at: Millis
    ) -> None:
        result = transition.result
        if transition.alerting is not None:
            history.save_alerting(db, self._check_ids[result.check], transition.alerting)
        if transition.notification is not None:
            news = notifications.CheckNews(
                transition.notification, result.check, outage, transition.notified, result.outcome
            )
            notifications.add_news(db, self.context, news, sweep, at, wait_for_parent=transition.wait_for_parent)

    def end_sweep(self, db: Database, sweep: int, at: Millis) -> int:
        """Close a sweep: append its digest to the journal and release its mails. Return the journal's length."""
        self.refresh(db)
        batch = self._batches.get(sweep)
        self._closed_sweeps.add(sweep)
        if batch is not None:
            close_batch(db, batch.number, "probe", (batch.first, batch.last), at)
        notifications.finish_sweep(db, self.context, sweep, at)
        return journal.length(db)

    def recover(self, db: Database, at: Millis) -> None:
        """Complete what an earlier process left: close its sweeps and release its digests."""
        self.refresh(db)
        for batch, source, _ in results.open_batches(db):
            close_batch(db, batch, source, results.batch_bounds(db, batch), at)
        self._batches.clear()
        notifications.finish_sweep(db, self.context, 1 << 62, at)

    @property
    def windows(self) -> tuple[MaintenanceWindow, ...]:
        """The maintenance windows, as last read."""
        return self._windows

    def check_states(self) -> list[tuple[CheckKey, Run | None, Outage | None]]:
        """Return the last run and the open outage of every recorded check, as last read or written."""
        return [
            (key, self._state.runs.get(key), _as_outage(self._outage_ids.get(key), key, state.outage.open_outage))
            for key, state in self._state.checks.items()
        ]


def _as_outage(outage_id: int | None, key: CheckKey, outage: OpenOutage | None) -> Outage | None:
    if outage_id is None or outage is None:
        return None
    return Outage(outage_id, key, outage.start, outage.last_fail, None, outage.last_ok, outage.reason)
