"""Packed hours give back every result as it was, to Python and to plain SQL, and are told from their bytes alone."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.model import CheckKey, Outcome, Result
from monitor.store import journal, result_origin, results
from monitor.store.archive import compaction, hours
from monitor.store.archive.codec import HOUR_MS, pack, unpack
from tests.fakes import (
    FAIL,
    MINUTE,
    OK,
    START,
    all_results,
    ledger_in_memory,
    make_result,
    open_read_write,
    pack_hours,
    results_from,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlite_utils import Database

    from monitor.store.archive.codec import ResultRow

PING, SITE, OTHER = CheckKey("web-01", "ping"), CheckKey("web-01", "site"), CheckKey("web-02", "ping")
HOUR_OF_START = START // HOUR_MS * HOUR_MS


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    db = open_read_write(tmp_path / "monitor.db")
    yield db
    db.close()


def add(db: Database, *given: Result, close: bool = True) -> int:
    batch = results.begin_batch(db, "probe", START)
    results.add(db, batch, [(results.ensure_check_id(db, each.check), each) for each in given])
    if close:
        results.close_batch(db, batch, journal.append(db, START, "results", {}))
    return batch


WILD = st.integers(0, HOUR_MS - 1)
REGULAR = st.builds(lambda slot, late: slot * MINUTE + late, st.integers(0, 59), st.integers(0, 20))
REASONS = st.sampled_from(["", "timeout", "status 500", "ağ yok"]) | st.text(st.characters(codec="utf-8"), max_size=5)
MOMENTS = st.one_of(WILD, REGULAR).flatmap(
    lambda _: st.lists(
        st.tuples(
            st.one_of(WILD, REGULAR),
            st.integers(0, 2),
            st.integers(0, 3) | st.integers(0, 1 << 40),
            st.none() | st.integers(300, 30_000) | st.integers(0, 1 << 62),
            REASONS,
            st.integers(7, 9) | st.integers(1, 1 << 40),
        ),
        min_size=1,
        max_size=70,
        unique_by=lambda moment: moment[0],
    )
)


@settings(max_examples=150, deadline=None)
@given(MOMENTS, st.integers(0, 1 << 20))
def test_whatever_an_hour_held_comes_out_as_it_went_in(given: list[ResultRow], hour: int) -> None:
    began = hour * HOUR_MS
    moments = sorted((began + at, what, tries, took, why, batch) for at, what, tries, took, why, batch in given)
    found = pack(began, moments)
    assert list(unpack(began, found)) == moments
    assert pack(began, list(unpack(began, found))) == found, "the same results give the same bytes"


def test_an_hour_of_regular_results_takes_four_bytes_each_at_most() -> None:
    moments = [(n * MINUTE + n % 7, 0, 1, 400 + 37 * n, "", 100 + n) for n in range(60)]
    found = pack(0, moments)
    assert (found.step, found.stride, found.batches, found.codes) == (MINUTE, 1, b"", b"")
    assert len(found.late) + len(found.latency) == 30 + 90


@pytest.mark.parametrize("kinds", [1, 2, 3, 4, 5, 16, 17, 256, 257, 3000])
def test_any_number_of_kinds_of_results_finds_room(kinds: int) -> None:
    moments: list[ResultRow] = [(n, 1, n % kinds, None, "", 1) for n in range(3600)]
    assert list(unpack(0, pack(0, moments))) == moments


RESULTS = st.lists(
    st.builds(
        Result,
        check=st.sampled_from([PING, SITE, OTHER]),
        at=st.integers(HOUR_OF_START, HOUR_OF_START + 3 * HOUR_MS)
        | st.integers(0, 180).map(lambda n: HOUR_OF_START + n * MINUTE),
        outcome=st.sampled_from(Outcome),
        attempts=st.integers(0, 9),
        latency=st.none() | st.integers(0, 10**8),
        reason=st.sampled_from(["", "timeout", "status 500", "ağ yok"]),
    ),
    unique_by=lambda result: (result.check, result.at),
    max_size=60,
)


def everything(db: Database) -> dict[str, object]:
    """What can be asked of results, by each question."""
    number = {key: results.ensure_check_id(db, key) for key in (PING, SITE, OTHER)}
    begin, mid, end = HOUR_OF_START - 1, HOUR_OF_START + HOUR_MS + 17 * MINUTE, HOUR_OF_START + 4 * HOUR_MS
    return {
        "all": list(results.read_with_batches(db)),
        "each": [list(results.rows_of_check(db, key, 0, 1 << 62)) for key in number],
        "part": [list(results.read(db, key, HOUR_OF_START + 5, mid)) for key in number],
        "newest": results.newest_result_at(db),
        "last": [results.last_result_at(db, n, first, last) for n in number.values() for first, last in
                 [(begin, mid), (begin, end), (mid, end), (begin, HOUR_OF_START + HOUR_MS), (mid, mid)]],
        "digests": [results.digest_batch(db, batch, (begin, end)) for batch in (1, 2)],
        "bounds": [results._search_batch(db, batch) for batch in (1, 2)],
        "latency": [results.latency_at(db, number[r.check], r.at) for r in all_results(db)],
        "origin": [result_origin.origin_of(db, r.check, r.at) for r in all_results(db)],
        "next": [result_origin.next_result_at(db, key, mid, end) for key in number],
        "any": [result_origin.has_results(db, first, first + MINUTE) for first in range(begin, end, 7 * MINUTE)],
        "readable": sorted(db.execute("SELECT * FROM readable_results").fetchall(), key=repr),
    }  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(RESULTS, RESULTS, st.integers(0, 4))
def test_every_question_is_answered_the_same_before_and_after_packing(
    given: list[Result], more: list[Result], packs: int
) -> None:
    db = ledger_in_memory()
    seen = {(each.check, each.at) for each in given}
    add(db, *given)
    add(db, *(each for each in more if (each.check, each.at) not in seen))
    before = everything(db)
    pack_hours(db, HOUR_OF_START + packs * HOUR_MS)
    assert db.execute("SELECT count(*) FROM result WHERE at < ?", [HOUR_OF_START + packs * HOUR_MS]).fetchone() == (0,)
    assert everything(db) == before


@settings(max_examples=30, deadline=None)
@given(RESULTS, RESULTS)
def test_a_late_result_finds_its_place_in_a_packed_hour(given: list[Result], late: list[Result]) -> None:
    db, other = ledger_in_memory(), ledger_in_memory()
    seen = {(each.check, each.at) for each in given}
    late = [each for each in late if (each.check, each.at) not in seen]
    for books in (db, other):
        add(books, *given)
    pack_hours(db, HOUR_OF_START + 2 * HOUR_MS)
    for books in (db, other):
        add(books, *late)
    assert everything(db) == everything(other)


def test_one_moment_of_a_packed_check_cannot_be_written_twice(db: Database) -> None:
    add(db, *results_from(PING, "oxo"))
    pack_hours(db, START + HOUR_MS)
    with pytest.raises(sqlite3.IntegrityError):
        add(db, make_result(PING, START + MINUTE, OK))
    with pytest.raises(sqlite3.IntegrityError):
        add(db, make_result(SITE, START, OK), make_result(SITE, START, FAIL))
    add(db, make_result(SITE, START, FAIL))
    assert len(list(all_results(db))) == 4


def test_an_hour_waits_for_the_sweeps_that_have_results_in_it(db: Database) -> None:
    batch = add(db, *results_from(PING, "oxo"), close=False)
    assert compaction.next_hour_due(db, START + HOUR_MS) is None
    results.close_batch(db, batch, journal.append(db, START, "results", {}))
    assert compaction.next_hour_due(db, START + HOUR_MS - 1) is None, "it is not over"
    assert compaction.next_hour_due(db, START + HOUR_MS) == HOUR_OF_START


def test_an_hour_that_lacks_a_result_does_not_take_the_place_of_its_rows(db: Database) -> None:
    add(db, *results_from(PING, "oxo"))
    hours.write_hours(db, compaction.pack_rows(db, HOUR_OF_START, 1, 9))
    add(db, make_result(SITE, START, OK))
    assert not compaction.commit_hour(db, HOUR_OF_START)
    assert len(list(all_results(db))) == 4


def test_rows_are_cleared_away_a_piece_at_a_time_and_nothing_is_seen_of_it(db: Database) -> None:
    add(db, *results_from(PING, "o" * 50), *results_from(SITE, "o" * 50))
    before = list(all_results(db))
    hours.write_hours(db, compaction.pack_rows(db, HOUR_OF_START, 1, 9))
    assert list(all_results(db)) == before, "half done is not there yet"
    assert compaction.commit_hour(db, HOUR_OF_START)
    steps = 0
    while True:
        assert list(all_results(db)) == before
        if not compaction.delete_packed_rows(db, 30):
            break
        steps += 1
    assert steps == 3
    assert db.execute("SELECT count(*) FROM result").fetchone() == (0,)


def test_the_view_shows_single_results_to_plain_sqlite(db: Database) -> None:
    add(
        db,
        Result(PING, START + 7, OK, 1, 1_412, ""),
        Result(PING, START + MINUTE, FAIL, 3, None, "status 500"),
        Result(PING, START + HOUR_MS, OK, 2, 31, ""),
    )
    pack_hours(db, START + HOUR_MS)
    plain = sqlite3.connect(db.execute("PRAGMA database_list").fetchone()[2])
    found = plain.execute("SELECT * FROM readable_results WHERE server = 'web-01' ORDER BY time").fetchall()
    plain.close()
    assert found == [
        ("2026-10-02T10:00:00.007Z", "web-01", "ping", "ok", 1, 1.412, "", 1, "2026-10-02T10"),
        ("2026-10-02T10:01:00.000Z", "web-01", "ping", "fail", 3, None, "status 500", 1, "2026-10-02T10"),
        ("2026-10-02T11:00:00.000Z", "web-01", "ping", "ok", 2, 0.031, "", 1, "2026-10-02T11"),
    ]


def test_the_view_unpacks_only_the_hours_and_checks_that_are_asked_for(db: Database) -> None:
    add(db, *(Result(key, START + n * HOUR_MS, OK, 1, 1_000 + n, "") for key in (PING, SITE) for n in range(3)))
    pack_hours(db, START + 3 * HOUR_MS)
    # an hour that cannot be unpacked stops whoever looks at it
    spoilt = "UPDATE packed SET count = 1 << 40 WHERE id != ?"
    db.execute(spoilt, [(START + HOUR_MS) // HOUR_MS << 28 | results.ensure_check_id(db, PING)])
    asked = 'SELECT time FROM readable_results WHERE server = ? AND "check" = ? AND hour = ?'
    assert db.execute(asked, [PING.server, PING.name, "2026-10-02T11"]).fetchall() == [("2026-10-02T11:00:00.000Z",)]
    with pytest.raises(sqlite3.DatabaseError):
        db.execute("SELECT time FROM readable_results").fetchall()
