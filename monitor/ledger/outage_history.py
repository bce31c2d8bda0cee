"""The numbers by which facts go: which one is next, and which outage one meant at some moment.

Numbers stay, and an import may lengthen, join or split outages. Today's outages stand in their table. What they were
before an import is told by the journal alone: an outage that was joined into another lives on in that one, one that was
split keeps its number for its first part.
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
    """An outage as it stood: its check, its first fail, and the first ok after it (None while there was none)."""

    id: int
    check: CheckKey
    start: Millis
    end: Millis | None


def next_number(taken: Iterable[int]) -> int:
    """Return the number of the next fact of a kind, after those that are taken; the first is 1."""
    return 1 + max(taken, default=0)


def outages_as_recorded(db: Database, at: Millis) -> dict[int, OutageExtent]:
    """Return every outage as the journal records it until a moment, by its number; slow.

    A result of our own counts from its own time, one that was imported from its recording.
    """
    found: dict[int, OutageExtent] = {}
    for entry in journal.entries(db, *_OUTAGE_EVENTS):
        body, number = entry.body, entry.body["outage"]
        if entry.kind == "outage-opened":
            if body["start"] <= at:
                found[number] = OutageExtent(number, CheckKey(body["server"], body["check"]), body["start"], None)
        elif entry.kind == "outage-ended":
            if body["end"] <= at and number in found:
                found[number] = replace(found[number], end=body["end"])
        elif entry.at > at:
            continue
        elif entry.kind in ("outage-joined", "outage-rejected"):
            found.pop(number, None)
        else:
            found[number] = OutageExtent(number, CheckKey(body["server"], body["check"]), body["start"], body["end"])
    return found


def outage_extents(
    db: Database, wanted: Iterable[int], at: Millis, rewritten: Collection[int]
) -> dict[int, OutageExtent]:
    """Say what some numbers meant at a moment; a number that meant nothing is left out.

    ``rewritten`` are the numbers of the checks that an import has changed since: for these the journal is asked.
    """
    asked = set(wanted)
    if not asked:
        return {}
    joined = {entry.body["outage"]: entry.body["into"] for entry in journal.entries(db, "outage-joined", until=at)}
    found: dict[int, OutageExtent] = {}
    told: dict[int, OutageExtent] | None = None
    numbers = results.check_ids(db)
    for number in asked:
        own = number
        while own in joined:
            own = joined[own]
        stored = history.get_outage(db, own)
        if stored is not None and numbers[stored.check] not in rewritten:
            end = stored.end if stored.end is not None and stored.end <= at else None
            found[number] = OutageExtent(own, stored.check, stored.start, end)
            continue
        told = outages_as_recorded(db, at) if told is None else told
        if own in told:
            found[number] = told[own]
    return found


def outage_body(outage: Outage, batches: list[int]) -> dict[str, object]:
    """Return an outage as the journal keeps it, with the batches of imported results that made it so."""
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


# --- a check's history rebuilt from its results: its runs and its outages ---------------------------------------------


@dataclass
class HistoryRebuild:
    """One check, whose past is made anew from ``since`` on."""

    key: CheckKey
    number: int
    since: Millis
    outage_state: OutageState
    old_runs: list[Run]
    """The runs as they were."""
    run: Run | None = None
    runs: list[Run] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)

    def hold_at(self, at: Millis, terms: Sequence[Terms]) -> Millis:
        """Return how long a result holds: as it was measured; one that is new, by the terms in force at its time."""
        place = bisect_right(self.old_runs, at, key=lambda run: run.first) - 1
        if place >= 0 and at <= self.old_runs[place].last:
            return self.old_runs[place].hold
        return 2 * terms_at(terms, at).interval

    def add(self, result: Result, hold: Millis) -> None:
        """Live through one result again."""
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

    def _add_outage(self, one: OpenOutage, end: Millis | None) -> None:
        self.outages.append(Outage(0, self.key, one.start, one.last_fail, end, one.last_ok, one.reason))


def history_before_imports(
    db: Database, key: CheckKey, until: Millis, batches: frozenset[int], terms: Sequence[Terms], at: Millis
) -> History:
    """Make a check's past anew as it stood at ``at``, before some batches came, from its results until a moment.

    The slow road, for questions of what the books said before an import. Outages have the numbers that they had then.
    """
    number = results.check_ids(db)[key]
    one = HistoryRebuild(key, number, 0, OutageState(), list(runs_of_check(db, number)))
    for result in history_rebuild.results_excluding(db, key, until, batches):
        one.add(result, one.hold_at(result.at, terms))
    one.finish()
    then = {extent.start: extent.id for extent in outages_as_recorded(db, at).values() if extent.check == key}
    numbered = [replace(outage, id=then.get(outage.start, 0)) for outage in one.outages]
    return History(tuple(one.runs), tuple(numbered))
