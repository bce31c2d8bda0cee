"""Notifies customers of outages: one mail per customer and sweep, no matter how many servers go down.

News is added to the customer's digest in the transaction of the result that causes it. When the sweep is over, the
digest is rendered with the figures of that moment and can be sent. News of a child waits one sweep longer for news of
its parent, so that the mail can name a parent that is down above its children.
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
    """Return the content of a digest, with the figures as of ``at``."""
    ledger = LedgerView(db, at, context.terms)
    news_by_server: dict[str, list[dict[str, Any]]] = {}
    for news in _omit_superseded(mail.body["news"]):
        news_by_server.setdefault(news["server"], []).append(news)
    events = {
        server: tuple(_event(ledger, db, context, mail.customer, news) for news in all_news)
        for server, all_news in news_by_server.items()
    }
    months_to_date = {
        server: _months_to_date(ledger, context, mail.customer, server)
        for server, server_events in events.items()
        if any(isinstance(event, OutageEnded) for event in server_events)
    }
    return OutageMail(context.recipient(mail.customer), _server_tree(db, context, events, months_to_date))


def _omit_superseded(all_news: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Omit the start of an outage whose end is in the same mail."""
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
    durations, excluded = measure_outage(ledger, outage)
    deadline = claim_deadline(outage.start, context.zone) if customer is not None else None
    return OutageEnded(
        check=check,
        start=outage.start,
        end=outage.end,
        counted=durations.counted,
        least=durations.least,
        most=durations.most,
        excluded=excluded,
        claim_deadline=deadline,
    )


def _months_to_date(
    ledger: LedgerView, context: LedgerContext, customer: str | None, server: str
) -> tuple[MonthToDate, ...]:
    """Return the present month's availability of a customer's subscriptions on a server."""
    month = month_of(ledger.at, context.zone)
    months = []
    for subscription in context.subscriptions_of(server, ledger.at):
        if subscription.customer != customer:
            continue
        accounts = ledger.month(*month, only=subscription.id)
        for subscription_account in accounts.subscriptions:
            figure = subscription_account.account.availability
            availability = percent_text(figure) if figure is not None else None
            target = percent_text(subscription_account.account.target)
            months.append(
                MonthToDate(
                    subscription.id, accounts.label, availability, target, subscription_account.account.target_met
                )
            )
    return tuple(months)


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

    def server_events(server: str) -> ServerEvents:
        nested = tuple(server_events(child) for child in children.get(server, ()))
        return ServerEvents(server, events.get(server, ()), months_to_date.get(server, ()), nested)

    return tuple(server_events(server) for server in roots)


def _is_down(db: Database, server: str) -> bool:
    return history.has_open_outage(db, CheckKey(server, "ping"))


@dataclass(frozen=True, slots=True)
class CheckNews:
    """One event of one check that is mailed."""

    notice: Notification
    check: CheckKey
    outage: int | None
    """The outage that is open or has just ended."""
    alerting: AlertState
    outcome: Outcome

    def body(self, db: Database) -> dict[str, Any]:
        """Return all data that the digest needs when it is rendered later."""
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
    """Add news of a sweep to the digest of each customer to notify; it can be sent when that sweep is over.

    With ``wait_for_parent`` it can be sent one sweep later. A digest waits at most for the sweep after its first news,
    so that children that go down one after the other do not delay it further.
    """
    for customer in _customers_to_notify(db, context, news, at):
        mail = outbox.open_digest(db, customer, sweep)
        until = sweep + 1 if wait_for_parent else sweep
        if mail is not None:
            mail_id = mail.id
            mail.body["news"].append(news.body(db))
            until = min(max(until, mail.sweep or until), mail.body["sweep"] + 1)
            outbox.update_digest(db, mail_id, mail.body, until)
        else:
            body = {"sweep": sweep, "news": [news.body(db)]}
            new_mail_id = queue_mail(db, context, "outages", at=at, customer=customer, body=body, sweep=until)
            if new_mail_id is None:
                continue
            mail_id = new_mail_id
        if news.outage is not None:
            notification_log.link_outage(db, news.outage, mail_id)


def _customers_to_notify(db: Database, context: LedgerContext, news: CheckNews, at: Millis) -> list[str | None]:
    """Return the customers to notify: of an end those notified of the start, even if their subscription has ended."""
    if news.notice is Notification.UP and news.outage is not None:
        notified = notification_log.notified_customers(db, news.outage)
        if configured := [customer for customer in notified if customer is None or customer in context.customers]:
            return configured
    return context.customers_to_notify(news.check, at)


def finish_sweep(db: Database, context: LedgerContext, sweep: int, at: Millis) -> int:
    """Render the digests whose sweep is over, so that they can be sent; return how many."""
    digests = outbox.due_digests(db, sweep)
    for mail in digests:
        _join_unsent(db, mail, at)
        rendered = compose(outage_mail_content(db, context, mail, at))
        outage_ids = [outage_id for news in mail.body["news"] for outage_id in _outage_ids(db, news)]
        thread = notification_log.outage_thread(db, outage_ids, mail.customer)
        outbox.save_rendered(
            db, mail.id, subject=rendered.subject, text=rendered.text, html=rendered.html, refers=thread, at=at
        )
    return len(digests)


def _join_unsent(db: Database, mail: Mail, at: Millis) -> None:
    """Join the news of an end with that of the beginning, if nobody has got the mail about that yet."""
    ended = [news["outage"] for news in mail.body["news"] if news["notice"] == Notification.UP]
    earlier = outbox.unsent_about(db, mail.customer, ended, mail.id, at)
    if not earlier:
        return
    mail.body["news"][:0] = [news for each in earlier for news in each.body["news"]]
    outbox.update_digest(db, mail.id, mail.body, mail.sweep or 0)
    for news in mail.body["news"]:
        if news["outage"] is not None:
            notification_log.link_outage(db, news["outage"], mail.id)
    for each in earlier:
        outbox.withdraw(db, each.id, f"joined with mail {mail.id}", at)


def _outage_ids(db: Database, news: dict[str, Any]) -> list[int]:
    """Return the ids of the outages that news is about; the end of flapping is about all outages since its start."""
    if news["notice"] == Notification.FLAPPING_ENDED and news["flapping"] is not None:
        outages = history.list_outages(db, server=news["server"], start=news["flapping"], end=news["changed"] + 1)
        return [outage.id for outage in outages if outage.check.name == news["check"]]
    return [] if news["outage"] is None else [news["outage"]]
