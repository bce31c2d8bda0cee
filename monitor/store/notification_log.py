"""Which mail reported what to whom, so that nothing is reported twice and mails continue their thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlite_utils import Database


def link_outage(db: Database, outage: int, mail: int) -> None:
    """Record that a mail is about an outage."""
    db.execute("INSERT OR IGNORE INTO told (outage, mail) VALUES (?, ?)", [outage, mail])


def notified_customers(db: Database, outage: int) -> list[str | None]:
    """Return the customers (None: the operators) who got a mail about an outage."""
    rows = db.execute(
        "SELECT m.customer FROM told t JOIN mail m ON m.id = t.mail WHERE t.outage = ? GROUP BY m.customer"
        " ORDER BY min(m.id)",
        [outage],
    )
    return [customer for (customer,) in rows]


def reported_overdue_claims(db: Database) -> frozenset[int]:
    """Return the claims whose overdue answer was reported to the operators."""
    rows = db.execute(
        "SELECT json_extract(body, '$.claim') FROM mail WHERE kind = 'monitor'"
        " AND json_extract(body, '$.news') = 'overdue'"
    )
    return frozenset(number for (number,) in rows if number is not None)


def sent_certificate_warnings(db: Database) -> dict[tuple[str | None, str, int], int]:
    """Return the fewest days left that a mail reported, by customer (None: the operators alone) and certificate.

    A certificate is identified by its fingerprint and its expiry in Unix seconds.
    """
    rows = db.execute(
        "SELECT customer, json_extract(value, '$.fingerprint'), json_extract(value, '$.expiry'),"
        " min(json_extract(value, '$.days')) FROM mail, json_each(body, '$.certificates')"
        " WHERE kind = 'certificate' GROUP BY 1, 2, 3"
    )
    return {(customer, fingerprint, expiry): days for customer, fingerprint, expiry, days in rows}


def outage_thread(db: Database, outages: Iterable[int], customer: str | None) -> list[str]:
    """Return the Message-IDs of a customer's mails about some outages, oldest first.

    Open digests are left out: they are not rendered yet, and the news of an end may be in one with its beginning.
    """
    found: dict[str, None] = {}
    for outage in outages:
        rows = db.execute(
            "SELECT m.message_id FROM told t JOIN mail m ON m.id = t.mail WHERE t.outage = ? AND m.customer IS ?"
            " AND m.sweep IS NULL AND NOT (m.state = 'dead' AND m.error LIKE 'withdrawn: %')"
            " ORDER BY m.queued_at, m.id",
            [outage, customer],
        )
        found.update({message_id: None for (message_id,) in rows})
    return list(found)


def maintenance_thread(db: Database, window: int, customer: str | None) -> list[str]:
    """Return the Message-IDs of a customer's mails about a maintenance window, oldest first."""
    rows = db.execute(
        "SELECT message_id FROM mail WHERE kind = 'maintenance' AND customer IS ?"
        " AND json_extract(body, '$.window') = ? ORDER BY id",
        [customer, window],
    )
    return [message_id for (message_id,) in rows]
