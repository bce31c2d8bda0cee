"""Quotas (8.1): a calendar year of reinstallations, a calendar month of KVM, by the level that was agreed then."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import InputError
from monitor.ledger.support import quotas
from monitor.ledger.support.quotas import QuotaExceeded, QuotaUseRequest
from monitor.sla.quotas import amount_text, included_amount, parse_amount
from monitor.store import journal
from tests.fakes import DAY, HOUR, START, make_context, make_server, make_subscription, terms_effective_from
from tests.ledger.ledger_fixture import LedgerFixture
from tests.sla.sla_fixtures import QUICK

if TYPE_CHECKING:
    from monitor.ledger.context import LedgerContext
    from monitor.model import Millis
    from monitor.sla.quotas import QuotaKind

NAME = "acme-web-01"


def contract(level: int = 3, start: dt.date | None = None) -> LedgerContext:
    return make_context([make_server("web-01", level=level)], [make_subscription("acme", "web-01", start=start)])


def desk_at(level: int = 3, start: dt.date | None = None) -> LedgerFixture:
    desk = LedgerFixture(contract(level, start))
    desk.apply_terms(START - 400 * DAY)
    return desk


def instant(text: str) -> Millis:
    moment = dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Istanbul"))
    return int(moment.timestamp()) * 1000


def use(
    desk: LedgerFixture, kind: QuotaKind, amount: int, used_at: Millis | None = None, at: Millis = START, **more: str
) -> object:
    asked = QuotaUseRequest(NAME, kind, amount, more.get("reference"), more.get("force"))
    came, _ = quotas.record_use(desk.db, desk.context.terms, asked, used_at, at)
    return came


def left(desk: LedgerFixture, kind: QuotaKind, at: Millis = START, now: Millis | None = None) -> int:
    found = quotas.quotas(desk.db, desk.context.terms, at, at if now is None else now, NAME)
    return next(each.remaining for each in found if each.kind == kind)


@pytest.mark.parametrize(("level", "reinstalls", "hours"), [(1, 1, 4), (2, 2, 8), (3, 2, 12), (4, 4, 24)])
def test_a_level_includes_what_its_row_says(level: int, reinstalls: int, hours: int) -> None:
    desk = desk_at(level)
    assert (left(desk, "reinstall"), left(desk, "kvm")) == (reinstalls, hours * 60)


def test_what_is_left_can_be_used_to_the_last_and_no_more() -> None:
    desk = desk_at(3)
    use(desk, "reinstall", 2)
    refused = use(desk, "reinstall", 1)
    assert isinstance(refused, QuotaExceeded)
    assert str(refused).startswith(f"{NAME}: 0 of 2 reinstallations remain in 2026 on level 3 (8.1), 1 were requested")
    assert len(desk.journal_bodies("quota-used")) == 1


def test_an_overdraft_with_a_reason_is_recorded_with_it() -> None:
    desk = desk_at(3)
    use(desk, "kvm", 700, reference="ticket 1")
    use(desk, "kvm", 60, force="the data centre asked for it")
    assert left(desk, "kvm") == -40
    assert [entry["forced"] for entry in desk.journal_bodies("quota-used")] == [None, "the data centre asked for it"]


def test_a_reason_that_was_not_needed_is_not_kept() -> None:
    desk = desk_at(3)
    use(desk, "kvm", 60, force="just in case")
    assert desk.journal_bodies("quota-used")[0]["forced"] is None


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("reinstall", "2026-12-31T23:59:59", "2027-01-01T00:00:00"),
        ("kvm", "2026-09-30T23:59:59", "2026-10-01T00:00:00"),
    ],
)
def test_a_period_ends_at_local_midnight(kind: QuotaKind, before: str, after: str) -> None:
    desk, now = desk_at(3), instant("2027-06-01T00:00:00")
    everything = included_amount(3, kind)
    use(desk, kind, everything, instant(before), now)
    assert left(desk, kind, instant(before), now) == 0
    assert left(desk, kind, instant(after), now) == everything


def test_a_use_of_long_ago_counts_by_the_level_of_then() -> None:
    desk = desk_at(2)
    desk.reconfigure(contract(4), START)
    assert (left(desk, "kvm", START - HOUR, START), left(desk, "kvm", START)) == (8 * 60, 24 * 60)
    assert isinstance(use(desk, "kvm", 9 * 60, START - HOUR), QuotaExceeded)
    use(desk, "kvm", 9 * 60)


def test_a_use_recorded_later_fits_only_beside_what_was_used_after_it() -> None:
    desk = desk_at(3)
    use(desk, "reinstall", 2, START)
    assert isinstance(use(desk, "reinstall", 1, START - DAY, START), QuotaExceeded)


def test_a_list_of_a_moment_has_what_was_used_until_then_whenever_it_was_recorded() -> None:
    desk = desk_at(3)
    use(desk, "kvm", 60, START - HOUR, START + DAY)
    use(desk, "kvm", 90, START + HOUR, START + DAY)
    assert [left(desk, "kvm", at, START + DAY) for at in (START - 2 * HOUR, START, START + 2 * HOUR)] == [720, 660, 570]


def test_nothing_is_used_in_the_future_or_where_nothing_was_agreed() -> None:
    desk = desk_at(3, start=dt.date(2026, 10, 1))
    with pytest.raises(InputError, match="future"):
        use(desk, "kvm", 60, START + 1)
    with pytest.raises(InputError, match="not in force at"):
        use(desk, "kvm", 60, START - 10 * DAY)
    with pytest.raises(InputError, match="no such subscription"):
        quotas.quotas(desk.db, desk.context.terms, START, START, "nobody")
    assert desk.journal_bodies("quota-used") == []


def test_a_subscription_that_left_the_configuration_keeps_its_past() -> None:
    desk = desk_at(3)
    use(desk, "reinstall", 1)
    desk.reconfigure(make_context([make_server("web-01")]), START + DAY)
    assert quotas.quotas(desk.db, desk.context.terms, START + 2 * DAY, START + 2 * DAY) == ()
    assert left(desk, "reinstall", START, START + 2 * DAY) == 1


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "", "one", "1e3", "²", "1.", "99999999999"])
def test_reinstallations_are_whole_and_at_least_one(text: str) -> None:
    if text == "1.":
        assert parse_amount("reinstall", text) == 1
        return
    with pytest.raises(ValueError, match="whole number"):
        parse_amount("reinstall", text)


@pytest.mark.parametrize("text", ["0", "0.01", "1.333", "-2", "nan", "1,5", "1.5.5"])
def test_hours_of_kvm_come_in_steps_of_three_minutes(text: str) -> None:
    with pytest.raises(ValueError, match="steps of"):
        parse_amount("kvm", text)


@given(st.integers(1, 2_000))
def test_hours_of_kvm_are_written_as_they_are_read(steps: int) -> None:
    minutes = steps * 3
    assert parse_amount("kvm", amount_text("kvm", minutes)) == minutes


@QUICK
@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 90), st.booleans()), max_size=12))
def test_what_is_left_is_what_is_included_less_each_use_of_the_month(
    wanted: list[tuple[int, int, bool]],
) -> None:
    desk, now = desk_at(3), START + 100 * DAY
    month, last = instant("2026-11-01T00:00:00"), instant("2026-12-01T00:00:00")
    expected = included_amount(3, "kvm")
    for steps, days, forced in wanted:
        amount, when = steps * 30, START + days * DAY
        before = left(desk, "kvm", last - 1, now) if month <= when < last else None
        came = use(desk, "kvm", amount, when, now, **({"force": "agreed"} if forced else {}))
        if before is None:
            continue
        assert isinstance(came, QuotaExceeded) == (amount > before and not forced)
        expected -= 0 if isinstance(came, QuotaExceeded) else amount
    assert left(desk, "kvm", last - 1, now) == expected
    assert len(list(journal.entries(desk.db, "quota-used"))) == len(quotas.uses(desk.db))


def test_the_terms_of_the_configuration_count_where_no_daemon_ran_yet() -> None:
    desk = LedgerFixture(contract(4))
    assert quotas.quotas(desk.db, terms_effective_from(desk.context.terms, START), START, START)[1].included == 24 * 60
