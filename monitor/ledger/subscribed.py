"""What was agreed with a customer at a moment: the subscription and its level, by the terms in force then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.errors import InputError
from monitor.formatting import instant
from monitor.model import Span
from monitor.sla.segments import terms_at_end

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.model import Millis, Subscription
    from monitor.sla.terms import Terms


@dataclass(frozen=True, slots=True)
class Agreed:
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


def agreed_at(versions: Sequence[Terms], subscription: str, at: Millis) -> Agreed | None:
    """Say what was agreed at a moment; None where the subscription was not in force then."""
    found = terms_at_end(versions, subscription, Span(at, at + 1), at + 1)
    return Agreed(*found) if found is not None else None


def asked_for(versions: Sequence[Terms], subscription: str, at: Millis) -> Agreed:
    """Say what was agreed, for a command that names a subscription. Raises InputError where nothing was."""
    found = agreed_at(versions, subscription, at)
    if found is not None:
        return found
    raise InputError(f"--subscription {subscription}: {why_not(versions, subscription, at)}")


def broken_within(versions: Sequence[Terms], subscription: str, due: Millis, opened_at: Millis, window: Span) -> bool:
    """Whether a promise that was broken at ``due`` counts for a month.

    It counts for the month in which its time passed; where the subscription was not in force any more at that moment,
    for the month of the opening.
    """
    in_force = agreed_at(versions, subscription, due) is not None
    return window.start <= (due if in_force else opened_at) < window.end


def why_not(versions: Sequence[Terms], subscription: str, at: Millis) -> str:
    """Say why nothing was agreed: nobody knows the subscription, or it was not in force."""
    if not any(subscription in terms.subscriptions for terms in versions):
        return "no such subscription in the configuration or the records"
    return f"was not in force at {instant(at, versions[-1].timezone, 'en')}"
