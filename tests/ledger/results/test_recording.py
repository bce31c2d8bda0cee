"""The one way in for results: what they make of runs, outages, journal and mail, and that no crash makes half of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.ledger.results.recording import Recording
from monitor.ledger.verify import verify
from monitor.model import CheckKey, Outage, Outcome, Result
from monitor.sla.timeline import runs_of
from monitor.store import history, journal, outbox, results
from monitor.store.history import runs_of_check
from tests.fakes import (
    FAIL,
    MINUTE,
    OK,
    OUTCOMES_BY_LETTER,
    START,
    UNKNOWN,
    CrashError,
    all_results,
    make_context,
    make_result,
    make_server,
    make_subscription,
    open_crashing,
    open_read_only,
    open_read_write,
    pack_hours,
    results_from,
    stored_rows,
)
from tests.ledger.ledger_fixture import LedgerFixture, check_key

if TYPE_CHECKING:
    from pathlib import Path

    from sqlite_utils import Database

WEB, DB = CheckKey("web-01", "ping"), CheckKey("db-01", "ping")
CONTEXT = make_context(
    [make_server("web-01", "site"), make_server("db-01")],
    [make_subscription("acme", "web-01"), make_subscription("bolt", "db-01")],
)
HOLD = 2 * MINUTE


@pytest.fixture
def desk() -> LedgerFixture:
    desk = LedgerFixture(CONTEXT)
    desk.apply_terms()
    return desk


def brute_outages(given_: list[Result], key: CheckKey) -> list[tuple[int, int, int | None, int | None, str]]:
    """Outages found the slow way: cut the fails of a check at its oks (docs/contract.md#outages-and-their-bounds)."""
    mine = sorted((each for each in given_ if each.check == key), key=lambda each: each.at)
    oks = [each.at for each in mine if each.outcome is OK]
    found: dict[int, list[Result]] = {}
    for each in mine:
        if each.outcome is FAIL:
            found.setdefault(max((at for at in oks if at < each.at), default=-1), []).append(each)
    return [
        (
            fails[0].at,
            fails[-1].at,
            next((at for at in oks if at > fails[-1].at), None),
            None if last_ok < 0 else last_ok,
            fails[0].reason,
        )
        for last_ok, fails in sorted(found.items())
    ]


def stored_outages(db: Database, key: CheckKey) -> list[tuple[int, int, int | None, int | None, str]]:
    return [(o.start, o.last_fail, o.end, o.last_ok, o.reason) for o in history.list_outages(db) if o.check == key]


# --- examples --------------------------------------------------------------------------------------------------------


def test_an_outage_is_opened_grows_and_ends_and_the_journal_tells_of_both(desk: LedgerFixture) -> None:
    desk.record_sweeps(web_01="ooxxo")
    start, end = START + 2 * MINUTE, START + 4 * MINUTE
    assert desk.outages() == [Outage(1, WEB, start, start + MINUTE, end, START + MINUTE, "timeout")]
    assert desk.journal_bodies("outage-opened") == [
        {
            "outage": 1,
            "server": "web-01",
            "check": "ping",
            "start": start,
            "last_ok": START + MINUTE,
            "reason": "timeout",
        }
    ]
    assert desk.journal_bodies("outage-ended") == [{"outage": 1, "end": end, "last_fail": start + MINUTE}]


def test_a_sweep_is_digested_when_it_is_over_with_its_bounds(desk: LedgerFixture) -> None:
    desk.record_sweep(0, web_01="o", db_01="o")
    [entry] = desk.journal_bodies("results")
    assert (entry["batch"], entry["source"], entry["count"]) == (1, "probe", 2)
    assert (entry["first"], entry["last"]) == (START, START)
    assert results.open_batches(desk.db) == []


def test_a_sweep_in_which_nothing_came_leaves_nothing(desk: LedgerFixture) -> None:
    before = journal.length(desk.db)
    desk.end_sweep(7, START)
    assert journal.length(desk.db) == before


def test_results_of_two_sweeps_at_once_are_digested_apart(desk: LedgerFixture) -> None:
    desk.record(1, [make_result(WEB, START, OK)], START)
    desk.record(2, [make_result(WEB, START + MINUTE, OK)], START + MINUTE)
    desk.record(1, [make_result(DB, START + 2, OK)], START + MINUTE)
    desk.end_sweep(2, START + 2 * MINUTE)
    desk.end_sweep(1, START + 2 * MINUTE)
    assert [entry["count"] for entry in desk.journal_bodies("results")] == [1, 2]
    assert verify(desk.db).error is None


def test_results_of_one_piece_may_come_in_any_order(desk: LedgerFixture) -> None:
    desk.record(0, list(reversed(results_from(WEB, "oxxo"))), START + 4 * MINUTE)
    desk.end_sweep(0, START + 4 * MINUTE)
    assert [outage.start for outage in desk.outages()] == [START + MINUTE]
    assert verify(desk.db).error is None


def test_a_result_at_or_before_the_newest_of_its_check_is_refused(desk: LedgerFixture) -> None:
    desk.record_sweeps(web_01="oo")
    recorded = desk.record(9, [make_result(WEB, START + MINUTE, FAIL), make_result(WEB, START + 1, FAIL)], START)
    assert recorded.results == ()
    assert len(recorded.rejected) == 2
    assert desk.outages() == []


def test_the_newest_of_one_check_holds_up_no_other(desk: LedgerFixture) -> None:
    desk.record_sweeps(web_01="oo")
    assert desk.record(9, [make_result(DB, START, OK)], START).rejected == ()


def test_a_check_keeps_its_outage_through_a_restart(desk: LedgerFixture) -> None:
    desk.record_sweeps(web_01="ox")
    desk.restart(START + 5 * MINUTE)
    desk.record(7, [make_result(WEB, START + 7 * MINUTE, FAIL)], START + 7 * MINUTE)
    desk.record(8, [make_result(WEB, START + 8 * MINUTE, OK)], START + 8 * MINUTE)
    [outage] = desk.outages()
    assert (outage.start, outage.last_fail, outage.end) == (START + MINUTE, START + 7 * MINUTE, START + 8 * MINUTE)


def test_a_restart_closes_what_was_left_open(desk: LedgerFixture) -> None:
    desk.record(5, results_from(WEB, "oo"), START)
    desk.record(6, results_from(DB, "oo"), START)
    desk.restart(START + 5 * MINUTE)
    assert results.open_batches(desk.db) == []
    assert [entry["count"] for entry in desk.journal_bodies("results")] == [2, 2]
    assert verify(desk.db).error is None


@pytest.mark.parametrize("late", [timedelta(hours=23), timedelta(hours=25), timedelta(days=40)])
@pytest.mark.parametrize("spread", [1, 30 * 60])
def test_results_that_came_in_days_late_are_closed_by_the_next_start(
    desk: LedgerFixture, late: timedelta, spread: int
) -> None:
    """The database refused for so long, then took them, and the daemon was stopped before the sweep was closed."""
    now = START + late // timedelta(milliseconds=1)
    desk.record(0, [make_result(WEB, START + minute * MINUTE, OK) for minute in range(0, spread, 7)], now)
    desk.restart(now + MINUTE)
    assert results.open_batches(desk.db) == []
    assert verify(desk.db).error is None
    assert desk.journal_bodies("results")[-1]["count"] == len(range(0, spread, 7))


@pytest.mark.parametrize("packed", [False, True])
def test_a_batch_that_an_older_version_left_open_is_closed_whole(desk: LedgerFixture, *, packed: bool) -> None:
    """It kept no bounds: they are searched, among rows and packed hours, however old the results are."""
    desk.record(0, [make_result(WEB, START + minute * MINUTE, OK) for minute in (0, 60, 4000)], START + 9000 * MINUTE)
    desk.db.execute("UPDATE batch SET first = NULL, last = NULL")
    if packed:
        desk.db.execute("PRAGMA foreign_keys = OFF")
        desk.db.execute("UPDATE batch SET entry = 1")
        pack_hours(desk.db, START + 120 * MINUTE)
        desk.db.execute("UPDATE batch SET entry = NULL")
        assert desk.db.execute("SELECT count(*) FROM packed").fetchone() == (2,)
    desk.restart(START + 9001 * MINUTE)
    assert desk.journal_bodies("results")[-1]["count"] == 3
    assert verify(desk.db).error is None


def test_a_batch_whose_bounds_were_lost_does_not_stop_a_start(desk: LedgerFixture) -> None:
    desk.record(0, [make_result(WEB, START, OK)], START)
    desk.db.execute("UPDATE batch SET first = 5, last = 6")
    desk.restart(START + MINUTE)
    desk.restart(START + 2 * MINUTE)
    desk.record_sweep(5, web_01="o")
    assert len(desk.journal_bodies("results")) == 1


def test_after_a_restart_sweeps_are_counted_anew_and_get_batches_of_their_own(desk: LedgerFixture) -> None:
    desk.record(5, [make_result(WEB, START, OK)], START)
    desk.restart(START + MINUTE)
    desk.record(5, [make_result(WEB, START + MINUTE, OK)], START + MINUTE)
    desk.end_sweep(5, START + 2 * MINUTE)
    assert [entry["batch"] for entry in desk.journal_bodies("results")] == [1, 2]


def test_a_longer_interval_makes_a_new_run_that_holds_longer(desk: LedgerFixture) -> None:
    desk.record_sweeps(web_01="ooo")
    desk.reconfigure(replace(CONTEXT, terms=replace(CONTEXT.terms, interval=2 * MINUTE)), START + 3 * MINUTE)
    desk.record(3, [make_result(WEB, START + 4 * MINUTE, OK)], START)
    runs = list(runs_of_check(desk.db, results.ensure_check_id(desk.db, WEB)))
    assert [(run.first, run.last, run.hold) for run in runs] == [
        (START, START + 2 * MINUTE, 2 * MINUTE),
        (START + 4 * MINUTE, START + 4 * MINUTE, 4 * MINUTE),
    ]


def test_a_result_two_intervals_later_continues_the_run_and_a_later_one_does_not(desk: LedgerFixture) -> None:
    desk.record(0, [make_result(WEB, START, OK), make_result(WEB, START + HOLD, OK)], START)
    desk.record(1, [make_result(DB, START, OK), make_result(DB, START + HOLD + 1, OK)], START)
    assert len(list(runs_of_check(desk.db, results.ensure_check_id(desk.db, WEB)))) == 1
    assert len(list(runs_of_check(desk.db, results.ensure_check_id(desk.db, DB)))) == 2


def test_what_is_told_of_a_check_survives_a_restart(desk: LedgerFixture) -> None:
    desk.record_sweeps(web_01="ox")
    desk.restart(START + 2 * MINUTE)
    desk.record_sweep(2, web_01="x")
    desk.record_sweep(3, web_01="o")
    assert desk.mailed_news("acme") == [[("down", "web-01", "ping")], [("up", "web-01", "ping")]]


def test_standings_tell_the_last_run_and_the_open_outage_of_every_check(desk: LedgerFixture) -> None:
    desk.record_sweeps(web_01="ox", db_01="oo")
    desk.restart(START + 2 * MINUTE)
    known = {key: (run and run.outcome, outage and outage.id) for key, run, outage in desk.recording.check_states()}
    assert known == {WEB: (FAIL, 1), DB: (OK, None)}


def test_a_check_that_left_the_configuration_keeps_its_open_outage(desk: LedgerFixture) -> None:
    desk.record_sweeps(db_01="ox")
    desk.reconfigure(make_context([make_server("web-01")], [make_subscription("acme", "web-01")]), START + 2 * MINUTE)
    desk.record_sweep(2, web_01="o")
    desk.restart(START + 3 * MINUTE)
    assert [outage.end for outage in desk.outages()] == [None]
    assert verify(desk.db).error is None


def test_a_result_of_a_check_that_nobody_configured_is_taken_all_the_same(desk: LedgerFixture) -> None:
    """A cycle that was under way when its server left the configuration still ends in the books."""
    stray = CheckKey("gone-01", "ping")
    desk.record(0, [make_result(stray, START, FAIL)], START)
    desk.end_sweep(0, START + MINUTE)
    assert [outage.check for outage in desk.outages()] == [stray]
    assert desk.mailed_news(None) == [[("down", "gone-01", "ping")]]


# --- properties ------------------------------------------------------------------------------------------------------

STORIES = st.fixed_dictionaries({"web_01": st.text("oox?.", max_size=40), "db_01": st.text("oxx?.", max_size=40)})


@st.composite
def some_pieces(draw: st.DrawFn) -> list[list[Result]]:
    """Results of two checks at any distances, in order for each check, cut into pieces anyhow."""
    came: list[Result] = []
    for key in (WEB, DB):
        at = START
        for letter in draw(st.text("ooxx?", max_size=25)):
            at += draw(st.sampled_from([1, MINUTE, MINUTE, MINUTE, HOLD - 1, HOLD, HOLD + 1, 10 * HOLD]))
            came.append(
                make_result(key, at, OUTCOMES_BY_LETTER[letter], draw(st.sampled_from(["timeout", "no route"])))
            )
    came.sort(key=lambda each: each.at)
    cuts = sorted(draw(st.sets(st.integers(0, len(came)), max_size=8)))
    return [came[first:last] for first, last in pairwise([0, *cuts, len(came)])]


@settings(max_examples=120, deadline=None)
@given(some_pieces(), st.integers(0, 10))
def test_runs_and_outages_are_those_of_the_raw_results_in_any_batches(
    pieces: list[list[Result]], restart_after: int
) -> None:
    desk = LedgerFixture(CONTEXT)
    for sweep, piece in enumerate(pieces):
        desk.record(sweep, piece, START)
        if sweep == restart_after:
            desk.restart(START)
    for sweep in range(len(pieces)):
        desk.end_sweep(sweep, START)
    raw = [result for piece in pieces for result in piece]
    for key in (WEB, DB):
        number = results.check_ids(desk.db).get(key, 0)
        mine = [each for each in raw if each.check == key]
        assert tuple(runs_of_check(desk.db, number)) == runs_of(mine, HOLD)
        assert stored_outages(desk.db, key) == brute_outages(raw, key)
    assert list(all_results(desk.db)) == sorted(raw, key=lambda each: (each.at, each.check))
    assert verify(desk.db).error is None


@settings(max_examples=60, deadline=None)
@given(STORIES, st.integers(0, 40))
def test_a_restart_changes_nothing_of_what_is_recorded_and_told(stories: dict[str, str], minute: int) -> None:
    """But for the daemon's own entries: the same outages, the same news in the same order."""
    straight, broken = LedgerFixture(CONTEXT), LedgerFixture(CONTEXT)
    straight.record_sweeps(**{**stories, "web_01__site": ""})
    for now in range(max(map(len, stories.values()))):
        if now == minute:
            broken.restart(START + now * MINUTE)
        broken.record_sweep(now, **{name: story[now : now + 1] for name, story in stories.items()})
    assert stored_rows(broken.db) == stored_rows(straight.db)


# --- crashes ---------------------------------------------------------------------------------------------------------

WORLD = make_context(
    [
        make_server("switch-a"),
        make_server("web-01", "site", parent="switch-a"),
        make_server("db-01", parent="switch-a"),
    ],
    [
        make_subscription("acme", "web-01"),
        make_subscription("bolt", "web-01", "web-hosting"),
        make_subscription("bolt", "db-01"),
    ],
)
STORY = {
    "switch_a": "ooxxoooooo",
    "web_01": "oxxxo?xoxo",
    "web_01__site": "ooxxxooooo",
    "db_01": "oo?xxxooxo",
}


def acts(desk: LedgerFixture) -> list[tuple[str, int, list[Result]]]:
    """The story as the pieces of work that the writer gets: each sweep in two pieces, then its end."""
    found: list[tuple[str, int, list[Result]]] = []
    for minute in range(10):
        at = START + minute * MINUTE
        came = [make_result(check_key(name), at, OUTCOMES_BY_LETTER[story[minute]]) for name, story in STORY.items()]
        found += [("record", minute, came[:2]), ("record", minute, came[2:]), ("end", minute, [])]
    assert desk.context is WORLD
    return found


def play(desk: LedgerFixture, kind: str, sweep: int, came: list[Result]) -> None:
    at = START + sweep * MINUTE + 500
    if kind == "record":
        desk.record(sweep, came, at)
    else:
        desk.end_sweep(sweep, at + MINUTE)


def straight_on(folder: Path) -> dict[str, list[object]]:
    db, _ = open_crashing(folder / "straight.db")
    desk = LedgerFixture(WORLD, db)
    desk.apply_terms()
    for act in acts(desk):
        play(desk, *act)
    kept = stored_rows(db)
    db.close()
    return kept  # type: ignore[return-value]


@pytest.mark.parametrize("afterwards", ["the same process", "a new process"])
def test_a_crash_at_any_write_leaves_all_or_nothing_and_a_retry_leaves_all(tmp_path: Path, afterwards: str) -> None:
    """Every piece of work is made to crash at its first write, then at its second, ... until it passes."""
    expected = straight_on(tmp_path)
    db, connection = open_crashing(tmp_path / "crashing.db")
    desk = LedgerFixture(WORLD, db)
    desk.apply_terms()
    crashes = 0
    for act in acts(desk):
        before, crash_at = stored_rows(db), 1
        while True:
            connection.arm(crash_at)
            try:
                play(desk, *act)
            except CrashError:
                crashes += 1
                crash_at += 1
                connection.arm(0)
                assert stored_rows(db) == before
                if afterwards == "the same process":
                    desk.recording.invalidate()
                else:
                    desk.recording = Recording(WORLD)
                    desk.recording.refresh(db)
                    rejoin(desk, act[1])
            else:
                break
        connection.arm(0)
    assert crashes > 100
    assert stored_rows(db) == expected
    assert verify(db).error is None
    db.close()


def rejoin(desk: LedgerFixture, sweep: int) -> None:
    """Go on with the batch that is open, as only this test may: a new process would close it first."""
    from monitor.ledger.results.recording import OpenBatch

    for number, _, _ in results.open_batches(desk.db):
        bounds = results.batch_bounds(desk.db, number)
        assert bounds is not None
        desk.recording._batches[sweep] = OpenBatch(number, *bounds)


@pytest.mark.parametrize("crash_at", range(1, 12))
def test_a_crash_while_taking_over_is_made_good_by_the_next_start(tmp_path: Path, crash_at: int) -> None:
    db, connection = open_crashing(tmp_path / "monitor.db")
    desk = LedgerFixture(WORLD, db)
    desk.apply_terms()
    for act in acts(desk)[:11]:  # into the fourth sweep, with news gathered
        play(desk, *act)
    connection.arm(crash_at)
    before = stored_rows(db)
    try:
        desk.restart(START + 4 * MINUTE)
    except CrashError:
        assert stored_rows(db) == before
        connection.arm(0)
        desk.restart(START + 4 * MINUTE)
    connection.arm(0)
    assert results.open_batches(db) == []
    assert [mail for mail in outbox.list_mails(db) if mail.sweep is not None] == []
    assert verify(db).error is None
    db.close()


def test_a_result_is_never_in_the_books_without_its_outage_and_its_mail(tmp_path: Path) -> None:
    """Rule four, seen by another process at any moment: there is no moment between them."""
    db, _ = open_crashing(tmp_path / "monitor.db")
    watcher = open_read_only(tmp_path / "monitor.db")
    desk = LedgerFixture(WORLD, db)
    desk.apply_terms()
    for act in acts(desk):
        play(desk, *act)
        fails = {each.check for each in all_results(watcher) if each.outcome is FAIL}
        assert fails == {outage.check for outage in history.list_outages(watcher)}
        opened = [entry.body["outage"] for entry in journal.entries(watcher, "outage-opened")]
        assert sorted(opened) == sorted(outage.id for outage in history.list_outages(watcher))
        told_of = {number for (number,) in watcher.execute("SELECT DISTINCT outage FROM told")}
        assert told_of == set(opened)
    watcher.close()
    db.close()


# --- another process -------------------------------------------------------------------------------------------------


def test_what_another_process_wrote_between_is_noticed(tmp_path: Path) -> None:
    ours, theirs = LedgerFixture(CONTEXT, open_read_write(tmp_path / "monitor.db")), None
    ours.apply_terms()
    ours.record_sweep(0, web_01="o")
    theirs = LedgerFixture(CONTEXT, open_read_write(tmp_path / "monitor.db"))
    theirs.record(1, [make_result(WEB, START + MINUTE, FAIL)], START + MINUTE)
    theirs.end_sweep(1, START + MINUTE)
    ours.record(2, [make_result(WEB, START + 2 * MINUTE, FAIL)], START + 2 * MINUTE)
    ours.end_sweep(2, START + 2 * MINUTE)
    [outage] = ours.outages()
    assert (outage.start, outage.last_fail, outage.last_ok) == (START + MINUTE, START + 2 * MINUTE, START)
    assert verify(ours.db).error is None
    ours.db.close()
    theirs.db.close()


def test_two_processes_that_take_turns_write_what_one_would(tmp_path: Path) -> None:
    file = tmp_path / "monitor.db"
    desks = [LedgerFixture(CONTEXT, open_read_write(file)) for _ in range(2)]
    alone = LedgerFixture(CONTEXT)
    for desk in (desks[0], alone):
        desk.apply_terms()
    for minute, (web, db) in enumerate(zip("ooxxo?xxooxo", "oxoxoxoxoxox", strict=True)):
        for desk in (desks[minute % 2], alone):
            desk.record_sweep(minute, web_01=web, db_01=db)
    assert stored_rows(desks[0].db) == stored_rows(alone.db)
    for desk in desks:
        desk.db.close()


def test_unknown_results_open_nothing_end_nothing_and_are_kept(desk: LedgerFixture) -> None:
    desk.record_sweeps(web_01="o?x?o?")
    assert [each.outcome for each in all_results(desk.db)] == [OK, UNKNOWN, FAIL, UNKNOWN, OK, UNKNOWN]
    assert len(desk.outages()) == 1
    assert {Outcome(row[0]) for row in desk.db.execute("SELECT outcome FROM run")} == {OK, FAIL, UNKNOWN}
