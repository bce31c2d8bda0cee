"""Who is told of outages, and when: one mail per customer and sweep, however many servers fall.

News is written into the customer's gathering mail in the transaction of the result that made it. When the sweep is over
the mail is worded, with the figures of that moment, and may leave. News of a child waits one sweep more for the word of
its parent, so that a fallen parent is named above its children.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from monitor.ledger.notifications.mail_queue import post
from monitor.ledger.wording import outage_letter
from monitor.mail.rendering.compose import compose
from monitor.model import Outcome
from monitor.outage import Notice
from monitor.store import notification_log, outages, outbox

if TYPE_CHECKING:
    from sqlite_utils import Database

    from monitor.ledger.context import Context
    from monitor.model import CheckKey, Millis
    from monitor.outage import Alerting


@dataclass(frozen=True, slots=True)
class News:
    """Something to tell of one check."""

    notice: Notice
    check: CheckKey
    outage: int | None
    """The outage that is open, or that has just ended."""
    alerting: Alerting
    outcome: Outcome

    def body(self, db: Database) -> dict[str, Any]:
        """Give it as data, complete: it is worded later."""
        outage = outages.get(db, self.outage) if self.outage is not None else None
        return {
            "notice": str(self.notice),
            "server": self.check.server,
            "check": self.check.name,
            "outage": self.outage,
            "since": outage.start if outage else self.alerting.changed,
            "reason": outage.reason if outage else "",
            "state": "down" if self.outcome is Outcome.FAIL else "up",
            "changed": self.alerting.changed,
            "flapping": self.alerting.flapping,
            "changes": 2 * len(self.alerting.starts) - 1,
        }


def gather(db: Database, context: Context, news: News, sweep: int, at: Millis, *, waits: bool = False) -> None:
    """Put news of a sweep into the mail of everybody who is to be told; it may leave when that sweep is over.

    News that ``waits`` may leave one sweep later. A mail waits for no more than the sweep after its first news: however
    many children fall, one after the other, they hold up nobody's mail.
    """
    for customer in _told(db, context, news, at):
        mail = outbox.gathering(db, customer, sweep)
        until = sweep + 1 if waits else sweep
        if mail is not None:
            number = mail.id
            mail.body["news"].append(news.body(db))
            until = min(max(until, mail.sweep or until), mail.body["sweep"] + 1)
            outbox.gather(db, number, mail.body, until)
        else:
            body = {"sweep": sweep, "news": [news.body(db)]}
            begun = post(db, context, "outages", at=at, customer=customer, body=body, sweep=until)
            if begun is None:
                continue
            number = begun
        if news.outage is not None:
            notification_log.link(db, news.outage, number)


def _told(db: Database, context: Context, news: News, at: Millis) -> list[str | None]:
    """Say who is told: of an end those who were told of the beginning, also where their subscription has ended."""
    if news.notice is Notice.UP and news.outage is not None:
        told = notification_log.told_of(db, news.outage)
        if known := [customer for customer in told if customer is None or customer in context.customers]:
            return known
    return context.told_of_check(news.check, at)


def release(db: Database, context: Context, sweep: int, at: Millis) -> int:
    """Word the mails whose sweep is over, so that they may leave; gives how many."""
    gathered = outbox.gathered(db, sweep)
    for mail in gathered:
        letter = compose(outage_letter(db, context, mail, at))
        told = [number for news in mail.body["news"] for number in _concerned(db, news)]
        thread = notification_log.thread_of(db, told, mail.customer)
        outbox.word(db, mail.id, subject=letter.subject, text=letter.text, html=letter.html, refers=thread, at=at)
    return len(gathered)


def _concerned(db: Database, news: dict[str, Any]) -> list[int]:
    """Give the numbers of the outages that news is about; what has settled is about all since it began to flap."""
    if news["notice"] == Notice.SETTLED and news["flapping"] is not None:
        found = outages.listing(db, server=news["server"], start=news["flapping"], end=news["changed"] + 1)
        return [outage.id for outage in found if outage.check.name == news["check"]]
    return [] if news["outage"] is None else [news["outage"]]
