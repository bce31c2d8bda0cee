"""Imports results that were measured elsewhere; they count like the monitor's own and are marked as imported.

They can lie anywhere in the past, between measured results. So the runs and outages of each check are rebuilt from its
results, from the first imported one on. An outage keeps its number when it grows; of joined outages the earliest keeps
its number, of a split outage the first part does. Imported history sends no mail.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from monitor.ledger.months.corrections import apply_terms
from monitor.ledger.outage_history import HistoryRebuild, outage_body
from monitor.ledger.recorded_by import recorded_by
from monitor.ledger.results.recording import close_batch
from monitor.ledger.terms import terms_versions
from monitor.model import CheckKey, Outage, Result
from monitor.outage import AlertState, OutageState
from monitor.store import history, history_rebuild, import_staging, journal, results
from monitor.store.archive import compaction
from monitor.store.history import save_runs

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlite_utils import Database

    from monitor.model import Millis
    from monitor.sla.terms import Terms

CHUNK_SIZE = 50_000
"""Results in one batch, which has one digest in the journal."""
IMPORTED_REASON = "imported"
"""The reason of an imported result that is not ok: the file has no reason."""


def import_results(db: Database, current: Terms, at: Millis, progress: Callable[[int], None] = lambda _: None) -> int:
    """Import the results of the staging table, inside one transaction; return how many were new.

    This also records the configured terms, if they have changed. ``progress`` gets the number of results stored so far.
    """
    new_checks = import_staging.new_checks(db)
    if not new_checks:
        return 0
    apply_terms(db, current, at, recorded_by())
    terms = terms_versions(db, at, current)
    rebuilds = {}
    for key, first in new_checks:
        check_id = results.ensure_check_id(db, key)
        since, last_ok = history_rebuild.rebuild_start(db, check_id, first)
        rebuilds[check_id] = HistoryRebuild(
            key, check_id, since, OutageState(last_ok), history_rebuild.remove_runs(db, check_id, since)
        )
    compaction.advance_boundary(db, at - compaction.GRACE_PERIOD_MS)
    batches, count = _store_results(db, {rebuild.key: rebuild.check_id for rebuild in rebuilds.values()}, at, progress)
    for check_id, result_at, outcome, reason in history_rebuild.outcomes_since(
        db, {check_id: rebuild.since for check_id, rebuild in rebuilds.items()}
    ):
        rebuild = rebuilds[check_id]
        rebuild.add(Result(rebuild.key, result_at, outcome, 1, None, reason), rebuild.hold_at(result_at, terms))
    for rebuild in rebuilds.values():
        rebuild.finish()
        save_runs(db, ((rebuild.check_id, run) for run in rebuild.runs))
        _reconcile_outages(db, rebuild, batches, at)
    return count


def _store_results(
    db: Database, check_ids: dict[CheckKey, int], at: Millis, progress: Callable[[int], None]
) -> tuple[list[int], int]:
    """Store the new results in batches, each with its digest in the journal."""
    stream, batches, count = import_staging.new_results(db, IMPORTED_REASON), [], 0
    while chunk := list(islice(stream, CHUNK_SIZE)):
        batch = results.begin_batch(db, "import", at)
        results.add(db, batch, ((check_ids[result.check], result) for result in chunk))
        close_batch(db, batch, "import", (chunk[0].at, chunk[-1].at), at)
        batches.append(batch)
        count += len(chunk)
        progress(count)
    return batches, count


def _reconcile_outages(db: Database, rebuild: HistoryRebuild, batches: list[int], at: Millis) -> None:
    """Match the old outages with the rebuilt ones and record the changes."""
    old_outages = history.outages_touching(db, rebuild.check_id, rebuild.since, 1 << 62)
    old_outages = [outage for outage in old_outages if outage.start >= rebuild.since]
    successors: dict[int, Outage] = {}
    new_outages: list[Outage] = []
    for outage in rebuild.outages:
        overlapping = [old for old in old_outages if old.start <= outage.last_fail and outage.start <= old.last_fail]
        predecessor = next((old for old in overlapping if old.id not in successors), None)
        new_outages.append(replace(outage, id=predecessor.id if predecessor else 0))
        for old in overlapping:
            successors.setdefault(old.id, outage)
    kept_ids = {outage.id for outage in new_outages}
    for old in old_outages:
        if old.id not in kept_ids:
            into = next(outage.id for outage in new_outages if outage.start <= old.start <= outage.last_fail)
            history_rebuild.merge_outages(db, old.id, into)
            journal.append(db, at, "outage-joined", {"outage": old.id, "into": into, "batches": batches})
    old_by_id = {old.id: old for old in old_outages}
    for outage in new_outages:
        if not outage.id:
            numbered = replace(outage, id=history_rebuild.insert_past_outage(db, rebuild.check_id, outage))
            journal.append(db, at, "outage-imported", outage_body(numbered, batches))
        elif old_by_id[outage.id] != outage:
            history_rebuild.update_outage(db, outage)
            journal.append(db, at, "outage-corrected", outage_body(outage, batches))
    _clear_alerting(db, rebuild)


def _clear_alerting(db: Database, rebuild: HistoryRebuild) -> None:
    """If the import ended the open outage, drop its alert state: imported history sends no mail."""
    alerting = history.read_alerting(db).get(rebuild.check_id)
    if alerting is not None and alerting.notified and rebuild.outage_state.open_outage is None:
        history.save_alerting(db, rebuild.check_id, AlertState(last_change=alerting.last_change))
