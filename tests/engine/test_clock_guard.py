"""A daemon whose clock and records are apart says so, holds back what is final, and obeys an operator's decision."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from monitor.engine.clock_guard import ClockGuard
from monitor.engine.live.state import LiveState
from monitor.engine.live.telemetry import Telemetry
from monitor.engine.recorded_time import RecordedTime
from monitor.ledger.clock import LEAP_MS, accept_clock, read_clock_records
from monitor.ledger.clock_rejection import reject_clock
from monitor.mail.content import OperatorNews
from monitor.store import journal
from monitor.store.daemon_state import CLOCK_PROBLEM
from tests.fakes import DAY, HOUR, MINUTE, OK, START, FakeClock, FakeOperatorNotifier, make_context, make_result
from tests.ledger.ledger_fixture import LedgerFixture, check_key

if TYPE_CHECKING:
    from monitor.model import Millis

pytestmark = pytest.mark.logs_errors
ZONE = ZoneInfo("Europe/Istanbul")
INTERVAL = MINUTE


class Process:
    """As much of a daemon as watches the clock: on a ledger whose newest record is that of START."""

    def __init__(self, desk: LedgerFixture, clock: FakeClock) -> None:
        self.desk = desk
        self.clock = clock
        self.synchronised = False
        self.notifier = FakeOperatorNotifier()
        self.live_state, self.telemetry = LiveState(), Telemetry()
        self.start()

    def start(self) -> None:
        """Begin as a new process does."""
        records = read_clock_records(self.desk.db)
        self.time = RecordedTime(self.clock, records.newest)
        self.guard = ClockGuard(self.clock, self.time, records, is_synchronised=lambda _: self.synchronised)
        self.guard.record_start(self.desk.db, self.time.now())
        journal.append(self.desk.db, self.time.now(), "daemon-started", {})
        self._show()

    def tick(self, seconds: float = 1) -> None:
        """Let time pass, and look at the clock as the engine does."""
        self.clock.advance(seconds)
        self.time.follow_wall_clock(INTERVAL, max_forward=None if self.guard.may_leap else LEAP_MS)
        if self.guard.in_doubt:
            self.guard.refresh(read_clock_records(self.desk.db))
        if work := self.guard.check():
            work(self.desk.db)
        self._show()

    def holds(self) -> bool:
        """Whether the clock holds back what is final."""
        return self.guard.holds

    def _show(self) -> None:
        self.guard.show(self.live_state, self.telemetry, self.notifier, ZONE)

    def record(self) -> None:
        at = self.time.now()
        self.desk.record(at, [make_result(check_key("web_01"), at, OK)], at)

    def kinds(self) -> list[str]:
        rows = self.desk.db.execute("SELECT kind FROM journal WHERE kind LIKE 'clock-%' ORDER BY number")
        return [kind.removeprefix("clock-") for (kind,) in rows]

    @property
    def ahead(self) -> Millis:
        """By how much the recorded time is ahead of the clock."""
        return self.time.now() - self.clock.now()


@pytest.fixture
def process() -> Process:
    desk = LedgerFixture(make_context())
    desk.apply_terms()
    return Process(desk, FakeClock(START + MINUTE))


def test_a_clock_that_agrees_is_not_mentioned(process: Process) -> None:
    for _ in range(5):
        process.tick()
    assert (process.kinds(), process.live_state.problems, process.notifier.problems) == ([], {}, [])
    assert (process.telemetry.clock_behind, process.telemetry.clock_holds) == (0, False)


def test_a_start_days_after_the_last_record_is_held_until_an_operator_confirms(process: Process) -> None:
    process.clock.step(3 * DAY)
    process.start()
    assert process.holds()
    assert not process.live_state.problems[CLOCK_PROBLEM].ready
    assert [news for news, _ in process.notifier.problems] == [OperatorNews.CLOCK]
    process.record()
    process.start()
    process.tick()
    assert process.holds(), "the leap is not forgotten by a restart"
    accept_clock(process.desk.db, process.clock.now(), "anna", synchronised=False)
    process.tick()
    process.tick()
    assert not process.holds()
    assert CLOCK_PROBLEM not in process.live_state.problems
    assert process.kinds() == ["leapt", "accepted", "settled"]


def test_a_synchronised_clock_is_believed_at_the_start_and_later(process: Process) -> None:
    process.synchronised = True
    process.clock.step(3 * DAY)
    process.start()
    assert not process.holds()
    process.synchronised = False
    process.tick()
    assert not process.holds()
    process.clock.step(3 * DAY)
    process.start()
    assert process.holds()
    process.synchronised = True
    process.tick()
    process.tick()
    assert not process.holds()
    assert process.kinds() == ["leapt", "settled"]


def test_a_leap_under_a_running_daemon_is_not_followed_until_it_is_accepted(process: Process) -> None:
    process.clock.step(3 * DAY)
    process.tick()
    assert process.holds()
    assert process.ahead == -3 * DAY
    process.tick()
    assert process.kinds() == ["leapt"]
    accept_clock(process.desk.db, process.clock.now(), "anna", synchronised=False)
    process.tick()
    process.tick()
    process.tick()
    assert (process.ahead, process.holds()) == (0, False)
    assert process.kinds() == ["leapt", "accepted", "settled"]


def test_a_leap_that_is_taken_back_leaves_no_trace_in_the_recorded_time(process: Process) -> None:
    process.clock.step(3 * DAY)
    process.tick()
    process.clock.step(-3 * DAY)
    process.tick()
    process.tick()
    assert (process.ahead, process.holds()) == (0, False)
    assert process.kinds() == ["leapt", "settled"]
    process.start()
    assert not process.holds()


def test_an_hour_ahead_is_reported_and_holds_nothing_back(process: Process) -> None:
    process.tick()
    process.clock.step(-HOUR)
    process.tick()
    assert process.telemetry.clock_behind == HOUR
    assert not process.telemetry.clock_holds
    assert not process.live_state.problems[CLOCK_PROBLEM].ready
    for _ in range(10):
        process.tick()
    assert len(process.notifier.problems) == 1
    assert process.kinds() == ["behind"]


def test_a_ledger_that_is_days_ahead_is_kept_and_gone_on_with_when_it_is_accepted(process: Process) -> None:
    process.synchronised = True
    process.clock.step(40 * DAY)
    process.start()
    process.record()
    process.clock.step(-40 * DAY)
    process.start()
    assert process.holds(), "a synchronised clock shows that the records are wrong"
    accept_clock(process.desk.db, process.clock.now(), "anna", synchronised=True)
    process.tick()
    assert not process.holds()
    assert process.live_state.problems[CLOCK_PROBLEM].ready
    process.start()
    process.tick()
    assert not process.holds()
    assert process.ahead > 39 * DAY
    process.clock.step(-DAY)
    process.tick()
    assert process.holds(), "more than was accepted"


def test_a_rejection_is_noticed_before_the_next_write(process: Process) -> None:
    process.clock.step(40 * DAY)
    process.start()
    process.record()
    process.clock.step(-40 * DAY)
    process.start()
    assert not process.guard.before_write(process.desk.db)
    reject_clock(process.desk.db, process.clock.now(), "anna")
    assert process.guard.before_write(process.desk.db)
    assert process.guard.rejected
    assert abs(process.ahead) <= 1
    process.start()
    process.tick()
    assert not process.holds()
    assert CLOCK_PROBLEM not in process.live_state.problems
