"""Results as they are stored and read again, their digests, runs and batches."""

from __future__ import annotations

import hashlib
import sqlite3
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model import CheckKey, Outcome, Result, Run
from monitor.store import daemon_state, results
from monitor.store.history import last_oks, last_runs, runs_between, runs_of_check, save_runs
from tests.fakes import (
    FAIL,
    MINUTE,
    OK,
    START,
    UNKNOWN,
    all_results,
    ledger_in_memory,
    make_result,
    open_read_write,
    results_from,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlite_utils import Database

PING, SITE, OTHER = CheckKey("web-01", "ping"), CheckKey("web-01", "site"), CheckKey("web-02", "ping")


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    db = open_read_write(tmp_path / "monitor.db")
    yield db
    db.close()


def add(db: Database, *given: Result, batch: int | None = None) -> int:
    batch = batch if batch is not None else results.begin_batch(db, "probe", START)
    results.add(db, batch, [(results.ensure_check_id(db, each.check), each) for each in given])
    return batch


def test_a_check_keeps_its_number_for_ever(db: Database) -> None:
    first = results.ensure_check_id(db, PING)
    assert results.ensure_check_id(db, SITE) != first
    assert results.ensure_check_id(db, PING) == first
    assert results.check_ids(db)[PING] == first


RESULTS = st.lists(
    st.builds(
        Result,
        check=st.sampled_from([PING, SITE, OTHER]),
        at=st.integers(0, 1 << 45),
        outcome=st.sampled_from(Outcome),
        attempts=st.integers(0, 9),
        latency=st.none() | st.integers(0, 10**8),
        reason=st.sampled_from(["", "timeout", "status 500", "ağ yok"]),
    ),
    unique_by=lambda result: (result.check, result.at),
    max_size=20,
)


@given(RESULTS)
def test_results_come_back_as_they_were_written_in_time_order(given: list[Result]) -> None:
    db = ledger_in_memory()
    add(db, *given)
    for key in (PING, SITE, OTHER):
        expected = sorted((each for each in given if each.check == key), key=lambda each: each.at)
        assert list(results.read(db, key, 0, 1 << 60)) == expected
    assert list(all_results(db)) == sorted(given, key=lambda each: (each.at, each.check))


def test_reading_is_half_open(db: Database) -> None:
    add(db, *results_from(PING, "ooo"))
    found = results.read(db, PING, START, START + 2 * MINUTE)
    assert [each.at for each in found] == [START, START + MINUTE]


def test_one_moment_of_one_check_cannot_be_written_twice(db: Database) -> None:
    add(db, make_result(PING, START, OK))
    with pytest.raises(sqlite3.IntegrityError):
        add(db, make_result(PING, START, FAIL))
    add(db, make_result(SITE, START, FAIL))


def test_a_digest_is_that_of_the_lines_in_order_of_time_server_and_check(db: Database) -> None:
    batch = add(
        db,
        Result(OTHER, START, OK, 1, 412, ""),
        Result(SITE, START, FAIL, 3, None, "status 500"),
        Result(PING, START + 1, UNKNOWN, 0, None, "slot missed"),
        Result(PING, START, OK, 2, 0, ""),
    )
    text = (
        f"web-01\tping\t{START}\tok\t2\t0\t\n"
        f"web-01\tsite\t{START}\tfail\t3\t\tstatus 500\n"
        f"web-02\tping\t{START}\tok\t1\t412\t\n"
        f"web-01\tping\t{START + 1}\tunknown\t0\t\tslot missed\n"
    )
    found = results.digest_batch(db, batch, (START, START + 1))
    assert found is not None
    assert (found.count, found.first, found.last) == (4, START, START + 1)
    assert found.sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_a_digest_knows_only_its_own_batch(db: Database) -> None:
    batch = add(db, make_result(PING, START, OK))
    before = results.digest_batch(db, batch, (START, START))
    add(db, make_result(SITE, START, FAIL))
    assert results.digest_batch(db, batch, (START, START)) == before


def test_an_empty_batch_has_no_digest_and_can_be_dropped(db: Database) -> None:
    batch = results.begin_batch(db, "probe", START)
    assert results.batch_bounds(db, batch) is None
    assert results.digest_batch(db, batch, (0, 1 << 60)) is None
    results.drop_batch(db, batch)
    assert results.open_batches(db) == []


def test_a_batch_that_still_has_results_is_not_dropped(db: Database) -> None:
    batch = add(db, make_result(PING, START, OK))
    results.drop_batch(db, batch)
    assert [number for number, _, _ in results.open_batches(db)] == [batch]


def test_the_bounds_of_a_batch(db: Database) -> None:
    batch = add(db, *results_from(PING, "o.o.o"))
    assert results.batch_bounds(db, batch) == (START, START + 4 * MINUTE)
    [late] = db.execute("SELECT first, last FROM batch WHERE id = ?", [batch])
    assert late == (START, START + 4 * MINUTE)
    db.execute("UPDATE batch SET first = NULL, last = NULL")
    assert results.batch_bounds(db, batch) == late


def test_the_newest_result_of_all(db: Database) -> None:
    assert results.newest_result_at(db) is None
    add(db, make_result(PING, START + 5, OK), make_result(OTHER, START + 7, OK), make_result(SITE, START, OK))
    assert results.newest_result_at(db) == START + 7


def test_the_newest_result_of_a_check_in_a_stretch_of_time(db: Database) -> None:
    add(db, *results_from(PING, "ooo"), make_result(SITE, START + 90_000, OK))
    number = results.ensure_check_id(db, PING)
    assert results.last_result_at(db, number, START, START + 90_000) == START + MINUTE
    assert results.last_result_at(db, number, START, START + MINUTE) == START + MINUTE
    assert results.last_result_at(db, number, START + 1, START + 2) is None


def test_a_run_that_grows_is_the_same_run(db: Database) -> None:
    number = results.ensure_check_id(db, PING)
    save_runs(db, [(number, Run(0, 60, OK, 120))])
    save_runs(db, [(number, Run(0, 180, OK, 120)), (number, Run(240, 240, FAIL, 120))])
    assert list(runs_of_check(db, number)) == [Run(0, 180, OK, 120), Run(240, 240, FAIL, 120)]
    assert last_runs(db) == {number: Run(240, 240, FAIL, 120)}
    assert last_oks(db) == {number: 180}


def test_the_runs_of_a_window_include_the_one_that_reaches_into_it(db: Database) -> None:
    number = results.ensure_check_id(db, PING)
    runs = [Run(start, start + 50, OK, 10) for start in range(0, 1000, 100)]
    save_runs(db, [(number, run) for run in runs])
    assert runs_between(db, number, 340, 600) == runs[3:6]
    assert runs_between(db, number, 300, 300) == []
    assert runs_between(db, number, -50, 1) == runs[:1]
    assert runs_between(db, number, 5000, 6000) == runs[-1:]


def test_checks_without_any_result_have_no_run(db: Database) -> None:
    results.ensure_check_id(db, PING)
    assert last_runs(db) == {}
    assert last_oks(db) == {}


def test_a_note_replaces_the_one_before(db: Database) -> None:
    assert daemon_state.get(db, "problems") is None
    daemon_state.put(db, "problems", {"store": "voll: ü"})
    daemon_state.put(db, "problems", {})
    assert daemon_state.get(db, "problems") == {}
