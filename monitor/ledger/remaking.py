"""A check's past, made anew from its results: its runs and its outages."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from monitor.ledger.outage_history import told_until
from monitor.model import CheckKey, Outage, Result, Run
from monitor.outage import Change, Standing, advance
from monitor.sla.segments import terms_at
from monitor.sla.timeline import History, extend
from monitor.store import history_rebuild, results
from monitor.store.history import all_runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlite_utils import Database

    from monitor.model import Millis
    from monitor.outage import OpenOutage
    from monitor.sla.terms import Terms


@dataclass
class Remade:
    """One check, whose past is made anew from ``since`` on."""

    key: CheckKey
    number: int
    since: Millis
    standing: Standing
    before: list[Run]
    """The runs as they were."""
    run: Run | None = None
    runs: list[Run] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)

    def hold(self, at: Millis, terms: Sequence[Terms]) -> Millis:
        """Give how long a result holds: as it was measured; one that is new, by the terms in force at its time."""
        place = bisect_right(self.before, at, key=lambda run: run.first) - 1
        if place >= 0 and at <= self.before[place].last:
            return self.before[place].hold
        return 2 * terms_at(terms, at).interval

    def take(self, result: Result, hold: Millis) -> None:
        """Live through one result again."""
        run = extend(self.run, result, hold)
        if self.runs and self.runs[-1].first == run.first:
            self.runs[-1] = run
        else:
            self.runs.append(run)
        self.run = run
        opened = self.standing.outage
        self.standing, change = advance(self.standing, result)
        if change is Change.ENDED and opened:
            self._found(opened, result.at)

    def finish(self) -> None:
        """Add the outage that is still open."""
        if self.standing.outage:
            self._found(self.standing.outage, None)

    def _found(self, one: OpenOutage, end: Millis | None) -> None:
        self.outages.append(Outage(0, self.key, one.start, one.last_fail, end, one.last_ok, one.reason))


def history_without(
    db: Database, key: CheckKey, until: Millis, batches: frozenset[int], terms: Sequence[Terms], at: Millis
) -> History:
    """Make a check's past anew as it stood at ``at``, before some batches came, from its results until a moment.

    The slow road, for questions of what the books said before an import. Outages have the numbers that they had then.
    """
    number = results.numbers(db)[key]
    one = Remade(key, number, 0, Standing(), list(all_runs(db, number)))
    for result in history_rebuild.results_without(db, key, until, batches):
        one.take(result, one.hold(result.at, terms))
    one.finish()
    then = {extent.start: extent.id for extent in told_until(db, at).values() if extent.check == key}
    numbered = [replace(outage, id=then.get(outage.start, 0)) for outage in one.outages]
    return History(tuple(one.runs), tuple(numbered))
