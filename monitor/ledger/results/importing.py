"""Results measured elsewhere become runs, outages and accounts like our own, and are marked as imported.

They may lie anywhere in the past, between results of our own. So the runs and outages of each check are made anew from
the first of them on, from the results alone. An outage keeps its number however it grows; where outages are joined the
earliest keeps its own, where one is split its first part does. Imported history sends no mail.
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
"""Results of one journal entry: so many are digested at once."""
IMPORTED_REASON = "imported"
"""The reason of an imported result that is not ok: the file does not say more."""


def import_results(db: Database, current: Terms, at: Millis, progress: Callable[[int], None] = lambda _: None) -> int:
    """Take what waits in the staging table into the books, inside one transaction; gives how many results were new.

    The terms as configured come into force with it where none were recorded yet. ``progress`` hears how many results
    are in.
    """
    waiting = import_staging.new_checks(db)
    if not waiting:
        return 0
    apply_terms(db, current, at, recorded_by())
    terms = terms_versions(db, at, current)
    remade = {}
    for key, first in waiting:
        number = results.ensure_check_id(db, key)
        since, last_ok = history_rebuild.rebuild_start(db, number, first)
        remade[number] = HistoryRebuild(
            key, number, since, OutageState(last_ok), history_rebuild.remove_runs(db, number, since)
        )
    compaction.advance_boundary(db, at - compaction.GRACE_PERIOD_MS)
    batches, count = _store_results(db, {one.key: one.number for one in remade.values()}, at, progress)
    for number, moment, outcome, reason in history_rebuild.outcomes_since(
        db, {n: one.since for n, one in remade.items()}
    ):
        one = remade[number]
        one.add(Result(one.key, moment, outcome, 1, None, reason), one.hold_at(moment, terms))
    for one in remade.values():
        one.finish()
        save_runs(db, ((one.number, run) for run in one.runs))
        _reconcile_outages(db, one, batches, at)
    return count


def _store_results(
    db: Database, numbers: dict[CheckKey, int], at: Millis, progress: Callable[[int], None]
) -> tuple[list[int], int]:
    """Write the new results down, piece by piece, each with its digest in the journal."""
    stream, batches, count = import_staging.new_results(db, IMPORTED_REASON), [], 0
    while piece := list(islice(stream, CHUNK_SIZE)):
        batch = results.begin_batch(db, "import", at)
        results.add(db, batch, ((numbers[result.check], result) for result in piece))
        close_batch(db, batch, "import", (piece[0].at, piece[-1].at), at)
        batches.append(batch)
        count += len(piece)
        progress(count)
    return batches, count


def _reconcile_outages(db: Database, rebuild: HistoryRebuild, batches: list[int], at: Millis) -> None:
    """Find each outage of the past again in those that were made anew, and write down what changed."""
    before = history.outages_touching(db, rebuild.number, rebuild.since, 1 << 62)
    before = [outage for outage in before if outage.start >= rebuild.since]
    taken: dict[int, Outage] = {}
    made: list[Outage] = []
    for outage in rebuild.outages:
        found = [old for old in before if old.start <= outage.last_fail and outage.start <= old.last_fail]
        own = next((old for old in found if old.id not in taken), None)
        made.append(replace(outage, id=own.id if own else 0))
        for old in found:
            taken.setdefault(old.id, outage)
    kept = {outage.id for outage in made}
    for old in before:
        if old.id not in kept:
            into = next(each.id for each in made if each.start <= old.start <= each.last_fail)
            history_rebuild.merge_outages(db, old.id, into)
            journal.append(db, at, "outage-joined", {"outage": old.id, "into": into, "batches": batches})
    known = {old.id: old for old in before}
    for outage in made:
        if not outage.id:
            numbered = replace(outage, id=history_rebuild.insert_past_outage(db, rebuild.number, outage))
            journal.append(db, at, "outage-imported", outage_body(numbered, batches))
        elif known[outage.id] != outage:
            history_rebuild.update_outage(db, outage)
            journal.append(db, at, "outage-corrected", outage_body(outage, batches))
    _clear_alerting(db, rebuild)


def _clear_alerting(db: Database, rebuild: HistoryRebuild) -> None:
    """Where no outage is open any more, nobody is owed word of its end: imported history sends no mail."""
    alerting = history.read_alerting(db).get(rebuild.number)
    if alerting is not None and alerting.notified and rebuild.outage_state.open_outage is None:
        history.save_alerting(db, rebuild.number, AlertState(last_change=alerting.last_change))
