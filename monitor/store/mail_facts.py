"""What the journal says of each mail: a digest of the letter when it is queued, and of its delivery when that changes.

The texts and the addresses stay in the outbox; the digests prove that they are still those that were queued, and that
the relay's reply, the times and the recipients who are left are those that were recorded. The functions of ``outbox``
call this inside their transaction.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from monitor.store import journal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlite_utils import Database

    from monitor.model import Millis

ADOPTED: Final = "mails-adopted"
"""The kind of the entry about the mails that an earlier version queued."""
QUEUED: Final = "mail-queued"
DELIVERY_KINDS: Final = ("mail-sent", "mail-partly-sent", "mail-dead", "mail-requeued")

_LETTER = "kind, customer, recipients, copies, body, subject, text, html, language, message_id, refers, queued_at"
_DELIVERY = "state, remaining, since, sent_at, reply, CASE state WHEN 'dead' THEN error ELSE '' END, deliveries"
_LETTER_COLUMNS = 12
_NO_DELIVERIES = "{}"


def record_letter(db: Database, number: int, at: Millis) -> None:
    """Record the letter of a mail that may leave from now on."""
    _adopt_earlier_mails(db, number, at)
    row = db.execute(f"SELECT message_id, {_LETTER} FROM mail WHERE id = ?", [number]).fetchone()
    journal.append(db, at, QUEUED, {"mail": number, "message_id": row[0], "sha256": _digest(row[1:])})


def record_delivery(db: Database, number: int, at: Millis, kind: str) -> None:
    """Record what has become of a mail: one of ``DELIVERY_KINDS``."""
    _adopt_earlier_mails(db, number, at)
    row = db.execute(f"SELECT sent_at, reply, {_DELIVERY} FROM mail WHERE id = ?", [number]).fetchone()
    body: dict[str, Any] = {"mail": number, "sha256": _delivery_digest(row[2:])}
    if kind == "mail-sent":
        body |= {"sent_at": row[0], "reply": row[1]}
    journal.append(db, at, kind, body)


def _adopt_earlier_mails(db: Database, number: int, at: Millis) -> None:
    """Before the first fact about a mail, record all mails that are in the outbox of an earlier version."""
    if db.execute("SELECT 1 FROM journal WHERE kind IN (?, ?) LIMIT 1", [QUEUED, ADOPTED]).fetchone():
        return
    found = [[own, *digests] for own, _, *digests in digests_of_mails(db) if own != number]
    if found:
        journal.append(db, at, ADOPTED, {"mails": found})


def digests_of_mails(db: Database) -> Iterator[tuple[int, str, str, str]]:
    """Return number, Message-ID and the digests of letter and delivery of every mail that no longer gathers."""
    rows = db.execute(f"SELECT id, message_id, {_LETTER}, {_DELIVERY} FROM mail WHERE sweep IS NULL ORDER BY id")
    for number, message_id, *columns in rows:
        yield number, message_id, _digest(columns[:_LETTER_COLUMNS]), _delivery_digest(columns[_LETTER_COLUMNS:])


def lines_digest(lines: Iterable[str]) -> str:
    """Return the digest of the lines of a problem that the operators were told."""
    return _digest(list(lines))


def _delivery_digest(columns: Sequence[Any]) -> str:
    """Return the digest of the columns of a delivery; an earlier version had no deliveries by recipient."""
    return _digest(columns[:-1] if columns[-1] == _NO_DELIVERIES else columns)


def _digest(columns: Any) -> str:
    return hashlib.sha256(journal.canonical_json(list(columns)).encode()).hexdigest()
