"""A check lived again: the runs and outages that its results make, held against those that are stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from monitor.outage import Change, Standing, advance
from monitor.sla.timeline import extend

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.model import CheckKey, Millis, Outage, Result, Run


class WrongError(Exception):
    """Something that is stored is not what it was recorded as; verification ends with it."""


@dataclass
class CheckAgain:
    """One check, lived again."""

    runs: Iterator[Run]
    stored: Iterator[Outage]
    holds: list[tuple[Millis, Millis]]
    standing: Standing = field(default_factory=Standing)
    run: Run | None = None
    last: Result | None = None

    def take(self, result: Result) -> None:
        """Live through the next result, in time order. Raises WrongError where what is stored says otherwise."""
        self._run(result)
        before = self.standing
        self.standing, change = advance(before, result)
        if change is Change.ENDED and before.outage:
            opened = before.outage
            self._compare(result.check, (opened.start, opened.last_fail, result.at, opened.last_ok, opened.reason))
        self.last = result

    def _run(self, result: Result) -> None:
        run, last = self.run, self.last
        if run is None or last is None or result.at > run.last:
            if run is not None and (last is None or last.at != run.last):
                raise WrongError(f"{result.check}: the run from {run.first} ends where no result stands")
            before, self.run = run, next(self.runs, None)
            run = self.run
            if run is None or run.first != result.at or run.outcome is not result.outcome:
                raise WrongError(f"{result.check}: no run begins with the result at {result.at}")
            if before is not None and extend(before, result, run.hold).first == before.first:
                raise WrongError(f"{result.check}: the runs from {before.first} and from {run.first} are one")
            if self.holds and run.hold not in _in_force(self.holds, run.first):
                raise WrongError(f"{result.check}: the hold of the run from {run.first} is not that of the terms")
        elif run.outcome is not result.outcome or result.at - last.at > run.hold:
            raise WrongError(f"{result.check}: the run from {run.first} does not say what its results say")

    def finish(self, key: CheckKey) -> None:
        """Compare what is open, and see that nothing is left over. Raises WrongError where something is."""
        opened = self.standing.outage
        if opened:
            self._compare(key, (opened.start, opened.last_fail, None, opened.last_ok, opened.reason))
        if next(self.stored, None) is not None or next(self.runs, None) is not None:
            raise WrongError(f"{key}: more outages or runs are stored than its results make")
        if self.run and self.last and self.last.at != self.run.last:
            raise WrongError(f"{key}: the run from {self.run.first} ends where no result stands")

    def _compare(self, key: CheckKey, made: tuple[int, int, int | None, int | None, str]) -> None:
        stored = next(self.stored, None)
        found = stored and (stored.start, stored.last_fail, stored.end, stored.last_ok, stored.reason)
        if found != made:
            name = f"outage {stored.id}" if stored else "an outage that is not stored"
            raise WrongError(f"{key}: {name} is not what its results make: {found} instead of {made}")


def _in_force(holds: list[tuple[Millis, Millis]], at: Millis) -> set[Millis]:
    """Give the holds of the terms that were in force at a moment or came later: results may wait to be written."""
    ends = [since for since, _ in holds[1:]]
    return {hold for (_, hold), end in zip(holds, [*ends, None], strict=True) if end is None or end > at}
