"""Whatever is changed behind the program's back in the records is found, and named."""

from __future__ import annotations

from dataclasses import replace
from sqlite3 import IntegrityError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.ledger.verify import verify
from monitor.store import journal
from tests.fakes import HOUR, MINUTE, OK, START, make_result, pack_hours
from tests.ledger.ledger_fixture import LedgerFixture
from tests.ledger.tampering import CONTEXT, lived, unlocked, wrong


def test_an_end_that_was_cut_off_is_noticed_although_the_chain_holds() -> None:
    desk = lived()
    desk.announce("web-01", start=START + 3 * HOUR, end=START + 4 * HOUR, at=START + HOUR, emergency="disk")
    number, _ = journal.head(desk.db)
    found = wrong(desk, f"DELETE FROM journal WHERE number = {number}")
    assert found == f"journal entry {number} is missing: the last entry is {number - 1}"


def test_a_chain_that_was_made_anew_does_not_end_in_what_was_written_last() -> None:
    desk = lived()
    journal.append(desk.db, START + HOUR, "daemon-stopped", {})
    number, hash_ = journal.head(desk.db)
    [(at, kind, before)] = desk.db.execute("SELECT at, kind, previous FROM journal WHERE number = ?", [number])
    body = journal.canonical_json({"forged": 1})
    forged = journal.entry_hash(number, at, kind, body, before)
    with unlocked(desk.db):
        desk.db.execute("UPDATE journal SET body = ?, hash = ? WHERE number = ?", [body, forged, number])
    assert forged != hash_
    assert "is not the last that was written" in (verify(desk.db).error or "")


def test_untouched_records_pass_and_are_counted() -> None:
    desk = lived()
    verdict = verify(desk.db)
    assert verdict.error is None
    assert verdict.entries == journal.length(desk.db)
    assert verdict.results == desk.db.execute("SELECT count(*) FROM result").fetchone()[0]
    assert verdict.outages == len(desk.outages()) == 6


def test_empty_records_pass() -> None:
    assert verify(LedgerFixture(CONTEXT).db).error is None


def test_a_sweep_that_is_not_over_is_not_missed_in_the_journal() -> None:
    desk = lived()
    desk.record(99, [make_result(CONTEXT.servers["web-01"].checks[0].key, START + HOUR, OK)], START + HOUR)
    assert verify(desk.db).error is None


def test_progress_is_heard_entry_by_entry() -> None:
    heard: list[int] = []
    desk = lived()
    verify(desk.db, heard.append)
    assert heard == list(range(1, journal.length(desk.db) + 1))


@pytest.mark.parametrize("kind", ["terms", "results", "outage-opened", "outage-ended", "maintenance-announced"])
@pytest.mark.parametrize("change", ["at = at + 1", "kind = 'note'", "body = '{}'", "previous = 'x'", "hash = 'x'"])
def test_a_changed_entry_of_the_journal_is_named(kind: str, change: str) -> None:
    desk = lived()
    number = desk.db.execute("SELECT max(number) FROM journal WHERE kind = ?", [kind]).fetchone()[0]
    assert f"journal entry {number}" in wrong(desk, f"UPDATE journal SET {change} WHERE number = {number}")


@pytest.mark.parametrize("number", [1, 2, 9, 30])
def test_a_missing_entry_of_the_journal_is_named(number: int) -> None:
    assert f"journal entry {number} is missing" in wrong(lived(), f"DELETE FROM journal WHERE number = {number}")


def test_an_inserted_entry_is_named() -> None:
    desk = lived()
    number = journal.length(desk.db) + 1
    found = wrong(desk, f"INSERT INTO journal VALUES ({number}, {START}, 'terms', '{{}}', '{'0' * 64}', '{'0' * 64}')")
    assert f"journal entry {number}" in found


def test_a_journal_without_its_last_digest_is_found_out() -> None:
    desk = lived()
    wrong(desk, "DELETE FROM journal WHERE number >= (SELECT max(number) FROM journal WHERE kind = 'results')")


def test_a_journal_that_was_rewritten_whole_is_found_out_by_what_hangs_on_it() -> None:
    """Somebody recomputes every hash after taking one outage out of the story; the tables still know."""
    desk = lived()
    kept = [
        (at, kind, body)
        for at, kind, body in desk.db.execute("SELECT at, kind, body FROM journal ORDER BY number")
        if not (kind.startswith("outage-") and '"outage":1,' in body)
    ]
    with unlocked(desk.db):
        desk.db.execute("DELETE FROM journal")
    previous = journal.GENESIS_HASH
    for number, (at, kind, body) in enumerate(kept, 1):
        own = journal.entry_hash(number, at, kind, body, previous)
        desk.db.execute("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?)", [number, at, kind, body, previous, own])
        previous = own
    assert verify(desk.db).error is not None


