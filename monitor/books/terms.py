"""The terms in force: recorded whenever they change, and what past months are read with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.contract.terms import terms_body, terms_from_body
from monitor.store import journal

if TYPE_CHECKING:
    from sqlite_utils import Database

    from monitor.contract.terms import Terms
    from monitor.model import Millis


def come_into_force(db: Database, terms: Terms, at: Millis) -> int | None:
    """Record the terms of a configuration that comes into force now, unless they are those in force already.

    Gives the number of the entry, or None.
    """
    body = terms_body(terms)
    if journal.last_text(db, "terms") == journal.canonical(body):
        return None
    return journal.append(db, at, "terms", body)


def versions(db: Database, at: Millis, current: Terms) -> tuple[Terms, ...]:
    """Give every version of the terms recorded until ``at``, oldest first.

    The configuration as it stands now is the newest where it has not come into force yet: a server that is configured
    now may have history already, and is read with the terms as configured now. One that came into force after ``at``
    does not exist in the books as they stood, and neither does ``current`` where it is in force only from later on.
    """
    recorded = [terms_from_body(entry.at, entry.body) for entry in journal.entries(db, "terms", until=at)]
    newest, body = journal.last(db, "terms"), terms_body(current)
    if not recorded or (current.in_force <= at and (newest is None or newest.body != body)):
        recorded.append(terms_from_body(at, body))
    return tuple(recorded)
