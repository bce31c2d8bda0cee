"""The state machine of one check: what the record says, and what anybody is told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.model import CheckKey, Outcome
from monitor.outage import (
    FLAP_END_AFTER,
    FLAP_THRESHOLD,
    FLAP_WINDOW,
    AlertState,
    Notification,
    OpenOutage,
    OutageChange,
    OutageState,
    advance,
    decide_notification,
)
from tests.fakes import FAIL, MINUTE, OK, OUTCOMES_BY_LETTER, UNKNOWN, make_result

KEY = CheckKey("web-01", "ping")
DOWN, UP, FLAPPING, SETTLED = Notification.DOWN, Notification.UP, Notification.FLAPPING, Notification.FLAPPING_ENDED


def changes(letters: str) -> list[OutageChange]:
    """What each result of a story did; a dot is a minute without a result."""
    standing, found = OutageState(), []
    for place, letter in enumerate(letters):
        if letter in OUTCOMES_BY_LETTER:
            standing, change = advance(standing, make_result(KEY, place * MINUTE, OUTCOMES_BY_LETTER[letter]))
            found.append(change)
    return found


def notices(letters: str, silent: str = "", *, alerting: AlertState | None = None) -> list[tuple[int, Notification]]:
    """Which notification, at which minute; ``in_maintenance`` has an ``m`` for each minute in a maintenance window."""
    return run(letters, silent, alerting)[1]


def run(
    letters: str, silent: str = "", alerting: AlertState | None = None
) -> tuple[AlertState, list[tuple[int, Notification]]]:
    standing, alerting, told = OutageState(), alerting or AlertState(), []
    for minute, letter in enumerate(letters):
        if letter not in OUTCOMES_BY_LETTER:
            continue
        result = make_result(KEY, minute * MINUTE, OUTCOMES_BY_LETTER[letter])
        standing, change = advance(standing, result)
        quiet = silent[minute : minute + 1] == "m"
        alerting, notice = decide_notification(alerting, change, result, in_maintenance=quiet, interval=MINUTE)
        if notice:
            told.append((minute, notice))
    return alerting, told


# --- the record ------------------------------------------------------------------------------------------------------


def test_a_fail_opens_an_outage_that_remembers_the_last_ok_before_it() -> None:
    standing, change = advance(OutageState(last_ok=40), make_result(KEY, 100, FAIL, "refused"))
    assert change is OutageChange.OPENED
    assert standing == OutageState(40, OpenOutage(100, 100, 40, "refused"))


def test_a_check_that_fails_from_the_first_has_no_last_ok() -> None:
    standing, _ = advance(OutageState(), make_result(KEY, 100, FAIL))
    assert standing.open_outage == OpenOutage(100, 100, None, "timeout")


def test_a_second_fail_continues_the_outage_and_keeps_the_first_reason() -> None:
    standing, _ = advance(OutageState(), make_result(KEY, 100, FAIL, "timeout"))
    standing, change = advance(standing, make_result(KEY, 200, FAIL, "no route"))
    assert change is OutageChange.CONTINUED
    assert standing.open_outage == OpenOutage(100, 200, None, "timeout")


def test_an_ok_ends_the_outage_and_nothing_of_it_is_left() -> None:
    standing, _ = advance(OutageState(), make_result(KEY, 100, FAIL))
    standing, change = advance(standing, make_result(KEY, 200, OK))
    assert change is OutageChange.ENDED
    assert standing == OutageState(last_ok=200)


def test_an_ok_without_an_outage_is_only_remembered() -> None:
    assert advance(OutageState(last_ok=100), make_result(KEY, 200, OK)) == (OutageState(last_ok=200), OutageChange.NONE)


@pytest.mark.parametrize(
    "standing", [OutageState(), OutageState(50), OutageState(50, OpenOutage(60, 70, 50, "timeout"))]
)
def test_an_unknown_changes_nothing(standing: OutageState) -> None:
    assert advance(standing, make_result(KEY, 200, UNKNOWN)) == (standing, OutageChange.NONE)


@pytest.mark.parametrize(
    ("letters", "did"),
    [
        ("oxo", "none opened ended"),
        ("x?x", "opened none continued"),
        ("x?o", "opened none ended"),
        ("x...x", "opened continued"),
        ("xoxo", "opened ended opened ended"),
        ("??o?x", "none none none none opened"),
    ],
)
def test_what_each_result_of_a_story_does(letters: str, did: str) -> None:
    assert [str(change) for change in changes(letters)] == did.split()


@given(st.text("ox?.", max_size=60))
def test_outages_are_the_maximal_runs_of_fails_that_no_ok_cuts(letters: str) -> None:
    """Against docs/contract.md#outages-and-their-bounds read letter by letter: doubts and gaps are simply not there."""
    known = letters.replace("?", "").replace(".", "")
    begun = sum(1 for place, letter in enumerate(known) if letter == "x" and known[place - 1 : place] != "x")
    ended = sum(1 for place, letter in enumerate(known) if letter == "o" and known[place - 1 : place] == "x")
    found = changes(letters)
    assert found.count(OutageChange.OPENED) == begun
    assert found.count(OutageChange.ENDED) == ended