ONE = f"at = {START + 2 * MINUTE} AND probed = (SELECT id FROM probed WHERE server = 'web-01' AND name = 'ping')"


@pytest.mark.parametrize(
    "tampering",
    [
        f"UPDATE result SET outcome = 0 WHERE {ONE}",
        f"UPDATE result SET outcome = 2 WHERE {ONE}",
        f"UPDATE result SET at = at + 1 WHERE {ONE}",
        f"UPDATE result SET probed = 3, at = at + 7 WHERE {ONE}",
        f"UPDATE result SET attempts = attempts + 1 WHERE {ONE}",
        f"UPDATE result SET latency = 1 WHERE {ONE}",
        f"UPDATE result SET reason = NULL WHERE {ONE}",
        f"UPDATE result SET batch = batch + 1 WHERE {ONE}",
        f"UPDATE result SET batch = 999 WHERE {ONE}",
        f"DELETE FROM result WHERE {ONE}",
        "DELETE FROM result",
        f"INSERT INTO result SELECT at + 1, probed, 0, 1, 400, NULL, batch FROM result WHERE {ONE}",
        f"INSERT INTO result SELECT at + 999999, probed, 0, 1, 400, NULL, batch FROM result WHERE {ONE}",
        f"INSERT INTO result SELECT at + 1, probed, 0, 1, 400, NULL, 999 FROM result WHERE {ONE}",
        "UPDATE reason SET text = 'no route'",
        "UPDATE probed SET name = 'pong' WHERE name = 'ping'",
        "UPDATE probed SET server = 'web-02' WHERE server = 'web-01'",
        "DELETE FROM probed WHERE server = 'db-01'",
    ],
)
def test_a_changed_result_is_found_out(tampering: str) -> None:
    assert "results" in wrong(lived(), tampering)


def test_two_checks_that_were_swapped_are_found_out() -> None:
    wrong(
        lived(),
        "UPDATE probed SET server = 'x' WHERE server = 'db-01'",
        "UPDATE probed SET server = 'db-01' WHERE server = 'web-01' AND name = 'ping'",
        "UPDATE probed SET server = 'web-01' WHERE server = 'x'",
    )


def packed_books() -> LedgerFixture:
    """The same books, when most of their results are packed."""
    desk = lived()
    for minute in range(40, 130, 6):
        desk.record_sweep(minute, web_01="oxo?"[minute % 4], web_01__site="o", db_01="o")
    pack_hours(desk.db, START + 2 * HOUR)
    assert desk.db.execute("SELECT count(*), sum(length(codes)) > 0 FROM packed").fetchone() == (6, 1)
    return desk


def test_packed_results_pass_and_are_counted() -> None:
    desk = packed_books()
    verdict = verify(desk.db)
    assert verdict.error is None
    assert verdict.results == desk.db.execute("SELECT count(*) FROM readable_results").fetchone()[0]


NUMBERS = ["id", "count", "start", "step", "floor", "batch", "stride"]


@pytest.mark.parametrize("place", range(6))
@pytest.mark.parametrize("column", NUMBERS)
@pytest.mark.parametrize("by", [1, -1, 1 << 40])
def test_a_changed_number_of_a_packed_hour_is_found_out(column: str, place: int, by: int) -> None:
    desk = packed_books()
    number = desk.db.execute("SELECT id FROM packed ORDER BY id LIMIT 1 OFFSET ?", [place]).fetchone()[0]
    try:
        found = wrong(desk, f"UPDATE packed SET {column} = {column} + {by} WHERE id = {number}")
    except IntegrityError:
        return
    assert "results" in found


