"""The provider's answer to a claim (6.3): computed, told by a letter and kept with every figure, in one transaction.

The entry in the journal holds the figures as they stand in the letter, the letter's text and its Message-ID, and which
entry was the newest when they were computed. So an answer can be computed again and compared.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from monitor.errors import InputError
from monitor.formatting import format_instant, one_line
from monitor.ledger.accounts.accounts import LedgerView, measure_outage
from monitor.ledger.claims.claims import ANSWERED, REFUSED, claim_of, customer_of
from monitor.ledger.months.closing import closing_of
from monitor.ledger.months.corrections import corrections_of
from monitor.ledger.notifications.mail_queue import generate_message_id, queue_mail
from monitor.ledger.outage_history import outage_extents
from monitor.ledger.recorded_by import recorded_by
from monitor.mail.claim_content import (
    ClaimAnswer,
    ClaimAnswerMail,
    ClaimClosing,
    ClaimCorrection,
    ClaimDetails,
    ClaimExclusion,
    ClaimInterpretation,
    ClaimMonth,
    ClaimOutage,
    ClaimRefusalMail,
    LedgerSnapshot,
)
from monitor.mail.compose import compose
from monitor.sla.availability import percent_text
from monitor.sla.calendar import month_after, month_of, month_text
from monitor.sla.claims import ClaimRefusalReason
from monitor.sla.credits import credit_percent
from monitor.sla.interpretations import interpretations_of
from monitor.sla.maintenance import notice_shortfall
from monitor.sla.terms import PRODUCTS, measured_checks, segments, terms_at
from monitor.store import history, journal, notification_log

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlite_utils import Database

    from monitor.ledger.accounts.accounts import SubscriptionAccount
    from monitor.ledger.context import LedgerContext
    from monitor.mail.content import RenderedMail
    from monitor.model import Millis, Span
    from monitor.sla.availability import Percent
    from monitor.sla.claims import Claim
    from monitor.sla.terms import ProductTerms


# --- one month of one subscription as the answer to a claim shows it (6.3) --------------------------------------------

NON_CREDIT_INTERPRETATIONS = frozenset({"rolling_days", "support_credit", "ticket_area"})
"""Decisions on which no availability credit hangs."""


def claim_month(db: Database, ledger: LedgerView, year: int, month: int, subscription: str) -> ClaimMonth | None:
    """Return a month's figures as the books stand; None where the subscription has no day in it."""
    accounts = ledger.month(year, month, subscription)
    if not accounts.subscriptions:
        return None
    each = accounts.subscriptions[0]
    came_to, owed, product = each.account, each.credit, PRODUCTS[each.subscription.product]
    lower, upper = _band_bounds(product, came_to.availability)
    return ClaimMonth(
        month=accounts.label,
        start=accounts.window.start,
        end=accounts.window.end,
        until=min(accounts.window.end, ledger.at),
        final=accounts.window.end <= ledger.at,
        closed=_closing(db, accounts.label, subscription, ledger.at),
        product=each.subscription.product,
        clause=product.credit_clause,
        up=came_to.up,
        down=came_to.down,
        excluded=came_to.excluded,
        unknown=came_to.unknown,
        availability=_percent_text(came_to.availability),
        lowest=_percent_text(came_to.lowest),
        highest=_percent_text(came_to.highest),
        experienced=_percent_text(came_to.experienced),
        coverage=_percent_text(came_to.coverage),
        target=percent_text(came_to.target),
        target_met=came_to.target_met,
        percent=str(owed.percent),
        percent_lowest=str(credit_percent(product, came_to.lowest)),
        percent_highest=str(credit_percent(product, came_to.highest)),
        certain=owed.certain,
        band_from=_percent_text(lower),
        band_to=_percent_text(upper),
        floor=percent_text(product.bands[-1].upper + 1),
        fee=None if each.subscription.fee is None else str(each.subscription.fee),
        fee_months=each.subscription.months,
        currency=owed.currency,
        amount=None if owed.amount is None else str(owed.amount),
        credited_in=month_text(*month_after(year, month)),
        outages=tuple(_outages(db, ledger, came_to.outages)),
        exclusions=(*_exclusions(ledger, each), *_announced_too_late(ledger, each, accounts.window)),
        decisions=tuple(
            ClaimInterpretation(one.setting, one.value, one.clause)
            for one in interpretations_of(each.terms)
            if one.setting not in NON_CREDIT_INTERPRETATIONS
        ),
    )


