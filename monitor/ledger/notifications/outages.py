"""Who is notified of outages, and when: one mail per customer and sweep, however many servers fall.

News is written into the customer's gathering mail in the transaction of the result that made it. When the sweep is over
the mail is worded, with the figures of that moment, and may leave. News of a child waits one sweep more for the word of
its parent, so that a fallen parent is named above its children.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from monitor.ledger.accounts.accounts import LedgerView, measure_outage
from monitor.ledger.notifications.mail_queue import queue_mail
from monitor.mail.compose import compose
from monitor.mail.content import (
    FlappingEnded,
    FlappingStarted,
    MonthToDate,
    OutageEnded,
    OutageMail,
    OutageStarted,
    ServerEvents,
)
from monitor.model import CheckKey, Outcome, State
from monitor.outage import Notification
from monitor.sla.availability import percent_text
from monitor.sla.calendar import claim_deadline, month_of
from monitor.store import history, notification_log, outbox

if TYPE_CHECKING:
    from sqlite_utils import Database

    from monitor.ledger.context import LedgerContext
    from monitor.mail.content import OutageEvent
    from monitor.model import Millis
    from monitor.outage import AlertState
    from monitor.store.outbox import Mail


# --- the content of a digest: its news by server, parents above their children, with current figures ------------------


def outage_mail_content(db: Database, context: LedgerContext, mail: Mail, at: Millis) -> OutageMail:
    """Put a gathered mail's news into a letter, as things stand at ``at``."""
    books = LedgerView(db, at, context.terms)
    told: dict[str, list[dict[str, Any]]] = {}
    for news in _omit_superseded(mail.body["news"]):
        told.setdefault(news["server"], []).append(news)
    events = {
        server: tuple(_event(books, db, context, mail.customer, news) for news in all_news)
        for server, all_news in told.items()
    }
    standings = {
        server: _months_to_date(books, context, mail.customer, server)
        for server, happened in events.items()
        if any(isinstance(event, OutageEnded) for event in happened)
    }
    return OutageMail(context.recipient(mail.customer), _server_tree(db, context, events, standings))