@given(st.text("ox?.", max_size=60))
def test_an_open_outage_has_its_first_and_last_fail_and_the_last_ok_before_it(letters: str) -> None:
    standing = OutageState()
    for place, letter in enumerate(letters):
        if letter in OUTCOMES_BY_LETTER:
            standing, _ = advance(standing, make_result(KEY, place, OUTCOMES_BY_LETTER[letter]))
    last_ok = letters.rfind("o")
    fails = [place for place, letter in enumerate(letters) if letter == "x" and place > last_ok]
    if fails:
        ok = None if last_ok < 0 else last_ok
        assert standing.open_outage == OpenOutage(fails[0], fails[-1], ok, "timeout")
    else:
        assert standing.open_outage is None


# --- what is told ----------------------------------------------------------------------------------------------------


def test_an_outage_is_told_at_its_first_fail_and_its_end_at_the_first_ok() -> None:
    assert notices("ooxxxoo") == [(2, DOWN), (5, UP)]


def test_an_outage_is_told_once_however_long_it_is() -> None:
    assert notices("o" + "x" * 500) == [(1, DOWN)]


def test_nothing_is_told_of_unknown_results() -> None:
    assert notices("o???o??") == []


def test_an_unknown_inside_an_outage_neither_repeats_nor_ends_it() -> None:
    assert notices("ox??x?xo") == [(1, DOWN), (7, UP)]


def test_nothing_is_told_of_an_outage_inside_a_window() -> None:
    assert notices("oxxxoo", ".mmmm.") == []


def test_a_failure_that_outlives_its_window_is_told_at_the_first_fail_after_it() -> None:
    assert notices("oxxxxxo", ".mmm...") == [(4, DOWN), (6, UP)]


def test_a_window_that_ends_in_doubt_is_followed_by_the_alert_at_the_next_fail() -> None:
    assert notices("oxx???xo", ".mmm....") == [(6, DOWN), (7, UP)]


def test_an_outage_that_began_before_a_window_and_ended_inside_is_reported_as_ended() -> None:
    assert notices("oxxxo", "..mmm") == [(1, DOWN), (4, UP)]


def test_an_outage_that_was_told_is_not_told_again_after_a_window() -> None:
    assert notices("oxxxxxo", "..mm...") == [(1, DOWN), (6, UP)]


def test_a_failure_that_ended_inside_its_window_is_told_neither_then_nor_later() -> None:
    assert notices("oxxooooo", ".mmm....") == []


def test_the_third_beginning_within_half_an_hour_is_flapping_and_no_mail_follows() -> None:
    assert notices("oxoxoxoxoxoxoxo") == [(1, DOWN), (2, UP), (3, DOWN), (4, UP), (5, FLAPPING)]


def test_flapping_that_ends_up_is_told_as_settled_once() -> None:
    letters = "oxoxoxo" + "o" * (2 * FLAP_END_AFTER)
    told = notices(letters)
    assert told[-2:] == [(5, FLAPPING), (6 + FLAP_END_AFTER, SETTLED)]


def test_flapping_that_ends_down_is_told_as_settled_and_the_end_of_that_outage_too() -> None:
    letters = "oxoxox" + "x" * FLAP_END_AFTER + "xxo"
    told = notices(letters)
    assert told[-3:] == [(5, FLAPPING), (5 + FLAP_END_AFTER, SETTLED), (8 + FLAP_END_AFTER, UP)]


def test_what_settled_down_and_falls_again_is_told_as_usual() -> None:
    letters = "oxoxox" + "x" * FLAP_END_AFTER + "o" + "xo"
    told = notices(letters)
    assert told[-4:] == [
        (5 + FLAP_END_AFTER, SETTLED),
        (6 + FLAP_END_AFTER, UP),
        (7 + FLAP_END_AFTER, DOWN),
        (8 + FLAP_END_AFTER, UP),
    ]


def test_a_check_does_not_settle_on_an_unknown_result() -> None:
    letters = "oxoxoxo" + "?" * (FLAP_END_AFTER + 5) + "o"
    assert notices(letters)[-1] == (len(letters) - 1, SETTLED)


def test_a_change_begins_the_calm_anew() -> None:
    letters = "oxoxoxo" + "o" * (FLAP_END_AFTER - 2) + "xo" + "o" * FLAP_END_AFTER
    assert notices(letters)[-1] == (6 + FLAP_END_AFTER + FLAP_END_AFTER, SETTLED)


def test_settling_waits_for_the_end_of_a_window() -> None:
    letters = "oxoxoxo" + "o" * (FLAP_END_AFTER + 10)
    silent = "." * 7 + "m" * (FLAP_END_AFTER + 5)
    assert notices(letters, silent)[-1] == (7 + FLAP_END_AFTER + 5, SETTLED)


def test_beginnings_inside_windows_do_not_make_a_check_flap() -> None:
    assert notices("oxoxoxoxo", ".mmmmmm..") == [(7, DOWN), (8, UP)]


