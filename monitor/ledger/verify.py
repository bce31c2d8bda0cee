"""Proof that nobody changed the records: the chain is walked, and what hangs on it is computed again.

In this order: every entry follows the one before it and has the hash of what it says, and the last is the one that was
written last; every packed hour is, byte for byte, what its results are packed to; the results of every sweep have the
digest that the journal has of them, and none stands outside of a digest; every outage is the one that the results make,
and the journal tells of it as the table does; every run is what its results say; every month that was closed comes out
as it was closed, and each of its corrections begins with what stood there before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from monitor.ledger.again import CheckAgain, WrongError
from monitor.ledger.months.closing import replay
from monitor.ledger.months.corrections import broken_correction
from monitor.mail.text import one_line
from monitor.store import daemon_state, journal, outages, results
from monitor.store.archive import hours
from monitor.store.digests import Digester
from monitor.store.history import all_runs

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlite_utils import Database

    from monitor.model import CheckKey, Millis, Outage, Result

SWEEPS_AT_ONCE = 10
"""Of so many sweeps at most the results may still come in: a batch that is older and not closed is none of ours."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verification came to."""

    entries: int
    results: int
    outages: int
    wrong: str | None
    """The first thing that is wrong; None where everything holds."""


def verify(db: Database, progress: Callable[[int], None] = lambda _: None) -> Verdict:
    """Check everything, inside one snapshot of the books; ``progress`` hears how many entries were walked."""
    walk = _Walk(db, results.all_batches(db))
    try:
        for entry in journal.walk(db):
            walk.take(entry)
            progress(walk.entries)
        walk.ends_where_it_ended()
        walk.packed()
        walk.recompute()
        walk.closings()
    except WrongError as wrong:
        return Verdict(walk.entries, walk.results, walk.outages, one_line(str(wrong)))
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        # nothing that the program wrote reads like this
        why = (
            f"after journal entry {walk.entries} something stands that cannot be read: {type(error).__name__}: {error}"
        )
        return Verdict(walk.entries, walk.results, walk.outages, one_line(why))
    return Verdict(walk.entries, walk.results, walk.outages, None)


class _Recorded(NamedTuple):
    """What the journal says of a batch of results."""

    place: str
    size: int
    sha256: str


