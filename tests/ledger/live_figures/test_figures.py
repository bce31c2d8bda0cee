"""Figures that are kept are those that computing everything again gives, after whatever happened."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.errors import InputError
from monitor.ledger import exclusions, maintenance
from monitor.ledger.exclusions import ExclusionRequest
from monitor.ledger.live_figures.figures import LiveFigures
from monitor.ledger.live_figures.self_check import find_mismatches
from monitor.ledger.maintenance_windows import known_windows
from monitor.ledger.results.importing import import_results
from monitor.model import CheckKey, Span
from monitor.sla.maintenance import MaintenanceState, state_at
from monitor.store import database, import_staging
from tests.fakes import (
    DAY,
    FAIL,
    HOUR,
    MINUTE,
    OK,
    OUTCOMES_BY_LETTER,
    START,
    make_context,
    make_result,
    make_server,
    make_subscription,
)
from tests.ledger.accounts.account_examples import BASE, CONFIGURATIONS, OUTCOMES, PING, PLAIN, SHOP, SITE, instant
from tests.ledger.ledger_fixture import LedgerFixture

if TYPE_CHECKING:
    from monitor.ledger.context import LedgerContext
    from monitor.ledger.live_figures.window_figures import WindowFigures
    from monitor.model import Millis, Outcome, Result

KEYS = (PING, SITE, SHOP)


class Watch:
    """Books that are written, and the kept figures beside them, as the daemon keeps them."""

    def __init__(self, desk: LedgerFixture) -> None:
        self.desk = desk
        self.keeping = LiveFigures()
        self.newest: dict[CheckKey, Millis] = {}
        self.began: set[CheckKey] = set()
        self.shown: dict[tuple[str, str], WindowFigures | None] = {}
        self._sweep = 0

    def record(self, came: list[Result], now: Millis) -> None:
        self._sweep += 1
        recorded = self.desk.record(self._sweep, came, now)
        self.desk.end_sweep(self._sweep, now)
        self.newest.update((result.check, result.at) for result in recorded.results)
        self.began |= recorded.checks_with_new_runs

    def look(self, now: Millis) -> int:
        """Catch up; gives how many figures changed."""
        keeping, db = self.keeping, self.desk.db
        silent = keeping.stale_subscriptions(keeping.names, now, self.newest.get)
        with database.snapshot(db):
            keeping.catch_up(db, now, self.desk.context.terms, self.began, silent)
        self.began = set()
        changes = keeping.advance(keeping.names)
        self.shown.update(((name, window), figures) for name, window, figures in changes)
        return len(changes)

    def assert_true(self) -> None:
        """Everything computed again comes to what is kept, and to what was shown."""
        assert find_mismatches(self.desk.db, self.keeping) == []
        for name in self.keeping.names:
            month, rolling = self.keeping.figures(name)
            assert (self.shown[name, "month"], self.shown[name, "rolling"]) == (month, rolling)


# --- whatever happens ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sweep:
    outcomes: tuple[Outcome | None, ...]
    late: Millis
    """How long before now its results were sent."""
    under_way: Millis = 0
    """How long before now its transaction began: a look may come in between."""


@dataclass(frozen=True)
class Work:
    act: Literal["announce", "extend", "cancel"]
    start: Millis
    length: Millis
    emergency: bool


@dataclass(frozen=True)
class Excuse:
    outage: bool
    """Of the newest outage, or of an interval of the server."""
    start: Millis
    length: Millis
    check: str | None
    subscription: str | None


@dataclass(frozen=True)
class Withdraw:
    """Of the newest exclusion."""


@dataclass(frozen=True)
class Configure:
    number: int


@dataclass(frozen=True)
class Import:
    outcomes: tuple[Outcome | None, ...]
    back: Millis


@dataclass(frozen=True)
class Wait:
    """Nothing happens but time."""


Event: TypeAlias = "Sweep | Work | Excuse | Withdraw | Configure | Import | Wait"
GAPS = st.sampled_from([0, 1, MINUTE, MINUTE, MINUTE, MINUTE, 2 * MINUTE, 2 * MINUTE + 1, HOUR, 9 * HOUR, 29 * DAY])
AROUND = st.sampled_from([-3 * DAY, -HOUR, -3 * MINUTE, 0, 5 * MINUTE, 96 * HOUR])
LENGTHS = st.sampled_from([MINUTE, 10 * MINUTE, 2 * HOUR, 3 * DAY])
SWEEPS = st.builds(
    Sweep,
    st.tuples(OUTCOMES, OUTCOMES, OUTCOMES),
    st.sampled_from([0, 0, 0, 500, 50_000, 5 * MINUTE, HOUR]),
    st.sampled_from([0, 0, 0, 3 * MINUTE, 50 * MINUTE]),
)
EVENTS = st.one_of(
    SWEEPS,
    SWEEPS,
    SWEEPS,
    SWEEPS,
    st.builds(Wait),
    st.builds(Work, st.sampled_from(["announce", "announce", "extend", "cancel"]), AROUND, LENGTHS, st.booleans()),
    st.builds(
        Excuse,
        st.booleans(),
        AROUND,
        LENGTHS,
        st.sampled_from([None, None, "ping", "site"]),
        st.sampled_from([None, None, "s"]),
    ),
    st.builds(Withdraw),
    st.builds(Configure, st.integers(0, len(CONFIGURATIONS) - 1)),
    st.builds(Import, st.tuples(OUTCOMES, OUTCOMES, OUTCOMES, OUTCOMES), st.sampled_from([5 * MINUTE, DAY, 40 * DAY])),
)


class Life(Watch):
    """A server's life, event by event."""

    def __init__(self) -> None:
        super().__init__(LedgerFixture(CONFIGURATIONS[0]))
        self.desk.apply_terms(BASE)
        self._excluded = 0

    def live(self, event: Event, now: Millis) -> None:
        try:
            if isinstance(event, Sweep):
                pairs = zip(KEYS, event.outcomes, strict=True)
                came = [make_result(key, now - event.late, what) for key, what in pairs if what is not None]
                self.record(came, now - min(event.under_way, event.late))
            elif isinstance(event, Configure):
                self.desk.reconfigure(CONFIGURATIONS[event.number], now)
            elif not isinstance(event, Wait):
                with database.transaction(self.desk.db):
                    self._write(event, now)
        except InputError:
            pass  # refused, as it would be on the command line

    def _write(self, event: Work | Excuse | Withdraw | Import, now: Millis) -> None:
        db, context = self.desk.db, self.desk.context
        if isinstance(event, Excuse):
            outages = self.desk.outages()
            asked = ExclusionRequest(
                "4.3",
                "theirs",
                outage=outages[-1].id if event.outage and outages else None,
                server="web-01",
                span=Span(now + event.start, now + event.start + event.length),
                check=event.check,
                subscription=event.subscription,
            )
            exclusions.add(db, context.terms, asked, now)
            self._excluded += 1
        elif isinstance(event, Withdraw):
            exclusions.withdraw(db, self._excluded, "not theirs", now)
        elif isinstance(event, Import):
            self._import(event, now)
        else:
            self._maintain(event, now)

    def _import(self, event: Import, now: Millis) -> None:
        import_staging.create_tables(self.desk.db)
        lines = [
            import_staging.StagedRow(number, *PING, now - event.back + number * MINUTE, int(what), None)
            for number, what in enumerate(event.outcomes)
            if what is not None
        ]
        import_staging.stage_rows(self.desk.db, lines)
        if import_staging.find_conflicts(self.desk.db, 20) == ([], 0):
            import_results(self.desk.db, self.desk.context.terms, now)
            self.desk.recording.invalidate()  # another process did it, by a connection of its own

    def _maintain(self, work: Work, now: Millis) -> None:
        db, context = self.desk.db, self.desk.context
        known = [
            window
            for window in known_windows(db)
            if state_at(window, now) not in (MaintenanceState.OVER, MaintenanceState.CANCELLED)
        ]
        start = now + work.start
        if work.act == "announce":
            emergency = "why" if work.emergency else None
            self.desk.announce("web-01", start=start, end=start + work.length, at=now, emergency=emergency)
        elif known and work.act == "cancel":
            maintenance.cancel(db, context, known[-1].id, now)
        elif known:
            maintenance.extend(db, context, known[-1].id, start + work.length, None, now)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(GAPS, EVENTS, st.booleans()), min_size=1, max_size=25))
