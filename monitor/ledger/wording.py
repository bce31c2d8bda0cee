"""What a gathered mail tells: its news put together by server, parents above their children, with today's figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from monitor.ledger.accounts.accounts import Books
from monitor.ledger.outages import lengths
from monitor.mail.content import (
    Fell,
    FlappingBegan,
    OutageLetter,
    Rose,
    ServerNews,
    Settled,
    Standing,
)
from monitor.model import CheckKey, State
from monitor.sla.calendar import claim_deadline, month_of
from monitor.sla.percentages import percent_text
from monitor.store import outages

if TYPE_CHECKING:
    from sqlite_utils import Database

    from monitor.ledger.context import Context
    from monitor.mail.content import Event
    from monitor.model import Millis
    from monitor.store.outbox import Mail


def outage_letter(db: Database, context: Context, mail: Mail, at: Millis) -> OutageLetter:
    """Put a gathered mail's news into a letter, as things stand at ``at``."""
    books = Books(db, at, context.terms)
    told: dict[str, list[dict[str, Any]]] = {}
    for news in _settled(mail.body["news"]):
        told.setdefault(news["server"], []).append(news)
    events = {
        server: tuple(_event(books, db, context, mail.customer, news) for news in all_news)
        for server, all_news in told.items()
    }
    standings = {
        server: _standings(books, context, mail.customer, server)
        for server, happened in events.items()
        if any(isinstance(event, Rose) for event in happened)
    }
    return OutageLetter(context.reader(mail.customer), _forest(db, context, events, standings))


def _settled(all_news: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out the beginning of an outage whose end is told by the same mail."""
    ended = {news["outage"] for news in all_news if news["notice"] == "up"}
    return [news for news in all_news if not (news["notice"] == "down" and news["outage"] in ended)]


def _event(books: Books, db: Database, context: Context, customer: str | None, news: dict[str, Any]) -> Event:
    check = news["check"]
    if news["notice"] == "flapping":
        return FlappingBegan(check, news["flapping"], news["changes"])
    if news["notice"] == "settled":
        return Settled(check, State(news["state"]), news["changed"], news["flapping"] or news["changed"])
    outage = outages.get(db, news["outage"])
    if news["notice"] == "down" or outage is None or outage.end is None:
        return Fell(check, news["since"], news["reason"])
    long, excluded = lengths(books, outage)
    deadline = claim_deadline(outage.start, context.zone) if customer is not None else None
    return Rose(
        check=check,
        start=outage.start,
        end=outage.end,
        counted=long.counted,
        least=long.least,
        most=long.most,
        excluded=excluded,
        claim_deadline=deadline,
    )


def _standings(books: Books, context: Context, customer: str | None, server: str) -> tuple[Standing, ...]:
    """Give the month so far of a customer's subscriptions on a server."""
    month = month_of(books.at, context.zone)
    found = []
    for subscription in context.subscriptions_of(server, books.at):
        if subscription.customer != customer:
            continue
        accounts = books.month(*month, only=subscription.id)
        for each in accounts.subscriptions:
            figure = each.account.availability
            shown = percent_text(figure) if figure is not None else None
            target = percent_text(each.account.target)
            found.append(Standing(subscription.id, accounts.label, shown, target, each.account.target_met))
    return tuple(found)


def _forest(
    db: Database,
    context: Context,
    events: dict[str, tuple[Event, ...]],
    standings: dict[str, tuple[Standing, ...]],
) -> tuple[ServerNews, ...]:
    """Stand every server under its parent, where the parent has fallen or is told of by the same mail."""
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

    def news(server: str) -> ServerNews:
        below = tuple(news(child) for child in children.get(server, ()))
        return ServerNews(server, events.get(server, ()), standings.get(server, ()), below)

    return tuple(news(server) for server in roots)


def _is_down(db: Database, server: str) -> bool:
    return outages.is_open(db, CheckKey(server, "ping"))
