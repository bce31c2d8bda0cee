"""Watches the wall clock against the newest record, and holds back what would be final while it cannot be trusted.

While the clock is days apart from the records, no month is closed and no mail to customers leaves, until the system
says that its clock is synchronised, an operator decides (``monitor clock``), or the clock returns. A difference of
minutes is reported and holds back nothing. The rules are in ``ledger/clock.py``.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from monitor.ledger.clock import (
    LEAP_MS,
    ClockState,
    describe_clock,
    judge_clock,
    note_clock,
    read_clock_records,
    settle_clock,
)
from monitor.mail.content import OperatorNews
from monitor.store import journal, results
from monitor.store.daemon_state import CLOCK_PROBLEM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from zoneinfo import ZoneInfo

    from sqlite_utils import Database

    from monitor.clock import Clock
    from monitor.engine.live.state import LiveState
    from monitor.engine.live.telemetry import Telemetry
    from monitor.engine.recorded_time import RecordedTime
    from monitor.ledger.clock import ClockRecords, ClockVerdict
    from monitor.model import Millis

log = logging.getLogger(__name__)


class OperatorNotifier(Protocol):
    """Where problems are mailed to the operators."""

    def raise_problem(self, news: OperatorNews, lines: Iterable[str], at: Millis | None = None) -> None:
        """Mail a lasting problem, once; ``at`` is its date, if that is not the recorded time."""

    def clear_problem(self, news: OperatorNews) -> None:
        """Record that it is over."""


class ClockGuard:
    """One daemon's view of the wall clock; ``check`` is called every second."""

    def __init__(
        self,
        clock: Clock,
        recorded_time: RecordedTime,
        records: ClockRecords,
        *,
        is_synchronised: Callable[[Millis], bool],
    ) -> None:
        """``is_synchronised`` says whether the system vouches for a wall time."""
        self._clock = clock
        self._recorded_time = recorded_time
        self._records = records
        self._is_synchronised = is_synchronised
        self._shown: tuple[ClockState, bool] | None = None
        """What was logged, mailed and shown last: the state, and whether it was accepted."""
        self._last_rejection = 0
        self.rejected = False
        """An operator took back what was recorded: the daemon has to start again."""
        self.verdict = self._judge(records)

    @property
    def holds(self) -> bool:
        """Whether no mail to customers may leave and no month may be closed."""
        return self.verdict.holds

    @property
    def may_leap(self) -> bool:
        """Whether the recorded time may follow a wall clock that is days ahead of it."""
        return self._judge(self._present_records()).state is not ClockState.LEAPT

    @property
    def in_doubt(self) -> bool:
        """Whether the journal has to be read again, for a decision of an operator."""
        return self.verdict.state is not ClockState.TRUSTED or self._has_open_matter

    @property
    def _has_open_matter(self) -> bool:
        return self._records.open_entry is not None or self._records.accepted is not None

    def _present_records(self) -> ClockRecords:
        return replace(self._records, newest=self._recorded_time.now())

    def _judge(self, records: ClockRecords) -> ClockVerdict:
        wall = self._clock.now()
        return judge_clock(records, wall, synchronised=self._is_synchronised(wall))

    def record_start(self, db: Database, at: Millis) -> None:
        """Record what the clock is at the start, before anything else is recorded; in the transaction of the start."""
        self._last_rejection = max((number for number, _ in journal.rejections(db)), default=0)
        self._record(db, self._clock.now(), at, followed=True)
        self._records = read_clock_records(db)

    def _record(self, db: Database, wall: Millis, at: Millis, *, followed: bool) -> None:
        if self.verdict.state is ClockState.TRUSTED:
            settle_clock(db, "synchronised" if self._is_synchronised(wall) else "returned", at)
        elif not self.verdict.accepted:
            note_clock(db, self.verdict, wall, at, followed=followed)

    def before_write(self, db: Database) -> bool:
        """Notice a rejection before anything is written by the old time; runs in the writer's thread.

        Returns whether results that bear a later time than now must be dropped.
        """
        if self.verdict.state is ClockState.BEHIND and not self.rejected:
            rejections = journal.rejections(db)
            if rejections and rejections[-1][0] > self._last_rejection:
                self.rejected = True
                self._recorded_time.restart(results.newest_result_at(db))
        return self.rejected

    def refresh(self, records: ClockRecords) -> None:
        """Take over what the journal says now."""
        self._records = records

    def check(self) -> Callable[[Database], object] | None:
        """Judge the clock again; return what is to be recorded about it, if anything."""
        wall, recorded = self._clock.now(), self._recorded_time.now()
        self.verdict = self._judge(self._present_records())
        if self.verdict.state is ClockState.TRUSTED:
            due = self._has_open_matter and wall - recorded < LEAP_MS
        else:
            due = not self.verdict.accepted and self._records.open_entry is None
        if not due:
            return None
        return partial(self._record, wall=wall, at=recorded, followed=wall - recorded < LEAP_MS)

    def show(self, live_state: LiveState, telemetry: Telemetry, notifier: OperatorNotifier, zone: ZoneInfo) -> None:
        """Bring log, page, metrics and mail up to date."""
        verdict = self.verdict
        telemetry.set_clock(behind=verdict.difference if verdict.state is ClockState.BEHIND else 0, holds=verdict.holds)
        shown = (verdict.state, verdict.accepted)
        if shown == self._shown:
            return
        first, self._shown = self._shown is None, shown
        if verdict.state is ClockState.TRUSTED:
            live_state.clear_problem(CLOCK_PROBLEM)
            notifier.clear_problem(OperatorNews.CLOCK)
            if not first:
                log.warning("the wall clock and the records agree again")
            return
        wall = self._clock.now()
        text = describe_clock(verdict, self._records, wall, zone)
        live_state.set_problem(CLOCK_PROBLEM, text, ready=verdict.accepted)
        if verdict.accepted:
            notifier.clear_problem(OperatorNews.CLOCK)
            log.warning("%s", text)
            return
        log.error("%s", text)
        notifier.raise_problem(OperatorNews.CLOCK, (text, "monitor clock show"), min(wall, self._recorded_time.now()))