def test_any_flipped_bit_of_a_packed_column_is_found_out_and_none_makes_it_fall() -> None:
    desk = packed_books()
    flipped = 0
    for column in ("late", "latency", "kinds", "codes", "batches"):
        for number, was in desk.db.execute(f"SELECT id, {column} FROM packed").fetchall():
            for place in range(8 * len(was)):
                now = bytearray(was)
                now[place // 8] ^= 1 << place % 8
                desk.db.execute(f"UPDATE packed SET {column} = ? WHERE id = ?", [bytes(now), number])
                assert verify(desk.db).error is not None, (column, number, place)
                flipped += 1
            for other in (was + b"\0", was[:-1], b"\0" * len(was) if any(was) else b"\1"):
                desk.db.execute(f"UPDATE packed SET {column} = ? WHERE id = ?", [other, number])
                assert verify(desk.db).error is not None or other == was, (column, number, other)
            desk.db.execute(f"UPDATE packed SET {column} = ? WHERE id = ?", [was, number])
    assert flipped > 300
    assert verify(desk.db).error is None


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE packing SET until = until + 3600000",
        "UPDATE packing SET until = until - 3600000",
        "UPDATE packing SET until = 0",
        "UPDATE kind SET outcome = (outcome + 1) % 3 WHERE id = 1",
        "UPDATE kind SET attempts = attempts + 1 WHERE id = 2",
        "UPDATE kind SET measured = 1 - measured WHERE id = 1",
        "UPDATE kind SET reason = NULL WHERE reason IS NOT NULL",
        "DELETE FROM kind WHERE id = 1",
        "UPDATE reason SET text = 'no route'",
        "DELETE FROM packed WHERE id = (SELECT min(id) FROM packed)",
        "DELETE FROM packed",
        "DELETE FROM probed WHERE server = 'db-01'",
    ],
)
def test_what_packed_hours_hang_on_cannot_be_changed_either(tampering: str) -> None:
    assert "results" in wrong(packed_books(), tampering)


ENDED, OPEN = "WHERE id = 1", 'WHERE id = (SELECT max(id) FROM outage WHERE "end" IS NULL)'


@pytest.mark.parametrize(
    "tampering",
    [
        f"UPDATE outage SET id = 77 {ENDED}",
        f"UPDATE outage SET probed = 2 {ENDED}",
        f"UPDATE outage SET start = start + 1 {ENDED}",
        f"UPDATE outage SET last_fail = last_fail - 1 {ENDED}",
        f'UPDATE outage SET "end" = "end" - 1 {ENDED}',
        f'UPDATE outage SET "end" = NULL {ENDED}',
        "UPDATE outage SET last_ok = start - 1 WHERE last_ok IS NULL",
        "UPDATE outage SET last_ok = NULL WHERE last_ok IS NOT NULL",
        f"UPDATE outage SET reason = 'no route' {ENDED}",
        f"UPDATE outage SET start = start + 1 {OPEN}",
        f"UPDATE outage SET last_fail = last_fail + 60000 {OPEN}",
        f'UPDATE outage SET "end" = last_fail + 60000 {OPEN}',
        f"UPDATE outage SET reason = '' {OPEN}",
        f"DELETE FROM outage {ENDED}",
        f"DELETE FROM outage {OPEN}",
        "DELETE FROM outage",
        'INSERT INTO outage SELECT 99, probed, start + 1, last_fail, "end", last_ok, reason FROM outage WHERE id = 1',
        "INSERT INTO outage SELECT 99, probed, start + 1, last_fail, NULL, last_ok, reason FROM outage WHERE id = 1",
    ],
)
def test_a_changed_outage_is_found_out(tampering: str) -> None:
    assert "outage" in wrong(lived(), tampering)


@pytest.mark.parametrize("place", ["min(first)", "max(first)"])
@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE run SET first = first + 1",
        "UPDATE run SET first = first - 1",
        "UPDATE run SET last = last + 1",
        "UPDATE run SET last = last + 60000",
        "UPDATE run SET last = last - 1",
        "UPDATE run SET outcome = (outcome + 1) % 3",
        "UPDATE run SET hold = hold + 1",
        "UPDATE run SET hold = hold - 1",
        "UPDATE run SET hold = 86400000",
        "UPDATE run SET hold = 1",
        "UPDATE run SET first = first + 7, probed = 1 + probed % 3",
        "DELETE FROM run",
    ],
)
def test_a_changed_run_is_found_out(change: str, number: int, place: str) -> None:
    where = f"WHERE probed = {number} AND first = (SELECT {place} FROM run WHERE probed = {number})"
    found = wrong(lived(), f"{change} {where}")
    assert "run" in found


@pytest.mark.parametrize(
    "tampering",
    [
        f"INSERT INTO run VALUES (1, {START - HOUR}, {START - HOUR}, 0, 120000)",
        f"INSERT INTO run VALUES (1, {START + 1}, {START + 1}, 0, 120000)",
        f"INSERT INTO run VALUES (1, {START + 9 * HOUR}, {START + 10 * HOUR}, 0, 120000)",
    ],
)
def test_an_inserted_run_is_found_out(tampering: str) -> None:
    assert "run" in wrong(lived(), tampering)


def test_runs_of_a_check_without_any_result_are_found_out() -> None:
    found = wrong(
        lived(),
        "INSERT INTO probed VALUES (50, 'web-50', 'ping')",
        f"INSERT INTO run VALUES (50, {START}, {START + HOUR}, 0, 120000)",
    )
    assert "web-50/ping" in found


