"""The quotas of support levels and their use (8.1, docs/contract.md#quotas); each use is a fact in the journal."""

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
    """The level of the subscription's server at the requested moment."""
    period: Span
    label: str
    """The text of the period: ``2026`` or ``2026-10``."""
    included: int
    used: int

    @property
    def remaining(self) -> int:
        """The remaining amount; negative if more was used than is included."""
        return self.included - self.used


@dataclass(frozen=True, slots=True)
class QuotaUseRequest:
    """An operator's request to record a use."""

    subscription: str
    kind: QuotaKind
    amount: int
    reference: str | None
    force: str | None
    """Why the use is recorded even if it exceeds the quota; None: then it is refused."""


@dataclass(frozen=True, slots=True)
class QuotaExceeded:
    """The refusal of a use that exceeds the quota."""

    quota: Quota
    requested: int

    def __str__(self) -> str:
        quota, unit = self.quota, rules.QUOTA_UNITS[self.quota.kind]
        remaining, included, requested = (
            amount_text(quota.kind, amount) for amount in (max(0, quota.remaining), quota.included, self.requested)
        )
        return (
            f"{quota.subscription}: {remaining} of {included} {unit} remain in {quota.label}"
            f" on level {quota.level} (8.1), {requested} were requested:"
            " nothing was recorded; --force REASON records the use"
        )


def uses(db: Database) -> tuple[QuotaUse, ...]:
    """Return all uses in the order of their recording."""
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
    """Record a use, at ``used_at`` or by default now; return it or the refusal, with the quota of its period.

    A use that exceeds the quota is recorded only with a reason. All uses of the period count, including later ones.
    Raises InputError if the request is not valid.
    """
    use_time = at if used_at is None else used_at
    if use_time > at:
        raise InputError("--at: nothing can have been used in the future")
    terms = require_terms(terms_versions(db, at, current), request.subscription, use_time)
    existing = uses(db)
    quota = _quota(terms, request.kind, use_time, existing)
    overdrawn = request.amount > quota.remaining
    if overdrawn and request.force is None:
        return QuotaExceeded(quota, request.amount), quota
    number = next_number(use.id for use in existing)
    body = {
        "use": number,
        "subscription": request.subscription,
        "kind": request.kind,
        "amount": request.amount,
        "used_at": use_time,
        "reference": one_line(request.reference) if request.reference is not None else None,
        "forced": one_line(request.force) if overdrawn and request.force is not None else None,
        "recorded_by": recorded_by(),
    }
    journal.append(db, at, USED, body)
    existing = uses(db)
    return existing[-1], _quota(terms, request.kind, use_time, existing)


def quotas(db: Database, current: Terms, at: Millis, now: Millis, only: str | None = None) -> tuple[Quota, ...]:
    """Return the quotas of the periods that contain ``at``, with their use until ``at`` as recorded by now.

    They are those of all subscriptions in force, or of the ``only`` one. Raises InputError if that was not in force.
    """
    versions = terms_versions(db, now, current)
    uses_until = tuple(use for use in uses(db) if use.at <= at)
    if only is not None:
        subscriptions = [require_terms(versions, only, at)]
    else:
        names = sorted({name for terms in versions for name in terms.subscriptions})
        subscriptions = [
            subscription_terms
            for name in names
            if (subscription_terms := subscription_terms_at(versions, name, at)) is not None
        ]
    return tuple(
        _quota(subscription_terms, kind, at, uses_until)
        for subscription_terms in subscriptions
        for kind in rules.QUOTA_KINDS
    )


def _quota(terms: SubscriptionTerms, kind: QuotaKind, at: Millis, recorded_uses: tuple[QuotaUse, ...]) -> Quota:
    name, level, zone = terms.subscription.id, terms.level, terms.zone
    period = rules.quota_period(kind, at, zone)
    return Quota(
        subscription=name,
        kind=kind,
        level=level,
        period=period,
        label=rules.period_text(kind, at, zone),
        included=rules.included_amount(level, kind),
        used=rules.used_amount(recorded_uses, name, kind, period),
    )
