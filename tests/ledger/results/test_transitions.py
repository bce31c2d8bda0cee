"""What results change, as a pure step: nothing is written, and the state stays as it is until it takes the changes."""

from __future__ import annotations

from copy import deepcopy
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from monitor.ledger.results.transitions import Changes, RecordedState, Transition, compute_changes
from monitor.model import CheckKey, Outcome, Result
from monitor.outage import Notification, OutageChange
from tests.fakes import FAIL, MINUTE, OK, START, UNKNOWN, make_context, make_server

CONTEXT = make_context(
    [make_server("web-01"), make_server("web-02", parent="web-01")],
)
KEYS = (CheckKey("web-01", "ping"), CheckKey("web-02", "ping"))


def result(minute: int, outcome: Outcome, key: CheckKey = KEYS[0]) -> Result:
    return Result(key, START + minute * MINUTE, outcome, 1, 1_000 if outcome is OK else None, "")


def change_in_pieces(state: RecordedState, *pieces: list[Result]) -> list[Transition]:
    """Apply pieces one after the other; returns all transitions."""
    transitions: list[Transition] = []
    for piece in pieces:
        changes = compute_changes(state, piece, CONTEXT, ())
        state.apply(changes)
        transitions += changes.transitions
    return transitions


def changes_of(*results: Result) -> Changes:
    return compute_changes(RecordedState(), results, CONTEXT, ())


def test_ok_after_ok_only_extends_the_run() -> None:
    changes = changes_of(result(0, OK), result(1, OK), result(2, OK))
    assert changes.transitions == []
    assert [run.last - run.first for run in changes.runs.values()] == [2 * MINUTE]
    assert changes.extended_runs == {(KEYS[0], START): START + 2 * MINUTE}


def test_an_outage_is_opened_continued_and_ended_with_its_last_ok() -> None:
    changes = changes_of(result(0, OK), result(1, OK), result(2, FAIL), result(3, FAIL), result(4, OK))
    opened, continued, ended = changes.transitions
    assert [each.change for each in changes.transitions] == [
        OutageChange.OPENED,
        OutageChange.CONTINUED,
        OutageChange.ENDED,
    ]
    assert opened.outage is not None
    assert opened.outage.last_ok == START + MINUTE
    assert continued.outage is not None
    assert continued.outage.last_fail == START + 3 * MINUTE
    assert ended.outage == continued.outage
    assert [opened.notification, ended.notification] == [Notification.DOWN, Notification.UP]


def test_a_result_of_a_time_that_is_recorded_already_is_rejected() -> None:
    state = RecordedState()
    state.apply(compute_changes(state, [result(5, OK)], CONTEXT, ()))
    changes = compute_changes(state, [result(5, FAIL), result(4, FAIL), result(6, OK)], CONTEXT, ())
    assert [each.at for each in changes.rejected] == [START + 4 * MINUTE, START + 5 * MINUTE]
    assert [each.at for each in changes.accepted] == [START + 6 * MINUTE]
    assert changes.transitions == []


def test_a_child_waits_for_its_parent_unless_the_parent_went_down_before_it() -> None:
    up = [result(0, OK, key) for key in KEYS]
    child_first = changes_of(*up, result(1, FAIL, KEYS[1])).transitions
    assert [each.wait_for_parent for each in child_first] == [True]
    parent_first = changes_of(*up, result(1, FAIL, KEYS[0]), result(2, FAIL, KEYS[1])).transitions
    assert [each.wait_for_parent for each in parent_first] == [False, False]


some_results = st.lists(
    st.tuples(st.integers(0, 40), st.sampled_from([OK, FAIL, UNKNOWN]), st.sampled_from(KEYS)),
    max_size=40,
    unique_by=lambda drawn: (drawn[0], drawn[2]),
).map(lambda drawn: [result(*each) for each in sorted(drawn, key=lambda each: each[0])])


@given(some_results, st.lists(st.integers(0, 40), max_size=3))
def test_results_change_the_same_in_one_piece_and_in_many(results: list[Result], cuts: list[int]) -> None:
    whole, pieces = RecordedState(), RecordedState()
    bounds = sorted({0, *(min(cut, len(results)) for cut in cuts), len(results)})
    expected = change_in_pieces(whole, results)
    assert change_in_pieces(pieces, *(results[a:b] for a, b in pairwise(bounds))) == expected
    assert pieces == whole


@given(some_results, some_results)
def test_the_state_stays_as_it_is_until_it_takes_the_changes(first: list[Result], then: list[Result]) -> None:
    state = RecordedState()
    change_in_pieces(state, first)
    before = deepcopy(state)
    changes = compute_changes(state, then, CONTEXT, ())
    assert state == before
    assert compute_changes(state, reversed(then), CONTEXT, ()) == changes or len({r.at for r in then}) < len(then)
