"""The outbox: every mail is written down in the transaction of what it tells of, and leaves at least once.

A mail about outages gathers: while ``sweep`` is set it waits for that sweep to end, and what falls until then joins it.
A mail that has left keeps its Message-ID, so a repeat after a crash is recognised by its recipient.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlite_utils import Database

    from monitor.model import Language, Millis

MailState: TypeAlias = Literal["pending", "sent", "dead"]


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail in the outbox."""

    id: int
    kind: str
    """``outages``, ``maintenance``, ``claims``, ``monitor`` or ``test``."""
    customer: str | None
    recipients: tuple[str, ...]
    copies: tuple[str, ...]
    """Who gets a copy unseen (the operators)."""
    remaining: tuple[str, ...]
    """Who has not got it yet, of both."""
    body: dict[str, Any]
    """What it tells of, as data: it is worded when it leaves."""
    sweep: int | None
    """The sweep it still gathers; None once it may leave."""
    subject: str
    text: str
    html: str
    language: Language
    message_id: str
    refers: tuple[str, ...]
    """Message-IDs of the mails that it continues."""
    state: MailState
    queued_at: Millis
    """It was written down; of a mail that gathers: it was worded, with the news and the figures of that moment."""
    since: Millis
    """From when its lifetime counts: it was queued, or revived."""
    next_try: Millis
    sent_at: Millis | None
    attempts: int
    error: str


_FIELDS = (
    "id, kind, customer, recipients, copies, remaining, body, sweep, subject, text, html, language, message_id,"
    " refers, state, queued_at, since, next_try, sent_at, attempts, error"
)


def _mail_from_row(row: tuple[Any, ...]) -> Mail:
    mail = list(row)
    for place in (3, 4, 5, 13):
        mail[place] = tuple(json.loads(mail[place]))
    mail[6] = json.loads(mail[6])
    return Mail(*mail)


def enqueue(
    db: Database,
    kind: str,
    *,
    at: Millis,
    customer: str | None,
    recipients: Iterable[str],
    copies: Iterable[str],
    language: Language,
    message_id: str,
    body: dict[str, Any],
    sweep: int | None = None,
    subject: str = "",
    text: str = "",
    html: str = "",
    refers: Iterable[str] = (),
) -> int:
    """Queue a mail and give its number."""
    to, bcc = list(recipients), list(copies)
    remaining = list(dict.fromkeys([*to, *bcc]))
    cursor = db.execute(
        "INSERT INTO mail (kind, customer, recipients, copies, remaining, body, sweep, subject, text, html, language,"
        " message_id, refers, state, queued_at, since, next_try)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?, ?)",
        [
            kind,
            customer,
            *(json.dumps(value, ensure_ascii=False) for value in (to, bcc, remaining, body)),
            *(sweep, subject, text, html, language, message_id, json.dumps(list(refers)), at, at, at),
        ],
    )
    return int(cursor.lastrowid or 0)


def open_digest(db: Database, customer: str | None, sweep: int) -> Mail | None:
    """Return the mail that gathers a customer's outages (None: the operators') of a sweep, if there is one.

    Sweeps overlap: while a slow cycle still keeps the mail of one here, the next has begun one of its own.
    """
    row = db.execute(
        f"SELECT {_FIELDS} FROM mail WHERE sweep >= ? AND json_extract(body, '$.sweep') <= ? AND customer IS ?"
        " AND state = 'pending' ORDER BY id",
        [sweep, sweep, customer],
    ).fetchone()
    return _mail_from_row(row) if row else None


def update_digest(db: Database, number: int, body: dict[str, Any], sweep: int) -> None:
    """Put more into a mail that still gathers."""
    db.execute(
        "UPDATE mail SET body = ?, sweep = ? WHERE id = ?", [json.dumps(body, ensure_ascii=False), sweep, number]
    )


