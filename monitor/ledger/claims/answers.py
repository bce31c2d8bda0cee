"""The provider's answer to a claim (6.3): computed, mailed and recorded with every figure, in one transaction.

The journal entry contains the figures of the mail, the mail's text and Message-ID, and the newest entry at the time of
the computation. So an answer can be computed again and compared.
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


# --- one month of one subscription in the answer to a claim (6.3) -----------------------------------------------------

NON_CREDIT_INTERPRETATIONS = frozenset({"rolling_days", "support_credit", "ticket_area"})
"""Interpretations that do not affect an availability credit."""


def claim_month(db: Database, ledger: LedgerView, year: int, month: int, subscription: str) -> ClaimMonth | None:
    """Return a month's figures; None if the subscription has no day in it."""
    accounts = ledger.month(year, month, subscription)
    if not accounts.subscriptions:
        return None
    subscription_account = accounts.subscriptions[0]
    account, credit, product = (
        subscription_account.account,
        subscription_account.credit,
        PRODUCTS[subscription_account.subscription.product],
    )
    lower, upper = _band_bounds(product, account.availability)
    return ClaimMonth(
        month=accounts.label,
        start=accounts.window.start,
        end=accounts.window.end,
        until=min(accounts.window.end, ledger.at),
        final=accounts.window.end <= ledger.at,
        closed=_closing(db, accounts.label, subscription, ledger.at),
        product=subscription_account.subscription.product,
        clause=product.credit_clause,
        up=account.up,
        down=account.down,
        excluded=account.excluded,
        unknown=account.unknown,
        availability=_percent_text(account.availability),
        lowest=_percent_text(account.lowest),
        highest=_percent_text(account.highest),
        experienced=_percent_text(account.experienced),
        coverage=_percent_text(account.coverage),
        target=percent_text(account.target),
        target_met=account.target_met,
        percent=str(credit.percent),
        percent_lowest=str(credit_percent(product, account.lowest)),
        percent_highest=str(credit_percent(product, account.highest)),
        certain=credit.certain,
        band_from=_percent_text(lower),
        band_to=_percent_text(upper),
        floor=percent_text(product.bands[-1].upper + 1),
        fee=None if subscription_account.subscription.fee is None else str(subscription_account.subscription.fee),
        fee_months=subscription_account.subscription.months,
        currency=credit.currency,
        amount=None if credit.amount is None else str(credit.amount),
        credited_in=month_text(*month_after(year, month)),
        outages=tuple(_outages(db, ledger, account.outages)),
        exclusions=(
            *_exclusions(ledger, subscription_account),
            *_announced_too_late(ledger, subscription_account, accounts.window),
        ),
        decisions=tuple(
            ClaimInterpretation(interpretation.setting, interpretation.value, interpretation.clause)
            for interpretation in interpretations_of(subscription_account.terms)
            if interpretation.setting not in NON_CREDIT_INTERPRETATIONS
        ),
    )


def _closing(db: Database, month: str, subscription: str, at: Millis) -> ClaimClosing | None:
    """Return the month's closing and its later corrections of the subscription's figures."""
    closing = closing_of(db, month, at)
    if closing is None:
        return None
    corrections = tuple(
        ClaimCorrection(correction.entry, correction.at, correction.reason)
        for correction in corrections_of(db, month, at)
        if subscription in correction.changes
    )
    return ClaimClosing(closing.entry, closing.at, corrections)


def _percent_text(figure: Percent | None) -> str | None:
    return None if figure is None else percent_text(figure)


def _band_bounds(product: ProductTerms, figure: Percent | None) -> tuple[Percent | None, Percent | None]:
    """Return the lowest and highest figure of the band that contains a figure; None: no bound."""
    if figure is None:
        return None, None
    lower = None
    for row in product.bands:
        if figure <= row.upper:
            return lower, row.upper
        lower = row.upper + 1
    return lower, None


def _outages(db: Database, ledger: LedgerView, outage_ids: tuple[int, ...]) -> Iterator[ClaimOutage]:
    for outage_id in outage_ids:
        outage = history.get_outage(db, outage_id)
        if outage is None:
            continue
        durations, excluded = measure_outage(ledger, outage)
        end = outage.end if outage.end is not None and outage.end <= ledger.at else None
        yield ClaimOutage(
            id=outage.id,
            server=outage.check.server,
            check=outage.check.name,
            start=outage.start,
            end=end,
            counted=durations.counted,
            least=durations.least,
            most=durations.most,
            excluded=excluded,
        )


def _exclusions(ledger: LedgerView, each: SubscriptionAccount) -> Iterator[ClaimExclusion]:
    """Return the time attributed to each record, with the record's reason."""
    reasons = {window.reference: window.reason for window in ledger.windows}
    reasons |= {record.reference: record.reason for record in ledger.exclusion_records}
    for charge in each.account.exclusions:
        yield ClaimExclusion(charge.clause, charge.reference, reasons.get(charge.reference, ""), charge.length)


def _announced_too_late(ledger: LedgerView, each: SubscriptionAccount, month: Span) -> Iterator[ClaimExclusion]:
    """Return the planned maintenance that excludes less time in the month than it lasted, for lack of notice."""
    servers = {part.server for part in segments(ledger.versions, each.subscription.id, month, ledger.at)}
    for window in ledger.windows:
        if window.cancelled_before_start or servers.isdisjoint(window.servers):
            continue
        shortfalls: list[Millis] = [
            shortfall
            for part in window.parts
            if part.start < month.end and part.end > month.start and (shortfall := notice_shortfall(part, window.kind))
        ]
        if shortfalls:
            yield ClaimExclusion("4.1", window.reference, window.reason, 0, max(shortfalls))


