"""The credits of a month (6.1 to 6.6, docs/contract.md#amounts): those of every source, under one cap.

To add a source of credits, add a function that returns its causes and a line in ``SOURCES``.
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
    """``availability``, or the record that causes the credit, such as ``hardware 3``."""


@dataclass(frozen=True, slots=True)
class MonthCredit:
    """One credit of one month."""

    subscription: Subscription
    credit: Credit
    """The credit with its amount after the cap."""
    claimed: bool
    due: bool
    """Claimed in time, or the terms grant credits without a claim."""
    credited_in: str
    """The month after, ``YYYY-MM`` (6.4)."""
    final: bool
    """The month is over."""
    cause: str
    """See ``CreditCause.name``."""


@dataclass(frozen=True, slots=True)
class CreditInputs:
    """The input of the sources of credits."""

    db: Database
    ledger: LedgerView
    claimed_outages: frozenset[tuple[str, int]]
    """Subscription and outage of each claim that was in time."""
    late_replacements: tuple[HardwareCase, ...] = ()
    """Hardware cases of all subscriptions whose replacement was late."""
    late_responses: tuple[ResponseClock, ...] = ()
    """First responses of all subscriptions that were late."""


CreditSource: TypeAlias = "Callable[[CreditInputs, SubscriptionAccount], Iterable[CreditCause]]"


def _by_availability(month: CreditInputs, account: SubscriptionAccount) -> Iterable[CreditCause]:
    """5.1.2, 5.2.2, 5.3.2: claimed if any outage of the month was, since all of them share one rate."""
    claimed = any((account.subscription.id, outage) in month.claimed_outages for outage in account.account.outages)
    yield CreditCause(account.credit, claimed)


def _by_hardware(month: CreditInputs, account: SubscriptionAccount) -> Iterable[CreditCause]:
    """5.2.2: the customer's ticket that a case names is its claim; it was opened before the 12 h had passed."""
    for case in month.late_replacements:
        if case.subscription == account.subscription.id:
            until = month.ledger.at if case.replaced_at is None else case.replaced_at
            credit = hardware_credit(PRODUCTS[HARDWARE_PRODUCT], account.subscription, case.opened_at, until)
            yield CreditCause(credit, case.reference is not None, case.name)


def _by_response(month: CreditInputs, account: SubscriptionAccount) -> Iterable[CreditCause]:
    """5.4.5, if the terms set its rate: the ticket itself is the claim, and it is in time."""
    percent, subscription = account.terms.support_credit, account.subscription
    for clock in month.late_responses:
        if percent is not None and clock.ticket.subscription == subscription.id:
            credit = Credit(percent, True, credit_amount(subscription, percent), subscription.currency, CREDIT_CLAUSE)  # noqa: FBT003
            yield CreditCause(credit, claimed=True, name=clock.ticket.name)


SOURCES: tuple[CreditSource, ...] = (_by_availability, _by_hardware, _by_response)


def credit_causes(month: CreditInputs, account: SubscriptionAccount) -> list[CreditCause]:
    """Return a subscription's credits of a month from all sources, those with a rate above 0."""
    return [cause for source in SOURCES for cause in source(month, account) if cause.credit.percent > 0]


def month_credits(
    db: Database, ledger: LedgerView, year: int, month: int, only: str | None = None
) -> tuple[MonthCredit, ...]:
    """Return the credits of a month, by subscription, including those that are not due."""
    accounts = ledger.month(year, month, only)
    late_replacements = breached_cases(db, ledger.versions, ledger.at, accounts.window)
    responses_credited = any(terms.support_credit is not None for terms in ledger.versions)
    late_responses = breached_response_clocks(db, ledger, accounts.window) if responses_credited else ()
    inputs = CreditInputs(db, ledger, in_time_claims(db, ledger.at), late_replacements, late_responses)
    credited_in, final = month_text(*month_after(year, month)), accounts.window.end <= ledger.at
    return tuple(
        MonthCredit(account.subscription, credit, cause.claimed, due, credited_in, final, cause.name)
        for account in accounts.subscriptions
        for cause, due, credit in _apply_cap(credit_causes(inputs, account), account)
    )


def _apply_cap(causes: list[CreditCause], account: SubscriptionAccount) -> list[tuple[CreditCause, bool, Credit]]:
    """Limit a service's credits of one month to its monthly fee (6.6); credits that are due come first."""
    automatic = account.terms.credit == "automatic"
    ordered = sorted(((cause, automatic or cause.claimed) for cause in causes), key=lambda pair: not pair[1])
    amounts = [cause.credit.amount for cause, _ in ordered if cause.credit.amount is not None]
    capped = iter(cap_to_fee(amounts, account.subscription))
    return [
        (cause, due, cause.credit if cause.credit.amount is None else replace(cause.credit, amount=next(capped)))
        for cause, due in ordered
    ]


def in_time_claims(db: Database, at: Millis) -> frozenset[tuple[str, int]]:
    """Return subscription and outage of each claim that was opened by ``at`` and not refused.

    For an outage that was joined into another since, this is the id of the other.
    """
    opened: dict[int, tuple[str, int]] = {}
    for entry in journal.entries(db, "claim-opened", "claim-refused", until=at):
        body = entry.body
        if entry.kind == "claim-refused":
            opened.pop(body["claim"], None)
        else:
            opened[body["claim"]] = body["subscription"], body["outage"]
    extents = outage_extents(db, (outage for _, outage in opened.values()), at, ())
    return frozenset(
        (subscription, extents[outage].id if outage in extents else outage) for subscription, outage in opened.values()
    )