def _closing(db: Database, month: str, subscription: str, at: Millis) -> ClaimClosing | None:
    """Return the month's closing and what corrected the subscription's figures since; today's are both together."""
    closing = closing_of(db, month, at)
    if closing is None:
        return None
    corrections = tuple(
        ClaimCorrection(one.entry, one.at, one.reason)
        for one in corrections_of(db, month, at)
        if subscription in one.changes
    )
    return ClaimClosing(closing.entry, closing.at, corrections)


def _percent_text(figure: Percent | None) -> str | None:
    return None if figure is None else percent_text(figure)


def _band_bounds(product: ProductTerms, figure: Percent | None) -> tuple[Percent | None, Percent | None]:
    """Return the least and the greatest figure of the band that a figure falls in; None is open to that side."""
    if figure is None:
        return None, None
    lower = None
    for row in product.bands:
        if figure <= row.upper:
            return lower, row.upper
        lower = row.upper + 1
    return lower, None


def _outages(db: Database, ledger: LedgerView, found: tuple[int, ...]) -> Iterator[ClaimOutage]:
    for number in found:
        outage = history.get_outage(db, number)
        if outage is None:
            continue
        long, excluded = measure_outage(ledger, outage)
        end = outage.end if outage.end is not None and outage.end <= ledger.at else None
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


def _exclusions(ledger: LedgerView, each: SubscriptionAccount) -> Iterator[ClaimExclusion]:
    """Return what was charged to each record, with the reason that the record gives."""
    reasons = {window.reference: window.reason for window in ledger.windows}
    reasons |= {record.reference: record.reason for record in ledger.exclusion_records}
    for charge in each.account.exclusions:
        yield ClaimExclusion(charge.clause, charge.reference, reasons.get(charge.reference, ""), charge.length)


def _announced_too_late(ledger: LedgerView, each: SubscriptionAccount, month: Span) -> Iterator[ClaimExclusion]:
    """Return the planned maintenance that excludes nothing in the month, or less than it lasted, for want of notice."""
    servers = {part.server for part in segments(ledger.versions, each.subscription.id, month, ledger.at)}
    for window in ledger.windows:
        if window.cancelled_before_start or servers.isdisjoint(window.servers):
            continue
        short: list[Millis] = [
            missed
            for part in window.parts
            if part.start < month.end and part.end > month.start and (missed := notice_shortfall(part, window.kind))
        ]
        if short:
            yield ClaimExclusion("4.1", window.reference, window.reason, 0, max(short))


NOT_MEASURED_BY = {"web-hosting": "5.1.2, 4.5", "server": "5.2.2, 4.4, 4.8", "colocation": "5.3.2, 4.4, 4.8"}
"""The clauses by which an outage of a check beside the measured ones does not count, by product."""


def refuse(db: Database, context: LedgerContext, claim: Claim, reason: ClaimRefusalReason, at: Millis) -> Claim:
    """Refuse a claim that was just recorded, and queue the mail that says why."""
    terms = terms_at(LedgerView(db, at, context.terms).versions, claim.outage_start)
    subscription = terms.subscriptions.get(claim.subscription)
    letter = compose(
        ClaimRefusalMail(
            recipient=context.recipient(customer_of(db, context, claim, at)),
            claim=claim_facts(claim),
            reason="late" if reason is ClaimRefusalReason.LATE else "not-measured",
            measured_checks=measured_checks(terms, subscription) if subscription else (),
            clause=NOT_MEASURED_BY[subscription.product] if subscription else "",
        )
    )
    kept = _queue_answer(db, context, claim, letter, "refused", at)
    body = {"claim": claim.id, "why": str(reason), "letter": kept, "recorded_by": recorded_by()}
    journal.append(db, at, REFUSED, body)
    return claim_of(db, claim.id, at)


