"""Results measured elsewhere become runs, outages and accounts like our own, and are marked as imported.

They may lie anywhere in the past, between results of our own. So the runs and outages of each check are made anew from
the first of them on, from the results alone. An outage keeps its number however it grows; where outages are joined the
earliest keeps its own, where one is split its first part does (product.md). Imported history sends no mail.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from monitor.ledger.batches import close_batch
from monitor.ledger.months.corrections import put_into_force
from monitor.ledger.recorded_by import recorder
from monitor.ledger.remaking import Remade
from monitor.ledger.terms import versions
from monitor.model import CheckKey, Outage, Result
from monitor.outage import Alerting, Standing
from monitor.store import history_rebuild, import_staging, journal, outages, results
from monitor.store.archive import compaction
from monitor.store.history import put_runs

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlite_utils import Database

    from monitor.model import Millis
    from monitor.sla.terms import Terms

PIECE = 50_000
"""Results of one journal entry: so many are digested at once."""
REASON = "imported"
"""The reason of an imported result that is not ok: the file does not say more."""


def take_in(db: Database, current: Terms, at: Millis, progress: Callable[[int], None] = lambda _: None) -> int:
    """Take what waits in the staging table into the books, inside one transaction; gives how many results were new.

    The terms as configured come into force with it where none were recorded yet. ``progress`` hears how many results
    are in.
    """
    waiting = import_staging.checks(db)
    if not waiting:
        return 0
    put_into_force(db, current, at, recorder())
    terms = versions(db, at, current)
    remade = {}
    for key, first in waiting:
        number = results.number_of(db, key)
        since, last_ok = history_rebuild.restart(db, number, first)
        remade[number] = Remade(key, number, since, Standing(last_ok), history_rebuild.cut_runs(db, number, since))
    compaction.make_way(db, at - compaction.PATIENCE)
    batches, count = _store(db, {one.key: one.number for one in remade.values()}, at, progress)
    for number, moment, outcome, reason in history_rebuild.moments(db, {n: one.since for n, one in remade.items()}):
        one = remade[number]
        one.take(Result(one.key, moment, outcome, 1, None, reason), one.hold(moment, terms))
    for one in remade.values():
        one.finish()
        put_runs(db, ((one.number, run) for run in one.runs))
        _renumber(db, one, batches, at)
    return count


def _store(
    db: Database, numbers: dict[CheckKey, int], at: Millis, progress: Callable[[int], None]
) -> tuple[list[int], int]:
    """Write the new results down, piece by piece, each with its digest in the journal."""
    stream, batches, count = import_staging.new(db, REASON), [], 0
    while piece := list(islice(stream, PIECE)):
        batch = results.open_batch(db, "import", at)
        results.add(db, batch, ((numbers[result.check], result) for result in piece))
        close_batch(db, batch, "import", (piece[0].at, piece[-1].at), at)
        batches.append(batch)
        count += len(piece)
        progress(count)
    return batches, count


def _renumber(db: Database, one: Remade, batches: list[int], at: Millis) -> None:
    """Find each outage of the past again in those that were made anew, and write down what changed."""
    before = outages.touching(db, one.number, one.since, 1 << 62)
    before = [outage for outage in before if outage.start >= one.since]
    taken: dict[int, Outage] = {}
    made: list[Outage] = []
    for outage in one.outages:
        found = [old for old in before if old.start <= outage.last_fail and outage.start <= old.last_fail]
        own = next((old for old in found if old.id not in taken), None)
        made.append(replace(outage, id=own.id if own else 0))
        for old in found:
            taken.setdefault(old.id, outage)
    kept = {outage.id for outage in made}
    for old in before:
        if old.id not in kept:
            into = next(each.id for each in made if each.start <= old.start <= each.last_fail)
            history_rebuild.join_outage(db, old.id, into)
            journal.append(db, at, "outage-joined", {"outage": old.id, "into": into, "batches": batches})
    known = {old.id: old for old in before}
    for outage in made:
        if not outage.id:
            numbered = replace(outage, id=history_rebuild.add_outage(db, one.number, outage))
            journal.append(db, at, "outage-imported", as_body(numbered, batches))
        elif known[outage.id] != outage:
            history_rebuild.change_outage(db, outage)
            journal.append(db, at, "outage-corrected", as_body(outage, batches))
    _calm(db, one)


def _calm(db: Database, one: Remade) -> None:
    """Where no outage is open any more, nobody is owed word of its end: imported history sends no mail."""
    alerting = outages.alertings(db).get(one.number)
    if alerting is not None and alerting.told and one.standing.outage is None:
        outages.put_alerting(db, one.number, Alerting(changed=alerting.changed))


def as_body(outage: Outage, batches: list[int]) -> dict[str, object]:
    """Give an outage as the journal keeps it, with the batches of results that made it so."""
    return {
        "outage": outage.id,
        "server": outage.check.server,
        "check": outage.check.name,
        "start": outage.start,
        "last_fail": outage.last_fail,
        "end": outage.end,
        "last_ok": outage.last_ok,
        "reason": outage.reason,
        "batches": batches,
    }
