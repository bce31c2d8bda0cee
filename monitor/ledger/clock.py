"""A wall clock that cannot be trusted: what is recorded of it, and what an operator decides.

Two things can be wrong. The clock is *behind* the newest record (or the record ahead of the clock): a clock that was
ahead has been corrected. Or the clock has *leapt* by days against the newest record: the monitor was off for days, or
the clock is wrong. The journal has an entry for each, and one for the end: ``clock-accepted`` or ``clock-rejected`` by
an operator, ``clock-settled`` where the system says that its clock is synchronised, or the clock returned.
``clock_rejection.py`` takes records back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from monitor.errors import InputError
from monitor.formatting import format_coarse_duration, format_iso_minute
from monitor.store import journal, results

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from sqlite_utils import Database

    from monitor.model import Millis
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


def describe_clock(verdict: ClockVerdict, records: ClockRecords, wall: Millis, zone: ZoneInfo) -> str:
    """Return what is wrong with the clock, what it holds up, and what to do, in a few sentences."""
    held = " Until this is decided no month is closed and no mail leaves for customers." if verdict.holds else ""
    if verdict.state is ClockState.BEHIND:
        length = format_coarse_duration(verdict.difference)
        newest, clock = (format_iso_minute(at, zone) for at in (wall + verdict.difference, wall))
        text = f"The newest record ({newest}) lies {length} after this machine's clock ({clock}); new ones follow it."
        if verdict.accepted:
            return f"{text} This was accepted: nothing is held up."
        return (
            f"{text}{held} If the clock is right now, `monitor clock reject` takes back what was recorded after its"
            " time; `monitor clock accept` keeps it."
        )
    leap = records.open_entry if records.open_entry and records.open_entry.kind == LEAPT else None
    newest_at, clock_at = (leap.body["newest"], leap.body["wall"]) if leap else (wall + verdict.difference, wall)
    newest, clock = (format_iso_minute(at, zone) for at in (newest_at, clock_at))
    return (
        f"This machine's clock leapt {format_coarse_duration(clock_at - newest_at)} ahead of the newest record, from"
        f" {newest} to {clock}, and the system does not say that the clock is synchronised.{held}"
        " If the clock is right: `monitor clock accept`. If it is wrong: set it, then `monitor clock reject`."
    )