def due_digests(db: Database, sweep: int) -> list[Mail]:
    """Return the mails whose sweep is over once ``sweep`` is, in the order of the sweeps in which they began.

    Where sweeps overlap that is not the order of their numbers: a quick result of one comes before a slow one of the
    sweep before it.
    """
    rows = db.execute(
        f"SELECT {_FIELDS} FROM mail WHERE sweep <= ? AND state = 'pending' ORDER BY json_extract(body, '$.sweep'), id",
        [sweep],
    )
    return [_mail_from_row(row) for row in rows]


def save_rendered(
    db: Database, number: int, *, subject: str, text: str, html: str, refers: Iterable[str], at: Millis
) -> None:
    """Return a mail its words: from now on it may leave, and it is dated so."""
    db.execute(
        "UPDATE mail SET subject = ?, text = ?, html = ?, refers = ?, sweep = NULL, queued_at = ?, since = ?,"
        " next_try = ? WHERE id = ?",
        [subject, text, html, json.dumps(list(refers)), at, at, at, number],
    )


def due_mails(db: Database, now: Millis, limit: int = 20) -> list[Mail]:
    """Return the mails that should be tried now, the longest waiting first; of one moment those of earlier sweeps."""
    rows = db.execute(
        f"SELECT {_FIELDS} FROM mail WHERE state = 'pending' AND sweep IS NULL AND next_try <= ?"
        " ORDER BY next_try, json_extract(body, '$.sweep'), id LIMIT ?",
        [now, limit],
    )
    return [_mail_from_row(row) for row in rows]


def mark_sent(db: Database, number: int, at: Millis) -> None:
    """Mark a mail as accepted for everybody who could get it."""
    db.execute(
        "UPDATE mail SET state = 'sent', remaining = '[]', sent_at = ?, attempts = attempts + 1 WHERE id = ?",
        [at, number],
    )


def schedule_retry(db: Database, number: int, *, remaining: Iterable[str], next_try: Millis, error: str) -> None:
    """Keep a mail for those who have not got it, until the next try."""
    db.execute(
        "UPDATE mail SET remaining = ?, next_try = ?, error = ?, attempts = attempts + 1 WHERE id = ?",
        [json.dumps(list(remaining)), next_try, error, number],
    )


def dead_letter(db: Database, number: int, *, remaining: Iterable[str], error: str) -> None:
    """Put a mail into the dead letters: trying again by itself would not help."""
    db.execute(
        "UPDATE mail SET state = 'dead', remaining = ?, error = ?, attempts = attempts + 1 WHERE id = ?",
        [json.dumps(list(remaining)), error, number],
    )


def requeue(db: Database, mail: Mail, at: Millis) -> None:
    """Try a mail again now: a dead one for those who did not get it, one that was sent for everybody."""
    remaining = mail.remaining or tuple(dict.fromkeys([*mail.recipients, *mail.copies]))
    db.execute(
        "UPDATE mail SET state = 'pending', remaining = ?, attempts = 0, next_try = ?, since = ?, error = ''"
        " WHERE id = ?",
        [json.dumps(list(remaining)), at, at, mail.id],
    )


def get(db: Database, number: int) -> Mail | None:
    """Return one mail by its number."""
    row = db.execute(f"SELECT {_FIELDS} FROM mail WHERE id = ?", [number]).fetchone()
    return _mail_from_row(row) if row else None


def list_mails(db: Database, state: MailState | None = None, limit: int = 1 << 62) -> list[Mail]:
    """Return the newest mails, oldest first."""
    rows = db.execute(
        f"SELECT * FROM (SELECT {_FIELDS} FROM mail WHERE ? IS NULL OR state = ? ORDER BY id DESC LIMIT ?) ORDER BY id",
        [state, state, limit],
    )
    return [_mail_from_row(row) for row in rows]


def pending_summary(db: Database) -> tuple[int, Millis | None]:
    """Count what has not left, and give the time at which the oldest of it was queued."""
    count, oldest = db.execute("SELECT count(*), min(queued_at) FROM mail WHERE state = 'pending'").fetchone()
    return count, oldest