def test_an_old_beginning_is_forgotten_after_thirty_intervals() -> None:
    pause = "o" * (FLAP_WINDOW - 2)
    assert FLAPPING not in [notice for _, notice in notices("xo" + "xo" + pause + "xo")]


def test_three_beginnings_that_just_fit_into_the_thirty_intervals_are_flapping() -> None:
    letters = "xo" + "xo" + "o" * (FLAP_WINDOW - 5) + "xo"
    assert letters.rindex("x") == FLAP_WINDOW - 1
    assert notices(letters)[-1] == (FLAP_WINDOW - 1, FLAPPING)


def test_two_outages_in_half_an_hour_are_two_outages() -> None:
    assert notices("oxoxooooo") == [(1, DOWN), (2, UP), (3, DOWN), (4, UP)]


def test_a_failure_that_outlives_its_window_is_no_beginning() -> None:
    """It began inside: only two beginnings lie outside."""
    assert notices("xoxoxxxo", "....m...") == [(0, DOWN), (1, UP), (2, DOWN), (3, UP), (5, DOWN), (7, UP)]


def test_since_when_it_flaps_is_its_oldest_beginning() -> None:
    alerting, _ = run("oxoxox")
    assert alerting.flapping_since == 1 * MINUTE


def test_a_longer_interval_stretches_what_counts_as_flapping() -> None:
    alerting, standing, told = AlertState(), OutageState(), []
    for place, letter in enumerate("xoxox"):
        result = make_result(KEY, place * 9 * MINUTE, OUTCOMES_BY_LETTER[letter])
        standing, change = advance(standing, result)
        alerting, notice = decide_notification(alerting, change, result, in_maintenance=False, interval=9 * MINUTE)
        told.append(notice)
    assert told[-1] is FLAPPING


CALMER = st.lists(
    st.tuples(st.sampled_from("ox?"), st.integers(1, 20), st.sampled_from(["", "", "", "m"])), max_size=25
)


def stretched(parts: list[tuple[str, int, str]]) -> tuple[str, str]:
    return (
        "".join(letter * count for letter, count, _ in parts),
        "".join((silent or ".") * count for _, count, silent in parts),
    )


@settings(max_examples=300)
@given(CALMER)
def test_downs_and_ups_alternate_and_flapping_is_closed_by_settled(parts: list[tuple[str, int, str]]) -> None:
    letters, silent = stretched(parts)
    state = "calm"
    for minute, notice in notices(letters, silent):
        failing = letters[minute] == "x"
        if notice is DOWN:
            assert (state, failing) == ("calm", True)
            state = "told"
        elif notice is UP:
            assert (state, letters[minute]) == ("told", "o")
            state = "calm"
        elif notice is FLAPPING:
            assert (state, failing) == ("calm", True)
            state = "flapping"
        else:
            assert state == "flapping"
            state = "told" if failing else "calm"


@settings(max_examples=300)
@given(CALMER)
def test_inside_a_window_nothing_is_told_but_the_end_of_what_was_told(parts: list[tuple[str, int, str]]) -> None:
    letters, silent = stretched(parts)
    assert {notice for minute, notice in notices(letters, silent) if silent[minute] == "m"} <= {UP}


@settings(max_examples=300)
@given(CALMER)
def test_after_every_fail_outside_of_windows_the_customers_have_an_open_outage_mail(
    parts: list[tuple[str, int, str]],
) -> None:
    letters, silent = stretched(parts)
    for end in range(1, len(letters) + 1):
        if letters[end - 1] == "x" and silent[end - 1] != "m":
            alerting, _ = run(letters[:end], silent)
            assert alerting.notified or alerting.flapping_since is not None


@settings(max_examples=300)
@given(CALMER)
def test_a_long_calm_outside_of_windows_ends_every_flapping(parts: list[tuple[str, int, str]]) -> None:
    letters, silent = stretched(parts)
    alerting, _ = run(letters + "o" * (FLAP_END_AFTER + 1), silent)
    assert alerting.flapping_since is None
    assert not alerting.notified


@given(CALMER)
def test_what_is_remembered_of_beginnings_stays_small(parts: list[tuple[str, int, str]]) -> None:
    alerting, _ = run(*stretched(parts))
    assert len(alerting.recent_starts) <= FLAP_THRESHOLD


def test_what_has_been_told_survives_being_written_down_in_the_middle() -> None:
    """The daemon is restarted inside an outage: with the same alerting the end is told all the same."""
    alerting, _ = run("ox")
    result = make_result(KEY, 9 * MINUTE, OK)
    after, notice = decide_notification(alerting, OutageChange.ENDED, result, in_maintenance=False, interval=MINUTE)
    assert notice is UP
    assert after == replace(alerting, notified=False, last_change=9 * MINUTE)


def test_outcomes_are_stored_by_these_numbers() -> None:
    assert [int(outcome) for outcome in (Outcome.OK, Outcome.FAIL, Outcome.UNKNOWN)] == [0, 1, 2]
