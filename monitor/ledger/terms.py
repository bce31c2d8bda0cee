"""The terms in force: recorded whenever they change, and read again for past months."""

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
    """Record terms that come into force now; return the number of the entry, None if they are in force already."""
    body = terms_body(terms)
    unchanged = journal.last_body_text(db, "terms") == journal.canonical_json(body)
    number = None if unchanged else journal.append(db, at, "terms", body)
    free_body(body)
    return number


def terms_versions(db: Database, at: Millis, current: Terms) -> TermsVersions:
    """Return every version of the terms recorded by ``at``, oldest first; each is read on first access.

    The configured terms (``current``) are the newest version if they are not recorded yet: a server that was added to
    the configuration may have results already, and these need terms. Versions that came into force after ``at`` are not
    included, and neither is ``current`` if it comes into force later.
    """
    recorded = journal.positions(db, "terms", until=at)
    newest, body = journal.last(db, "terms"), terms_body(current)
    pending = not recorded or (current.in_force <= at and (newest is None or newest.body != body))
    reader = TermsReader()

    def read(index: int) -> Terms:
        if index == len(recorded):
            return reader.read(at, body)
        number, in_force = recorded[index]
        if newest is not None and newest.number == number:
            return reader.read(in_force, newest.body)
        entry = journal.get(db, number)
        terms = reader.read(in_force, entry.body)
        free_body(entry.body)
        return terms

    def close() -> None:
        reader.clear()
        free_body(body)
        if newest is not None:
            free_body(newest.body)

    return TermsVersions([*(since for _, since in recorded), *([at] if pending else [])], read, close)


def free_body(body: dict[str, Any]) -> None:
    """Empty the body of terms item by item, so that other threads can run meanwhile."""
    for value in body.values():
        if isinstance(value, dict):
            while value:
                value.popitem()


def terms_in_force(db: Database, at: Millis) -> tuple[int, Terms] | None:
    """Return the terms in force at ``at``, with the number of their journal entry; None if there are none."""
    entry = journal.last(db, "terms", until=at)
    return None if entry is None else (entry.number, terms_from_body(entry.at, entry.body))


# --- the terms of one subscription at a moment ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SubscriptionTerms:
    """The terms of one subscription at one moment."""

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
    """Return the terms of a subscription at a moment; None if it was not in force then."""
    found = terms_at_end(versions, subscription, Span(at, at + 1), at + 1)
    return SubscriptionTerms(*found) if found is not None else None


def require_terms(versions: Sequence[Terms], subscription: str, at: Millis) -> SubscriptionTerms:
    """Return the terms of a subscription that a command names. Raises InputError if it was not in force then."""
    found = subscription_terms_at(versions, subscription, at)
    if found is not None:
        return found
    raise InputError(f"--subscription {subscription}: {absence_reason(versions, subscription, at)}")


def breach_counts_within(
    versions: Sequence[Terms], subscription: str, due: Millis, opened_at: Millis, window: Span
) -> bool:
    """Return whether a deadline that was missed at ``due`` counts for a month.

    It counts for the month of the deadline, or for the month of ``opened_at`` if the subscription was no longer in
    force at the deadline.
    """
    in_force = subscription_terms_at(versions, subscription, due) is not None
    return window.start <= (due if in_force else opened_at) < window.end


def absence_reason(versions: Sequence[Terms], subscription: str, at: Millis) -> str:
    """Return why there are no terms: the subscription is unknown, or it was not in force."""
    if not any(subscription in terms.subscriptions for terms in versions):
        return "no such subscription in the configuration or the records"
    return f"was not in force at {format_instant(at, versions[-1].timezone)}"
