"""What is owed for a month (clauses 6.1 to 6.6): each subscription's credits from every source, under one cap.

Looking to add a source of credits? A function here that gives its causes, a line in ``SOURCES``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from monitor.ledger.outage_history import outage_extents
from monitor.ledger.support.hardware import breached_cases
from monitor.ledger.support.tickets import breached_response_clocks
from monitor.sla.calendar import month_after, month_text
from monitor.sla.credits import Credit, cap_to_fee, credit_amount, hardware_credit
from monitor.sla.hardware import HARDWARE_PRODUCT
from monitor.sla.terms import PRODUCTS
from monitor.sla.tickets import CREDIT_CLAUSE
from monitor.store import journal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlite_utils import Database

    from monitor.ledger.accounts.accounts import LedgerView, SubscriptionAccount
    from monitor.model import Millis, Subscription
    from monitor.sla.hardware import HardwareCase
    from monitor.sla.tickets import ResponseClock


@dataclass(frozen=True, slots=True)
class CreditCause:
    """One reason for a credit, before the cap of 6.6."""

    credit: Credit
    claimed: bool
    """Whether it was claimed in time (6.2)."""
    name: str = "availability"
    """What it is for: ``availability``, or the record that it comes from, ``late_replacements 3``."""


@dataclass(frozen=True, slots=True)
class MonthCredit:
    """One credit of one month."""

    subscription: Subscription
    credit: Credit
    """Its amount is what the cap leaves of it."""
    claimed: bool
    due: bool
    """Claimed in time, or credits are given without being asked."""
    credited_in: str
    """The month after, ``YYYY-MM`` (6.4)."""
    final: bool
    """The month is over."""
    cause: str
    """What it is for."""


@dataclass(frozen=True, slots=True)
class CreditInputs:
    """What the sources of credits may look at."""

    db: Database
    ledger: LedgerView
    claimed_outages: frozenset[tuple[str, int]]
    """Subscription and outage of each claim made in time."""
    late_replacements: tuple[HardwareCase, ...] = ()
    """Replacements that took too long, of all subscriptions."""
    late_responses: tuple[ResponseClock, ...] = ()
    """First responses that came too late, of all subscriptions."""


CreditSource: TypeAlias = "Callable[[CreditInputs, SubscriptionAccount], Iterable[CreditCause]]"


def _by_availability(month: CreditInputs, each: SubscriptionAccount) -> Iterable[CreditCause]:
    """5.1.2, 5.2.2, 5.3.2: claimed where any outage of the month was, for the rate is one of all of them together."""
    claimed = any((each.subscription.id, outage) in month.claimed_outages for outage in each.account.outages)
    yield CreditCause(each.credit, claimed)


def _by_hardware(month: CreditInputs, each: SubscriptionAccount) -> Iterable[CreditCause]:
    """5.2.2: the customer's ticket that a case names is its claim; it came before the 12 h had passed."""
    for case in month.late_replacements:
        if case.subscription == each.subscription.id:
            until = month.ledger.at if case.replaced_at is None else case.replaced_at
            credit = hardware_credit(PRODUCTS[HARDWARE_PRODUCT], each.subscription, case.opened_at, until)
            yield CreditCause(credit, case.reference is not None, case.name)


def _by_response(month: CreditInputs, each: SubscriptionAccount) -> Iterable[CreditCause]:
    """5.4.5, where its rate is set: the ticket itself is the claim; it was made in time."""
    percent, one = each.terms.support_credit, each.subscription
    for clock in month.late_responses:
        if percent is not None and clock.ticket.subscription == one.id:
            credit = Credit(percent, True, credit_amount(one, percent), one.currency, CREDIT_CLAUSE)  # noqa: FBT003
            yield CreditCause(credit, claimed=True, name=clock.ticket.name)


SOURCES: tuple[CreditSource, ...] = (_by_availability, _by_hardware, _by_response)


def credit_causes(month: CreditInputs, each: SubscriptionAccount) -> list[CreditCause]:
    """Gather a subscription's credits of a month from all sources; those with a rate above 0."""
    return [cause for source in SOURCES for cause in source(month, each) if cause.credit.percent > 0]


def month_credits(
    db: Database, ledger: LedgerView, year: int, month: int, only: str | None = None
) -> tuple[MonthCredit, ...]:
    """Return what is owed for a month, by subscription, what is not due too."""
    accounts = ledger.month(year, month, only)
    broken = breached_cases(db, ledger.versions, ledger.at, accounts.window)
    paid = any(terms.support_credit is not None for terms in ledger.versions)
    missed = breached_response_clocks(db, ledger, accounts.window) if paid else ()
    looked_at = CreditInputs(db, ledger, in_time_claims(db, ledger.at), broken, missed)
    credited_in, final = month_text(*month_after(year, month)), accounts.window.end <= ledger.at
    return tuple(
        MonthCredit(each.subscription, credit, cause.claimed, due, credited_in, final, cause.name)
        for each in accounts.subscriptions
        for cause, due, credit in _apply_cap(credit_causes(looked_at, each), each)
    )


def _apply_cap(found: list[CreditCause], each: SubscriptionAccount) -> list[tuple[CreditCause, bool, Credit]]:
    """Bound a service's credits of one month by its monthly fee (6.6): what is due is paid before what is not."""
    automatic = each.terms.credit == "automatic"
    ordered = sorted(((cause, automatic or cause.claimed) for cause in found), key=lambda pair: not pair[1])
    amounts = [cause.credit.amount for cause, _ in ordered if cause.credit.amount is not None]
    paid = iter(cap_to_fee(amounts, each.subscription))
    return [
        (cause, due, cause.credit if cause.credit.amount is None else replace(cause.credit, amount=next(paid)))
        for cause, due in ordered
    ]


def in_time_claims(db: Database, at: Millis) -> frozenset[tuple[str, int]]:
    """Return subscription and outage of each claim that was opened until a moment and not refused.

    An outage that was joined into another since is given by that one's number.
    """
    opened: dict[int, tuple[str, int]] = {}
    for entry in journal.entries(db, "claim-opened", "claim-refused", until=at):
        body = entry.body
        if entry.kind == "claim-refused":
            opened.pop(body["claim"], None)
        else:
            opened[body["claim"]] = body["subscription"], body["outage"]
    meant = outage_extents(db, (outage for _, outage in opened.values()), at, ())
    return frozenset(
        (subscription, meant[outage].id if outage in meant else outage) for subscription, outage in opened.values()
    )
