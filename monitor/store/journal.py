"""The journal: every fact that a figure depends on, in an append-only chain.

An entry is a number (from 1, without a gap), the time it was recorded, a kind, a body, the hash of the entry before and
its own hash. The hash is SHA-256 over the UTF-8 of the canonical JSON of the other five fields::

    {"at":1761944400000,"body":{...},"kind":"terms","number":1,"previous":"0000...0000"}

Canonical: keys sorted, no white space, non-ASCII characters as themselves, and only strings, integers, true, false,
null, lists and objects: no floats, because their text is not unique. The first entry's ``previous`` is 64 zeros. So
anybody can recompute the chain with a few lines of any language; docs/journal.md lists the kinds and shows how.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlite_utils import Database

    from monitor.model import Millis

GENESIS_HASH = "0" * 64
CLOCK_REJECTED = "clock-rejected"
"""The kind by which an operator takes back what was recorded while the clock was ahead; its ``after`` is the clock's
time at that moment."""
LONG_BODY = 100_000
"""Characters from which a body is encoded and parsed in parts: the terms of thousands of servers.

In one call it would hold the interpreter lock, and so the event loop, for a tenth of a second.
"""
_SPLIT_DEPTH = 2
"""Levels of objects that are split: the terms, and their servers, subscriptions and customers."""
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode
_decode = json.JSONDecoder().raw_decode


class JournalEntry(NamedTuple):
    """One recorded fact."""

    number: int
    at: Millis
    kind: str
    body: dict[str, Any]


class ChainBreak(NamedTuple):
    """The first entry at which the chain is broken, and the reason."""

    number: int
    reason: str


def canonical_json(value: object) -> str:
    """Return the canonical text of a JSON value. Raise TypeError for a float or anything that JSON does not know."""
    _reject_floats(value)
    return _encode_canonical(value, _SPLIT_DEPTH)


def _encode_canonical(value: object, depth: int) -> str:
    if not depth or not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        return _encode(value)
    return "{" + ",".join(f"{_encode(key)}:{_encode_canonical(value[key], depth - 1)}" for key in sorted(value)) + "}"


def _parse_body(text: str) -> dict[str, Any]:
    """Parse a body; a long one in parts, unless its text is not canonical."""
    if len(text) >= LONG_BODY:
        try:
            return _parse_object(text, 0, _SPLIT_DEPTH)[0]
        except (ValueError, IndexError):
            pass
    body: dict[str, Any] = json.loads(text)
    return body


def _parse_object(text: str, at: int, depth: int) -> tuple[dict[str, Any], int]:
    """Return the object that begins at a position of a canonical text, and the position of its end."""
    found: dict[str, Any] = {}
    if text[at : at + 2] == "{}":
        return found, at + 2
    while text[at] != "}":
        key, at = _decode(text, at + 1)
        found[key], at = (
            _parse_object(text, at + 1, depth - 1) if depth > 1 and text[at + 1] == "{" else _decode(text, at + 1)
        )
    return found, at + 1


def _reject_floats(value: object) -> None:
    if isinstance(value, float):
        raise TypeError(f"a float has no canonical text: {value!r}")
    if isinstance(value, dict):
        for item in value.values():
            _reject_floats(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _reject_floats(item)


def entry_hash(number: int, at: Millis, kind: str, body: str, previous: str) -> str:
    """Return the hash of an entry; its body is canonical JSON already."""
    text = f'{{"at":{at},"body":{body},"kind":{json.dumps(kind)},"number":{number},"previous":"{previous}"}}'
    return hashlib.sha256(text.encode()).hexdigest()


def append(db: Database, at: Millis, kind: str, body: dict[str, Any]) -> int:
    """Record a fact and return its number. Call this inside the transaction of the recorded change."""
    last = db.execute("SELECT number, hash FROM journal ORDER BY number DESC LIMIT 1").fetchone()
    number, previous = (last[0] + 1, last[1]) if last else (1, GENESIS_HASH)
    text = canonical_json(body)
    db.execute(
        "INSERT INTO journal (number, at, kind, body, previous, hash) VALUES (?, ?, ?, ?, ?, ?)",
        [number, at, kind, text, previous, entry_hash(number, at, kind, text, previous)],
    )
    return number


def rejections(db: Database) -> list[tuple[int, Millis]]:
    """Return each rejection of a clock: its number, and the moment after which it takes back what was recorded."""
    rows = db.execute(
        "SELECT number, json_extract(body, '$.after') FROM journal WHERE kind = ? ORDER BY number", [CLOCK_REJECTED]
    )
    return [(number, after) for number, after in rows]


def effective_time(number: int, at: Millis, rejected: Sequence[tuple[int, Millis]]) -> Millis:
    """Return when the entry ``number`` counts as recorded: at the latest at the next rejections of the clock."""
    return min([at, *(after for rejection, after in rejected if number < rejection)])


def _at_sql(db: Database) -> str:
    """Return the SQL for the time at which an entry counts as recorded, see ``effective_time``."""
    cases, latest = list[str](), 1 << 62
    for number, after in reversed(rejections(db)):
        latest = min(latest, after)
        cases.insert(0, f"WHEN number < {number} THEN min(at, {latest})")
    return f"CASE {' '.join(cases)} ELSE at END" if cases else "at"


def entries(db: Database, *kinds: str, until: Millis | None = None) -> Iterator[JournalEntry]:
    """Return the facts of some kinds, in the order of recording, without those recorded after ``until``."""
    marks, at_sql = ",".join("?" * len(kinds)), _at_sql(db)
    rows = db.execute(
        f"SELECT number, {at_sql}, kind, body FROM journal WHERE kind IN ({marks}) AND {at_sql} <= ? ORDER BY number",
        [*kinds, until if until is not None else 1 << 62],
    )
    for number, at, kind, body in rows:
        yield JournalEntry(number, at, kind, _parse_body(body))


def last_body_text(db: Database, kind: str) -> str | None:
    """Return the stored text of the newest fact of a kind: canonical, see ``canonical_json``."""
    row = db.execute("SELECT body FROM journal WHERE kind = ? ORDER BY number DESC LIMIT 1", [kind]).fetchone()
    return row[0] if row else None


def keys_of(db: Database, kind: str, name: str, before: int) -> set[str]:
    """Return the keys of the object ``name`` in every fact of a kind that was recorded before entry ``before``."""
    rows = db.execute(
        "SELECT DISTINCT each.key FROM journal, json_each(journal.body, '$.' || ?) AS each"
        " WHERE journal.kind = ? AND journal.number < ?",
        [name, kind, before],
    )
    return {row[0] for row in rows}


def newest_keys(db: Database, kind: str, name: str) -> list[str]:
    """Return the keys of the object ``name`` in the newest fact of a kind; none where there is no such fact."""
    rows = db.execute(
        "SELECT each.key FROM journal, json_each(journal.body, '$.' || ?) AS each"
        " WHERE journal.number = (SELECT max(number) FROM journal WHERE kind = ?)",
        [name, kind],
    )
    return [row[0] for row in rows]


def positions(db: Database, kind: str, until: Millis) -> list[tuple[int, Millis]]:
    """Return number and time of each fact of a kind recorded until ``until``, without reading the bodies."""
    at_sql = _at_sql(db)
    query = f"SELECT number, {at_sql} FROM journal WHERE kind = ? AND {at_sql} <= ? ORDER BY number"
    return list(db.execute(query, [kind, until]))


def get(db: Database, number: int) -> JournalEntry:
    """Return the fact of an existing number."""
    row = db.execute(f"SELECT number, {_at_sql(db)}, kind, body FROM journal WHERE number = ?", [number]).fetchone()
    return JournalEntry(row[0], row[1], row[2], _parse_body(row[3]))


def last(db: Database, kind: str, until: Millis | None = None) -> JournalEntry | None:
    """Return the newest fact of a kind that was not recorded after ``until``."""
    at_sql = _at_sql(db)
    row = db.execute(
        f"SELECT number, {at_sql}, kind, body FROM journal WHERE kind = ? AND {at_sql} <= ?"
        " ORDER BY number DESC LIMIT 1",
        [kind, until if until is not None else 1 << 62],
    ).fetchone()
    return JournalEntry(row[0], row[1], row[2], _parse_body(row[3])) if row else None


def entries_of_month(
    db: Database, kind: Literal["month-closed", "month-corrected"], month: str
) -> Iterator[JournalEntry]:
    """Return the facts about one month, ``YYYY-MM``, in the order of recording, without those of a rejected clock."""
    rejected = rejections(db)
    rows = db.execute(
        f"SELECT number, at, kind, body FROM journal WHERE kind = '{kind}' AND json_extract(body, '$.month') = ?"
        " ORDER BY number",
        [month],
    )
    for number, at, own, body in rows:
        if effective_time(number, at, rejected) == at:
            yield JournalEntry(number, at, own, _parse_body(body))


def oldest_month(db: Database, kind: Literal["month-closed"]) -> str | None:
    """Return the oldest month, ``YYYY-MM``, that has a fact of a kind."""
    month: str | None = db.execute(
        f"SELECT min(json_extract(body, '$.month')) FROM journal WHERE kind = '{kind}'"
    ).fetchone()[0]
    return month


def first(db: Database) -> JournalEntry | None:
    """Return the first fact of the journal."""
    row = db.execute(f"SELECT number, {_at_sql(db)}, kind, body FROM journal ORDER BY number LIMIT 1").fetchone()
    return JournalEntry(row[0], row[1], row[2], _parse_body(row[3])) if row else None


def any_backdated(db: Database, kinds: Sequence[str], after: int, at: Millis) -> bool:
    """Return whether a fact of some kinds after entry ``after`` has a time that is not later than ``at``.

    This is the case if the clock was set back. Imported results count for all kinds.
    """
    marks = ",".join("?" * len(kinds))
    row = db.execute(
        f"SELECT 1 FROM journal WHERE number > ? AND at <= ? AND (kind IN ({marks}) OR"
        " (kind = 'results' AND json_extract(body, '$.source') = 'import')) LIMIT 1",
        [after, at, *kinds],
    ).fetchone()
    return row is not None


def newest_at(db: Database) -> Millis | None:
    """Return when the newest entry counts as recorded; None where there is none."""
    row = db.execute(f"SELECT {_at_sql(db)} FROM journal ORDER BY number DESC LIMIT 1").fetchone()
    return None if row is None else row[0]


def head(db: Database) -> tuple[int, str]:
    """Return the number and the hash of the newest entry; a copy kept elsewhere proves all entries up to it."""
    row = db.execute("SELECT number, hash FROM journal ORDER BY number DESC LIMIT 1").fetchone()
    return (row[0], row[1]) if row else (0, GENESIS_HASH)


def length(db: Database) -> int:
    """Return the number of entries."""
    number: int | None = db.execute("SELECT max(number) FROM journal").fetchone()[0]
    return number or 0


def verify_chain(db: Database) -> Iterator[JournalEntry | ChainBreak]:
    """Stream and verify all entries; stop with a ``ChainBreak`` at the first invalid one."""
    expected, previous = 1, GENESIS_HASH
    rows = db.execute("SELECT number, at, kind, body, previous, hash FROM journal ORDER BY number")
    for number, at, kind, body, before, own in rows:
        if number != expected:
            yield ChainBreak(expected, f"is missing: the next one found is {number}")
            return
        if before != previous:
            yield ChainBreak(number, "does not follow the entry before it: that entry or this one was changed")
            return
        if entry_hash(number, at, kind, body, before) != own:
            yield ChainBreak(number, "was changed: its hash does not match its contents")
            return
        yield JournalEntry(number, at, kind, _parse_body(body))
        expected, previous = number + 1, own


def entries_after(db: Database, number: int, *kinds: str) -> Iterator[JournalEntry]:
    """Return the facts of some kinds after entry ``number``, in order."""
    marks = ",".join("?" * len(kinds))
    rows = db.execute(
        f"SELECT number, {_at_sql(db)}, kind, body FROM journal WHERE number > ? AND kind IN ({marks}) ORDER BY number",
        [number, *kinds],
    )
    for own, at, kind, body in rows:
        yield JournalEntry(own, at, kind, _parse_body(body))


def recorded_at(db: Database, number: int, *kinds: str) -> list[Millis]:
    """Return the times of recording of the facts of some kinds after entry ``number``."""
    marks = ",".join("?" * len(kinds))
    rows = db.execute(f"SELECT {_at_sql(db)} FROM journal WHERE number > ? AND kind IN ({marks})", [number, *kinds])
    return [row[0] for row in rows]
