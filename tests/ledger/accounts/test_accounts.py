"""From what is stored to the accounts of a window, as they stand and as they stood."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.ledger import maintenance
from monitor.ledger.accounts.accounts import Accounts, LedgerView
from monitor.ledger.maintenance_windows import known_windows
from monitor.model import CheckKey, Outcome, Span
from monitor.sla.maintenance import MaintenanceState, state_at
from monitor.store import database
from tests.fakes import (
    DAY,
    FAIL,
    HOUR,
    MINUTE,
    OK,
    START,
    make_context,
    make_result,
    make_server,
    make_subscription,
    results_from,
)
from tests.ledger.accounts.account_examples import (
    BASE,
    CONFIGURATIONS,
    OUTCOMES,
    PING,
    PLAIN,
    SHOP,
    SITE,
    instant,
)
from tests.ledger.ledger_fixture import LedgerFixture

if TYPE_CHECKING:
    from monitor.ledger.accounts.accounts import SubscriptionAccount
    from monitor.ledger.context import LedgerContext
    from monitor.model import Millis


def desk_of(context: LedgerContext = PLAIN, at: Millis = START) -> LedgerFixture:
    desk = LedgerFixture(context)
    desk.apply_terms(at)
    return desk


def record(desk: LedgerFixture, key: CheckKey, letters: str, start: Millis = START, interval: Millis = MINUTE) -> None:
    results = results_from(key, letters, start, interval)
    desk.record(0, results, results[-1].at)
    desk.end_sweep(0, results[-1].at)


def steady(desk: LedgerFixture, key: CheckKey, start: Millis, end: Millis, outcome: Outcome = OK) -> None:
    """A result a minute from ``start`` to before ``end_sweep``."""
    desk.record(0, [make_result(key, at, outcome) for at in range(start, end, MINUTE)], end)


def only(accounts: Accounts) -> SubscriptionAccount:
    [found] = accounts.subscriptions
    return found


# --- examples --------------------------------------------------------------------------------------------------------


def test_a_month_is_the_calendar_month_in_the_contracts_zone() -> None:
    accounts = desk_of().ledger(instant("2026-11-05T00:00+03:00")).month(2026, 10)
    assert accounts.window == Span(instant("2026-10-01T00:00+03:00"), instant("2026-11-01T00:00+03:00"))
    assert (accounts.label, accounts.timezone) == ("2026-10", "Europe/Istanbul")


def test_seconds_add_up_to_the_window_and_results_hold_for_two_intervals() -> None:
    desk = desk_of()
    record(desk, PING, "oooxxo")
    account = only(desk.ledger(START + 20 * MINUTE).rolling(30)).account
    assert (account.up, account.down) == (3 * MINUTE + 2 * MINUTE, 2 * MINUTE)
    assert account.up + account.down + account.excluded + account.unknown == account.window == 30 * DAY


def test_a_window_that_is_still_running_ends_now() -> None:
    desk = desk_of()
    record(desk, PING, "ooo")
    found = only(desk.ledger(START + 2 * MINUTE).month(2026, 10))
    assert found.account.span == Span(instant("2026-10-01T00:00+03:00"), START + 2 * MINUTE)
    assert found.window == Span(instant("2026-10-01T00:00+03:00"), instant("2026-11-01T00:00+03:00"))


def test_the_budget_is_that_of_the_whole_month_also_while_it_runs() -> None:
    desk = desk_of()
    record(desk, PING, "oxxo")
    found = only(desk.ledger(START + 4 * MINUTE).month(2026, 10))
    assert found.budget == 31 * DAY * 25 // 10_000 - 2 * MINUTE


def test_without_a_result_everything_is_unknown_and_nothing_is_owed() -> None:
    found = only(desk_of().ledger(START + DAY).rolling(30))
    assert (found.account.up, found.account.down, found.account.unknown) == (0, 0, 30 * DAY)
    assert found.account.availability is None
    assert (found.credit.percent, found.credit.certain) == (0, True)


def test_a_subscription_that_starts_inside_the_month_counts_from_its_local_midnight() -> None:
    subscription = make_subscription("acme", "web-01", start=dt.date(2026, 10, 10), end=dt.date(2026, 10, 20))
    desk = desk_of(make_context([make_server("web-01")], [subscription]))
    steady(desk, PING, instant("2026-10-09T00:00+03:00"), instant("2026-10-12T00:00+03:00"))
    steady(desk, PING, instant("2026-10-19T00:00+03:00"), instant("2026-10-22T00:00+03:00"), FAIL)
    found = only(desk.ledger(instant("2026-11-05T00:00+03:00")).month(2026, 10))
    assert found.account.span == Span(instant("2026-10-10T00:00+03:00"), instant("2026-10-21T00:00+03:00"))
    assert found.account.window == 11 * DAY
    assert found.account.down == 2 * DAY
    # the last ok of the 11th holds for a minute of the 12th
    assert found.account.up == 2 * DAY + MINUTE


@pytest.mark.parametrize(("start", "end"), [((2026, 11, 1), None), (None, (2026, 9, 30))])
def test_a_subscription_without_a_day_in_the_month_is_not_in_its_accounts(
    start: tuple[int, int, int] | None, end: tuple[int, int, int] | None
) -> None:
    subscription = make_subscription(
        "acme", "web-01", start=dt.date(*start) if start else None, end=dt.date(*end) if end else None
    )
    desk = desk_of(make_context([make_server("web-01")], [subscription]))
    books = desk.ledger(instant("2026-12-05T00:00+03:00"))
    assert books.month(2026, 10).subscriptions == ()
    assert len(books.month(2026, 11 if start else 9).subscriptions) == 1


def test_a_subscription_that_never_was_is_in_no_accounts() -> None:
    assert desk_of().ledger(START).month(2026, 10, only="nobody").subscriptions == ()


def test_web_hosting_is_down_when_a_web_check_is_and_unknown_before_it_is_up() -> None:
    context = make_context(
        [make_server("web-01", "site", "shop")], [make_subscription("acme", "web-01", "web-hosting")]
    )
    desk = desk_of(context)
    desk.record(
        0,
        sorted(
            [
                *results_from(PING, "xxxxxxxx"),
                *results_from(SITE, "ooxxooo?"),
                *results_from(SHOP, "ooooxx?o"),
            ],
            key=lambda each: each.at,
        ),
        START,
    )
    account = only(desk.ledger(START + 8 * MINUTE).rolling(30)).account
    assert (account.up, account.down) == (2 * MINUTE, 4 * MINUTE)
    assert account.unknown == 30 * DAY - 6 * MINUTE
    assert len(account.outages) == 2


def test_server_and_colocation_are_read_on_ping_alone() -> None:
    context = make_context(
        [make_server("web-01", "site")],
        [make_subscription("acme", "web-01"), make_subscription("bolt", "web-01", "colocation")],
    )
    desk = desk_of(context)
    desk.record(0, sorted([*results_from(PING, "oooo"), *results_from(SITE, "xxxx")], key=lambda each: each.at), START)
    for each in desk.ledger(START + 4 * MINUTE).rolling(30).subscriptions:
        assert (each.account.up, each.account.down, each.account.outages) == (4 * MINUTE, 0, ())


def test_on_level_one_nothing_is_measured() -> None:
    context = make_context([make_server("web-01", level=1)], [make_subscription("acme", "web-01")])
    account = only(desk_of(context).ledger(START + DAY).rolling(30)).account
    assert account.availability is None
    assert account.unknown == account.window


def test_each_subscription_of_a_shared_server_has_an_account_of_its_own() -> None:
    context = make_context(
        [make_server("web-01")], [make_subscription(name, "web-01") for name in ("bolt", "acme", "core")]
    )
    desk = desk_of(context)
    record(desk, PING, "oxo")
    accounts = desk.ledger(START + 3 * MINUTE).rolling(30)
    assert [each.subscription.id for each in accounts.subscriptions] == ["acme-web-01", "bolt-web-01", "core-web-01"]
    assert {each.account.down for each in accounts.subscriptions} == {MINUTE}


def test_an_outage_over_midnight_of_the_month_counts_in_both_months_each_its_part() -> None:
    desk = desk_of()
    end = instant("2026-11-01T00:00+03:00")
    record(desk, PING, "o" * 10 + "x" * 20 + "o" * 10, start=end - 20 * MINUTE)
    books = desk.ledger(end + DAY)
    october, november = only(books.month(2026, 10)).account, only(books.month(2026, 11)).account
    assert (october.down, november.down) == (10 * MINUTE, 10 * MINUTE)
    assert october.outages == november.outages == (1,)
    # in October the outage's last fail lies in November: all its fails are certain there
    assert october.up == 10 * MINUTE


def test_an_outage_whose_fails_all_lie_before_the_window_still_casts_doubt_into_it() -> None:
    """The lowest bound: down from the last ok to the first ok after it."""
    desk = desk_of()
    end = instant("2026-11-01T00:00+03:00")
    record(desk, PING, "oox" + "?" * 20 + "o" * 20, start=end - 10 * MINUTE)
    november = only(desk.ledger(end + 33 * MINUTE).month(2026, 11)).account
    assert november.down == 0
    assert november.availability == 10_000
    assert november.lowest is not None
    assert november.lowest < 10_000


def test_terms_that_changed_on_the_tenth_leave_the_days_before_as_they_were() -> None:
    """From web checks to ping: another product of the same subscription."""
    before = replace(make_subscription("acme", "web-01", "web-hosting"), id="s")
    after = replace(before, product="server")
    desk = desk_of(make_context([make_server("web-01", "site")], [before]), instant("2026-10-01T00:00+03:00"))
    tenth = instant("2026-10-10T12:00+03:00")
    start, end = tenth - 5 * HOUR, tenth + 5 * HOUR
    steady(desk, SITE, start, end, FAIL)
    steady(desk, PING, start, end, OK)
    desk.reconfigure(make_context([make_server("web-01", "site")], [after]), tenth)
    found = only(desk.ledger(instant("2026-11-05T00:00+03:00")).month(2026, 10))
    assert (found.account.down, found.account.up) == (5 * HOUR, 5 * HOUR + MINUTE)
    assert (found.subscription.product, found.credit.clause) == ("server", "5.2.2")


def test_a_changed_configuration_never_rewrites_a_past_month() -> None:
    october, november = instant("2026-10-01T00:00+03:00"), instant("2026-11-05T00:00+03:00")
    desk = desk_of(at=october)
    steady(desk, PING, october, october + 2 * HOUR)
    steady(desk, PING, october + 2 * HOUR, october + 3 * HOUR, FAIL)
    before = desk.ledger(november).month(2026, 10)
    other = make_context([make_server("web-01", "site")], [make_subscription("acme", "web-01", "web-hosting")])
    desk.reconfigure(replace(other, terms=replace(other.terms, rounding="half-up", timezone="UTC")), november)
    after = desk.ledger(november + 1).month(2026, 10)
    assert replace(only(after), subscription=only(before).subscription) == only(before)


def test_the_configuration_that_has_not_come_into_force_yet_reads_what_is_there() -> None:
    """A server that is configured now may have history already."""
    desk = LedgerFixture(PLAIN)
    record(desk, PING, "oxo")
    assert only(desk.ledger(START + 3 * MINUTE).rolling(30)).account.down == MINUTE


def test_a_configuration_of_today_does_not_reach_into_the_books_as_they_stood() -> None:
    """The zone was changed later: as of before, months are still cut in the old one."""
    desk = desk_of(at=instant("2026-10-01T00:00+03:00"))
    other = replace(PLAIN, terms=replace(PLAIN.terms, timezone="America/New_York"))
    desk.reconfigure(other, instant("2026-10-20T00:00+03:00"))
    books = desk.ledger(instant("2026-10-15T00:00+03:00"))
    assert books.terms.timezone == "Europe/Istanbul"
    assert books.month(2026, 10).window.start == instant("2026-10-01T00:00+03:00")


def test_a_subscription_that_came_later_does_not_exist_in_the_books_before() -> None:
    desk = desk_of(at=instant("2026-10-01T00:00+03:00"))
    more = make_context(
        [make_server("web-01")], [*PLAIN.terms.subscriptions.values(), make_subscription("bolt", "web-01")]
    )
    desk.reconfigure(more, instant("2026-10-20T00:00+03:00"))
    assert len(desk.ledger(instant("2026-10-15T00:00+03:00")).month(2026, 10).subscriptions) == 1
    assert len(desk.ledger(instant("2026-10-21T00:00+03:00")).month(2026, 10).subscriptions) == 2


def test_a_month_with_a_missing_hour_is_an_hour_shorter() -> None:
    context = replace(PLAIN, terms=replace(PLAIN.terms, timezone="Europe/Berlin"))
    books = desk_of(context).ledger(instant("2027-05-01T00:00+00:00"))
    march, october = books.month(2027, 3).window, books.month(2026, 10).window
    assert march.end - march.start == 31 * DAY - HOUR
    assert october.end - october.start == 31 * DAY + HOUR


def test_a_credit_follows_the_fee_of_the_subscription() -> None:
    desk = desk_of(at=instant("2026-10-01T00:00+03:00"))
    start = instant("2026-10-01T00:00+03:00")
    steady(desk, PING, start, start + 98 * HOUR)
    steady(desk, PING, start + 98 * HOUR, start + 100 * HOUR, FAIL)
    steady(desk, PING, start + 100 * HOUR, start + 101 * HOUR)
    found = only(desk.ledger(start + 100 * HOUR).month(2026, 10))
    assert found.account.availability == 9800
    assert (found.credit.percent, found.credit.amount) == (25, Decimal("12.48"))


# --- as the books stood ----------------------------------------------------------------------------------------------

Fact: TypeAlias = "tuple[Millis, Sweep | Work | Configuration]"


@dataclass(frozen=True)
class Sweep:
    outcomes: tuple[Outcome | None, Outcome | None, Outcome | None]


@dataclass(frozen=True)
class Work:
    """Something about maintenance; a change is of the newest window that can be changed."""

    act: Literal["announce", "extend", "cancel"]
    start: Millis
    length: Millis
    emergency: bool


@dataclass(frozen=True)
class Configuration:
    number: int


GAPS = st.sampled_from([MINUTE, MINUTE, MINUTE, 2 * MINUTE, 2 * MINUTE + 1, 7 * MINUTE, HOUR, 9 * HOUR])


@st.composite
def some_facts(draw: st.DrawFn) -> list[Fact]:
    """What happened, each with its own moment, in the order of time."""
    now, found = BASE, []
    for _ in range(draw(st.integers(1, 25))):
        now += draw(GAPS)
        found.append(
            (
                now,
                draw(
                    st.one_of(
                        st.builds(Sweep, st.tuples(OUTCOMES, OUTCOMES, OUTCOMES)),
                        st.builds(Sweep, st.tuples(OUTCOMES, OUTCOMES, OUTCOMES)),
                        st.builds(Sweep, st.tuples(OUTCOMES, OUTCOMES, OUTCOMES)),
                        st.builds(
                            Work,
                            st.sampled_from(["announce", "announce", "extend", "cancel"]),
                            st.sampled_from([now - HOUR, now, now + 5 * MINUTE, now + 96 * HOUR]),
                            st.sampled_from([MINUTE, 10 * MINUTE, 2 * HOUR, 3 * DAY]),
                            st.booleans(),
                        ),
                        st.builds(Configuration, st.integers(0, len(CONFIGURATIONS) - 1)),
                    )
                ),
            )
        )
    return found


class Ledger:
    """Books into which facts are written at their own time, as the daemon and the commands would."""

    def __init__(self, facts: list[Fact]) -> None:
        self.desk = LedgerFixture(CONFIGURATIONS[0])
        self.desk.apply_terms(BASE)
        for number, (at, fact) in enumerate(facts):
            if isinstance(fact, Sweep):
                pairs = zip((PING, SITE, SHOP), fact.outcomes, strict=True)
                self.desk.record(
                    number, [make_result(key, at, outcome) for key, outcome in pairs if outcome is not None], at
                )
                self.desk.end_sweep(number, at)
            elif isinstance(fact, Configuration):
                self.desk.reconfigure(CONFIGURATIONS[fact.number], at)
            else:
                self._maintain(fact, at)

    def _maintain(self, work: Work, at: Millis) -> None:
        db, context = self.desk.db, self.desk.context
        known = [
            window
            for window in known_windows(db)
            if state_at(window, at) not in (MaintenanceState.OVER, MaintenanceState.CANCELLED)
        ]
        with database.transaction(db):
            if work.act == "announce":
                emergency = "why" if work.emergency else None
                self.desk.announce("web-01", start=work.start, end=work.start + work.length, at=at, emergency=emergency)
            elif known and work.act == "cancel":
                maintenance.cancel(db, context, known[-1].id, at)
            elif known and known[-1].start + work.length != known[-1].end:
                maintenance.extend(db, context, known[-1].id, known[-1].start + work.length, None, at)

    def figures(self, at: Millis) -> list[Accounts]:
        books = LedgerView(self.desk.db, at, self.desk.context.terms)
        windows = [books.month(2026, 10), books.month(2026, 11), books.rolling(30), books.rolling(1)]
        assert books.terms == LedgerView(self.desk.db, at, self.desk.context.terms).terms
        return windows


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(some_facts(), st.data())
def test_the_books_as_they_stood_are_those_of_the_facts_until_then(facts: list[Fact], data: st.DataObject) -> None:
    moments = [at + nudge for at, _ in facts for nudge in (-1, 0, 1, MINUTE)]
    at = data.draw(st.sampled_from(moments), label="at")
    then = Ledger([(when, fact) for when, fact in facts if when <= at])
    now = Ledger(facts)
    assert now.figures(at) == then.figures(at)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(some_facts(), st.data())
def test_asking_for_all_subscriptions_gives_what_asking_for_each_alone_gives(
    facts: list[Fact], data: st.DataObject
) -> None:
    ledger = Ledger(facts)
    at = data.draw(st.sampled_from([when + nudge for when, _ in facts for nudge in (0, MINUTE)]), label="at")
    together = LedgerView(ledger.desk.db, at, ledger.desk.context.terms)
    for whole in (together.month(2026, 10), together.month(2026, 11), together.rolling(1)):
        for each in whole.subscriptions:
            alone = LedgerView(ledger.desk.db, at, ledger.desk.context.terms)
            month = {"2026-10": 10, "2026-11": 11}.get(whole.label)
            name = each.subscription.id
            assert only(alone.month(2026, month, name) if month else alone.rolling(1, name)) == each


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(some_facts())
def test_in_every_account_each_instant_is_exactly_one_of_four(facts: list[Fact]) -> None:
    ledger = Ledger(facts)
    for accounts in ledger.figures(facts[-1][0] + HOUR):
        for each in accounts.subscriptions:
            account = each.account
            assert min(account.up, account.down, account.excluded, account.unknown) >= 0
            assert account.up + account.down + account.excluded + account.unknown == account.window
            assert sum(charge.length for charge in account.exclusions) == account.excluded
            if account.availability is not None:
                assert account.lowest is not None
                assert account.lowest <= account.availability
                # with a second check in doubt nothing may be left that is known, once the last fail proves nothing
                assert account.highest is None or account.availability <= account.highest
