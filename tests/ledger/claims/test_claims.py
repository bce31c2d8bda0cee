"""Claims (6.1 to 6.3): in time or refused, answered provisionally and for good, and provable afterwards."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import InputError
from monitor.ledger.claims import answers
from monitor.ledger.claims.claims import claims, open_claim, pending_claims
from monitor.model import CheckKey
from monitor.sla.calendar import claim_deadline
from monitor.sla.claims import ClaimRefusalReason, ClaimState
from monitor.store import database, journal
from tests.fakes import (
    DAY,
    HOUR,
    MINUTE,
    START,
    make_context,
    make_customer,
    make_server,
    make_subscription,
    results_from,
)
from tests.ledger.ledger_fixture import LedgerFixture
from tests.sla.holidays_of_2026 import HOLIDAYS_2026
from tests.sla.sla_fixtures import QUICK
from tests.sla.sla_fixtures import at as instant

if TYPE_CHECKING:
    from monitor.model import Language, Millis
    from monitor.sla.claims import Claim
    from monitor.store.outbox import Mail

PING = CheckKey("web-01", "ping")
DEADLINE = instant("2026-10-07T00:00:00+03:00")  # the outage begins on Friday 2 October
NOVEMBER = instant("2026-11-01T00:00:00+03:00")


def a_desk(language: Language = "en") -> LedgerFixture:
    subscriptions = [
        make_subscription("acme", "web-01", fee=Decimal("49.90")),
        make_subscription("globex", "db-01", start=dt.date(2026, 10, 1)),
        make_subscription("initech", "web-01", end=dt.date(2026, 9, 30)),
    ]
    customers = [make_customer("acme", language), make_customer("globex"), make_customer("initech")]
    desk = LedgerFixture(make_context([make_server("web-01", "site"), make_server("db-01")], subscriptions, customers))
    desk.apply_terms()
    return desk


def down(desk: LedgerFixture, letters: str, start: Millis = START, check: CheckKey = PING) -> None:
    """Tell a story of one check in one sweep, a letter a minute."""
    came = results_from(check, letters, start)
    desk.record(start // MINUTE, came, came[-1].at)
    desk.end_sweep(start // MINUTE, came[-1].at)


def make(
    desk: LedgerFixture, at: Millis, *, opened: Millis | None = None, outage: int = 1, of: str = "acme-web-01"
) -> Claim:
    """What ``monitor claim open`` does."""
    with database.transaction(desk.db):
        claim, why = open_claim(desk.db, desk.context, of, outage, opened, at)
        return claim if why is None else answers.refuse(desk.db, desk.context, claim, why, at)


def give(desk: LedgerFixture, at: Millis, number: int = 1, note: str = "") -> Claim:
    with database.transaction(desk.db):
        return answers.answer(desk.db, desk.context, number, note, at)


def kept(desk: LedgerFixture) -> dict[str, Any]:
    """The figures of the newest answer, as the journal has them."""
    answer: dict[str, Any] = desk.journal_bodies("claim-answered")[-1]["answer"]
    return answer


def letter(desk: LedgerFixture) -> Mail:
    return desk.mails("claims")[-1]


# --- deadlines -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("late", "state"), [(0, ClaimState.OPEN), (1, ClaimState.REFUSED)])
def test_a_claim_at_24_00_itself_is_in_time_and_a_millisecond_later_it_is_refused(late: int, state: ClaimState) -> None:
    desk = a_desk()
    down(desk, "oxo")
    claim = make(desk, DEADLINE + late)
    assert (claim.deadline, claim.in_time, claim.state) == (DEADLINE, late == 0, state)


def test_a_late_claim_is_kept_and_the_customer_told_of_the_deadline_and_its_clause() -> None:
    desk = a_desk()
    down(desk, "oxo")
    make(desk, DEADLINE + 1)
    assert [entry["why"] for entry in desk.journal_bodies("claim-refused")] == ["late"]
    mail = letter(desk)
    assert (mail.recipients, mail.copies) == (("it@acme.example",), ("noc@example.com",))
    for part in (mail.text, mail.html):
        assert "2026-10-06 24:00 (clause 6.2)" in part


def test_what_counts_is_when_the_ticket_came_not_when_it_was_recorded() -> None:
    desk = a_desk()
    down(desk, "oxo")
    claim = make(desk, DEADLINE + DAY, opened=DEADLINE - HOUR)
    assert (claim.in_time, claim.opened_at, claim.recorded_at) == (True, DEADLINE - HOUR, DEADLINE + DAY)
    assert claim.answer_due == instant("2026-10-09T00:00:00+03:00")


def test_a_claim_before_a_holiday_week_is_due_on_the_second_business_day_after_it() -> None:
    desk = a_desk()
    eve = instant("2026-05-26T12:00:00+03:00")  # Kurban Bayramı is from the 27th to the 30th, then comes Sunday
    down(desk, "oxo", eve)
    claim = make(desk, instant("2026-06-02T23:59:00+03:00"))
    assert (claim.deadline, claim.in_time) == (instant("2026-06-03T00:00:00+03:00"), True)
    assert make(a_desk_down(eve), instant("2026-06-03T00:00:01+03:00")).state is ClaimState.REFUSED
    # and one that is made on that eve is answered by then
    early = make(a_desk_down(eve), instant("2026-05-26T18:00:00+03:00"))
    assert early.answer_due == instant("2026-06-03T00:00:00+03:00")


def a_desk_down(start: Millis) -> LedgerFixture:
    desk = a_desk()
    down(desk, "oxo", start)
    return desk


@QUICK
@given(st.integers(instant("2026-01-01T00:00:00+03:00"), instant("2026-12-15T00:00:00+03:00")), st.integers(0, 14 * 24))
def test_a_claim_is_in_time_until_two_business_days_have_passed_whole(start: int, hours: int) -> None:
    made = start + hours * HOUR
    zone = dt.timezone(dt.timedelta(hours=3))
    day = dt.datetime.fromtimestamp(start // 1000, zone).date()
    passed = 0
    for _ in range(20):
        day += dt.timedelta(days=1)
        over = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), zone)
        works = day.isoweekday() <= 5 and day.isoformat() not in HOLIDAYS_2026
        passed += works and round(over.timestamp()) * 1000 < made
    assert (made <= claim_deadline(start, "Europe/Istanbul")) is (passed < 2)


def test_an_answer_is_overdue_once_24_00_of_the_second_business_day_has_passed() -> None:
    desk = a_desk()
    down(desk, "oxo")
    due = make(desk, START + HOUR).answer_due
    (claim,) = claims(desk.db, due)
    assert pending_claims(desk.db, due) == ((claim,), (), due)
    assert pending_claims(desk.db, due + 1) == ((claim,), (claim,), None)
    give(desk, due + 2)
    assert pending_claims(desk.db, due + 3) == ((), (), None)


# --- what cannot be claimed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"of": "nobody"}, "--subscription nobody"),
        ({"outage": 9}, "--outage 9"),
        ({"of": "globex-db-01"}, "on server db-01"),
        ({"of": "initech-web-01"}, "not in force"),
        ({"opened": START + 2 * HOUR}, "future"),
        ({"opened": START}, "before outage 1 began"),
    ],
)
def test_what_cannot_be_claimed_is_said_in_one_line_and_records_nothing(asked: dict[str, Any], named: str) -> None:
    desk = a_desk()
    down(desk, "oxo")
    with pytest.raises(InputError, match=named) as error:
        make(desk, START + HOUR, **asked)
    assert "\n" not in str(error.value)
    assert claims(desk.db, START + HOUR) == ()
    assert desk.mails("claims") == []


def test_an_outage_is_claimed_once_by_each_subscription() -> None:
    desk = a_desk()
    down(desk, "oxo")
    make(desk, START + HOUR)
    with pytest.raises(InputError, match="claim 1 is open"):
        make(desk, START + 2 * HOUR)
    assert len(claims(desk.db, START + 2 * HOUR)) == 1


def test_a_claim_for_a_check_that_is_not_measured_is_recorded_and_refused() -> None:
    desk = a_desk()
    down(desk, "oxo", check=CheckKey("web-01", "site"))
    claim = make(desk, START + HOUR)
    assert claim.refused is not None
    assert claim.refused.reason is ClaimRefusalReason.NOT_MEASURED
    assert "measured by ping" in " ".join(letter(desk).text.split())
    assert "5.2.2, 4.4, 4.8" in letter(desk).text


def test_before_it_was_recorded_a_claim_does_not_exist() -> None:
    desk = a_desk()
    down(desk, "oxo")
    make(desk, START + HOUR)
    give(desk, START + 2 * HOUR)
    states = [[claim.state for claim in claims(desk.db, START + at)] for at in (HOUR - 1, HOUR, 2 * HOUR)]
    assert states == [[], [ClaimState.OPEN], [ClaimState.ANSWERED]]


# --- answers ---------------------------------------------------------------------------------------------------------


def test_an_answer_in_a_running_month_is_provisional_and_the_final_one_follows() -> None:
    desk = a_desk()
    down(desk, "o" * 80 + "x" * 20 + "o")
    make(desk, START + 3 * HOUR)
    assert not give(desk, START + 4 * HOUR).final
    assert "provisional" in letter(desk).text
    with pytest.raises(InputError, match="2026-11-01 00:00"):
        give(desk, START + 5 * HOUR)
    assert give(desk, NOVEMBER).final
    assert "provisional" not in letter(desk).text
    with pytest.raises(InputError, match="answered already"):
        give(desk, NOVEMBER + DAY)
    assert [entry["final"] for entry in desk.journal_bodies("claim-answered")] == [False, True]


def test_a_refused_claim_is_not_answered() -> None:
    desk = a_desk()
    down(desk, "oxo")
    make(desk, DEADLINE + 1)
    with pytest.raises(InputError, match="was refused"):
        give(desk, DEADLINE + 2)


def test_an_answer_has_the_figures_of_the_books_and_the_credit_that_follows() -> None:
    desk = a_desk()
    down(desk, "o" * 80 + "x" * 20 + "o")
    make(desk, START + 3 * HOUR)
    give(desk, NOVEMBER, note="Sorry.")
    (month,) = kept(desk)["months"]
    (account,) = desk.ledger(NOVEMBER).month(2026, 10, "acme-web-01").subscriptions
    assert (month["up"], month["down"]) == (account.account.up, account.account.down) == (82 * MINUTE, 20 * MINUTE)
    assert (month["availability"], month["target"], month["target_met"]) == ("80.39", "99.75", False)
    assert (month["percent"], month["certain"], month["amount"]) == ("25", True, "12.48")
    assert (month["clause"], month["credited_in"], month["band_from"], month["band_to"]) == (
        "5.2.2",
        "2026-11",
        None,
        "98.00",
    )
    (outage,) = month["outages"]
    assert (outage["counted"], outage["least"], outage["most"]) == (20 * MINUTE, 19 * MINUTE, 21 * MINUTE)
    assert (kept(desk)["positive"], kept(desk)["final"], kept(desk)["note"]) == (True, True, "Sorry.")


def test_an_answer_names_the_records_it_was_computed_from_and_can_be_computed_again() -> None:
    desk = a_desk()
    down(desk, "o" * 80 + "x" * 20 + "o")
    claim = make(desk, START + 3 * HOUR)
    number, own = journal.head(desk.db)
    give(desk, START + 4 * HOUR)
    answer = kept(desk)
    assert answer["records"] == {"entry": number, "hash": own, "at": START + 4 * HOUR}
    assert own in letter(desk).text
    assert own in letter(desk).html
    down(desk, "x" * 50, START + 5 * HOUR)  # what comes later does not change what was answered
    again = answers.compute_answer(desk.db, desk.context, claim, "", answer["records"]["at"])
    assert json.loads(journal.canonical_json([asdict(month) for month in again.months])) == answer["months"]


def test_an_answer_is_mailed_in_the_thread_of_its_outage_and_its_letter_is_kept() -> None:
    desk = a_desk()
    down(desk, "oxo")
    make(desk, START + HOUR)
    give(desk, START + 2 * HOUR)
    told_of, mail = desk.mails()[0], letter(desk)
    assert told_of.message_id in mail.refers
    said = desk.journal_bodies("claim-answered")[0]["letter"]
    assert (said["message_id"], said["subject"], said["text"]) == (mail.message_id, mail.subject, mail.text)
    assert mail.state == "pending"


def _answer_and_fail(desk: LedgerFixture) -> None:
    with database.transaction(desk.db):
        answers.answer(desk.db, desk.context, 1, "", START + 2 * HOUR)
        raise RuntimeError("the power goes")


def test_an_answer_that_cannot_be_recorded_is_not_mailed_either() -> None:
    desk = a_desk()
    down(desk, "oxo")
    make(desk, START + HOUR)
    with pytest.raises(RuntimeError):
        _answer_and_fail(desk)
    assert desk.mails("claims") == []
    assert [claim.state for claim in claims(desk.db, START + DAY)] == [ClaimState.OPEN]


def test_what_was_excluded_is_told_with_clause_record_length_and_reason() -> None:
    desk = a_desk()
    window = desk.announce("web-01", start=START + 80 * MINUTE, end=START + 90 * MINUTE, at=START, emergency="leak")
    down(desk, "o" * 80 + "x" * 20 + "o")
    make(desk, START + 3 * HOUR)
    give(desk, START + 4 * HOUR)
    (month,) = kept(desk)["months"]
    (excluded,) = month["exclusions"]
    assert (excluded["clause"], excluded["reference"], excluded["length"]) == ("4.9", window.reference, 10 * MINUTE)
    assert (month["outages"][0]["counted"], month["outages"][0]["excluded"]) == (20 * MINUTE, 10 * MINUTE)
    assert "4.9: maintenance 1: 10 min: new disks (leak)" in letter(desk).text


def test_maintenance_that_was_announced_too_late_is_told_as_excluding_nothing() -> None:
    desk = a_desk()
    desk.announce("web-01", start=START + 80 * MINUTE, end=START + 90 * MINUTE, at=START)
    down(desk, "o" * 80 + "x" * 20 + "o")
    make(desk, START + 3 * HOUR)
    give(desk, START + 4 * HOUR)
    (excluded,) = kept(desk)["months"][0]["exclusions"]
    assert (excluded["length"], excluded["short_by"]) == (0, 96 * HOUR - 80 * MINUTE)
    assert "94 h 40 min too late, so it excludes nothing (clauses 4.1, 4.9)" in letter(desk).text


def test_a_claim_for_an_outage_that_outlives_its_month_is_answered_for_each_month() -> None:
    desk = a_desk()
    start = NOVEMBER - 10 * MINUTE
    down(desk, "o" + "x" * 20 + "o", start)
    make(desk, start + HOUR)
    give(desk, NOVEMBER + DAY)
    october, november = kept(desk)["months"]
    assert (october["month"], october["final"], october["down"]) == ("2026-10", True, 9 * MINUTE)
    assert (november["month"], november["final"], november["down"]) == ("2026-11", False, 11 * MINUTE)
    assert not kept(desk)["final"]


def test_an_answer_without_credit_says_so_with_target_and_clause() -> None:
    desk = a_desk()
    down(desk, "o" * 600 + "x" * 2 + "o" * 100)
    make(desk, START + 12 * HOUR)
    give(desk, NOVEMBER)
    assert kept(desk)["positive"] is False
    (month,) = kept(desk)["months"]
    assert (month["availability"], month["percent"], month["amount"], month["floor"]) == ("99.71", "0", "0.00", "99.00")
    assert "below 99.00 %, so none is due (clause 5.2.2)" in letter(desk).text


def test_a_customer_is_answered_in_the_own_language() -> None:
    desk = a_desk("tr")
    down(desk, "o" * 80 + "x" * 20 + "o")
    make(desk, START + 3 * HOUR)
    give(desk, NOVEMBER)
    assert letter(desk).subject == "KREDİ %25: acme-web-01 (talep 1)"
    assert letter(desk).language == "tr"
