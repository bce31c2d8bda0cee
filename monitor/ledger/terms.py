"""The terms in force: recorded whenever they change, and what past months are read with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from monitor.sla.terms import TermsReader, terms_body, terms_from_body
from monitor.sla.versions import Versions
from monitor.store import journal

if TYPE_CHECKING:
    from sqlite_utils import Database

    from monitor.model import Millis
    from monitor.sla.terms import Terms


def come_into_force(db: Database, terms: Terms, at: Millis) -> int | None:
    """Record the terms of a configuration that comes into force now, unless they are those in force already.

    Gives the number of the entry, or None.
    """
    body = terms_body(terms)
    same = journal.last_text(db, "terms") == journal.canonical(body)
    number = None if same else journal.append(db, at, "terms", body)
    let_go(body)
    return number


def versions(db: Database, at: Millis, current: Terms) -> Versions:
    """Give every version of the terms recorded until ``at``, oldest first; each is read when it is first looked at.

    The configuration as it stands now is the newest where it has not come into force yet: a server that is configured
    now may have history already, and is read with the terms as configured now. One that came into force after ``at``
    does not exist in the books as they stood, and neither does ``current`` where it is in force only from later on.
    """
    recorded = journal.places(db, "terms", until=at)
    newest, body = journal.last(db, "terms"), terms_body(current)
    pending = not recorded or (current.in_force <= at and (newest is None or newest.body != body))
    reader = TermsReader()

    def read(place: int) -> Terms:
        if place == len(recorded):
            return reader.read(at, body)
        number, in_force = recorded[place]
        if newest is not None and newest.number == number:
            return reader.read(in_force, newest.body)
        known = journal.get(db, number)
        found = reader.read(in_force, known.body)
        let_go(known.body)
        return found

    def close() -> None:
        reader.forget()
        let_go(body)
        if newest is not None:
            let_go(newest.body)

    return Versions([*(since for _, since in recorded), *([at] if pending else [])], read, close)


def let_go(body: dict[str, Any]) -> None:
    """Free the body of some terms piece by piece, so that other threads get their turn; it is empty afterwards."""
    for members in body.values():
        if isinstance(members, dict):
            while members:
                members.popitem()


def in_force(db: Database, at: Millis) -> tuple[int, Terms] | None:
    """Give the terms that were recorded last until a moment, with their number in the journal."""
    found = journal.last(db, "terms", until=at)
    return None if found is None else (found.number, terms_from_body(found.at, found.body))
