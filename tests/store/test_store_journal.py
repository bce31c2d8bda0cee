"""The chain: what an entry's hash is made of, and what breaks it."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.store import database, journal
from monitor.store.journal import ChainBreak, JournalEntry
from tests.fakes import START, open_read_write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlite_utils import Database

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    db = open_read_write(tmp_path / "monitor.db")
    yield db
    db.close()


def filled(db: Database, count: int = 6) -> None:
    with database.transaction(db):
        for number in range(count):
            journal.append(db, START + number, "clock-stepped" if number % 2 else "daemon-started", {"step": number})


def test_the_first_entry_is_number_one_and_follows_zeros(db: Database) -> None:
    filled(db, 1)
    row = db.execute("SELECT number, previous FROM journal").fetchone()
    assert row == (1, "0" * 64)


def test_anybody_can_recompute_a_hash_with_a_few_lines(db: Database) -> None:
    with database.transaction(db):
        journal.append(db, 1_761_944_400_000, "terms", {"z": [1, None], "name": "Ölçüm €", "a": True})
    number, at, kind, body, previous, own = db.execute(
        "SELECT number, at, kind, body, previous, hash FROM journal"
    ).fetchone()
    whole = {"number": number, "at": at, "kind": kind, "body": json.loads(body), "previous": previous}
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(text.encode("utf-8")).hexdigest() == own


@given(st.dictionaries(st.text(), JSON, max_size=4), st.integers(0, 1 << 60), st.text(min_size=1))
def test_the_hash_is_that_of_the_canonical_text_of_the_whole_entry(body: dict[str, Any], at: int, kind: str) -> None:
    try:
        text = journal.canonical_json(body)
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate has no UTF-8 and is never stored
        return
    whole = {"number": 7, "at": at, "kind": "k", "body": body, "previous": "p"}
    expected = hashlib.sha256(journal.canonical_json(whole).encode()).hexdigest()
    assert journal.entry_hash(7, at, "k", text, "p") == expected
    assert kind


@given(JSON)
def test_the_same_value_always_has_the_same_text_and_comes_back(value: object) -> None:
    assert json.loads(journal.canonical_json(value)) == value
    assert journal.canonical_json(json.loads(journal.canonical_json(value))) == journal.canonical_json(value)


def long(servers: dict[str, Any]) -> dict[str, Any]:
    """A body like the terms of thousands of servers, longer than what is read in one go."""
    padding = {f"s{number}": {"checks": [["ping", "icmp"]], "level": 2} for number in range(journal.LONG_BODY // 40)}
    return {"customers": {}, "interval": 60_000, "servers": padding | servers, "z": None}


@given(st.dictionaries(st.text(), JSON, max_size=4))
@settings(max_examples=20, deadline=None)
def test_a_long_body_is_written_and_read_by_its_parts_as_json_would_in_one_go(servers: dict[str, Any]) -> None:
    text = journal.canonical_json(long(servers))
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert json.loads(text) == long(servers)
    assert journal._parse_body(text) == long(servers)


@pytest.mark.parametrize("indent", [None, 1])
def test_a_long_body_that_somebody_wrote_otherwise_is_read_all_the_same(indent: int | None) -> None:
    assert journal._parse_body(json.dumps(long({}), indent=indent)) == long({})


@pytest.mark.parametrize("value", [1.0, float("nan"), {"a": [1, {"b": 0.5}]}, (1.5,)])
def test_a_float_is_refused_wherever_it_hides(value: object) -> None:
    with pytest.raises(TypeError, match="float"):
        journal.canonical_json(value)


def test_what_json_does_not_know_is_refused() -> None:
    with pytest.raises(TypeError):
        journal.canonical_json({"a": {1, 2}})


def test_numbers_have_no_gap_and_each_entry_follows_the_one_before(db: Database) -> None:
    filled(db, 50)
    rows = db.execute("SELECT number, previous, hash FROM journal ORDER BY number").fetchall()
    assert [number for number, _, _ in rows] == list(range(1, 51))
    assert all(later[1] == earlier[2] for earlier, later in pairwise(rows))


def test_an_append_that_is_rolled_back_leaves_no_gap(db: Database) -> None:
    filled(db, 2)
    db.execute("BEGIN IMMEDIATE")
    journal.append(db, START, "daemon-stopped", {})
    db.execute("ROLLBACK")
    filled(db, 2)
    assert not any(isinstance(entry, ChainBreak) for entry in journal.verify_chain(db))
    assert journal.length(db) == 4


def test_entries_are_given_by_kind_in_order_until_a_moment(db: Database) -> None:
    filled(db, 6)
    assert [entry.number for entry in journal.entries(db, "clock-stepped")] == [2, 4, 6]
    assert [entry.number for entry in journal.entries(db, "clock-stepped", until=START + 3)] == [2, 4]
    assert [entry.number for entry in journal.entries(db, "clock-stepped", "daemon-started", until=START)] == [1]


def test_the_newest_fact_of_a_kind(db: Database) -> None:
    filled(db, 5)
    assert journal.last(db, "clock-stepped") == JournalEntry(4, START + 3, "clock-stepped", {"step": 3})
    assert journal.last(db, "terms") is None


def test_an_empty_journal_has_no_length_and_holds(db: Database) -> None:
    assert journal.length(db) == 0
    assert list(journal.verify_chain(db)) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journal SET at = 1",
        "DELETE FROM journal",
        "UPDATE journal SET body = '{}'",
        "INSERT OR REPLACE INTO journal VALUES (3, 1, 'terms', '{}', 'x', 'y')",
    ],
)
def test_the_database_itself_refuses_to_rewrite_the_journal(db: Database, statement: str) -> None:
    filled(db)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        db.execute(statement)


def unlocked(db: Database) -> None:
    db.execute("DROP TRIGGER journal_is_never_rewritten")
    db.execute("DROP TRIGGER journal_is_never_shortened")


@pytest.mark.parametrize(
    ("tampering", "number", "why"),
    [
        ("UPDATE journal SET at = at + 1 WHERE number = 3", 3, "was changed"),
        ("UPDATE journal SET kind = 'terms' WHERE number = 3", 3, "was changed"),
        ("UPDATE journal SET body = '{\"step\":99}' WHERE number = 3", 3, "was changed"),
        ("UPDATE journal SET body = '{ \"step\":2}' WHERE number = 3", 3, "was changed"),
        ("UPDATE journal SET body = 'no json' WHERE number = 3", 3, "was changed"),
        ("UPDATE journal SET previous = hash WHERE number = 3", 3, "does not follow"),
        ("UPDATE journal SET hash = previous WHERE number = 3", 3, "was changed"),
        ("UPDATE journal SET number = 99 WHERE number = 6", 6, "is missing"),
        ("UPDATE journal SET number = 0 WHERE number = 1", 1, "is missing"),
        ("DELETE FROM journal WHERE number = 1", 1, "is missing"),
        ("DELETE FROM journal WHERE number = 3", 3, "is missing"),
        ("DELETE FROM journal WHERE number <= 5", 1, "is missing"),
        ("INSERT INTO journal VALUES (7, 1, 'terms', '{}', 'x', 'y')", 7, "does not follow"),
        (
            "INSERT INTO journal SELECT 7, at, kind, body, hash, hash FROM journal WHERE number = 6",
            7,
            "was changed",
        ),
    ],
)
def test_the_first_entry_that_does_not_hold_is_named(db: Database, tampering: str, number: int, why: str) -> None:
    filled(db)
    unlocked(db)
    db.execute(tampering)
    *before, broken = journal.verify_chain(db)
    assert isinstance(broken, ChainBreak)
    assert broken.number == number
    assert why in broken.reason
    assert [entry.number for entry in before] == list(range(1, number))


def test_an_entry_rewritten_with_a_fitting_hash_is_betrayed_by_the_next(db: Database) -> None:
    filled(db)
    unlocked(db)
    previous = db.execute("SELECT previous FROM journal WHERE number = 3").fetchone()[0]
    forged = journal.entry_hash(3, START, "daemon-started", '{"step":77}', previous)
    db.execute("UPDATE journal SET at = ?, body = ?, hash = ? WHERE number = 3", [START, '{"step":77}', forged])
    *_, broken = journal.verify_chain(db)
    assert broken == ChainBreak(4, "does not follow the entry before it: that entry or this one was changed")
