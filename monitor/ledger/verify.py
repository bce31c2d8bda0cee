"""Verifies that the records were not changed: checks the journal's chain and recomputes everything derived from it.

The steps, in this order:

1. The schema is that of this version; the file is intact and its indexes agree with its tables.
2. Every journal entry follows the previous one and matches its hash; the last entry is the newest that was written.
3. Every packed hour is byte for byte the canonical packing of its results.
4. The results of every batch match the digest in the journal, and no result is outside of a batch.
5. Every outage and run follows from the results, and the journal describes each outage as the table does.
6. Every mail is the one that was queued and sent, and what is stored as notified was notified.
7. Every closed month is recomputed to the same figures, and each correction starts from the figures before it.
8. Every row refers to existing rows.
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


# --- the replay of a check: the runs and outages that follow from its results, compared with the stored ones ----------


class VerificationError(Exception):
    """Stored data differs from what was recorded; this ends the verification."""


@dataclass
class CheckReplay:
    """Replays the results of one check."""

    stored_runs: Iterator[Run]
    stored_outages: Iterator[Outage]
    holds: list[tuple[Millis, Millis]]
    outage_state: OutageState = field(default_factory=OutageState)
    run: Run | None = None
    last: Result | None = None

    def replay(self, result: Result) -> None:
        """Replay the next result, in time order. Raises VerificationError if the stored runs or outages differ."""
        self._check_run(result)
        state_before = self.outage_state
        self.outage_state, change = advance(state_before, result)
        if change is OutageChange.ENDED and state_before.open_outage:
            open_outage = state_before.open_outage
            self._check_outage(
                result.check,
                (open_outage.start, open_outage.last_fail, result.at, open_outage.last_ok, open_outage.reason),
            )
        self.last = result

    def _check_run(self, result: Result) -> None:
        run, last = self.run, self.last
        if run is None or last is None or result.at > run.last:
            if run is not None and (last is None or last.at != run.last):
                raise VerificationError(f"{result.check}: the run from {run.first} does not end with a result")
            previous_run, self.run = run, next(self.stored_runs, None)
            run = self.run
            if run is None or run.first != result.at or run.outcome is not result.outcome:
                raise VerificationError(f"{result.check}: no run starts with the result at {result.at}")
            if previous_run is not None and extend_run(previous_run, result, run.hold).first == previous_run.first:
                raise VerificationError(
                    f"{result.check}: the runs from {previous_run.first} and from {run.first} should be one run"
                )
            if self.holds and run.hold not in _holds_from(self.holds, run.first):
                raise VerificationError(f"{result.check}: the hold of the run from {run.first} differs from the terms")
        elif run.outcome is not result.outcome or result.at - last.at > run.hold:
            raise VerificationError(f"{result.check}: the run from {run.first} does not match its results")

    def finish(self, key: CheckKey) -> None:
        """Compare the open outage and check that nothing else is stored. Raises VerificationError."""
        open_outage = self.outage_state.open_outage
        if open_outage:
            self._check_outage(
                key, (open_outage.start, open_outage.last_fail, None, open_outage.last_ok, open_outage.reason)
            )
        if next(self.stored_outages, None) is not None or next(self.stored_runs, None) is not None:
            raise VerificationError(f"{key}: more outages or runs are stored than follow from its results")
        if self.run and self.last and self.last.at != self.run.last:
            raise VerificationError(f"{key}: the run from {self.run.first} does not end with a result")

    def _check_outage(self, key: CheckKey, expected: tuple[int, int, int | None, int | None, str]) -> None:
        stored = next(self.stored_outages, None)
        actual = stored and (stored.start, stored.last_fail, stored.end, stored.last_ok, stored.reason)
        if actual != expected:
            name = f"outage {stored.id}" if stored else "an outage that is not stored"
            raise VerificationError(f"{key}: {name} does not follow from its results: {actual} instead of {expected}")


def _holds_from(holds: list[tuple[Millis, Millis]], at: Millis) -> set[Millis]:
    """Return the holds of the terms in force at ``at`` or later, since results may be written late."""
    ends = [since for since, _ in holds[1:]]
    return {hold for (_, hold), end in zip(holds, [*ends, None], strict=True) if end is None or end > at}


MAX_OPEN_SWEEPS = 10
"""Sweeps whose batches may still be open; an older batch that is not closed was not written by this program."""


@dataclass(frozen=True, slots=True)
class VerificationReport:
    """The result of a verification."""

    entries: int
    results: int
    outages: int
    error: str | None
    """The first error; None if there is none."""


def verify(
    db: Database,
    progress: Callable[[int], None] = lambda _: None,
    on_stage: Callable[[str], None] = lambda _: None,
) -> VerificationReport:
    """Verify everything, inside one read snapshot.

    ``progress`` gets the number of journal entries verified so far, ``on_stage`` the name of the next step.
    """
    verifier = _Verifier(db)
    try:
        on_stage("the database file")
        _raise_first(integrity.find_schema_difference(db), integrity.find_damage(db))
        on_stage("the journal")
        verifier.read_batches()
        for entry in journal.verify_chain(db):
            verifier.add_entry(entry)
            progress(verifier.entries)
        verifier.check_head()
        on_stage("packed results")
        _raise_first(integrity.find_impossible_time(db))
        verifier.check_packed_hours()
        on_stage("results, outages and runs")
        verifier.check_results()
        on_stage("mails and alerts")
        verifier.check_mails()
        on_stage("closed months")
        verifier.check_closed_months()
        _raise_first(integrity.find_broken_reference(db))
    except VerificationError as error:
        return VerificationReport(verifier.entries, verifier.results, verifier.outages, one_line(str(error)))
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        # data that this program wrote never fails like this
        message = f"after journal entry {verifier.entries}: unreadable data: {type(error).__name__}: {error}"
        return VerificationReport(verifier.entries, verifier.results, verifier.outages, one_line(message))
    return VerificationReport(verifier.entries, verifier.results, verifier.outages, None)


def _raise_first(*errors: str | None) -> None:
    for error in errors:
        if error is not None:
            raise VerificationError(error)


class _RecordedBatch(NamedTuple):
    """The journal's record of a batch of results."""

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
    """The journal's records of the batches that are not verified yet."""
    _sweep_batches: list[int] = field(default_factory=list)
    """The batches of sweeps, in the order of their ends."""
    _holds: list[tuple[Millis, Millis]] = field(default_factory=list)
    """The hold of results by the terms, with the time from which it applies."""
    _recorded_outages: dict[int, dict[str, object]] = field(default_factory=dict)
    """Each outage as described by the journal's entries; the last fail of an open outage is not in it."""
    _highest_outage: int = 0
    """The highest outage number of the journal."""
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
            recorded = self._recorded_outages.setdefault(entry.body["outage"], {"end": None})
            recorded |= {name: value for name, value in entry.body.items() if name not in ("outage", "batches")}

    def _add_batch(self, entry: journal.JournalEntry) -> None:
        body = entry.body
        label = f"journal entry {entry.number}, batch {body['batch']} of results"
        source, opened_at, recorded_entry = self._batches.get(body["batch"], (None, None, None))
        if (source, recorded_entry) != (body["source"], entry.number) or (source == "import" and opened_at != entry.at):
            raise VerificationError(f"{label}: its time or source was changed")
        if source == "probe":
            self._sweep_batches.append(body["batch"])
        self._recorded_batches[body["batch"]] = _RecordedBatch(label, body["count"], body["sha256"])
        self.results += body["count"]

    def check_head(self) -> None:
        """Check that the newest entry is the one that was written last, so that none is missing at the end."""
        head = daemon_state.get(self.db, "journal-head")
        if head is None:
            if self.entries:
                raise VerificationError("the record of the last written journal entry is missing")
            return
        if head["entry"] > self.entries:
            raise VerificationError(f"journal entry {head['entry']} is missing: the last entry is {self.entries}")
        if (head["entry"], head["hash"]) != journal.head(self.db):
            raise VerificationError(
                f"journal entry {self.entries} is not the last that was written, which is entry {head['entry']}"
            )

    def check_packed_hours(self) -> None:
        """Check that every packed hour is unchanged."""
        keys = {number: key for key, number in results.check_ids(self.db).items()}
        for hour in hours.hours_between(self.db, 0, 1 << 62):
            if hour.check_id not in keys or not hours.is_canonical(hour):
                key = keys.get(hour.check_id, f"check {hour.check_id}")
                raise VerificationError(f"{key}: the packed results of the hour from {hour.start} were changed")

    def check_results(self) -> None:
        """Recompute digests, outages and runs from the results alone."""
        replays = self._replays()
        digesters: dict[int, Digester] = {}
        replay_error: VerificationError | None = None
        for result, batch in results.read_with_batches(self.db):
            self._add_to_digest(digesters, result, batch)
            try:
                if replay_error is None:
                    replays[result.check].replay(result)
            except VerificationError as error:
                replay_error = error  # raised below, only if the results themselves are unchanged
        for result, batch in rejected_with_batches(self.db):
            self._add_to_digest(digesters, result, batch)
        self._check_none_missing(digesters)
        self._check_none_unrecorded(digesters)
        self._check_outages()
        if replay_error is not None:
            raise replay_error
        for key, replay in replays.items():
            replay.finish(key)

    def _replays(self) -> dict[CheckKey, CheckReplay]:
        replays: dict[CheckKey, CheckReplay] = {}
        for key, check_id in results.check_ids(self.db).items():
            stored_outages = iter(list(history.outages_touching(self.db, check_id, 0, 1 << 62)))
            replays[key] = CheckReplay(runs_of_check(self.db, check_id), stored_outages, self._holds)
        return replays

    def _add_to_digest(self, digesters: dict[int, Digester], result: Result, batch: int) -> None:
        """Add a result to the digest of its batch, which is compared as soon as it is complete."""
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
            stored = digesters[batch].count if batch in digesters else 0
            raise VerificationError(f"{recorded.label}: {recorded.size} were recorded, {stored} are stored")

    def _check_none_unrecorded(self, digesters: dict[int, Digester]) -> None:
        """Check that every result has a digest, except those of sweeps that are not over."""
        newest_closed = max(sorted(self._sweep_batches)[:-MAX_OPEN_SWEEPS], default=0)
        open_batches = {
            batch for batch, (_, _, entry) in self._batches.items() if entry is None and batch > newest_closed
        }
        for batch, digester in digesters.items():
            if batch not in open_batches:
                raise VerificationError(
                    f"batch {batch} of results: {digester.count} are stored that are not in the journal"
                )

    def _check_outages(self) -> None:
        """Check that every stored outage is in the journal, unchanged."""
        for outage in history.list_outages(self.db):
            self.outages += 1
            recorded = self._recorded_outages.pop(outage.id, None)
            if recorded is None:
                raise VerificationError(f"outage {outage.id}: not in the journal")
            for name, stored in _outage_body(outage).items():
                if recorded.get(name, stored) != stored and not (name == "last_fail" and outage.end is None):
                    raise VerificationError(
                        f"outage {outage.id}: {name} was recorded as {recorded[name]}, stored is {stored}"
                    )
        if self._recorded_outages:
            raise VerificationError(f"outage {min(self._recorded_outages)}: in the journal, but not stored")

        _raise_first(integrity.find_reusable_outage_number(self.db, self._highest_outage))

    def check_mails(self) -> None:
        """Compare the outbox, the problems and outages stored as notified, and the alert states with the journal."""
        _raise_first(next(self._mails.errors(self.db), None))

    def check_closed_months(self) -> None:
        """Recompute the closed months as of their closing, and check their corrections."""
        for month in self._closed_months:
            if mismatch := find_closing_mismatch(self.db, month) or find_correction_mismatch(self.db, month):
                raise VerificationError(f"month {month}, {mismatch}")


_TIME_NAMES = frozenset(
    {
        *("start", "end", "first", "last", "last_ok", "last_fail", "announced_at", "opened_at", "responded_at"),
        *("replaced_at", "used_at", "measured_until", "began", "deadline", "answer_due", "sent_at"),
    }
)


def _times(entry: journal.JournalEntry) -> Iterator[Millis]:
    """Return the time of an entry and the times in its body."""
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
