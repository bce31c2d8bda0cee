"""The provider's answer to a claim (6.3): computed, told by a letter and kept with every figure, in one transaction.

The entry in the journal holds the figures as they stand in the letter, the letter's text and its Message-ID, and which
entry was the newest when they were computed. So an answer can be computed again and compared.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from monitor.errors import InputError
from monitor.formatting import instant
from monitor.ledger.accounts.accounts import Books
from monitor.ledger.claimed_month import claimed_month
from monitor.ledger.claims.claims import ANSWERED, REFUSED, claim_of, customer_of
from monitor.ledger.notifications.mail_queue import message_id, post
from monitor.ledger.outage_history import extents
from monitor.ledger.recorded_by import recorder
from monitor.mail.claim_letters import AnswerLetter, ClaimAnswer, ClaimFacts, Records, RefusalLetter
from monitor.mail.rendering.compose import compose
from monitor.mail.text import one_line
from monitor.sla.calendar import month_after, month_of
from monitor.sla.claims import Refusal
from monitor.sla.segments import terms_at
from monitor.sla.terms import measured_checks
from monitor.store import journal, notification_log

if TYPE_CHECKING:
    from sqlite_utils import Database

    from monitor.ledger.context import Context
    from monitor.mail.content import Letter
    from monitor.model import Millis
    from monitor.sla.claims import Claim

NOT_MEASURED_BY = {"web-hosting": "5.1.2, 4.5", "server": "5.2.2, 4.4, 4.8", "colocation": "5.3.2, 4.4, 4.8"}
"""The clauses by which an outage of a check beside the measured ones does not count, by product."""


def refuse(db: Database, context: Context, claim: Claim, why: Refusal, at: Millis) -> Claim:
    """Refuse a claim that was just recorded, and queue the mail that says why."""
    terms = terms_at(Books(db, at, context.terms).versions, claim.began)
    subscription = terms.subscriptions.get(claim.subscription)
    letter = compose(
        RefusalLetter(
            reader=context.reader(customer_of(db, context, claim, at)),
            claim=facts(claim),
            why="late" if why is Refusal.LATE else "not-measured",
            measured=measured_checks(terms, subscription) if subscription else (),
            clause=NOT_MEASURED_BY[subscription.product] if subscription else "",
        )
    )
    kept = _mail(db, context, claim, letter, "refused", at)
    body = {"claim": claim.id, "why": str(why), "letter": kept, "recorded_by": recorder()}
    journal.append(db, at, REFUSED, body)
    return claim_of(db, claim.id, at)


def answer(db: Database, context: Context, number: int, note: str, at: Millis) -> Claim:
    """Answer a claim: provisionally while one of its months is running, for good when all are over.

    After a provisional answer the final one can be given. Raises InputError for a claim that is unknown, refused, or
    answered as far as it can be.
    """
    claim = claim_of(db, number, at)
    if claim.refused is not None:
        raise InputError(f"claim {number} was refused: it is not answered again")
    found = computed(db, context, claim, note, at)
    if claim.answers:
        given = instant(claim.answers[-1].at, context.zone, "en")
        if claim.final:
            raise InputError(f"claim {number} was answered already, at {given}; see `monitor claim show {number}`")
        if not found.final:
            over = instant(max(each.end for each in found.months), context.zone, "en")
            raise InputError(
                f"claim {number} was answered provisionally, at {given}; the final answer can be given from {over} on"
            )
    letter = compose(AnswerLetter(context.reader(customer_of(db, context, claim, at)), found))
    kept = _mail(db, context, claim, letter, "final" if found.final else "provisional", at)
    body: dict[str, Any] = {
        "claim": claim.id,
        "final": found.final,
        "answer": asdict(found),
        "letter": kept,
        "recorded_by": recorder(),
    }
    journal.append(db, at, ANSWERED, body)
    return claim_of(db, number, at)


def facts(claim: Claim) -> ClaimFacts:
    """Give a claim as letters tell of it."""
    return ClaimFacts(
        claim=claim.id,
        subscription=claim.subscription,
        outage=claim.outage,
        server=claim.check.server,
        check=claim.check.name,
        began=claim.began,
        opened_at=claim.opened_at,
        deadline=claim.deadline,
        answer_due=claim.answer_due,
    )


def computed(db: Database, context: Context, claim: Claim, note: str, at: Millis) -> ClaimAnswer:
    """Compute the answer as the books stand at ``at``, which is now: a month for each that the outage touches.

    Raises InputError where the subscription has no day in any of them.
    """
    books = Books(db, at, context.terms)
    found = (claimed_month(db, books, year, month, claim.subscription) for year, month in _months(db, books, claim))
    months = tuple(each for each in found if each is not None)
    if not months:
        raise InputError(f"claim {claim.id}: {claim.subscription} has no accounts for the month of its outage")
    entry, own = journal.newest(db)
    return ClaimAnswer(
        claim=facts(claim),
        final=all(each.final for each in months),
        positive=any(each.percent != "0" for each in months),
        note=one_line(note),
        months=months,
        records=Records(entry, own, at),
    )


def _months(db: Database, books: Books, claim: Claim) -> list[tuple[int, int]]:
    """Give the months that the outage touches, as it stands now: a claim is made once, and stands for each of them."""
    extent = extents(db, [claim.outage], books.at, ()).get(claim.outage)
    start, end = (extent.start, extent.end) if extent else (claim.began, claim.began + 1)
    zone = books.terms.timezone
    month, last = month_of(start, zone), month_of(max(start, (books.at if end is None else end) - 1), zone)
    found = [month]
    while found[-1] < last:
        found.append(month_after(*found[-1]))
    return found


def _mail(db: Database, context: Context, claim: Claim, letter: Letter, what: str, at: Millis) -> dict[str, Any]:
    """Queue a letter, in the thread of its outage; gives what the journal keeps of it, also where nobody gets it."""
    customer = customer_of(db, context, claim, at)
    own_id = message_id(context)
    kept = {
        "message_id": own_id,
        "language": context.language(customer),
        "subject": letter.subject,
        "text": letter.text,
        "html_sha256": hashlib.sha256(letter.html.encode()).hexdigest(),
    }
    mail = post(
        db,
        context,
        "claims",
        at=at,
        customer=customer,
        body={"claim": claim.id, "answer": what},
        letter=letter,
        own_id=own_id,
        refers=notification_log.thread_of(db, [claim.outage], customer),
    )
    if mail is not None:
        notification_log.link(db, claim.outage, mail)
    return kept | {"mail": mail}
