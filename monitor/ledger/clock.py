"""A wall clock that cannot be trusted: what is recorded of it, and what an operator decides.

Two things can be wrong. The clock is *behind* the newest record (or the record ahead of the clock): a clock that was
ahead has been corrected. Or the clock has *leapt* by days against the newest record: the monitor was off for days, or
the clock is wrong. The journal has an entry for each, and one for the end: ``clock-accepted`` or ``clock-rejected`` by
an operator, ``clock-settled`` where the system says that its clock is synchronised, or the clock returned.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from monitor.errors import InputError
from monitor.ledger.outage_history import outage_body
from monitor.ledger.results.recording import close_batch
from monitor.model import Outcome
from monitor.outage import AlertState
from monitor.store import history, history_rebuild, journal, notification_log, outbox, rejected, results

if TYPE_CHECKING:
    from sqlite_utils import Database

    from monitor.model import Millis, Outage
    from monitor.store.journal import JournalEntry

BEHIND: Final = "clock-behind"
LEAPT: Final = "clock-leapt"
ACCEPTED: Final = "clock-accepted"
REJECTED: Final = journal.CLOCK_REJECTED
SETTLED: Final = "clock-settled"
MIN_BEHIND_MS: Final = 60_000
"""Milliseconds by which the newest record may lie after the clock: an ordinary correction of a clock."""
LEAP_MS: Final = 86_400_000
"""Milliseconds from which on a difference is no correction but a leap: then nothing leaves and no month is closed."""


class ClockState(StrEnum):
    """What the clock is against the newest record."""

    TRUSTED = "trusted"
    BEHIND = "behind"
    """The newest record lies after the clock."""
    LEAPT = "leapt"
    """The clock is days after the newest record, or it was and nobody has confirmed it."""


@dataclass(frozen=True, slots=True)
class ClockRecords:
    """What the ledger says that the clock is compared with."""

    newest: Millis | None
    """The newest record: a result, or an entry of the journal; None in a new ledger."""
    open_entry: JournalEntry | None = None
    """The last ``clock-behind`` or ``clock-leapt`` that nothing has ended."""
    accepted: JournalEntry | None = None
    """The last ``clock-accepted``, if nothing has happened to the clock since."""


@dataclass(frozen=True, slots=True)
class ClockVerdict:
    """What a clock is against the ledger."""

    state: ClockState
    difference: Millis = 0
    """By how much the newest record lies after the clock; negative: the clock after it."""
    accepted: bool = False
    """An operator has confirmed this state."""

    @property
    def holds(self) -> bool:
        """Whether no mail to customers leaves and no month is closed."""
        if self.accepted:
            return False
        return self.state is ClockState.LEAPT or (self.state is ClockState.BEHIND and self.difference >= LEAP_MS)


def read_clock_records(db: Database) -> ClockRecords:
    """Read what the clock is compared with."""
    times = [at for at in (results.newest_result_at(db), journal.newest_at(db)) if at is not None]
    found = list(journal.entries(db, BEHIND, LEAPT, ACCEPTED, REJECTED, SETTLED))
    newest = found[-1] if found else None
    return ClockRecords(
        newest=max(times, default=None),
        open_entry=newest if newest and newest.kind in (BEHIND, LEAPT) else None,
        accepted=newest if newest and newest.kind == ACCEPTED else None,
    )


def judge_clock(records: ClockRecords, wall: Millis, *, synchronised: bool) -> ClockVerdict:
    """Judge the wall clock against the ledger; ``synchronised``: the system says so of its clock."""
    if records.newest is None:
        return ClockVerdict(ClockState.TRUSTED)
    difference = records.newest - wall
    if difference > MIN_BEHIND_MS:
        return ClockVerdict(ClockState.BEHIND, difference, _covers(records.accepted, difference))
    opened = records.open_entry
    followed = opened is not None and opened.kind == LEAPT and opened.body["followed"]
    leapt = followed or (-difference >= LEAP_MS and not _covers(records.accepted, difference))
    if leapt and not synchronised:
        return ClockVerdict(ClockState.LEAPT, difference)
    return ClockVerdict(ClockState.TRUSTED, difference)


def judge_without_daemon(records: ClockRecords, wall: Millis, *, synchronised: bool) -> ClockVerdict:
    """Judge as a command does, beside a daemon or without one: an old record alone says that no daemon has run."""
    opened = records.open_entry
    if records.newest is not None and (opened is None or opened.kind != LEAPT):
        records = replace(records, newest=max(records.newest, wall))
    return judge_clock(records, wall, synchronised=synchronised)


def _covers(accepted: JournalEntry | None, difference: Millis) -> bool:
    """Whether a confirmation covers a difference; a greater one, in either direction, is another mistake."""
    if accepted is None:
        return False
    confirmed: Millis = accepted.body["difference"]
    if difference > 0:
        return difference <= confirmed + MIN_BEHIND_MS
    return -difference <= -confirmed + LEAP_MS


def note_clock(db: Database, verdict: ClockVerdict, wall: Millis, at: Millis, *, followed: bool) -> None:
    """Record, once, that the clock is behind or leapt; ``followed``: records carry the time after the leap."""
    known = read_clock_records(db).open_entry
    kind = BEHIND if verdict.state is ClockState.BEHIND else LEAPT
    if known is not None and known.kind in (kind, LEAPT) and (kind == BEHIND or known.body["followed"] == followed):
        return
    body: dict[str, Any] = {"newest": wall + verdict.difference, "wall": wall}
    journal.append(db, at, kind, body | {"followed": followed} if kind == LEAPT else body)


def settle_clock(db: Database, reason: str, at: Millis) -> None:
    """Record, once, that the clock and the records agree again: it is ``synchronised``, or ``returned``."""
    records = read_clock_records(db)
    if records.open_entry is not None or records.accepted is not None:
        journal.append(db, at, SETTLED, {"reason": reason})


def require_trusted_clock(db: Database, wall: Millis, *, synchronised: bool) -> None:
    """Raise InputError while the clock holds up what would be final."""
    if judge_without_daemon(read_clock_records(db), wall, synchronised=synchronised).holds:
        raise InputError(
            "the clock and the newest record are days apart: no month is closed until that is decided;"
            " see `monitor clock show`"
        )


@dataclass(frozen=True, slots=True)
class ClockDecision:
    """What an operator decided, as it is recorded."""

    entry: int
    kind: str
    at: Millis
    body: dict[str, Any]


def accept_clock(db: Database, wall: Millis, by: str, *, synchronised: bool) -> ClockDecision:
    """Record that the clock, and what was recorded by it, is right. Raises InputError where nothing is in doubt."""
    records = read_clock_records(db)
    verdict = judge_clock(records, wall, synchronised=synchronised)
    if verdict.state is ClockState.TRUSTED or verdict.accepted:
        raise InputError("there is nothing to accept: the clock is not in doubt, or was accepted already")
    assert records.newest is not None
    body = {"newest": records.newest, "wall": wall, "difference": verdict.difference, "recorded_by": by}
    at = max(wall, records.newest)
    return ClockDecision(journal.append(db, at, ACCEPTED, body), ACCEPTED, at, body)


# --- a rejection: what was recorded after the clock's time is taken back ----------------------------------------------


def reject_clock(db: Database, wall: Millis, by: str) -> ClockDecision:
    """Take back everything that was recorded after the time of the clock, which is right now.

    Results go to a table of their own; runs and outages end at the newest result that is left; mails to customers that
    have not left are withdrawn; months that were closed are open again. Facts that people recorded stay and count as
    recorded at ``wall``. Raises InputError where no record lies after the clock, or a claim is about an outage that
    would vanish.
    """
    records = read_clock_records(db)
    if records.newest is None or records.newest - wall <= MIN_BEHIND_MS:
        raise InputError(
            "no record lies after this machine's clock: there is nothing to reject. If the clock is wrong, set it"
            " first; then what was recorded after its time can be rejected"
        )
    outages = list(history.list_outages(db))
    vanishing = [outage for outage in outages if outage.start > wall]
    _require_no_claim(db, vanishing)
    for number, source, _ in results.open_batches(db):
        close_batch(db, number, source, results.batch_bounds(db, number), wall)
    months = sorted({entry.body["month"] for entry in journal.entries(db, "month-closed") if entry.at > wall})
    entry = journal.length(db) + 1
    changed = [outage for outage in outages if outage.start <= wall and _reaches_beyond(outage, wall)]
    body = {
        "after": wall,
        "newest": records.newest,
        "results": rejected.count_results_after(db, wall),
        "outages": [outage.id for outage in vanishing],
        "reopened": [outage.id for outage in changed if outage.end is not None],
        "months": months,
        "mails": outbox.pending_after(db, wall),
        "recorded_by": by,
    }
    journal.append(db, wall, REJECTED, body)
    outbox.withdraw_after(db, wall, f"the clock by which it was written was rejected (journal entry {entry})")
    checks = rejected.set_results_aside(db, wall, entry)
    rejected.cut_runs(db, wall)
    for outage in vanishing:
        rejected.remove_outage(db, outage.id)
        journal.append(db, wall, "outage-rejected", {"outage": outage.id, "entry": entry})
    for outage in changed:
        _cut_outage(db, outage, wall)
    _restore_alerting(db, checks, wall)
    return ClockDecision(entry, REJECTED, wall, body)


def _require_no_claim(db: Database, vanishing: list[Outage]) -> None:
    numbers = {outage.id for outage in vanishing}
    for entry in journal.entries(db, "claim-opened"):
        if entry.body["outage"] in numbers:
            raise InputError(
                f"claim {entry.body['claim']} is about outage {entry.body['outage']}, which was recorded after the"
                " clock's time: accept the clock instead, or restore a backup"
            )


def _reaches_beyond(outage: Outage, after: Millis) -> bool:
    return outage.last_fail > after or (outage.end is not None and outage.end > after)


def _cut_outage(db: Database, outage: Outage, after: Millis) -> None:
    """Open an outage again that ended later, and let it end its fails at the newest one that is left."""
    fails = (
        result.at
        for result in results.read(db, outage.check, outage.start, after + 1)
        if result.outcome is Outcome.FAIL
    )
    cut = replace(outage, end=None, last_fail=max(fails, default=outage.start))
    history_rebuild.update_outage(db, cut)
    journal.append(db, after, "outage-corrected", outage_body(cut, []))


def _restore_alerting(db: Database, checks: frozenset[int], after: Millis) -> None:
    """Let the alerting of each check be what it was before the rejected results, as far as it can be told."""
    for check, alerting in history.read_alerting(db).items():
        if check not in checks:
            continue
        outages = history.outages_touching(db, check, 0, after + 1)
        told = any(outage.end is None and notification_log.notified_customers(db, outage.id) for outage in outages)
        changes = [at for outage in outages for at in (outage.start, outage.end) if at is not None]
        flapping = alerting.flapping_since
        history.save_alerting(
            db,
            check,
            AlertState(
                notified=told,
                recent_starts=tuple(start for start in alerting.recent_starts if start <= after),
                flapping_since=flapping if flapping is not None and flapping <= after else None,
                last_change=max(changes, default=0),
            ),
        )
