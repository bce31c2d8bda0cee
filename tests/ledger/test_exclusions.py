"""What an operator excludes and withdraws, laws of it, and what becomes of it when imports change outages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.ledger.accounts.accounts import LedgerView
from monitor.ledger.exclusions import ExclusionRequest, add, known_exclusions, withdraw
from monitor.model import Outcome, Span
from monitor.sla.terms import RECORDED_CLAUSES
from monitor.store import database, history, journal
from tests.fakes import ledger_in_memory
from tests.ledger.results.import_fixture import NOW, START, STEP, TERMS, import_into, moments

if TYPE_CHECKING:
    from sqlite_utils import Database

    from monitor.model import Millis
    from monitor.sla.availability import Account

OK, FAIL = Outcome.OK, Outcome.FAIL
LATER = NOW + 1_000_000


def account(db: Database, at: Millis) -> Account:
    return LedgerView(db, at, TERMS).rolling(30).subscriptions[0].account


def exclude_outage(db: Database, number: int, at: Millis, clause: str = "4.3") -> int:
    with database.transaction(db):
        return add(db, TERMS, ExclusionRequest(clause, "why", outage=number), at).id


@st.composite
def asked(draw: st.DrawFn, outage_ids: list[int]) -> ExclusionRequest:
    clause = draw(st.sampled_from(RECORDED_CLAUSES))
    by_outage: bool = draw(st.booleans())
    if outage_ids and by_outage:
        return ExclusionRequest(clause, "why", outage=draw(st.sampled_from(outage_ids)))
    first, last = sorted(draw(st.lists(st.integers(-5, 70), min_size=2, max_size=2, unique=True)))
    return ExclusionRequest(clause, "why", server="web-01", span=Span(START + first * STEP, START + last * STEP))


@settings(max_examples=60, deadline=None)
@given(moments, st.data())
def test_exclusions_never_raise_downtime_and_withdrawing_them_restores_every_figure(
    found: dict[int, Outcome], data: st.DataObject
) -> None:
    db = ledger_in_memory()
    import_into(db, found.items())
    ids = [outage.id for outage in history.list_outages(db)]
    states = [account(db, LATER)]
    at = NOW
    for _ in range(3):
        at += 1
        with database.transaction(db):
            add(db, TERMS, data.draw(asked(ids)), at)
        states.append(account(db, LATER))
        assert states[-1].down <= states[-2].down
        assert states[-1].excluded == sum(charge.length for charge in states[-1].exclusions)
    for number in (3, 2, 1):
        at += 1
        with database.transaction(db):
            withdraw(db, number, "why not", at)
        states.pop()
        assert account(db, LATER) == states[-1]
    assert account(db, NOW).excluded == 0


@settings(max_examples=60, deadline=None)
@given(moments, st.data())
def test_the_books_before_a_fact_are_the_books_without_it(found: dict[int, Outcome], data: st.DataObject) -> None:
    db = ledger_in_memory()
    import_into(db, found.items())
    ids = [outage.id for outage in history.list_outages(db)]
    stood = [account(db, NOW)]
    for step in (1, 2):
        with database.transaction(db):
            add(db, TERMS, data.draw(asked(ids)), NOW + step)
        stood.append(account(db, NOW + step))
    with database.transaction(db):
        withdraw(db, 1, "why not", NOW + 3)
    assert [account(db, NOW + step) for step in range(3)] == stood


@settings(max_examples=60, deadline=None)
@given(moments, moments, st.data())
def test_the_ledger_as_of_before_an_import_has_its_exclusions_as_they_were(
    first: dict[int, Outcome], second: dict[int, Outcome], data: st.DataObject
) -> None:
    db = ledger_in_memory()
    import_into(db, first.items(), NOW)
    ids = [outage.id for outage in history.list_outages(db)]
    for number in data.draw(st.lists(st.sampled_from(ids), max_size=3)) if ids else []:
        exclude_outage(db, number, NOW + 1)
    stood = account(db, NOW + 1_000), known_exclusions(db, NOW + 1_000)
    import_into(db, [(slot, one) for slot, one in second.items() if slot not in first], NOW + 60_000)
    assert account(db, NOW + 1_000) == stood[0]
    books = LedgerView(db, NOW + 1_000, TERMS)
    assert [(one.start, one.end, one.outage) for one in books.exclusion_records] == [
        (one.start, one.end, one.outage) for one in stood[1]
    ]


def test_an_exclusion_of_an_outage_that_an_import_lengthens_grows_with_it() -> None:
    db = ledger_in_memory()
    import_into(db, [(0, OK), (1, FAIL), (2, OK), (8, FAIL), (9, OK)])
    exclude_outage(db, 2, NOW + 1)
    import_into(db, [(6, FAIL)], NOW + 60_000)
    record = known_exclusions(db, NOW + 60_000)[0]
    assert (record.outage, record.start, record.end) == (2, START + 6 * STEP, START + 9 * STEP)
    assert account(db, NOW + 60_000).excluded == 3 * STEP


def test_an_exclusion_goes_with_its_outage_into_the_one_that_it_was_joined_to() -> None:
    db = ledger_in_memory()
    import_into(db, [(0, OK), (1, FAIL), (2, OK), (8, FAIL), (9, OK)])
    exclude_outage(db, 2, NOW + 1)
    with database.transaction(db):
        journal.append(db, NOW + 9, "outage-joined", {"outage": 2, "into": 1, "batches": []})
    record = known_exclusions(db, NOW + 9)[0]
    assert (record.outage, record.start, record.end) == (1, START + STEP, START + 2 * STEP)
    assert known_exclusions(db, NOW + 8)[0].outage == 2
    assert exclude_outage(db, 2, NOW + 10) == 2


def test_an_exclusion_of_an_outage_that_an_import_splits_keeps_to_its_first_part() -> None:
    db = ledger_in_memory()
    import_into(db, [(0, OK), (1, FAIL), (8, FAIL), (9, OK)])
    exclude_outage(db, 1, NOW + 1)
    assert account(db, NOW + 1).down == 0
    import_into(db, [(5, OK)], NOW + 60_000)
    record = known_exclusions(db, NOW + 60_000)[0]
    assert (record.start, record.end) == (START + STEP, START + 5 * STEP)
    assert account(db, NOW + 60_000).down == STEP
    assert account(db, NOW + 1_000).down == 0


def test_an_exclusion_of_an_open_outage_grows_to_the_moment_of_reading() -> None:
    db = ledger_in_memory()
    import_into(db, [(0, OK), (998, FAIL), (999, FAIL)])
    exclude_outage(db, 1, NOW + 1)
    exclusion = LedgerView(db, NOW + 30_000, TERMS).exclusions[0]
    assert exclusion.span == Span(START + 998 * STEP, NOW + 30_000)
    assert account(db, NOW + 30_000).down == 0
