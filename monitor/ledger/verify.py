"""Proof that nobody changed the records: the chain is walked, and what hangs on it is computed again.

In this order: the schema is that of this version; the file is whole and its indexes agree with its tables (a question
may be answered from an index alone); every entry follows the one before it and has the hash of what it says, and the
last is the one that was written last; every packed hour is, byte for byte, what its results are packed to; the results
of every sweep have the digest that the journal has of them, and none stands outside of a digest; every outage is the
one that the results make, and the journal tells of it as the table does; every run is what its results say; every mail
is the one that was queued and sent, and what is noted as told was told; every month that was closed comes out as it was
closed, and each of its corrections begins with what stood there before; every row refers to rows that are there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from monitor.formatting import one_line
from monitor.ledger.months.closing import find_closing_mismatch
from monitor.ledger.months.corrections import find_correction_mismatch
from monitor.ledger.verify_mails import MailAudit
from monitor.outage import OutageChange, OutageState, advance
from monitor.sla.timeline import extend_run
from monitor.store import daemon_state, history, integrity, journal, results
from monitor.store.archive import hours
from monitor.store.history import runs_of_check
from monitor.store.rejected import rejected_with_batches
from monitor.store.results import Digester

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlite_utils import Database

    from monitor.model import CheckKey, Millis, Outage, Result, Run


# --- a check replayed: the runs and outages that its results make, compared with the stored ones ----------------------


class VerificationError(Exception):
    """Something that is stored is not what it was recorded as; verification ends with it."""


@dataclass
class CheckReplay:
    """One check, lived again."""

    stored_runs: Iterator[Run]
    stored_outages: Iterator[Outage]
    holds: list[tuple[Millis, Millis]]
    outage_state: OutageState = field(default_factory=OutageState)
    run: Run | None = None
    last: Result | None = None

    def replay(self, result: Result) -> None:
        """Live through the next result, in time order. Raises VerificationError where what is stored says otherwise."""
        self._check_run(result)
        before = self.outage_state
        self.outage_state, change = advance(before, result)
        if change is OutageChange.ENDED and before.open_outage:
            opened = before.open_outage
            self._check_outage(result.check, (opened.start, opened.last_fail, result.at, opened.last_ok, opened.reason))
        self.last = result

    def _check_run(self, result: Result) -> None:
        run, last = self.run, self.last
        if run is None or last is None or result.at > run.last:
            if run is not None and (last is None or last.at != run.last):
                raise VerificationError(f"{result.check}: the run from {run.first} ends where no result stands")
            before, self.run = run, next(self.stored_runs, None)
            run = self.run
            if run is None or run.first != result.at or run.outcome is not result.outcome:
                raise VerificationError(f"{result.check}: no run begins with the result at {result.at}")
            if before is not None and extend_run(before, result, run.hold).first == before.first:
                raise VerificationError(f"{result.check}: the runs from {before.first} and from {run.first} are one")
            if self.holds and run.hold not in _holds_from(self.holds, run.first):
                raise VerificationError(
                    f"{result.check}: the hold of the run from {run.first} is not that of the terms"
                )
        elif run.outcome is not result.outcome or result.at - last.at > run.hold:
            raise VerificationError(f"{result.check}: the run from {run.first} does not say what its results say")

    def finish(self, key: CheckKey) -> None:
        """Compare what is open, and see that nothing is left over. Raises VerificationError where something is."""
        opened = self.outage_state.open_outage
        if opened:
            self._check_outage(key, (opened.start, opened.last_fail, None, opened.last_ok, opened.reason))
        if next(self.stored_outages, None) is not None or next(self.stored_runs, None) is not None:
            raise VerificationError(f"{key}: more outages or runs are stored than its results make")
        if self.run and self.last and self.last.at != self.run.last:
            raise VerificationError(f"{key}: the run from {self.run.first} ends where no result stands")

    def _check_outage(self, key: CheckKey, made: tuple[int, int, int | None, int | None, str]) -> None:
        stored = next(self.stored_outages, None)
        found = stored and (stored.start, stored.last_fail, stored.end, stored.last_ok, stored.reason)
        if found != made:
            name = f"outage {stored.id}" if stored else "an outage that is not stored"
            raise VerificationError(f"{key}: {name} is not what its results make: {found} instead of {made}")


def _holds_from(holds: list[tuple[Millis, Millis]], at: Millis) -> set[Millis]:
    """Return the holds of the terms that were in force at a moment or came later: results may wait to be written."""
    ends = [since for since, _ in holds[1:]]
    return {hold for (_, hold), end in zip(holds, [*ends, None], strict=True) if end is None or end > at}


MAX_OPEN_SWEEPS = 10
"""Of so many sweeps at most the results may still come in: a batch that is older and not closed is none of ours."""


@dataclass(frozen=True, slots=True)
class VerificationReport:
    """What a verification came to."""

    entries: int
    results: int
    outages: int
    error: str | None
    """The first thing that is wrong; None if nothing is."""


def verify(
    db: Database,
    progress: Callable[[int], None] = lambda _: None,
    on_stage: Callable[[str], None] = lambda _: None,
) -> VerificationReport:
    """Check everything, inside one snapshot of the ledger.

    ``progress`` is called with the number of journal entries walked, ``on_stage`` with what is checked next.
    """
    walk = _Verifier(db)
    try:
        on_stage("the database file")
        _raise_first(integrity.find_schema_difference(db), integrity.find_damage(db))
        on_stage("the journal")
        walk.read_batches()
        for entry in journal.verify_chain(db):
            walk.add_entry(entry)
            progress(walk.entries)
        walk.check_head()
        on_stage("packed results")
        _raise_first(integrity.find_impossible_time(db))
        walk.check_packed_hours()
        on_stage("results, outages and runs")
        walk.check_results()
        on_stage("mails and alerts")
        walk.check_mails()
        on_stage("closed months")
        walk.check_closed_months()
        _raise_first(integrity.find_broken_reference(db))
    except VerificationError as wrong:
        return VerificationReport(walk.entries, walk.results, walk.outages, one_line(str(wrong)))
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        # nothing that the program wrote reads like this
        why = (
            f"after journal entry {walk.entries} something stands that cannot be read: {type(error).__name__}: {error}"
        )
        return VerificationReport(walk.entries, walk.results, walk.outages, one_line(why))
    return VerificationReport(walk.entries, walk.results, walk.outages, None)


def _raise_first(*errors: str | None) -> None:
    for error in errors:
        if error is not None:
            raise VerificationError(error)


class _RecordedBatch(NamedTuple):
    """What the journal says of a batch of results."""

    label: str
    size: int
    sha256: str


@dataclass
class _Verifier:
    db: Database
    _batches: dict[int, tuple[str, Millis, int | None]] = field(default_factory=dict)
    entries: int = 0
    results: int = 0
    outages: int = 0
    _closed_months: list[str] = field(default_factory=list)
    _recorded_batches: dict[int, _RecordedBatch] = field(default_factory=dict)
    """What the journal says of each batch of results that was not met yet."""
    _sweep_batches: list[int] = field(default_factory=list)
    """The batches of sweeps, in the order in which these were over."""
    _holds: list[tuple[Millis, Millis]] = field(default_factory=list)
    """From when on results held how long, by the terms."""
    _recorded_outages: dict[int, dict[str, object]] = field(default_factory=dict)
    """What the journal says of each outage, entry after entry; of an open one not its last fail."""
    _highest_outage: int = 0
    """The highest number that an outage ever had."""
    _mails: MailAudit = field(default_factory=MailAudit)

    def read_batches(self) -> None:
        self._batches = results.all_batches(self.db)

    def add_entry(self, entry: journal.JournalEntry | journal.ChainBreak) -> None:
        if isinstance(entry, journal.ChainBreak):
            raise VerificationError(f"journal entry {entry.number} {entry.reason}")
        self.entries = entry.number
        if any(at < 0 for at in _times(entry)):
            raise VerificationError(f"journal entry {entry.number} has a time before 1970")
        self._mails.add_entry(entry)
        if entry.kind == "results":
            self._add_batch(entry)
        elif entry.kind == "terms":
            self._holds.append((entry.at, 2 * entry.body["interval"]))
        elif entry.kind == "month-closed":
            self._closed_months.append(entry.body["month"])
        elif entry.kind == journal.CLOCK_REJECTED:
            self._closed_months = [month for month in self._closed_months if month not in entry.body["months"]]
        elif entry.kind in ("outage-joined", "outage-rejected"):
            self._recorded_outages.pop(entry.body["outage"], None)
        elif entry.kind.startswith("outage-"):
            self._highest_outage = max(self._highest_outage, entry.body["outage"])
            known = self._recorded_outages.setdefault(entry.body["outage"], {"end": None})
            known |= {name: value for name, value in entry.body.items() if name not in ("outage", "batches")}

    def _add_batch(self, entry: journal.JournalEntry) -> None:
        body = entry.body
        place = f"journal entry {entry.number}, batch {body['batch']} of results"
        source, opened, noted = self._batches.get(body["batch"], (None, None, None))
        if (source, noted) != (body["source"], entry.number) or (source == "import" and opened != entry.at):
            raise VerificationError(f"{place}: when it came, or from where, was changed")
        if source == "probe":
            self._sweep_batches.append(body["batch"])
        self._recorded_batches[body["batch"]] = _RecordedBatch(place, body["count"], body["sha256"])
        self.results += body["count"]

    def check_head(self) -> None:
        """The newest entry is the one that was written last: none was cut off from the end."""
        head = daemon_state.get(self.db, "journal-head")
        if head is None:
            if self.entries:
                raise VerificationError("the note of the entry that was written last is missing")
            return
        if head["entry"] > self.entries:
            raise VerificationError(
                f"journal entry {head['entry']} is missing: the last that is there is {self.entries}"
            )
        if (head["entry"], head["hash"]) != journal.head(self.db):
            raise VerificationError(
                f"journal entry {self.entries} is not what was written last: entry {head['entry']} was"
            )

    def check_packed_hours(self) -> None:
        """See that no byte of a packed hour is another than it was written."""
        names = {number: key for key, number in results.check_ids(self.db).items()}
        for hour in hours.hours_between(self.db, 0, 1 << 62):
            if hour.check_id not in names or not hours.is_canonical(hour):
                which = names.get(hour.check_id, f"check {hour.check_id}")
                raise VerificationError(f"{which}: the packed results of the hour from {hour.start} were changed")

    def check_results(self) -> None:
        """Make digests, outages and runs again, from the results alone."""
        checks = self._replays()
        digesters: dict[int, Digester] = {}
        wrong: VerificationError | None = None
        for result, batch in results.read_with_batches(self.db):
            self._add_to_digest(digesters, result, batch)
            try:
                if wrong is None:
                    checks[result.check].replay(result)
            except VerificationError as error:
                wrong = error  # told only where the results themselves are those that were recorded
        for result, batch in rejected_with_batches(self.db):
            self._add_to_digest(digesters, result, batch)
        self._check_none_missing(digesters)
        self._check_none_unrecorded(digesters)
        self._check_outages()
        if wrong is not None:
            raise wrong
        for key, again in checks.items():
            again.finish(key)

    def _replays(self) -> dict[CheckKey, CheckReplay]:
        checks: dict[CheckKey, CheckReplay] = {}
        for key, number in results.check_ids(self.db).items():
            known = iter(list(history.outages_touching(self.db, number, 0, 1 << 62)))
            checks[key] = CheckReplay(runs_of_check(self.db, number), known, self._holds)
        return checks

    def _add_to_digest(self, digesters: dict[int, Digester], result: Result, batch: int) -> None:
        """Add a result to the digest of its batch, which is compared as soon as it is whole."""
        digester = digesters.get(batch) or digesters.setdefault(batch, Digester(batch))
        digester.add(result)
        recorded = self._recorded_batches.get(batch)
        if recorded and digester.count == recorded.size:
            if digester.digest().sha256 != recorded.sha256:
                raise VerificationError(
                    f"{recorded.label}: a result was changed, the digest is not the one that was recorded"
                )
            del self._recorded_batches[batch], digesters[batch]

    def _check_none_missing(self, digesters: dict[int, Digester]) -> None:
        for batch, recorded in self._recorded_batches.items():
            found = digesters[batch].count if batch in digesters else 0
            raise VerificationError(f"{recorded.label}: {recorded.size} were recorded, {found} are stored")

    def _check_none_unrecorded(self, digesters: dict[int, Digester]) -> None:
        """No result without a digest, but those of sweeps that are not over."""
        long_over = max(sorted(self._sweep_batches)[:-MAX_OPEN_SWEEPS], default=0)
        still_open = {number for number, (_, _, entry) in self._batches.items() if entry is None and number > long_over}
        for batch, digester in digesters.items():
            if batch not in still_open:
                raise VerificationError(
                    f"batch {batch} of results: {digester.count} are stored that the journal does not know"
                )

    def _check_outages(self) -> None:
        """Every stored outage is in the journal, unchanged."""
        for outage in history.list_outages(self.db):
            self.outages += 1
            told = self._recorded_outages.pop(outage.id, None)
            if told is None:
                raise VerificationError(f"outage {outage.id}: the journal does not tell of it")
            for name, stored in _outage_body(outage).items():
                if told.get(name, stored) != stored and not (name == "last_fail" and outage.end is None):
                    raise VerificationError(
                        f"outage {outage.id}: {name} was recorded as {told[name]}, stored is {stored}"
                    )
        if self._recorded_outages:
            raise VerificationError(
                f"outage {min(self._recorded_outages)}: the journal tells of it, and it is not stored any more"
            )

        _raise_first(integrity.find_reusable_outage_number(self.db, self._highest_outage))

    def check_mails(self) -> None:
        """Compare the outbox, the problems and outages noted as told, and the state of the alerts with the journal."""
        _raise_first(next(self._mails.errors(self.db), None))

    def check_closed_months(self) -> None:
        """Compute the closed months again, as of their closing, and follow their corrections."""
        for month in self._closed_months:
            if wrong := find_closing_mismatch(self.db, month) or find_correction_mismatch(self.db, month):
                raise VerificationError(f"month {month}, {wrong}")


_TIME_NAMES = frozenset(
    {
        *("start", "end", "first", "last", "last_ok", "last_fail", "announced_at", "opened_at", "responded_at"),
        *("replaced_at", "used_at", "measured_until", "began", "deadline", "answer_due", "sent_at"),
    }
)


def _times(entry: journal.JournalEntry) -> Iterator[Millis]:
    """Return the time of an entry and the times that its body names."""
    yield entry.at
    for name, value in entry.body.items():
        if name in _TIME_NAMES and isinstance(value, int):
            yield value


def _outage_body(outage: Outage) -> dict[str, object]:
    return {
        "server": outage.check.server,
        "check": outage.check.name,
        "start": outage.start,
        "last_ok": outage.last_ok,
        "reason": outage.reason,
        "end": outage.end,
        "last_fail": outage.last_fail,
    }
