"""The order in which mails leave: about one subject, nobody gets a later mail before an earlier one.

A subject is a server, a maintenance window, a claim, a month, a certificate, or a kind of problem of the monitor; mails
of one thread belong together too. A mail waits, for each of its recipients, until every earlier mail about one of its
subjects has left for that recipient or is dead.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence

    from sqlite_utils import Database

    from monitor.model import Millis

_PENDING = "FROM mail WHERE state = 'pending' AND sweep IS NULL"


@dataclass(frozen=True, slots=True)
class WaitingMail:
    """What decides when a pending mail may leave."""

    id: int
    kind: str
    position: tuple[Millis, int, int]
    """When it was queued, the sweep that it reports, its number: mails leave in this order."""
    next_try: Millis
    message_id: str
    remaining: tuple[str, ...]
    subjects: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class SendableMail:
    """A mail that may leave now, for some of its recipients."""

    id: int
    recipients: tuple[str, ...]
    deferred: tuple[str, ...]
    """Recipients who have to get an earlier mail first."""


def subjects_of(kind: str, body: Mapping[str, Any], thread: Sequence[str]) -> frozenset[tuple[str, str]]:
    """Return the subjects of a mail; ``thread`` is its own Message-ID and those that it refers to."""
    found: list[tuple[str, str]] = [("thread", message_id) for message_id in thread]
    if kind == "outages":
        found += [("server", news["server"]) for news in body["news"]]
    elif kind == "certificate":
        found += [("certificate", each["fingerprint"]) for each in body["certificates"]]
    else:
        found += [(name, str(body[name])) for name in ("window", "claim", "month", "news") if name in body]
    return frozenset(found)


def sendable_mails(
    db: Database, now: Millis, limit: int, kind: str | None = None, on_their_way: Container[int] = ()
) -> list[SendableMail]:
    """Return the mails to send now, of one kind or of all, without those on their way, as many as ``limit``.

    Customers take turns: first comes the mail of each that has waited longest, then their second ones, and so on.
    """
    due = db.execute(f"SELECT count(*) {_PENDING} AND next_try <= ?", [now]).fetchone()[0]
    if not due:
        return []
    found: list[tuple[int, Millis, tuple[Millis, int, int], SendableMail]] = []
    for mails in _pending_by_customer(db, now).values():
        sendable = sorted(
            (each for each in _sendable_of_customer(mails, now) if kind is None or each[0].kind == kind),
            key=lambda each: (each[0].next_try, each[0].position),
        )
        for turn, (mail, recipients) in enumerate(sendable):
            if mail.id not in on_their_way:
                found.append((turn, mail.next_try, mail.position, recipients))
    return [recipients for *_, recipients in sorted(found, key=lambda each: each[:3])[:limit]]


def _pending_by_customer(db: Database, now: Millis) -> dict[str | None, list[WaitingMail]]:
    """Return the pending mails of every customer who has one that is due, each in order."""
    rows = db.execute(
        f"SELECT customer, id, kind, queued_at, next_try, message_id, refers, remaining, body {_PENDING}"
        f" AND coalesce(customer, '') IN (SELECT coalesce(customer, '') {_PENDING} AND next_try <= ?)",
        [now],
    )
    found: dict[str | None, list[WaitingMail]] = {}
    for customer, number, kind, queued_at, next_try, message_id, refers, remaining, text in rows:
        body = json.loads(text)
        mail = WaitingMail(
            id=number,
            kind=kind,
            position=(queued_at, body.get("sweep", 0), number),
            next_try=next_try,
            message_id=message_id,
            remaining=tuple(json.loads(remaining)),
            subjects=subjects_of(kind, body, [message_id, *json.loads(refers)]),
        )
        found.setdefault(customer, []).append(mail)
    for mails in found.values():
        mails.sort(key=lambda mail: mail.position)
    return found


def _sendable_of_customer(mails: list[WaitingMail], now: Millis) -> Iterator[tuple[WaitingMail, SendableMail]]:
    waiting: dict[tuple[str, str], set[str]] = {}
    """By subject, who waits for a mail about it."""
    for mail in mails:
        blocked = set().union(*(waiting.get(subject, ()) for subject in mail.subjects))
        if mail.next_try <= now:
            free = tuple(address for address in mail.remaining if address not in blocked)
            if free:
                yield (
                    mail,
                    SendableMail(mail.id, free, tuple(address for address in mail.remaining if address in blocked)),
                )
        for subject in mail.subjects:
            waiting.setdefault(subject, set()).update(mail.remaining)
