"""The clock against the records: what holds things up, and what a rejection takes back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.errors import InputError
from monitor.ledger.clock import (
    ClockRecords,
    ClockState,
    accept_clock,
    judge_clock,
    judge_without_daemon,
    note_clock,
    read_clock_records,
    require_trusted_clock,
    settle_clock,
)
from monitor.ledger.clock_rejection import reject_clock
from monitor.ledger.months.closing import close, closing_of, months_due
from monitor.ledger.terms import terms_in_force
from monitor.ledger.verify import verify
from monitor.store import database, history, journal, results
from tests.fakes import (
    DAY,
    HOUR,
    MINUTE,
    OK,
    START,
    make_context,
    make_result,
    make_server,
    make_subscription,
    pack_hours,
)
from tests.ledger.ledger_fixture import LedgerFixture, check_key

CONTEXT = make_context([make_server("web-01", "site"), make_server("db-01")], [make_subscription("acme", "web-01")])
AHEAD = 40 * 24 * 60
"""Minutes by which the clock was ahead."""
NOW = START + 20 * MINUTE


def desk_with_leap(before: str = "ooxxo?o", after: str = "oxxoo", *, minute: int = AHEAD) -> LedgerFixture:
    """A ledger that was written by a right clock, then for some minutes by one that was ahead."""
    desk = LedgerFixture(CONTEXT)
    desk.apply_terms()
    desk.record_sweeps(web_01=before, db_01="o" * len(before))
    desk.restart(START + minute * MINUTE)
    for place, letter in enumerate(after):
        desk.record_sweep(minute + place, web_01=letter, db_01="o")
    return desk


def reject(desk: LedgerFixture, wall: int = NOW) -> dict[str, object]:
    with database.transaction(desk.db):
        return reject_clock(desk.db, wall, "anna").body


# --- the verdict -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("difference", "synchronised", "state", "holds"),
    [
        (0, False, ClockState.TRUSTED, False),
        (59_000, False, ClockState.TRUSTED, False),
        (-DAY + 1, False, ClockState.TRUSTED, False),
        (HOUR, True, ClockState.BEHIND, False),
        (40 * DAY, False, ClockState.BEHIND, True),
        (40 * DAY, True, ClockState.BEHIND, True),
        (-DAY, False, ClockState.LEAPT, True),
        (-DAY, True, ClockState.TRUSTED, False),
        (-400 * DAY, False, ClockState.LEAPT, True),
    ],
)
def test_a_difference_of_days_holds_things_up_unless_the_clock_is_synchronised(
    *, difference: int, synchronised: bool, state: ClockState, holds: bool
) -> None:
    verdict = judge_clock(ClockRecords(START + difference), START, synchronised=synchronised)
    assert (verdict.state, verdict.holds) == (state, holds)


def test_a_new_ledger_trusts_the_clock() -> None:
    assert judge_clock(ClockRecords(None), START, synchronised=False).state is ClockState.TRUSTED


def test_a_command_does_not_doubt_the_clock_because_no_daemon_has_run_for_days() -> None:
    records = ClockRecords(START - 30 * DAY)
    assert judge_without_daemon(records, START, synchronised=False).state is ClockState.TRUSTED
    assert judge_without_daemon(ClockRecords(START + 2 * DAY), START, synchronised=False).holds


def test_a_leap_is_in_doubt_across_restarts_until_something_ends_it() -> None:
    desk = desk_with_leap(after="")
    wall = START + AHEAD * MINUTE
    verdict = judge_clock(read_clock_records(desk.db), wall, synchronised=False)
    note_clock(desk.db, verdict, wall, wall, followed=True)
    note_clock(desk.db, verdict, wall, wall, followed=True)
    assert len(desk.journal_bodies("clock-leapt")) == 1
    assert judge_clock(read_clock_records(desk.db), wall + MINUTE, synchronised=False).holds
    assert not judge_clock(read_clock_records(desk.db), wall + MINUTE, synchronised=True).holds
    settle_clock(desk.db, "synchronised", wall + MINUTE)
    settle_clock(desk.db, "synchronised", wall + MINUTE)
    assert desk.journal_bodies("clock-settled") == [{"reason": "synchronised"}]
    assert not judge_clock(read_clock_records(desk.db), wall + MINUTE, synchronised=False).holds


# --- accept ----------------------------------------------------------------------------------------------------------


def test_an_accepted_clock_holds_nothing_up_until_the_difference_grows() -> None:
    desk = desk_with_leap()
    accept_clock(desk.db, NOW, "anna", synchronised=False)
    records = read_clock_records(desk.db)
    assert judge_clock(records, NOW, synchronised=False) == replace(
        judge_clock(records, NOW, synchronised=False), accepted=True, state=ClockState.BEHIND
    )
    assert not judge_clock(records, NOW, synchronised=False).holds
    assert judge_clock(records, NOW - HOUR, synchronised=False).holds
    with pytest.raises(InputError, match="nothing to accept"):
        accept_clock(desk.db, NOW, "anna", synchronised=False)
    assert verify(desk.db).error is None


def test_a_clock_that_is_not_in_doubt_is_neither_accepted_nor_rejected() -> None:
    desk = desk_with_leap(after="")
    with pytest.raises(InputError, match="nothing to accept"):
        accept_clock(desk.db, NOW, "anna", synchronised=False)
    with pytest.raises(InputError, match="set it first"):
        reject(desk)


def test_no_month_is_closed_by_hand_while_the_records_are_days_ahead() -> None:
    desk = desk_with_leap()
    with pytest.raises(InputError, match="monitor clock show"):
        require_trusted_clock(desk.db, NOW, synchronised=True)
    reject(desk)
    require_trusted_clock(desk.db, NOW, synchronised=False)


# --- reject ----------------------------------------------------------------------------------------------------------


def history_of(desk: LedgerFixture) -> tuple[object, ...]:
    """Everything that figures are read from."""
    return (
        list(results.read_with_batches(desk.db)),
        desk.outages(),
        {number: list(history.runs_of_check(desk.db, number)) for number in results.check_ids(desk.db).values()},
    )


@pytest.mark.parametrize("after", ["ooooo", "xxxxx", "oxoxo", "?", "x?o?x"])
@pytest.mark.parametrize("before", ["oooooo", "ooxxoo", "oooxxx", "xxxxxx", "ooo???"])
def test_after_a_rejection_the_ledger_is_what_it_was_before_the_leap(before: str, after: str) -> None:
    desk = desk_with_leap(before, after)
    reject(desk)
    assert history_of(desk) == history_of(desk_with_leap(before, after=""))
    assert verify(desk.db).error is None


@pytest.mark.parametrize("minute", [70, 130, AHEAD])
def test_packed_hours_are_cut_at_the_moment_of_the_rejection(minute: int) -> None:
    desk = desk_with_leap("oox" * 20, "oxo" * 40, minute=minute)
    pack_hours(desk.db, START + (minute + 200) * MINUTE)
    wall = START + 65 * MINUTE
    reject(desk, wall)
    assert history_of(desk) == history_of(desk_with_leap("oox" * 20, after=""))
    assert verify(desk.db).error is None
    desk.recording.invalidate()
    desk.record_sweep(66, web_01="o", db_01="o")
    pack_hours(desk.db, START + 4 * HOUR)
    assert results.newest_result_at(desk.db) == START + 66 * MINUTE
    assert verify(desk.db).error is None


def test_an_open_sweep_is_closed_with_all_its_results_before_they_are_set_aside() -> None:
    desk = desk_with_leap()
    at = START + (AHEAD + 9) * MINUTE
    desk.record(AHEAD + 9, [make_result(check_key("web_01"), at, OK)], at)
    reject(desk)
    assert verify(desk.db).error is None
    desk.recording.invalidate()
    desk.end_sweep(AHEAD + 9, NOW)
    assert verify(desk.db).error is None


def test_recording_goes_on_at_the_time_of_the_clock() -> None:
    desk = desk_with_leap("ooxx", "oo")
    body = reject(desk)
    assert (body["outages"], body["results"], len(body["reopened"])) == ([], 4, 1)  # type: ignore[arg-type]
    desk.restart(NOW)
    for minute, letter in enumerate("xxo", 21):
        desk.record_sweep(minute, web_01=letter, db_01="o")
    (outage,) = desk.outages()
    assert (outage.start, outage.last_fail, outage.end) == (
        START + 2 * MINUTE,
        START + 22 * MINUTE,
        START + 23 * MINUTE,
    )
    assert verify(desk.db).error is None


def test_customers_hear_of_the_end_of_an_outage_that_the_wrong_clock_had_ended() -> None:
    desk = desk_with_leap("oxxx", "o")
    assert [news for (news, *_), *_ in desk.mailed_news("acme")] == ["down", "up"]
    reject(desk)
    assert [mail.state for mail in desk.mails()] == ["sent", "dead"]
    assert "withdrawn" in desk.mails()[1].error
    desk.restart(NOW)
    desk.record_sweep(21, web_01="o", db_01="o")
    assert [news for (news, *_), *_ in desk.mailed_news("acme")] == ["down", "up", "up"]


def test_what_people_recorded_meanwhile_counts_from_the_rejection_on() -> None:
    desk = LedgerFixture(CONTEXT)
    leap = START + 40 * DAY
    desk.apply_terms(leap)
    desk.record_sweep(AHEAD + 1, web_01="o", db_01="o")
    assert terms_in_force(desk.db, NOW) is None
    reject(desk)
    found = terms_in_force(desk.db, NOW)
    assert found is not None
    assert found[1].in_force == NOW
    assert [at for _, at in journal.positions(desk.db, "terms", until=NOW)] == [NOW]


def test_a_month_that_the_wrong_clock_closed_is_open_again() -> None:
    desk = desk_with_leap()
    late = START + AHEAD * MINUTE + HOUR
    assert months_due(desk.db, late) == [(2026, 10)]
    close(desk.db, CONTEXT.terms, (2026, 10), late, "monitor run")
    assert reject(desk)["months"] == ["2026-10"]
    assert closing_of(desk.db, "2026-10") is None
    assert verify(desk.db).error is None
    desk.restart(NOW)
    desk.record_sweep(21, web_01="o", db_01="o")
    close(desk.db, CONTEXT.terms, (2026, 10), late, "monitor run")
    assert closing_of(desk.db, "2026-10") is not None
    assert verify(desk.db).error is None


def test_a_changed_rejected_result_is_found() -> None:
    desk = desk_with_leap()
    reject(desk)
    desk.db.execute("UPDATE rejected_result SET outcome = 0")
    assert "a result was changed" in (verify(desk.db).error or "")


def test_a_claim_about_an_outage_that_would_vanish_prevents_the_rejection() -> None:
    desk = desk_with_leap(after="oxx")
    number = desk.outages()[-1].id
    journal.append(desk.db, NOW, "claim-opened", {"claim": 1, "outage": number})
    with pytest.raises(InputError, match="claim 1 is about outage"):
        reject(desk)
