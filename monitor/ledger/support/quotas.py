"""What was used of the quotas of a support level (8.1): each use is a fact of the journal, nothing else is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.errors import InputError
from monitor.formatting import one_line
from monitor.ledger.outage_history import next_number
from monitor.ledger.recorded_by import recorded_by
from monitor.ledger.terms import require_terms, subscription_terms_at, terms_versions
from monitor.sla import quotas as rules
from monitor.sla.quotas import QuotaUse, amount_text
from monitor.store import journal

if TYPE_CHECKING:
    from sqlite_utils import Database

    from monitor.ledger.terms import SubscriptionTerms
    from monitor.model import Millis, Span
    from monitor.sla.quotas import QuotaKind
    from monitor.sla.terms import Terms

USED = "quota-used"


@dataclass(frozen=True, slots=True)
class Quota:
    """One quota of one subscription in one period. Amounts are reinstallations, or minutes of KVM."""

    subscription: str
    kind: QuotaKind
    level: int
    """Of the subscription's server, as agreed at the moment that was asked for."""
    period: Span
    label: str
    """The period as people write it: ``2026`` or ``2026-10``."""
    included: int
    used: int

    @property
    def remaining(self) -> int:
        """What is left; negative where more was used than is included."""
        return self.included - self.used


@dataclass(frozen=True, slots=True)
class QuotaUseRequest:
    """What an operator asks to record."""

    subscription: str
    kind: QuotaKind
    amount: int
    reference: str | None
    force: str | None
    """Why it is recorded also where it is more than what is left."""


@dataclass(frozen=True, slots=True)
class QuotaExceeded:
    """The answer is no: more was asked for than is left."""

    quota: Quota
    requested: int

    def __str__(self) -> str:
        quota, unit = self.quota, rules.QUOTA_UNITS[self.quota.kind]
        left, included, asked = (
            amount_text(quota.kind, amount) for amount in (max(0, quota.remaining), quota.included, self.requested)
        )
        return (
            f"{quota.subscription}: {left} of {included} {unit} are left in {quota.label} on level {quota.level} (8.1),"
            f" {asked} were asked for: nothing was recorded; --force REASON records it nevertheless"
        )


def uses(db: Database) -> tuple[QuotaUse, ...]:
    """Return every use, in the order in which they were recorded."""
    return tuple(_use_from(entry) for entry in journal.entries(db, USED))


def _use_from(entry: journal.JournalEntry) -> QuotaUse:
    body = entry.body
    return QuotaUse(
        id=body["use"],
        subscription=body["subscription"],
        kind=body["kind"],
        amount=body["amount"],
        at=body["used_at"],
        reference=body["reference"],
        forced=body["forced"],
        recorded_at=entry.at,
        recorded_by=body["recorded_by"],
    )


def record_use(
    db: Database, current: Terms, request: QuotaUseRequest, used_at: Millis | None, at: Millis
) -> tuple[QuotaUse | QuotaExceeded, Quota]:
    """Record a use, now unless ``used_at`` says when; gives it, or why not, with the quota that it falls into.

    An overdraft is recorded only with a reason; without one nothing is. The whole period counts, also what was used
    in it later. Raises InputError where it cannot be as asked.
    """
    when = at if used_at is None else used_at
    if when > at:
        raise InputError("--at: nothing can have been used in the future")
    agreed = require_terms(terms_versions(db, at, current), request.subscription, when)
    known = uses(db)
    before = _quota(agreed, request.kind, when, known)
    overdrawn = request.amount > before.remaining
    if overdrawn and request.force is None:
        return QuotaExceeded(before, request.amount), before
    number = next_number(each.id for each in known)
    body = {
        "use": number,
        "subscription": request.subscription,
        "kind": request.kind,
        "amount": request.amount,
        "used_at": when,
        "reference": one_line(request.reference) if request.reference is not None else None,
        "forced": one_line(request.force) if overdrawn and request.force is not None else None,
        "recorded_by": recorded_by(),
    }
    journal.append(db, at, USED, body)
    known = uses(db)
    return known[-1], _quota(agreed, request.kind, when, known)


def quotas(db: Database, current: Terms, at: Millis, now: Millis, only: str | None = None) -> tuple[Quota, ...]:
    """Return every quota in the periods that hold ``at``, with what was used of it until then, as is known now.

    Of the subscriptions that were in force; or of the ``only`` one. Raises InputError where that was not.
    """
    known = terms_versions(db, now, current)
    until = tuple(each for each in uses(db) if each.at <= at)
    if only is not None:
        found = [require_terms(known, only, at)]
    else:
        names = sorted({name for terms in known for name in terms.subscriptions})
        found = [agreed for name in names if (agreed := subscription_terms_at(known, name, at)) is not None]
    return tuple(_quota(agreed, kind, at, until) for agreed in found for kind in rules.QUOTA_KINDS)


def _quota(terms: SubscriptionTerms, kind: QuotaKind, at: Millis, known: tuple[QuotaUse, ...]) -> Quota:
    name, level, zone = terms.subscription.id, terms.level, terms.zone
    period = rules.quota_period(kind, at, zone)
    return Quota(
        subscription=name,
        kind=kind,
        level=level,
        period=period,
        label=rules.period_text(kind, at, zone),
        included=rules.included_amount(level, kind),
        used=rules.used_amount(known, name, kind, period),
    )
