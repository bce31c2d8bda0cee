"""The numbers of facts, and the outages as they were at an earlier moment.

Numbers never change, but an import can lengthen, join or split outages. The present outages are in their table; what
they were before an import is in the journal alone. An outage that was joined into another is replaced by that one; one
that was split keeps its number for the first part.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from monitor.model import CheckKey, Outage, Result, Run
from monitor.outage import OutageChange, OutageState, advance
from monitor.sla.terms import terms_at
from monitor.sla.timeline import History, extend_run
from monitor.store import history, history_rebuild, journal, results
from monitor.store.history import runs_of_check

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from sqlite_utils import Database

    from monitor.model import Millis
    from monitor.outage import OpenOutage
    from monitor.sla.terms import Terms

_OUTAGE_EVENTS = (
    "outage-opened",
    "outage-ended",
    "outage-imported",
    "outage-corrected",
    "outage-joined",
    "outage-rejected",
)


@dataclass(frozen=True, slots=True)
class OutageExtent:
    """An outage at some moment: its check, its first fail, and the first ok after it (None while it was open)."""

    id: int
    check: CheckKey
    start: Millis
    end: Millis | None


def next_number(used: Iterable[int]) -> int:
    """Return the next free number after those in use; the first is 1."""
    return 1 + max(used, default=0)


def outages_as_recorded(db: Database, at: Millis) -> dict[int, OutageExtent]:
    """Return every outage as of ``at`` by its number, from the journal alone; this is slow.

    A measured result counts from its own time, an imported one from the time at which it was recorded.
    """
    extents: dict[int, OutageExtent] = {}
    for entry in journal.entries(db, *_OUTAGE_EVENTS):
        body, number = entry.body, entry.body["outage"]
        if entry.kind == "outage-opened":
            if body["start"] <= at:
                extents[number] = OutageExtent(number, CheckKey(body["server"], body["check"]), body["start"], None)
        elif entry.kind == "outage-ended":
            if body["end"] <= at and number in extents:
                extents[number] = replace(extents[number], end=body["end"])
        elif entry.at > at:
            continue
        elif entry.kind in ("outage-joined", "outage-rejected"):
            extents.pop(number, None)
        else:
            extents[number] = OutageExtent(number, CheckKey(body["server"], body["check"]), body["start"], body["end"])
    return extents


def outage_extents(
    db: Database, outage_ids: Iterable[int], at: Millis, rewritten: Collection[int]
) -> dict[int, OutageExtent]:
    """Return the outages with these ids as of ``at``; ids that did not exist are left out.

    ``rewritten`` are the ids of the checks that an import has changed since: for these the journal is read.
    """
    ids = set(outage_ids)
    if not ids:
        return {}
    joined = {entry.body["outage"]: entry.body["into"] for entry in journal.entries(db, "outage-joined", until=at)}
    extents: dict[int, OutageExtent] = {}
    recorded: dict[int, OutageExtent] | None = None
    check_ids = results.check_ids(db)
    for outage_id in ids:
        current_id = outage_id
        while current_id in joined:
            current_id = joined[current_id]
        stored = history.get_outage(db, current_id)
        if stored is not None and check_ids[stored.check] not in rewritten:
            end = stored.end if stored.end is not None and stored.end <= at else None
            extents[outage_id] = OutageExtent(current_id, stored.check, stored.start, end)
            continue
        recorded = outages_as_recorded(db, at) if recorded is None else recorded
        if current_id in recorded:
            extents[outage_id] = recorded[current_id]
    return extents


def outage_body(outage: Outage, batches: list[int]) -> dict[str, object]:
    """Return an outage as the journal stores it, with the batches of results that caused the change."""
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


# --- the history of a check, rebuilt from its results: runs and outages -----------------------------------------------


@dataclass
class HistoryRebuild:
    """Rebuilds the runs and outages of one check from ``since`` on."""

    key: CheckKey
    check_id: int
    since: Millis
    outage_state: OutageState
    old_runs: list[Run]
    """The runs before the rebuild."""
    run: Run | None = None
    runs: list[Run] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)

    def hold_at(self, at: Millis, terms: Sequence[Terms]) -> Millis:
        """Return how long a result holds: as in its old run, or for a new result by the terms in force at its time."""
        index = bisect_right(self.old_runs, at, key=lambda run: run.first) - 1
        if index >= 0 and at <= self.old_runs[index].last:
            return self.old_runs[index].hold
        return 2 * terms_at(terms, at).interval

    def add(self, result: Result, hold: Millis) -> None:
        """Add the next result, in time order."""
        run = extend_run(self.run, result, hold)
        if self.runs and self.runs[-1].first == run.first:
            self.runs[-1] = run
        else:
            self.runs.append(run)
        self.run = run
        opened = self.outage_state.open_outage
        self.outage_state, change = advance(self.outage_state, result)
        if change is OutageChange.ENDED and opened:
            self._add_outage(opened, result.at)

    def finish(self) -> None:
        """Add the outage that is still open."""
        if self.outage_state.open_outage:
            self._add_outage(self.outage_state.open_outage, None)

    def _add_outage(self, outage: OpenOutage, end: Millis | None) -> None:
        self.outages.append(Outage(0, self.key, outage.start, outage.last_fail, end, outage.last_ok, outage.reason))


def history_before_imports(
    db: Database, key: CheckKey, until: Millis, batches: frozenset[int], terms: Sequence[Terms], at: Millis
) -> History:
    """Rebuild a check's history as of ``at``, before some batches were imported, from its results until a moment.

    This is slow; it serves views of the ledger before an import. Outages have the numbers that they had then.
    """
    check_id = results.check_ids(db)[key]
    rebuild = HistoryRebuild(key, check_id, 0, OutageState(), list(runs_of_check(db, check_id)))
    for result in history_rebuild.results_excluding(db, key, until, batches):
        rebuild.add(result, rebuild.hold_at(result.at, terms))
    rebuild.finish()
    ids_by_start = {extent.start: extent.id for extent in outages_as_recorded(db, at).values() if extent.check == key}
    numbered = [replace(outage, id=ids_by_start.get(outage.start, 0)) for outage in rebuild.outages]
    return History(tuple(rebuild.runs), tuple(numbered))
