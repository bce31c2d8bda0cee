"""What the recording remembers of each check, and what came of some results on their way into the books."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from monitor.model import Outage, Outcome
from monitor.outage import Alerting, Standing

if TYPE_CHECKING:
    from monitor.model import CheckKey, Millis, Result, Run


@dataclass(slots=True)
class CheckBooks:
    """What is remembered of one check."""

    number: int
    run: Run | None = None
    standing: Standing = field(default_factory=Standing)
    """As of the last result that was more than another ok: the run tells of those."""
    outage: int | None = None
    """The number of the open outage."""
    alerting: Alerting = field(default_factory=Alerting)

    def caught_up(self) -> Standing:
        """Give the standing with the oks that came meanwhile."""
        run = self.run
        if run is not None and run.outcome is Outcome.OK and self.standing.last_ok != run.last:
            self.standing = replace(self.standing, last_ok=run.last)
        return self.standing


@dataclass(slots=True)
class OpenBatch:
    """A sweep whose digest is not in the journal yet, and within which times its results lie."""

    number: int
    first: Millis
    last: Millis


@dataclass(frozen=True, slots=True)
class Recorded:
    """What came of some results: they are in the books."""

    results: tuple[Result, ...]
    refused: tuple[Result, ...]
    """Results for a time that their check has been accounted for already (the clock ran backwards)."""
    opened: tuple[Outage, ...] = ()
    """Those that began and are still open."""
    ended: tuple[int, ...] = ()
    """The numbers of those that ended."""
    began: frozenset[CheckKey] = frozenset()
    """The checks of which a run began: every other result repeated what its check had given before."""


@dataclass(slots=True)
class Batch:
    """Results on their way into the books, and what came of them so far."""

    came: list[Result]
    taken: list[tuple[int, Result]] = field(default_factory=list)
    refused: list[Result] = field(default_factory=list)
    begun: dict[tuple[int, Millis], tuple[int, Run]] = field(default_factory=dict)
    """By check and beginning."""
    grown: dict[tuple[int, Millis], Millis] = field(default_factory=dict)
    """Until when, by check and beginning."""
    began: set[CheckKey] = field(default_factory=set)
    opened: dict[int, Outage] = field(default_factory=dict)
    ended: list[int] = field(default_factory=list)

    def recorded(self) -> Recorded:
        """Say what came of them, once they are written."""
        written = tuple(result for _, result in self.taken)
        opened, ended = tuple(self.opened.values()), tuple(self.ended)
        return Recorded(written, tuple(self.refused), opened, ended, frozenset(self.began))


def run_on(books: CheckBooks, hold: Millis, at: Millis) -> Outcome | None:
    """Give the outcome by which a result at ``at`` would only lengthen its check's run; None where any changes more.

    It is what nearly every result is: ok after ok. The same comes of it by ``advance``, ``decide`` and ``extend``.
    """
    run = books.run
    if run is None or run.outcome is not Outcome.OK or run.hold != hold or at - run.last > hold:
        return None
    return Outcome.OK if books.outage is None and books.alerting.flapping is None else None


def open_outage(key: CheckKey, books: CheckBooks) -> Outage | None:
    """Give the open outage of a check; None where none is."""
    outage = books.standing.outage
    if outage is None or books.outage is None:
        return None
    return Outage(books.outage, key, outage.start, outage.last_fail, None, outage.last_ok, outage.reason)