WHOLE = f"probed = 2 AND first = {START}"


def test_a_run_that_was_cut_in_two_is_found_out() -> None:
    """Both halves end and begin with a result: only that they should be one betrays them."""
    found = wrong(
        lived(),
        f"INSERT INTO run SELECT probed, {START + MINUTE}, last, outcome, hold FROM run WHERE {WHOLE}",
        f"UPDATE run SET last = {START} WHERE {WHOLE}",
    )
    assert "web-01/site" in found


def test_a_longer_hold_is_found_out_although_every_result_fits_into_it() -> None:
    """The last result of a run would hold for a day: downtime or uptime out of nothing."""
    assert "hold" in wrong(lived(), "UPDATE run SET hold = 86400000 WHERE outcome = 0")


def test_the_hold_of_other_terms_is_found_out() -> None:
    """Two minutes were never in force together with runs that began when the interval was two."""
    wrong(lived(), f"UPDATE run SET hold = 120000 WHERE first >= {START + 30 * MINUTE}")


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE batch SET entry = NULL WHERE id = 3",
        "UPDATE batch SET entry = entry + 1 WHERE id = 3",
        "UPDATE batch SET source = 'import' WHERE id = 3",
        "DELETE FROM batch WHERE id = 3",
        "UPDATE batch SET id = 999 WHERE id = 3",
    ],
)
def test_a_changed_batch_is_found_out(tampering: str) -> None:
    assert "batch 3" in wrong(lived(), tampering)


def test_a_sweep_that_never_ends_is_no_way_around_the_digest() -> None:
    """Results in a batch that nobody closes: legal for the sweeps of now, not for one of long ago."""
    desk = lived()
    desk.db.execute(f"INSERT INTO batch (id, source, opened, entry) VALUES (0, 'probe', {START}, NULL)")
    found = wrong(desk, f"INSERT INTO result VALUES ({START + 1}, 2, 0, 1, 400, NULL, 0)")
    assert "batch 0" in found


def test_what_is_found_is_one_line() -> None:
    assert "\n" not in wrong(lived(), "UPDATE reason SET text = 'a' || char(10) || 'b'")


LETTERS = st.text("ooxx?.", max_size=25)


@settings(max_examples=60, deadline=None)
@given(LETTERS, LETTERS, st.integers(0, 25), st.sampled_from([MINUTE, 2 * MINUTE, 30_000]))
def test_whatever_was_lived_through_passes(web: str, site: str, minute: int, interval: int) -> None:
    desk = LedgerFixture(CONTEXT)
    desk.apply_terms()
    for now in range(max(len(web), len(site))):
        if now == minute:
            desk.restart(START + now * MINUTE)
            changed = replace(CONTEXT, terms=replace(CONTEXT.terms, interval=interval))
            desk.reconfigure(changed, START + now * MINUTE - 30_000)
        desk.record_sweep(now, web_01=web[now : now + 1], web_01__site=site[now : now + 1])
        assert verify(desk.db).error is None


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_any_single_change_of_any_number_in_the_evidence_is_found_out(data: st.DataObject) -> None:
    desk = lived()
    table, columns = data.draw(
        st.sampled_from(
            [
                ("result", ["at", "probed", "outcome", "attempts", "latency", "batch"]),
                ("run", ["first", "last", "outcome", "hold"]),
                ("outage", ["id", "probed", "start", "last_fail", '"end"', "last_ok"]),
                ("journal", ["number", "at"]),
                ("mail", ["id", "queued_at", "since"]),
            ]
        )
    )
    column = data.draw(st.sampled_from(columns))
    rows = desk.db.execute(f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL").fetchall()
    place = data.draw(st.integers(0, len(rows) - 1))
    before = rows[place][0]
    after = data.draw(st.integers(0, 3) if column in ("outcome", "probed") else st.integers(1, 1 << 50))
    if after == before:
        return
    key = {"result": "at, probed", "run": "probed, first", "outage": "id", "mail": "id", "journal": "number"}[table]
    chosen = desk.db.execute(f"SELECT {key} FROM {table} WHERE {column} IS NOT NULL LIMIT 1 OFFSET {place}").fetchone()
    where = " AND ".join(f"{name.strip()} = {value}" for name, value in zip(key.split(","), chosen, strict=True))
    before = desk.db.execute(f"SELECT {column} FROM {table} WHERE {where}").fetchone()[0]
    if after == before:
        return
    try:
        with unlocked(desk.db):
            desk.db.execute(f"UPDATE {table} SET {column} = {after} WHERE {where}")
    except IntegrityError:  # the table itself refuses
        return
    assert verify(desk.db).error is not None
