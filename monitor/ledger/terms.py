"""The terms in force: recorded whenever they change, and what past months are read with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from monitor.errors import InputError
from monitor.formatting import format_instant
from monitor.model import Span
from monitor.sla.terms import TermsReader, TermsVersions, terms_at_end, terms_body, terms_from_body
from monitor.store import journal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlite_utils import Database

    from monitor.model import Millis, Subscription
    from monitor.sla.terms import Terms


def record_terms(db: Database, terms: Terms, at: Millis) -> int | None:
    """Record the terms of a configuration that comes into force now, unless they are those in force already.

    Gives the number of the entry, or None.
    """
    body = terms_body(terms)
    same = journal.last_body_text(db, "terms") == journal.canonical_json(body)
    number = None if same else journal.append(db, at, "terms", body)
    free_body(body)
    return number


def terms_versions(db: Database, at: Millis, current: Terms) -> TermsVersions:
    """Return every version of the terms recorded until ``at``, oldest first; each is read when it is first looked at.

    The configuration as it stands now is the newest where it has not come into force yet: a server that is configured
    now may have history already, and is read with the terms as configured now. One that came into force after ``at``
    does not exist in the books as they stood, and neither does ``current`` where it is in force only from later on.
    """
    recorded = journal.positions(db, "terms", until=at)
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
        free_body(known.body)
        return found

    def close() -> None:
        reader.clear()
        free_body(body)
        if newest is not None:
            free_body(newest.body)

    return TermsVersions([*(since for _, since in recorded), *([at] if pending else [])], read, close)


def free_body(body: dict[str, Any]) -> None:
    """Free the body of some terms piece by piece, so that other threads get their turn; it is empty afterwards."""
    for members in body.values():
        if isinstance(members, dict):
            while members:
                members.popitem()


def terms_in_force(db: Database, at: Millis) -> tuple[int, Terms] | None:
    """Return the terms that were recorded last until a moment, with their number in the journal."""
    found = journal.last(db, "terms", until=at)
    return None if found is None else (found.number, terms_from_body(found.at, found.body))


# --- the terms of one subscription at a moment ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SubscriptionTerms:
    """One subscription at one moment."""

    terms: Terms
    subscription: Subscription

    @property
    def level(self) -> int:
        """The support level of its server (8.1)."""
        return self.terms.servers[self.subscription.server].level

    @property
    def zone(self) -> str:
        """The contract's zone."""
        return self.terms.timezone


def subscription_terms_at(versions: Sequence[Terms], subscription: str, at: Millis) -> SubscriptionTerms | None:
    """Say what was agreed at a moment; None where the subscription was not in force then."""
    found = terms_at_end(versions, subscription, Span(at, at + 1), at + 1)
    return SubscriptionTerms(*found) if found is not None else None


def require_terms(versions: Sequence[Terms], subscription: str, at: Millis) -> SubscriptionTerms:
    """Say what was agreed, for a command that names a subscription. Raises InputError where nothing was."""
    found = subscription_terms_at(versions, subscription, at)
    if found is not None:
        return found
    raise InputError(f"--subscription {subscription}: {absence_reason(versions, subscription, at)}")


def breach_counts_within(
    versions: Sequence[Terms], subscription: str, due: Millis, opened_at: Millis, window: Span
) -> bool:
    """Whether a promise that was broken at ``due`` counts for a month.

    It counts for the month in which its time passed; where the subscription was not in force any more at that moment,
    for the month of the opening.
    """
    in_force = subscription_terms_at(versions, subscription, due) is not None
    return window.start <= (due if in_force else opened_at) < window.end


def absence_reason(versions: Sequence[Terms], subscription: str, at: Millis) -> str:
    """Say why nothing was agreed: nobody knows the subscription, or it was not in force."""
    if not any(subscription in terms.subscriptions for terms in versions):
        return "no such subscription in the configuration or the records"
    return f"was not in force at {format_instant(at, versions[-1].timezone)}"