def answer(db: Database, context: LedgerContext, number: int, note: str, at: Millis) -> Claim:
    """Answer a claim: provisionally while one of its months is running, for good when all are over.

    After a provisional answer the final one can be given. Raises InputError for a claim that is unknown, refused, or
    answered as far as it can be.
    """
    claim = claim_of(db, number, at)
    if claim.refused is not None:
        raise InputError(f"claim {number} was refused: it is not answered again")
    found = compute_answer(db, context, claim, note, at)
    if claim.answers:
        given = format_instant(claim.answers[-1].at, context.zone)
        if claim.final:
            raise InputError(f"claim {number} was answered already, at {given}; see `monitor claim show {number}`")
        if not found.final:
            over = format_instant(max(each.end for each in found.months), context.zone)
            raise InputError(
                f"claim {number} was answered provisionally, at {given}; the final answer can be given from {over} on"
            )
    letter = compose(ClaimAnswerMail(context.recipient(customer_of(db, context, claim, at)), found))
    kept = _queue_answer(db, context, claim, letter, "final" if found.final else "provisional", at)
    body: dict[str, Any] = {
        "claim": claim.id,
        "final": found.final,
        "answer": asdict(found),
        "letter": kept,
        "recorded_by": recorded_by(),
    }
    journal.append(db, at, ANSWERED, body)
    return claim_of(db, number, at)


def claim_facts(claim: Claim) -> ClaimDetails:
    """Return a claim as letters tell of it."""
    return ClaimDetails(
        claim=claim.id,
        subscription=claim.subscription,
        outage=claim.outage,
        server=claim.check.server,
        check=claim.check.name,
        began=claim.outage_start,
        opened_at=claim.opened_at,
        deadline=claim.deadline,
        answer_due=claim.answer_due,
    )


def compute_answer(db: Database, context: LedgerContext, claim: Claim, note: str, at: Millis) -> ClaimAnswer:
    """Compute the answer as the books stand at ``at``, which is now: a month for each that the outage touches.

    Raises InputError where the subscription has no day in any of them.
    """
    books = LedgerView(db, at, context.terms)
    found = (
        claim_month(db, books, year, month, claim.subscription) for year, month in _months_touched(db, books, claim)
    )
    months = tuple(each for each in found if each is not None)
    if not months:
        raise InputError(f"claim {claim.id}: {claim.subscription} has no accounts for the month of its outage")
    entry, own = journal.head(db)
    return ClaimAnswer(
        claim=claim_facts(claim),
        final=all(each.final for each in months),
        positive=any(each.percent != "0" for each in months),
        note=one_line(note),
        months=months,
        records=LedgerSnapshot(entry, own, at),
    )


def _months_touched(db: Database, ledger: LedgerView, claim: Claim) -> list[tuple[int, int]]:
    """Return the months that the outage touches as of now: one claim counts for each of them."""
    extent = outage_extents(db, [claim.outage], ledger.at, ()).get(claim.outage)
    start, end = (extent.start, extent.end) if extent else (claim.outage_start, claim.outage_start + 1)
    zone = ledger.terms.timezone
    month, last = month_of(start, zone), month_of(max(start, (ledger.at if end is None else end) - 1), zone)
    found = [month]
    while found[-1] < last:
        found.append(month_after(*found[-1]))
    return found


def _queue_answer(
    db: Database, context: LedgerContext, claim: Claim, letter: RenderedMail, answer_kind: str, at: Millis
) -> dict[str, Any]:
    """Queue a letter, in the thread of its outage; gives what the journal keeps of it, also where nobody gets it."""
    customer = customer_of(db, context, claim, at)
    own_id = generate_message_id(context)
    kept = {
        "message_id": own_id,
        "language": context.language(customer),
        "subject": letter.subject,
        "text": letter.text,
        "html_sha256": hashlib.sha256(letter.html.encode()).hexdigest(),
    }
    mail = queue_mail(
        db,
        context,
        "claims",
        at=at,
        customer=customer,
        body={"claim": claim.id, "answer": answer_kind},
        letter=letter,
        own_id=own_id,
        refers=notification_log.outage_thread(db, [claim.outage], customer),
    )
    if mail is not None:
        notification_log.link_outage(db, claim.outage, mail)
    return kept | {"mail": mail}