def test_advancing_step_by_step_is_computing_everything_again_at_each_step(
    steps: list[tuple[Millis, Event, bool]],
) -> None:
    life, now = Life(), BASE
    for gap, event, looked_at in steps:
        now += gap
        life.live(event, now)
        if looked_at:
            life.look(now)
            life.assert_true()
    life.look(now)
    life.assert_true()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(GAPS, EVENTS), min_size=1, max_size=12),
    st.lists(st.sampled_from([-DAY, -HOUR, -30_000, -1, 0, 1, MINUTE, HOUR]), min_size=1, max_size=6),
)
def test_a_clock_that_is_set_back_and_catches_up_makes_no_difference(
    steps: list[tuple[Millis, Event]], moments: list[Millis]
) -> None:
    life, now = Life(), BASE
    for gap, event in steps:
        now += gap
        life.live(event, now)
    life.look(now)
    for moment in moments:
        life.look(now + moment)
        life.assert_true()


# --- examples --------------------------------------------------------------------------------------------------------


class Morning(Watch):
    """A server with an outage, a minute a letter; one subscription."""

    def __init__(self, context: LedgerContext = PLAIN) -> None:
        super().__init__(LedgerFixture(context))
        self.desk.apply_terms()
        self.minute = 0
        self.look(START)

    def tell(self, letters: str) -> None:
        for letter in letters:
            at = START + self.minute * MINUTE
            self.record([make_result(PING, at, OUTCOMES_BY_LETTER[letter])], at)
            self.minute += 1
            self.look(at + 1)
            self.assert_true()

    @property
    def month(self) -> WindowFigures:
        [name] = self.keeping.names
        figures, _ = self.keeping.figures(name)
        assert figures is not None
        return figures