def _omit_superseded(all_news: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out the beginning of an outage whose end is told by the same mail."""
    ended = {news["outage"] for news in all_news if news["notice"] == "up"}
    return [news for news in all_news if not (news["notice"] == "down" and news["outage"] in ended)]


def _event(
    ledger: LedgerView, db: Database, context: LedgerContext, customer: str | None, news: dict[str, Any]
) -> OutageEvent:
    check = news["check"]
    if news["notice"] == "flapping":
        return FlappingStarted(check, news["flapping"], news["changes"])
    if news["notice"] == "settled":
        return FlappingEnded(check, State(news["state"]), news["changed"], news["flapping"] or news["changed"])
    outage = history.get_outage(db, news["outage"])
    if news["notice"] == "down" or outage is None or outage.end is None:
        return OutageStarted(check, news["since"], news["reason"])
    long, excluded = measure_outage(ledger, outage)
    deadline = claim_deadline(outage.start, context.zone) if customer is not None else None
    return OutageEnded(
        check=check,
        start=outage.start,
        end=outage.end,
        counted=long.counted,
        least=long.least,
        most=long.most,
        excluded=excluded,
        claim_deadline=deadline,
    )


def _months_to_date(
    ledger: LedgerView, context: LedgerContext, customer: str | None, server: str
) -> tuple[MonthToDate, ...]:
    """Return the month so far of a customer's subscriptions on a server."""
    month = month_of(ledger.at, context.zone)
    found = []
    for subscription in context.subscriptions_of(server, ledger.at):
        if subscription.customer != customer:
            continue
        accounts = ledger.month(*month, only=subscription.id)
        for each in accounts.subscriptions:
            figure = each.account.availability
            shown = percent_text(figure) if figure is not None else None
            target = percent_text(each.account.target)
            found.append(MonthToDate(subscription.id, accounts.label, shown, target, each.account.target_met))
    return tuple(found)


def _server_tree(
    db: Database,
    context: LedgerContext,
    events: dict[str, tuple[OutageEvent, ...]],
    months_to_date: dict[str, tuple[MonthToDate, ...]],
) -> tuple[ServerEvents, ...]:
    """Place every server under its parent if the parent is down or in the same mail."""
    roots: list[str] = []
    children: dict[str, list[str]] = {}

    def place(server: str) -> None:
        known = context.servers.get(server)
        parent = known.parent if known else None
        siblings = roots
        if parent is not None and (parent in events or _is_down(db, parent)):
            if parent not in events and parent not in children:
                place(parent)
            siblings = children.setdefault(parent, [])
        if server not in siblings:
            siblings.append(server)

    for server in events:
        place(server)

    def news(server: str) -> ServerEvents:
        below = tuple(news(child) for child in children.get(server, ()))
        return ServerEvents(server, events.get(server, ()), months_to_date.get(server, ()), below)

    return tuple(news(server) for server in roots)


def _is_down(db: Database, server: str) -> bool:
    return history.has_open_outage(db, CheckKey(server, "ping"))


@dataclass(frozen=True, slots=True)
class CheckNews:
    """Something to tell of one check."""

    notice: Notification
    check: CheckKey
    outage: int | None
    """The outage that is open, or that has just ended."""
    alerting: AlertState
    outcome: Outcome

    def body(self, db: Database) -> dict[str, Any]:
        """Return it as data, complete: it is worded later."""
        outage = history.get_outage(db, self.outage) if self.outage is not None else None
        return {
            "notice": str(self.notice),
            "server": self.check.server,
            "check": self.check.name,
            "outage": self.outage,
            "since": outage.start if outage else self.alerting.last_change,
            "reason": outage.reason if outage else "",
            "state": "down" if self.outcome is Outcome.FAIL else "up",
            "changed": self.alerting.last_change,
            "flapping": self.alerting.flapping_since,
            "changes": 2 * len(self.alerting.recent_starts) - 1,
        }


def add_news(
    db: Database, context: LedgerContext, news: CheckNews, sweep: int, at: Millis, *, wait_for_parent: bool = False
) -> None:
    """Put news of a sweep into the mail of everybody who is to be told; it may leave when that sweep is over.

    News that ``wait_for_parent`` may leave one sweep later. A mail waits for no more than the sweep after its first
    news: however many children fall, one after the other, they hold up nobody's mail.
    """
    for customer in _customers_to_notify(db, context, news, at):
        mail = outbox.open_digest(db, customer, sweep)
        until = sweep + 1 if wait_for_parent else sweep
        if mail is not None:
            number = mail.id
            mail.body["news"].append(news.body(db))
            until = min(max(until, mail.sweep or until), mail.body["sweep"] + 1)
            outbox.update_digest(db, number, mail.body, until)
        else:
            body = {"sweep": sweep, "news": [news.body(db)]}
            begun = queue_mail(db, context, "outages", at=at, customer=customer, body=body, sweep=until)
            if begun is None:
                continue
            number = begun
        if news.outage is not None:
            notification_log.link_outage(db, news.outage, number)


def _customers_to_notify(db: Database, context: LedgerContext, news: CheckNews, at: Millis) -> list[str | None]:
    """Return who is notified: of an end those notified of the beginning, even if their subscription has ended."""
    if news.notice is Notification.UP and news.outage is not None:
        told = notification_log.notified_customers(db, news.outage)
        if known := [customer for customer in told if customer is None or customer in context.customers]:
            return known
    return context.customers_to_notify(news.check, at)


def finish_sweep(db: Database, context: LedgerContext, sweep: int, at: Millis) -> int:
    """Word the mails whose sweep is over, so that they may leave; gives how many."""
    gathered = outbox.due_digests(db, sweep)
    for mail in gathered:
        letter = compose(outage_mail_content(db, context, mail, at))
        told = [number for news in mail.body["news"] for number in _outage_ids(db, news)]
        thread = notification_log.outage_thread(db, told, mail.customer)
        outbox.save_rendered(
            db, mail.id, subject=letter.subject, text=letter.text, html=letter.html, refers=thread, at=at
        )
    return len(gathered)


def _outage_ids(db: Database, news: dict[str, Any]) -> list[int]:
    """Return the numbers of the outages that news is about; what has settled is about all since it began to flap."""
    if news["notice"] == Notification.FLAPPING_ENDED and news["flapping"] is not None:
        found = history.list_outages(db, server=news["server"], start=news["flapping"], end=news["changed"] + 1)
        return [outage.id for outage in found if outage.check.name == news["check"]]
    return [] if news["outage"] is None else [news["outage"]]