NOT_MEASURED_BY = {"web-hosting": "5.1.2, 4.5", "server": "5.2.2, 4.4, 4.8", "colocation": "5.3.2, 4.4, 4.8"}
"""The clauses by which an outage of a check that is not measured does not count, by product."""


def refuse(db: Database, context: LedgerContext, claim: Claim, reason: ClaimRefusalReason, at: Millis) -> Claim:
    """Refuse a claim that was just recorded, and queue the mail with the reason."""
    terms = terms_at(LedgerView(db, at, context.terms).versions, claim.outage_start)
    subscription = terms.subscriptions.get(claim.subscription)
    mail = compose(
        ClaimRefusalMail(
            recipient=context.recipient(customer_of(db, context, claim, at)),
            claim=claim_facts(claim),
            reason="late" if reason is ClaimRefusalReason.LATE else "not-measured",
            measured_checks=measured_checks(terms, subscription) if subscription else (),
            clause=NOT_MEASURED_BY[subscription.product] if subscription else "",
        )
    )
    letter = _queue_answer(db, context, claim, mail, "refused", at)
    body = {"claim": claim.id, "why": str(reason), "letter": letter, "recorded_by": recorded_by()}
    journal.append(db, at, REFUSED, body)
    return claim_of(db, claim.id, at)


def answer(db: Database, context: LedgerContext, number: int, note: str, at: Millis) -> Claim:
    """Answer a claim: provisionally while one of its months is running, finally when all are over.

    A final answer can follow a provisional one. Raises InputError if the claim is unknown or refused, or if no further
    answer is possible now.
    """
    claim = claim_of(db, number, at)
    if claim.refused is not None:
        raise InputError(f"claim {number} was refused and gets no other answer")
    computed = compute_answer(db, context, claim, note, at)
    if claim.answers:
        answered_at = format_instant(claim.answers[-1].at, context.zone)
        if claim.final:
            raise InputError(
                f"claim {number} was answered already, at {answered_at}; see `monitor claim show {number}`"
            )
        if not computed.final:
            months_end = format_instant(max(each.end for each in computed.months), context.zone)
            raise InputError(
                f"claim {number} was answered provisionally, at {answered_at};"
                f" the final answer is possible from {months_end} on"
            )
    mail = compose(ClaimAnswerMail(context.recipient(customer_of(db, context, claim, at)), computed))
    letter = _queue_answer(db, context, claim, mail, "final" if computed.final else "provisional", at)
    body: dict[str, Any] = {
        "claim": claim.id,
        "final": computed.final,
        "answer": asdict(computed),
        "letter": letter,
        "recorded_by": recorded_by(),
    }
    journal.append(db, at, ANSWERED, body)
    return claim_of(db, number, at)


def claim_facts(claim: Claim) -> ClaimDetails:
    """Return the details of a claim for mails."""
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
    """Compute the answer as of ``at``, which is now, with the figures of each month that the outage touches.

    Raises InputError if the subscription has no day in any of them.
    """
    ledger = LedgerView(db, at, context.terms)
    claim_months = (
        claim_month(db, ledger, year, month, claim.subscription) for year, month in _months_touched(db, ledger, claim)
    )
    months = tuple(month for month in claim_months if month is not None)
    if not months:
        raise InputError(f"claim {claim.id}: {claim.subscription} has no accounts for the month of its outage")
    entry, entry_hash = journal.head(db)
    return ClaimAnswer(
        claim=claim_facts(claim),
        final=all(month.final for month in months),
        positive=any(month.percent != "0" for month in months),
        note=one_line(note),
        months=months,
        records=LedgerSnapshot(entry, entry_hash, at),
    )


def _months_touched(db: Database, ledger: LedgerView, claim: Claim) -> list[tuple[int, int]]:
    """Return the months that the outage touches as of now; one claim counts for all of them."""
    extent = outage_extents(db, [claim.outage], ledger.at, ()).get(claim.outage)
    start, end = (extent.start, extent.end) if extent else (claim.outage_start, claim.outage_start + 1)
    zone = ledger.terms.timezone
    month, last = month_of(start, zone), month_of(max(start, (ledger.at if end is None else end) - 1), zone)
    months = [month]
    while months[-1] < last:
        months.append(month_after(*months[-1]))
    return months


def _queue_answer(
    db: Database, context: LedgerContext, claim: Claim, rendered: RenderedMail, answer_kind: str, at: Millis
) -> dict[str, Any]:
    """Queue a mail in the thread of its outage; return the journal's copy, even if there is no recipient."""
    customer = customer_of(db, context, claim, at)
    message_id = generate_message_id(context)
    letter_body = {
        "message_id": message_id,
        "language": context.language(customer),
        "subject": rendered.subject,
        "text": rendered.text,
        "html_sha256": hashlib.sha256(rendered.html.encode()).hexdigest(),
    }
    mail = queue_mail(
        db,
        context,
        "claims",
        at=at,
        customer=customer,
        body={"claim": claim.id, "answer": answer_kind},
        rendered=rendered,
        own_id=message_id,
        refers=notification_log.outage_thread(db, [claim.outage], customer),
    )
    if mail is not None:
        notification_log.link_outage(db, claim.outage, mail)
    return letter_body | {"mail": mail}