def test_an_exclusion_of_an_outage_grows_with_it_and_ends_with_it() -> None:
    morning = Morning()
    morning.tell("ooxx")
    asked = ExclusionRequest("4.2", "power", outage=morning.desk.outages()[0].id)
    with database.transaction(morning.desk.db):
        exclusions.add(morning.desk.db, morning.desk.context.terms, asked, START + 3 * MINUTE)
    morning.tell("xxxooo")
    assert morning.month.down == 0
    morning.tell("xxo")
    assert morning.month.down == 2 * MINUTE


@pytest.mark.parametrize("late", [OK, FAIL])
@pytest.mark.parametrize("written", [START + HOUR, START + MINUTE])
def test_a_result_that_is_written_after_its_check_was_taken_for_silent_still_counts(
    late: Outcome, written: Millis
) -> None:
    watch = Watch(LedgerFixture(PLAIN))
    watch.desk.apply_terms()
    watch.record([make_result(PING, START, late)], START)
    watch.look(START)
    # the clock was set ahead, or the database refused: what was measured before comes later, by the time of then or now
    watch.look(START + HOUR)
    watch.assert_true()
    watch.record([make_result(PING, START + MINUTE, late)], written)
    watch.look(START + HOUR)
    watch.assert_true()
    month, _ = watch.keeping.figures("acme-web-01")
    assert month is not None
    assert month.up + month.down == 3 * MINUTE


def test_figures_that_stay_as_they_are_are_not_given_again() -> None:
    morning = Morning()
    morning.tell("oo")
    assert morning.look(START + 2 * MINUTE) == 2
    morning.tell("x")
    # where the window that moves begins nothing is known, and where it ends nothing will be
    assert morning.look(START + 10 * MINUTE) == 2
    assert morning.look(START + 11 * MINUTE) == 1


def test_a_longer_window_reads_further_back() -> None:
    week = replace(PLAIN, terms=replace(PLAIN.terms, rolling_days=1))
    morning = Morning(week)
    morning.tell("oooxxo")
    later = START + 40 * DAY
    morning.record([make_result(PING, later, OK)], later)
    morning.look(later)
    morning.desk.reconfigure(replace(week, terms=replace(week.terms, rolling_days=90)), later + MINUTE)
    morning.look(later + MINUTE)
    morning.assert_true()
    _, rolling = morning.keeping.figures("acme-web-01")
    assert rolling is not None
    assert rolling.down == 2 * MINUTE


def test_at_the_first_instant_of_a_month_nothing_is_in_it_yet() -> None:
    morning = Morning()
    morning.tell("oo")
    midnight = instant("2026-11-01T00:00+03:00")
    for now in (midnight - 1, midnight, midnight + 1):
        morning.look(now)
        morning.assert_true()
    month, _ = morning.keeping.figures("acme-web-01")
    assert month is not None
    assert month.unknown == 1


def test_what_changes_for_one_server_reads_no_other_again() -> None:
    names = ["web-01", "web-02", "web-03"]
    context = make_context([make_server(name) for name in names], [make_subscription("acme", name) for name in names])
    watch = Watch(LedgerFixture(context))
    watch.desk.apply_terms()
    watch.look(START)
    before = {name: watch.keeping.timeline(name) for name in watch.keeping.names}
    watch.desk.announce("web-02", start=START, end=START + HOUR, emergency="leak")
    watch.record([make_result(CheckKey("web-03", "ping"), START, OK)], START)
    watch.look(START + MINUTE)
    watch.assert_true()
    same = [name for name, course in before.items() if watch.keeping.timeline(name) is course]
    assert same == ["acme-web-01"]


@pytest.mark.parametrize("began", [True, False])
def test_a_fact_counts_from_its_own_time_on_also_where_its_clock_goes_before_ours(began: bool) -> None:  # noqa: FBT001
    watch = Watch(LedgerFixture(PLAIN))
    watch.desk.apply_terms()
    watch.record([make_result(PING, START, OK)], START)
    if began:
        watch.look(START)
    watch.desk.announce("web-01", start=START, end=START + HOUR, at=START + MINUTE, emergency="leak")
    excluded = []
    for now in (START + MINUTE // 2, START + MINUTE - 1, START + MINUTE, START + 2 * MINUTE):
        watch.look(now)
        watch.assert_true()
        month, _ = watch.keeping.figures("acme-web-01")
        assert month is not None
        excluded.append(month.up == 0)
    assert excluded == [False, False, True, True]


def test_figures_that_were_falsified_are_found_and_mended() -> None:
    morning = Morning()
    morning.tell("ooxxo")
    morning.desk.db.execute("UPDATE run SET outcome = 0 WHERE outcome = 1")
    [month, rolling] = find_mismatches(morning.desk.db, morning.keeping)
    assert (month.window, rolling.window) == ("month", "rolling")
    assert month.subscription == "acme-web-01"
    assert month.live is not None
    assert month.computed is not None
    assert (month.live.down, month.computed.down) == (2 * MINUTE, 0)
    morning.keeping.invalidate()
    morning.look(START + 5 * MINUTE)
    assert find_mismatches(morning.desk.db, morning.keeping) == []
