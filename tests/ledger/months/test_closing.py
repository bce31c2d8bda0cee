"""A closing with its corrections is always today's figures, and the closing itself can always be computed again."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.errors import InputError
from monitor.ledger.accounts.accounts import LedgerView, account_fields
from monitor.ledger.exclusions import ExclusionRequest
from monitor.ledger.months import retroactive
from monitor.ledger.months.closing import close, closing_of, months_due
from monitor.ledger.months.corrections import (
    DAEMON,
    LATER_RESULTS,
    correct_last_month,
    corrected_figures,
    corrections_of,
    last_month_differs,
)
from monitor.ledger.results.recording import Recording
from monitor.ledger.terms import record_terms
from monitor.ledger.verify import verify
from monitor.model import CheckKey, Outcome, Result, Span
from monitor.sla.calendar import month_span
from monitor.sla.terms import RECORDED_CLAUSES
from monitor.store import database, history, import_staging
from tests.fakes import ledger_in_memory, make_context
from tests.ledger.results.import_fixture import KEY, STEP, TERMS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlite_utils import Database

WHEN = (2024, 10)
MONTH = "2024-10"
WINDOW = month_span(*WHEN, "Europe/Istanbul")
BEGAN = WINDOW.end - 30 * STEP
"""Facts lie around the end of the month, where closing is delicate."""
OPENED = WINDOW.end + 20 * STEP
OK, FAIL = Outcome.OK, Outcome.FAIL

moments = st.dictionaries(st.integers(0, 45), st.sampled_from(list(Outcome)), min_size=1, max_size=30)


def take_in(db: Database, found: Iterable[tuple[int, Outcome]], at: int) -> int:
    with database.transaction(db):
        import_staging.create_tables(db)
        import_staging.stage_rows(
            db,
            (
                import_staging.StagedRow(n, *KEY, BEGAN + slot * STEP, int(one), None)
                for n, (slot, one) in enumerate(found, 2)
            ),
        )
        import_staging.find_conflicts(db, 1)
        return retroactive.import_results(db, TERMS, at)


def today(db: Database, at: int) -> dict[str, dict[str, Any]]:
    return {each.subscription.id: account_fields(each) for each in LedgerView(db, at, TERMS).month(*WHEN).subscriptions}


@st.composite
def some_fact(draw: st.DrawFn, outage_ids: list[int]) -> ExclusionRequest:
    number = draw(st.sampled_from([None, *outage_ids]))
    clause = draw(st.sampled_from(RECORDED_CLAUSES))
    if number is not None:
        return ExclusionRequest(clause, "why", outage=number)
    first, last = sorted(draw(st.lists(st.integers(-5, 50), min_size=2, max_size=2, unique=True)))
    return ExclusionRequest(clause, "why", server="web-01", span=Span(BEGAN + first * STEP, BEGAN + last * STEP))


@settings(max_examples=60, deadline=None)
@given(moments, moments, st.data())
def test_closing_and_corrections_are_today_s_figures_and_the_closing_replays(
    first: dict[int, Outcome], second: dict[int, Outcome], data: st.DataObject
) -> None:
    db = ledger_in_memory()
    take_in(db, first.items(), OPENED)
    with database.transaction(db):
        closing, new = close(db, TERMS, WHEN, OPENED + 1, "ayse")
    assert new
    frozen = dict(closing.subscriptions)
    assert frozen == today(db, OPENED + 1)
    at = OPENED + 1
    added, held = 0, []
    for step in data.draw(st.lists(st.sampled_from(["exclude", "withdraw", "import"]), max_size=4)):
        at += 60_000
        if step == "import":
            take_in(db, [(slot, one) for slot, one in second.items() if slot not in first], at)
        elif step == "exclude":
            with database.transaction(db):
                retroactive.exclude(db, TERMS, data.draw(some_fact([one.id for one in history.list_outages(db)])), at)
            added += 1
            held.append(added)
        elif held:
            with database.transaction(db):
                retroactive.withdraw(db, held.pop(), "why not", at)
        known = closing_of(db, MONTH)
        assert known is not None
        assert known.subscriptions == frozen
        assert corrected_figures(db, known) == today(db, at)
        assert not last_month_differs(db, at)
    for correction in corrections_of(db, MONTH):
        assert correction.reason.startswith(("exclusion ", "import batch"))
        assert all(before != after for changed in correction.changes.values() for before, after in changed.values())
    verdict = verify(db)
    assert verdict.error is None, verdict.error


def probed(db: Database, recording: Recording, *found: tuple[int, Outcome]) -> None:
    for slot, outcome in found:
        at = BEGAN + slot * STEP
        result = Result(CheckKey(*KEY), at, outcome, 1, None, "" if outcome is OK else "timeout")
        with database.transaction(db):
            recording.record(db, slot, [result], at + 5_000)
            recording.end_sweep(db, slot, at + 5_000)


def test_a_later_fail_of_an_outage_that_was_open_at_the_end_is_its_own_correction() -> None:
    db = ledger_in_memory()
    recording = Recording(replace(make_context(), terms=TERMS))
    with database.transaction(db):
        record_terms(db, TERMS, BEGAN)
    # the last fail known at the closing lies in the month: nothing is certain after it
    probed(db, recording, *((slot, OK) for slot in range(25)), (25, FAIL), (26, FAIL), (27, FAIL), (28, FAIL))
    with database.transaction(db):
        closing, _ = close(db, TERMS, WHEN, WINDOW.end + 3 * STEP, DAEMON)
    assert closing.subscriptions["s"]["highest"] > closing.subscriptions["s"]["availability"]
    assert not last_month_differs(db, WINDOW.end + 3 * STEP)
    probed(db, recording, (40, FAIL), (41, OK))
    at = BEGAN + 45 * STEP
    assert last_month_differs(db, at)
    with database.transaction(db):
        retroactive.exclude(db, TERMS, ExclusionRequest("4.3", "why", outage=1), at)
    drifted, excluded = corrections_of(db, MONTH)
    assert (drifted.reason, drifted.recorded_by, set(drifted.changes["s"])) == (LATER_RESULTS, DAEMON, {"highest"})
    assert excluded.reason == "exclusion 1"
    with database.transaction(db):
        correct_last_month(db, at)
    assert len(corrections_of(db, MONTH)) == 2
    assert verify(db).error is None


def test_a_result_that_was_on_its_way_at_the_closing_does_not_break_its_proof() -> None:
    db = ledger_in_memory()
    recording = Recording(replace(make_context(), terms=TERMS))
    with database.transaction(db):
        record_terms(db, TERMS, BEGAN)
    probed(db, recording, (20, OK), (25, FAIL), (28, FAIL))
    now = BEGAN + 40 * STEP + 3_000
    with database.transaction(db):
        close(db, TERMS, WHEN, now, DAEMON)
    # its first attempt left before the closing, and its last one failed after it
    probed(db, recording, (40, FAIL))
    assert verify(db).error is None


@pytest.mark.parametrize("late", [0, 1, 2 * STEP - 1])
def test_a_month_is_closed_once_its_last_results_must_be_in(late: int) -> None:
    db = ledger_in_memory()
    with database.transaction(db):
        record_terms(db, TERMS, BEGAN)
        with pytest.raises(InputError, match="may not be recorded yet"):
            close(db, TERMS, WHEN, WINDOW.end + late, DAEMON)
        close(db, TERMS, WHEN, WINDOW.end + 2 * STEP, DAEMON)


def day(text: str) -> int:
    return int(dt.datetime.fromisoformat(f"{text}T12:00:00+03:00").timestamp() * 1000)


def test_the_months_in_which_the_books_were_open_are_due() -> None:
    db = ledger_in_memory()
    assert months_due(db, day("2024-12-05")) == []
    with database.transaction(db):
        record_terms(db, TERMS, day("2024-10-20"))
    assert months_due(db, day("2024-10-25")) == []
    assert months_due(db, day("2024-12-05")) == [(2024, 10), (2024, 11)]
    with database.transaction(db):
        close(db, TERMS, WHEN, day("2024-12-05"), DAEMON)
    assert months_due(db, day("2024-12-05")) == [(2024, 11)]
    assert months_due(db, WINDOW.end + 2 * STEP - 1) == []


def test_an_imported_month_before_the_ledger_was_opened_is_due_and_is_the_last() -> None:
    db = ledger_in_memory()
    take_in(db, [(0, OK)], day("2024-11-05"))
    assert months_due(db, day("2024-11-05")) == [(2024, 10)]
    assert months_due(db, day("2024-12-05")) == [(2024, 11)]
