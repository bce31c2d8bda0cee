"""What was used of the quotas of a support level (8.1): each use is a fact of the journal, nothing else is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.errors import InputError
from monitor.ledger.outage_history import next_number
from monitor.ledger.recorded_by import recorder
from monitor.ledger.subscribed import agreed_at, asked_for
from monitor.ledger.terms import versions
from monitor.mail.text import one_line
from monitor.sla import quotas as rules
from monitor.sla.quotas import Use, amount_text
from monitor.store import journal

if TYPE_CHECKING:
    from sqlite_utils import Database

    from monitor.ledger.subscribed import Agreed
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
    def left(self) -> int:
        """What is left; negative where more was used than is included."""
        return self.included - self.used


@dataclass(frozen=True, slots=True)
class Asked:
    """What an operator asks to record."""

    subscription: str
    kind: QuotaKind
    amount: int
    reference: str | None
    force: str | None
    """Why it is recorded also where it is more than what is left."""


@dataclass(frozen=True, slots=True)
class Overdraft:
    """The answer is no: more was asked for than is left."""

    quota: Quota
    asked: int

    def __str__(self) -> str:
        quota, unit = self.quota, rules.UNITS[self.quota.kind]
        left, included, asked = (
            amount_text(quota.kind, amount) for amount in (max(0, quota.left), quota.included, self.asked)
        )
        return (
            f"{quota.subscription}: {left} of {included} {unit} are left in {quota.label} on level {quota.level} (8.1),"
            f" {asked} were asked for: nothing was recorded; --force REASON records it nevertheless"
        )


def uses(db: Database) -> tuple[Use, ...]:
    """Give every use, in the order in which they were recorded."""
    return tuple(_use(entry) for entry in journal.entries(db, USED))


def _use(entry: journal.Entry) -> Use:
    body = entry.body
    return Use(
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


def use(
    db: Database, current: Terms, asked: Asked, used_at: Millis | None, at: Millis
) -> tuple[Use | Overdraft, Quota]:
    """Record a use, now unless ``used_at`` says when; gives it, or why not, with the quota that it falls into.

    An overdraft is recorded only with a reason; without one nothing is. The whole period counts, also what was used
    in it later. Raises InputError where it cannot be as asked.
    """
    when = at if used_at is None else used_at
    if when > at:
        raise InputError("--at: nothing can have been used in the future")
    agreed = asked_for(versions(db, at, current), asked.subscription, when)
    known = uses(db)
    before = _quota(agreed, asked.kind, when, known)
    overdrawn = asked.amount > before.left
    if overdrawn and asked.force is None:
        return Overdraft(before, asked.amount), before
    number = next_number(each.id for each in known)
    body = {
        "use": number,
        "subscription": asked.subscription,
        "kind": asked.kind,
        "amount": asked.amount,
        "used_at": when,
        "reference": one_line(asked.reference) if asked.reference is not None else None,
        "forced": one_line(asked.force) if overdrawn and asked.force is not None else None,
        "recorded_by": recorder(),
    }
    journal.append(db, at, USED, body)
    known = uses(db)
    return known[-1], _quota(agreed, asked.kind, when, known)


def quotas(db: Database, current: Terms, at: Millis, now: Millis, only: str | None = None) -> tuple[Quota, ...]:
    """Give every quota in the periods that hold ``at``, with what was used of it until then, as is known now.

    Of the subscriptions that were in force; or of the ``only`` one. Raises InputError where that was not.
    """
    known = versions(db, now, current)
    until = tuple(each for each in uses(db) if each.at <= at)
    if only is not None:
        found = [asked_for(known, only, at)]
    else:
        names = sorted({name for terms in known for name in terms.subscriptions})
        found = [agreed for name in names if (agreed := agreed_at(known, name, at)) is not None]
    return tuple(_quota(agreed, kind, at, until) for agreed in found for kind in rules.KINDS)


def _quota(agreed: Agreed, kind: QuotaKind, at: Millis, known: tuple[Use, ...]) -> Quota:
    name, level, zone = agreed.subscription.id, agreed.level, agreed.zone
    period = rules.period(kind, at, zone)
    return Quota(
        subscription=name,
        kind=kind,
        level=level,
        period=period,
        label=rules.period_text(kind, at, zone),
        included=rules.included(level, kind),
        used=rules.used(known, name, kind, period),
    )
