"""The outbox: every mail is queued in the transaction of the event that it reports, and sent at least once.

A mail about outages is a digest: while ``sweep`` is set it is open, and further news of that sweep are added to it.
A mail keeps its Message-ID, so its recipient recognises one that is sent again after a crash.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

from monitor.store import mail_facts, mail_order

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from sqlite_utils import Database

    from monitor.model import Language, Millis

WITHDRAWN = "withdrawn: "
"""What the error of a dead mail begins with that nobody is meant to get any more."""
MailState: TypeAlias = Literal["pending", "sent", "dead"]
NONE: Final[Mapping[str, str]] = MappingProxyType({})
_UNDELIVERED = f"(state = 'dead' AND error NOT LIKE '{WITHDRAWN}%' OR state = 'sent' AND remaining <> '[]')"
"""Which mails somebody did not get: if only copies are missing, the mail itself is sent."""


class OutboxSummary(NamedTuple):
    """What has not reached everybody."""

    pending: int
    oldest: Millis | None
    """When the oldest pending mail was queued."""
    dead: int
    """Mails that are not tried again, without those that were withdrawn."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What has become of a mail for one recipient."""

    address: str
    copy: bool
    """Whether it is a blind copy."""
    state: MailState
    at: Millis | None
    """When the recipient got it, or was given up; None while it waits."""
    reply: str


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail in the outbox."""

    id: int
    kind: str
    """``outages``, ``maintenance``, ``claims``, ``monitor`` or ``test``."""
    customer: str | None
    recipients: tuple[str, ...]
    copies: tuple[str, ...]
    """Recipients of a blind copy (the operators)."""
    remaining: tuple[str, ...]
    """Recipients and copies to which it has not been sent yet."""
    body: dict[str, Any]
    """Its content as data; a digest is rendered when its sweep is over."""
    sweep: int | None
    """The sweep until which the digest is open; None once the mail may be sent."""
    subject: str
    text: str
    html: str
    language: Language
    message_id: str
    refers: tuple[str, ...]
    """Message-IDs of the earlier mails of its thread."""
    state: MailState
    queued_at: Millis
    """When it was queued; for a digest, when it was rendered, with the news and the figures of that moment."""
    since: Millis
    """The start of its lifetime: when it was queued or requeued."""
    next_try: Millis
    sent_at: Millis | None
    attempts: int
    error: str
    reply: str = ""
    """What the transport answered when it accepted the mail last: the relay's last line, with its queue id."""
    finished: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By address, the state, time and reply of recipients whose delivery is over; see ``deliveries``."""
    deferred: tuple[str, ...] = ()
    """Recipients who have to get an earlier mail first; only ``due_mails`` says so."""

    @property
    def deliveries(self) -> list[Delivery]:
        """What has become of the mail for each recipient."""
        return [
            self._delivery(address, copy=address not in self.recipients)
            for address in dict.fromkeys([*self.recipients, *self.copies])
        ]

    def _delivery(self, address: str, *, copy: bool) -> Delivery:
        if address in self.finished:
            return Delivery(address, copy, **self.finished[address])
        if address in self.remaining:
            return Delivery(address, copy, self.state, None, self.error)
        return Delivery(address, copy, "sent", self.sent_at, self.reply)  # by a version that kept no more


_FIELDS = (
    "id, kind, customer, recipients, copies, remaining, body, sweep, subject, text, html, language, message_id,"
    " refers, state, queued_at, since, next_try, sent_at, attempts, error, reply,"
    " deliveries"
)


def _mail_from_row(row: tuple[Any, ...]) -> Mail:
    mail = list(row)
    for column in (3, 4, 5, 13):
        mail[column] = tuple(json.loads(mail[column]))
    mail[6], mail[-1] = json.loads(mail[6]), json.loads(mail[-1])
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
    """Queue a mail and return its number."""
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
    number = int(cursor.lastrowid or 0)
    if sweep is None:
        mail_facts.record_letter(db, number, at)
    return number


def open_digest(db: Database, customer: str | None, sweep: int) -> Mail | None:
    """Return the open digest of a customer (None: the operators) for a sweep, if there is one.

    Sweeps overlap: while a slow check run keeps the digest of one sweep open, the next sweep may begin its own.
    """
    row = db.execute(
        f"SELECT {_FIELDS} FROM mail WHERE sweep >= ? AND json_extract(body, '$.sweep') <= ? AND customer IS ?"
        " AND state = 'pending' ORDER BY id",
        [sweep, sweep, customer],
    ).fetchone()
    return _mail_from_row(row) if row else None


def update_digest(db: Database, number: int, body: dict[str, Any], sweep: int) -> None:
    """Replace the content of an open digest."""
    db.execute(
        "UPDATE mail SET body = ?, sweep = ? WHERE id = ?", [json.dumps(body, ensure_ascii=False), sweep, number]
    )


def due_digests(db: Database, sweep: int) -> list[Mail]:
    """Return the digests that close with ``sweep``, in the order of the sweeps in which they began.

    If sweeps overlap this is not the order of the mails' numbers: a fast result of one sweep may be recorded before a
    slow one of the previous sweep.
    """
    rows = db.execute(
        f"SELECT {_FIELDS} FROM mail WHERE sweep <= ? AND state = 'pending' ORDER BY json_extract(body, '$.sweep'), id",
        [sweep],
    )
    return [_mail_from_row(row) for row in rows]


def save_rendered(
    db: Database, number: int, *, subject: str, text: str, html: str, refers: Iterable[str], at: Millis
) -> None:
    """Save the rendered text of a digest; from now on it may be sent, and it is dated so."""
    db.execute(
        "UPDATE mail SET subject = ?, text = ?, html = ?, refers = ?, sweep = NULL, queued_at = ?, since = ?,"
        " next_try = ? WHERE id = ?",
        [subject, text, html, json.dumps(list(refers)), at, at, at, number],
    )
    mail_facts.record_letter(db, number, at)


def due_mails(
    db: Database, now: Millis, limit: int = 20, *, kind: str | None = None, on_their_way: Container[int] = ()
) -> list[Mail]:
    """Return the mails to try now, of one kind or of all, without those on their way; customers take turns.

    ``remaining`` has those who may get the mail now, ``deferred`` those who have to get an earlier one first.
    """
    found = []
    for sendable in mail_order.sendable_mails(db, now, limit, kind, on_their_way):
        mail = get(db, sendable.id)
        if mail is not None:
            found.append(replace(mail, remaining=sendable.recipients, deferred=sendable.deferred))
    return found


def mark_sent(db: Database, number: int, at: Millis, reply: str = "", refused: Mapping[str, str] = NONE) -> None:
    """Mark a mail as sent to all who remained, but for those whom the transport ``refused`` (address to reply)."""
    _finish_recipients(db, number, (), refused, reply, at)
    _finish_mail(db, number, "; ".join(f"{address}: {text}" for address, text in refused.items()), at, reply)


def schedule_retry(
    db: Database,
    number: int,
    *,
    remaining: Iterable[str],
    next_try: Millis,
    error: str,
    at: Millis,
    reply: str | None = None,
    refused: Mapping[str, str] = NONE,
) -> None:
    """Schedule the next attempt for the remaining recipients; ``reply`` where others got the mail just now."""
    if not is_pending(db, number):
        return
    left = json.dumps(list(remaining))
    before = db.execute("SELECT remaining FROM mail WHERE id = ?", [number]).fetchone()[0]
    _finish_recipients(db, number, json.loads(left), refused, reply, at)
    db.execute(
        "UPDATE mail SET remaining = ?, next_try = ?, error = ?, reply = coalesce(?, reply), attempts = attempts + 1"
        " WHERE id = ?",
        [left, next_try, error, reply, number],
    )
    if reply is not None or json.loads(left) != json.loads(before):
        mail_facts.record_delivery(db, number, at, "mail-partly-sent")


def keep_for_deferred(
    db: Database,
    number: int,
    *,
    remaining: Iterable[str],
    at: Millis,
    reply: str | None,
    refused: Mapping[str, str] = NONE,
) -> None:
    """Keep a mail for recipients who have to get an earlier one first; the others have it, or were refused."""
    if not is_pending(db, number):
        return
    left = list(remaining)
    _finish_recipients(db, number, left, refused, reply, at)
    db.execute(
        "UPDATE mail SET remaining = ?, next_try = ?, error = '', reply = coalesce(?, reply) WHERE id = ?",
        [json.dumps(left), at, reply, number],
    )
    mail_facts.record_delivery(db, number, at, "mail-partly-sent")


def _finish_recipients(
    db: Database, number: int, left: Iterable[str], refused: Mapping[str, str], reply: str | None, at: Millis
) -> None:
    """Record the recipients whose delivery is over: they were refused, or got the mail (``reply`` is not None)."""
    remaining, finished = map(
        json.loads, db.execute("SELECT remaining, deliveries FROM mail WHERE id = ?", [number]).fetchone()
    )
    staying = set(left)
    for address in [*remaining, *refused]:
        if address in refused:
            finished[address] = {"state": "dead", "at": at, "reply": refused[address]}
        elif address not in staying and reply is not None:
            finished[address] = {"state": "sent", "at": at, "reply": reply}
    db.execute("UPDATE mail SET deliveries = ? WHERE id = ?", [json.dumps(finished, ensure_ascii=False), number])


def _finish_mail(db: Database, number: int, error: str, at: Millis, reply: str | None) -> None:
    """End a mail that remains for nobody: dead if somebody did not get it, sent if that is only a copy."""
    mail = get(db, number)
    assert mail is not None
    failed = [address for address, each in mail.finished.items() if each["state"] == "dead"]
    only_copies = bool(mail.recipients) and all(
        address in mail.copies and address not in mail.recipients for address in failed
    )
    dead = bool(failed) and not only_copies
    sent_at = max((each["at"] for each in mail.finished.values() if each["state"] == "sent"), default=None)
    db.execute(
        "UPDATE mail SET state = ?, remaining = ?, sent_at = ?, error = ?, reply = coalesce(?, reply),"
        " attempts = attempts + 1 WHERE id = ?",
        [
            "dead" if dead else "sent",
            json.dumps(failed),
            None if dead else sent_at or mail.sent_at or at,
            (error or mail.error) if failed else mail.error,
            *(reply, number),
        ],
    )
    mail_facts.record_delivery(db, number, at, "mail-dead" if dead else "mail-sent")


def is_pending(db: Database, number: int) -> bool:
    """Whether a mail is still to be sent: it may have been withdrawn while it was on its way."""
    return db.execute("SELECT 1 FROM mail WHERE id = ? AND state = 'pending'", [number]).fetchone() is not None


def dead_letter(
    db: Database,
    number: int,
    *,
    remaining: Iterable[str],
    error: str,
    at: Millis,
    reply: str | None = None,
    refused: Mapping[str, str] = NONE,
) -> None:
    """End a mail that its remaining recipients do not get; ``reply`` where others got it just now.

    It is dead, unless only copies are missing: the customer has it, so it is sent. ``refused`` has the replies for
    single recipients.
    """
    if not is_pending(db, number):
        return
    _finish_recipients(db, number, (), {address: refused.get(address, error) for address in remaining}, reply, at)
    _finish_mail(db, number, error, at, reply)


def requeue(db: Database, mail: Mail, at: Millis) -> None:
    """Queue a mail again: for the recipients who did not get it, if there are any, else for all."""
    remaining = mail.remaining or tuple(dict.fromkeys([*mail.recipients, *mail.copies]))
    finished = {address: each for address, each in mail.finished.items() if address not in remaining}
    db.execute(
        "UPDATE mail SET state = 'pending', remaining = ?, deliveries = ?, attempts = 0, next_try = ?, since = ?,"
        " error = '' WHERE id = ?",
        [json.dumps(list(remaining)), json.dumps(finished, ensure_ascii=False), at, at, mail.id],
    )
    mail_facts.record_delivery(db, mail.id, at, "mail-requeued")


def withdraw(db: Database, number: int, reason: str, at: Millis) -> None:
    """Withdraw a mail that has not left: it is dead, and nobody is meant to get it; likewise copies that failed."""
    state, gathering = db.execute("SELECT state, sweep IS NOT NULL FROM mail WHERE id = ?", [number]).fetchone()
    if state == "sent":
        db.execute("UPDATE mail SET remaining = '[]', error = ? WHERE id = ?", [f"{WITHDRAWN}{reason}", number])
        mail_facts.record_delivery(db, number, at, "mail-sent")
        return
    db.execute("UPDATE mail SET state = 'dead', sweep = NULL, error = ? WHERE id = ?", [f"{WITHDRAWN}{reason}", number])
    if gathering:
        mail_facts.record_letter(db, number, at)
    mail_facts.record_delivery(db, number, at, "mail-dead")


def pending_after(db: Database, after: Millis) -> list[int]:
    """Return the mails to customers that were queued after a moment and have not left."""
    rows = db.execute(
        "SELECT id FROM mail WHERE state = 'pending' AND queued_at > ? AND kind <> 'monitor' ORDER BY id", [after]
    )
    return [row[0] for row in rows]


def withdraw_after(db: Database, after: Millis, reason: str) -> None:
    """Withdraw the mails of ``pending_after``; other pending mails that wait for a later moment are due now."""
    for number in pending_after(db, after):
        withdraw(db, number, reason, after)
    db.execute("UPDATE mail SET next_try = ? WHERE state = 'pending' AND next_try > ?", [after, after])
    late = db.execute("SELECT id FROM mail WHERE state = 'pending' AND since > ?", [after]).fetchall()
    for (number,) in late:
        db.execute("UPDATE mail SET since = ? WHERE id = ?", [after, number])
        mail_facts.record_delivery(db, number, after, "mail-requeued")


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


def count_dead(db: Database) -> int:
    """Count the mails that did not reach all recipients, without those that were withdrawn."""
    count: int = db.execute(f"SELECT count(*) FROM mail WHERE {_UNDELIVERED}").fetchone()[0]
    return count


def summary(db: Database) -> OutboxSummary:
    """Return what the outbox holds that has not reached everybody."""
    count, oldest = db.execute("SELECT count(*), min(queued_at) FROM mail WHERE state = 'pending'").fetchone()
    return OutboxSummary(count, oldest, count_dead(db))


def unsent_about(db: Database, customer: str | None, outages: Iterable[int], other_than: int, at: Millis) -> list[Mail]:
    """Return a customer's mails about some outages that nobody can have got: tried in vain, or rendered ``at`` now.

    Any other one may be on its way, or may have left just before the daemon was killed: it is sent as it is.
    """
    numbers = sorted(set(outages))
    marks = ",".join("?" * len(numbers))
    rows = db.execute(
        f"SELECT {_FIELDS} FROM mail WHERE state = 'pending' AND (attempts > 0 OR queued_at >= ?) AND sweep IS NULL"
        " AND kind = 'outages' AND customer IS ?"
        f" AND id <> ? AND id IN (SELECT mail FROM told WHERE outage IN ({marks})) ORDER BY queued_at, id",
        [at, customer, other_than, *numbers],
    )
    found = map(_mail_from_row, rows)
    return [mail for mail in found if set(mail.remaining) == {*mail.recipients, *mail.copies}]


def dead_mails(db: Database, number: int | None = None, since: Millis | None = None) -> list[Mail]:
    """Return the mails that somebody did not get, without those that were withdrawn: one, or all since a moment."""
    rows = db.execute(
        f"SELECT {_FIELDS} FROM mail WHERE {_UNDELIVERED} AND (? IS NULL OR id = ?)"
        " AND queued_at >= ? ORDER BY queued_at, id",
        [number, number, since or 0],
    )
    return [_mail_from_row(row) for row in rows]