@dataclass
class _Walk:
    db: Database
    _batches: dict[int, tuple[str, Millis, int | None]]
    entries: int = 0
    results: int = 0
    outages: int = 0
    _closed: list[str] = field(default_factory=list)
    _recorded: dict[int, _Recorded] = field(default_factory=dict)
    """What the journal says of each batch of results that was not met yet."""
    _probed: list[int] = field(default_factory=list)
    """The batches of sweeps, in the order in which these were over."""
    _holds: list[tuple[Millis, Millis]] = field(default_factory=list)
    """From when on results held how long, by the terms."""
    _told: dict[int, dict[str, object]] = field(default_factory=dict)
    """What the journal says of each outage, entry after entry; of an open one not its last fail."""

    def take(self, entry: journal.Entry | journal.Broken) -> None:
        if isinstance(entry, journal.Broken):
            raise WrongError(f"journal entry {entry.number} {entry.why}")
        self.entries = entry.number
        if entry.kind == "results":
            self._digest(entry)
        elif entry.kind == "terms":
            self._holds.append((entry.at, 2 * entry.body["interval"]))
        elif entry.kind == "month-closed":
            self._closed.append(entry.body["month"])
        elif entry.kind == "outage-joined":
            self._told.pop(entry.body["outage"], None)
        elif entry.kind.startswith("outage-"):
            known = self._told.setdefault(entry.body["outage"], {"end": None})
            known |= {name: value for name, value in entry.body.items() if name not in ("outage", "batches")}

    def _digest(self, entry: journal.Entry) -> None:
        body = entry.body
        place = f"journal entry {entry.number}, batch {body['batch']} of results"
        source, opened, noted = self._batches.get(body["batch"], (None, None, None))
        if (source, noted) != (body["source"], entry.number) or (source == "import" and opened != entry.at):
            raise WrongError(f"{place}: when it came, or from where, was changed")
        if source == "probe":
            self._probed.append(body["batch"])
        self._recorded[body["batch"]] = _Recorded(place, body["count"], body["sha256"])
        self.results += body["count"]

    def ends_where_it_ended(self) -> None:
        """The newest entry is the one that was written last: none was cut off from the end."""
        head = daemon_state.get(self.db, "journal-head")
        if head is None:  # a file that no newer version has written to yet
            return
        if head["entry"] > self.entries:
            raise WrongError(f"journal entry {head['entry']} is missing: the last that is there is {self.entries}")
        if (head["entry"], head["hash"]) != journal.newest(self.db):
            raise WrongError(f"journal entry {self.entries} is not what was written last: entry {head['entry']} was")

    def packed(self) -> None:
        """See that no byte of a packed hour is another than it was written."""
        names = {number: key for key, number in results.numbers(self.db).items()}
        for hour in hours.between(self.db, 0, 1 << 62):
            if hour.probed not in names or not hours.sound(hour):
                which = names.get(hour.probed, f"check {hour.probed}")
                raise WrongError(f"{which}: the packed results of the hour from {hour.began} were changed")

    def recompute(self) -> None:
        """Make digests, outages and runs again, from the results alone."""
        checks = self._checks()
        digesters: dict[int, Digester] = {}
        wrong: WrongError | None = None
        for result, batch in results.read_with_batches(self.db):
            self._met(digesters, result, batch)
            try:
                if wrong is None:
                    checks[result.check].take(result)
            except WrongError as error:
                wrong = error  # told only where the results themselves are those that were recorded
        self._nothing_missing(digesters)
        self._nothing_outside(digesters)
        self._told_outages()
        if wrong is not None:
            raise wrong
        for key, again in checks.items():
            again.finish(key)

    def _checks(self) -> dict[CheckKey, CheckAgain]:
        checks: dict[CheckKey, CheckAgain] = {}
        for key, number in results.numbers(self.db).items():
            known = iter(list(outages.touching(self.db, number, 0, 1 << 62)))
            checks[key] = CheckAgain(all_runs(self.db, number), known, self._holds)
        return checks

    def _met(self, digesters: dict[int, Digester], result: Result, batch: int) -> None:
        """Add a result to the digest of its batch, which is compared as soon as it is whole."""
        digester = digesters.get(batch) or digesters.setdefault(batch, Digester(batch))
        digester.take(result)
        recorded = self._recorded.get(batch)
        if recorded and digester.count == recorded.size:
            if digester.digest().sha256 != recorded.sha256:
                raise WrongError(f"{recorded.place}: a result was changed, the digest is not the one that was recorded")
            del self._recorded[batch], digesters[batch]

    def _nothing_missing(self, digesters: dict[int, Digester]) -> None:
        for batch, recorded in self._recorded.items():
            found = digesters[batch].count if batch in digesters else 0
            raise WrongError(f"{recorded.place}: {recorded.size} were recorded, {found} are stored")

    def _nothing_outside(self, digesters: dict[int, Digester]) -> None:
        """No result without a digest, but those of sweeps that are not over."""
        long_over = max(sorted(self._probed)[:-SWEEPS_AT_ONCE], default=0)
        still_open = {number for number, (_, _, entry) in self._batches.items() if entry is None and number > long_over}
        for batch, digester in digesters.items():
            if batch not in still_open:
                raise WrongError(
                    f"batch {batch} of results: {digester.count} are stored that the journal does not know"
                )

    def _told_outages(self) -> None:
        """Every outage that is stored is told of, as it is."""
        for outage in outages.listing(self.db):
            self.outages += 1
            told = self._told.pop(outage.id, None)
            if told is None:
                raise WrongError(f"outage {outage.id}: the journal does not tell of it")
            for name, stored in _as_body(outage).items():
                if told.get(name, stored) != stored and not (name == "last_fail" and outage.end is None):
                    raise WrongError(f"outage {outage.id}: {name} was recorded as {told[name]}, stored is {stored}")
        if self._told:
            raise WrongError(f"outage {min(self._told)}: the journal tells of it, and it is not stored any more")

    def closings(self) -> None:
        """Compute the closed months again, as of their closing, and follow their corrections."""
        for month in self._closed:
            if wrong := replay(self.db, month) or broken_correction(self.db, month):
                raise WrongError(f"month {month}, {wrong}")


def _as_body(outage: Outage) -> dict[str, object]:
    return {
        "server": outage.check.server,
        "check": outage.check.name,
        "start": outage.start,
        "last_ok": outage.last_ok,
        "reason": outage.reason,
        "end": outage.end,
        "last_fail": outage.last_fail,
    }
