"""One month of one subscription as the answer to a claim tells it: accounts, outages, exclusions, credit (6.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.ledger.months.closing import closing_of
from monitor.ledger.months.corrections import corrections_of
from monitor.ledger.outages import lengths
from monitor.mail.claim_letters import (
    ClaimClosing,
    ClaimCorrection,
    ClaimDecision,
    ClaimExclusion,
    ClaimMonth,
    ClaimOutage,
)
from monitor.sla.calendar import month_after, month_text
from monitor.sla.credits import band
from monitor.sla.interpretations import decisions
from monitor.sla.maintenance import short_by
from monitor.sla.percentages import percent_text
from monitor.sla.segments import segments
from monitor.sla.terms import PRODUCTS
from monitor.store import outages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlite_utils import Database

    from monitor.ledger.accounts.accounts import Books, SubscriptionAccount
    from monitor.model import Millis, Span
    from monitor.sla.percentages import Percent
    from monitor.sla.terms import ProductTerms

NOT_OF_A_MONTH = frozenset({"rolling_days", "support_credit", "ticket_area"})
"""Decisions on which no availability credit hangs."""


def claimed_month(db: Database, books: Books, year: int, month: int, subscription: str) -> ClaimMonth | None:
    """Give a month's figures as the books stand; None where the subscription has no day in it."""
    accounts = books.month(year, month, subscription)
    if not accounts.subscriptions:
        return None
    each = accounts.subscriptions[0]
    came_to, owed, product = each.account, each.credit, PRODUCTS[each.subscription.product]
    lower, upper = _edges(product, came_to.availability)
    return ClaimMonth(
        month=accounts.label,
        start=accounts.window.start,
        end=accounts.window.end,
        until=min(accounts.window.end, books.at),
        final=accounts.window.end <= books.at,
        closed=_closing(db, accounts.label, subscription, books.at),
        product=each.subscription.product,
        clause=product.credit_clause,
        up=came_to.up,
        down=came_to.down,
        excluded=came_to.excluded,
        unknown=came_to.unknown,
        availability=_text(came_to.availability),
        lowest=_text(came_to.lowest),
        highest=_text(came_to.highest),
        experienced=_text(came_to.experienced),
        coverage=_text(came_to.coverage),
        target=percent_text(came_to.target),
        target_met=came_to.target_met,
        percent=str(owed.percent),
        percent_lowest=str(band(product, came_to.lowest)),
        percent_highest=str(band(product, came_to.highest)),
        certain=owed.certain,
        band_from=_text(lower),
        band_to=_text(upper),
        floor=percent_text(product.bands[-1].upper + 1),
        fee=None if each.subscription.fee is None else str(each.subscription.fee),
        fee_months=each.subscription.months,
        currency=owed.currency,
        amount=None if owed.amount is None else str(owed.amount),
        credited_in=month_text(*month_after(year, month)),
        outages=tuple(_outages(db, books, came_to.outages)),
        exclusions=(*_exclusions(books, each), *_announced_too_late(books, each, accounts.window)),
        decisions=tuple(
            ClaimDecision(one.setting, one.value, one.clause)
            for one in decisions(each.terms)
            if one.setting not in NOT_OF_A_MONTH
        ),
    )


def _closing(db: Database, month: str, subscription: str, at: Millis) -> ClaimClosing | None:
    """Give the month's closing and what corrected the subscription's figures since; today's are both together."""
    closing = closing_of(db, month, at)
    if closing is None:
        return None
    corrections = tuple(
        ClaimCorrection(one.entry, one.at, one.why)
        for one in corrections_of(db, month, at)
        if subscription in one.changes
    )
    return ClaimClosing(closing.entry, closing.at, corrections)


def _text(figure: Percent | None) -> str | None:
    return None if figure is None else percent_text(figure)


def _edges(product: ProductTerms, figure: Percent | None) -> tuple[Percent | None, Percent | None]:
    """Give the least and the greatest figure of the band that a figure falls in; None is open to that side."""
    if figure is None:
        return None, None
    lower = None
    for row in product.bands:
        if figure <= row.upper:
            return lower, row.upper
        lower = row.upper + 1
    return lower, None


def _outages(db: Database, books: Books, found: tuple[int, ...]) -> Iterator[ClaimOutage]:
    for number in found:
        outage = outages.get(db, number)
        if outage is None:
            continue
        long, excluded = lengths(books, outage)
        end = outage.end if outage.end is not None and outage.end <= books.at else None
        yield ClaimOutage(
            id=outage.id,
            server=outage.check.server,
            check=outage.check.name,
            start=outage.start,
            end=end,
            counted=long.counted,
            least=long.least,
            most=long.most,
            excluded=excluded,
        )


def _exclusions(books: Books, each: SubscriptionAccount) -> Iterator[ClaimExclusion]:
    """Give what was charged to each record, with the reason that the record gives."""
    reasons = {window.reference: window.reason for window in books.windows}
    reasons |= {record.reference: record.reason for record in books.records}
    for charge in each.account.exclusions:
        yield ClaimExclusion(charge.clause, charge.reference, reasons.get(charge.reference, ""), charge.length)


def _announced_too_late(books: Books, each: SubscriptionAccount, month: Span) -> Iterator[ClaimExclusion]:
    """Give the planned maintenance that excludes nothing in the month, or less than it lasted, for want of notice."""
    servers = {part.server for part in segments(books.versions, each.subscription.id, month, books.at)}
    for window in books.windows:
        if window.called_off or servers.isdisjoint(window.servers):
            continue
        short: list[Millis] = [
            missed
            for part in window.parts
            if part.start < month.end and part.end > month.start and (missed := short_by(part, window.kind))
        ]
        if short:
            yield ClaimExclusion("4.1", window.reference, window.reason, 0, max(short))
