"""Whatever order results come in, the books end the same, and what they said before is not forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.ledger.accounts.accounts import LedgerView
from monitor.ledger.verify import verify
from monitor.model import Outcome, Result, Span
from monitor.sla.timeline import runs_of
from monitor.store import history, results
from monitor.store.history import runs_of_check
from tests.fakes import ledger_in_memory
from tests.ledger.results.import_fixture import KEY, NOW, START, STEP, TERMS, import_into, moments

if TYPE_CHECKING:
    from sqlite_utils import Database


def content(db: Database) -> dict[str, Any]:
    number = results.check_ids(db)[KEY]
    return {
        "runs": list(runs_of_check(db, number)),
        "outages": [(o.start, o.last_fail, o.end, o.last_ok) for o in history.list_outages(db)],
        "results": [(r.at, r.outcome) for r in results.read(db, KEY, 0, 1 << 62)],
    }


@settings(max_examples=150, deadline=None)
@given(moments, st.data())
def test_the_order_in_which_files_come_changes_nothing(found: dict[int, Outcome], data: st.DataObject) -> None:
    whole = ledger_in_memory()
    import_into(whole, sorted(found.items()))
    pieces = ledger_in_memory()
    owner = {slot: data.draw(st.integers(0, 3)) for slot in found}
    for piece in data.draw(st.permutations(range(4))):
        mine = [(slot, outcome) for slot, outcome in found.items() if owner[slot] == piece]
        before = {o.id for o in history.list_outages(pieces)}
        assert import_into(pieces, data.draw(st.permutations(mine))) == len(mine)
        after = {o.id for o in history.list_outages(pieces)}
        if before and after:
            assert min(before) in after, "the earliest outage keeps its number"
    assert content(pieces) == content(whole)
    verdict = verify(pieces)
    assert verdict.error is None, verdict.error


@settings(max_examples=150, deadline=None)
@given(moments)
def test_runs_and_outages_are_those_of_the_results(found: dict[int, Outcome]) -> None:
    db = ledger_in_memory()
    import_into(db, found.items())
    as_results = [Result(KEY, START + s * STEP, o, 1, None, "") for s, o in sorted(found.items())]
    assert content(db)["runs"] == list(runs_of(as_results, 2 * STEP))
    fails: list[list[int]] = []
    last_ok: int | None = None
    expected: list[tuple[int, int, int | None, int | None]] = []
    for result in as_results:
        if result.outcome is Outcome.FAIL:
            if not fails:
                fails.append([result.at, result.at])
            fails[0][1] = result.at
        elif result.outcome is Outcome.OK:
            if fails:
                expected.append((fails[0][0], fails[0][1], result.at, last_ok))
                fails.clear()
            last_ok = result.at
    if fails:
        expected.append((fails[0][0], fails[0][1], None, last_ok))
    assert content(db)["outages"] == expected


@settings(max_examples=80, deadline=None)
@given(moments, moments)
def test_the_books_as_they_stood_before_an_import_do_not_know_it(
    first: dict[int, Outcome], second: dict[int, Outcome]
) -> None:
    db = ledger_in_memory()
    import_into(db, first.items(), NOW)
    span = Span(START, START + 100 * STEP)
    before = LedgerView(db, NOW + 1_000, TERMS)
    stood = before.history(KEY, span), before.rolling(30).subscriptions[0].account
    import_into(db, [(slot, o) for slot, o in second.items() if slot not in first], NOW + 60_000)
    after = LedgerView(db, NOW + 1_000, TERMS)
    assert after.history(KEY, span).runs == stood[0].runs
    account = after.rolling(30).subscriptions[0].account
    was = stood[1]
    assert (account.up, account.down, account.lowest, account.highest) == (was.up, was.down, was.lowest, was.highest)


def test_importing_the_same_again_changes_nothing_at_all() -> None:
    db = ledger_in_memory()
    lines = [(0, Outcome.OK), (1, Outcome.FAIL), (2, Outcome.OK)]
    assert import_into(db, lines) == 3
    before = list(db.execute("SELECT * FROM journal"))
    assert import_into(db, lines) == 0
    assert list(db.execute("SELECT * FROM journal")) == before


def test_outages_that_an_import_joins_keep_the_number_of_the_earliest() -> None:
    db = ledger_in_memory()
    import_into(db, [(0, Outcome.FAIL), (1, Outcome.OK), (9, Outcome.FAIL)])
    # two outages, numbers 1 and 2: a new fail before the first only lengthens it
    import_into(db, [(-1, Outcome.FAIL)])
    assert [(o.id, o.start) for o in history.list_outages(db)] == [(1, START - STEP), (2, START + 9 * STEP)]


def test_an_outage_that_an_import_splits_keeps_its_number_for_its_first_part() -> None:
    db = ledger_in_memory()
    import_into(db, [(0, Outcome.FAIL), (4, Outcome.FAIL), (5, Outcome.OK)])
    import_into(db, [(2, Outcome.OK)])
    assert [(o.id, o.start, o.end) for o in history.list_outages(db)] == [
        (1, START, START + 2 * STEP),
        (2, START + 4 * STEP, START + 5 * STEP),
    ]
    assert verify(db).error is None
