"""The month's report by mail (7): when a month is closed, each customer is told what it came to.

It is queued in the transaction of the closing, so that it is sent once, with the figures that were frozen. Of a month
in which the books were not open yet nothing is sent: imported history sends no mail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from monitor.ledger.months.closing import close_recorded
from monitor.ledger.notifications.mail_queue import post
from monitor.mail.content import MonthLine, ReportLetter
from monitor.mail.rendering.compose import compose
from monitor.sla.percentages import percent_text
from monitor.store import journal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlite_utils import Database

    from monitor.ledger.context import Context
    from monitor.ledger.months.closing import Closing
    from monitor.model import Millis
    from monitor.sla.percentages import Percent


def close_and_report(db: Database, context: Context, when: tuple[int, int], at: Millis, by: str) -> Closing:
    """Close a month that is due with the terms that were recorded, and queue its reports."""
    closing, new = close_recorded(db, when, at, by)
    if new:
        report(db, context, closing, at)
    return closing


def report(db: Database, context: Context, closing: Closing, at: Millis) -> int:
    """Queue a mail to each customer for whom anything was measured in a month that was just closed; gives how many."""
    first = journal.first(db)
    if first is None or first.at >= closing.window.end:
        return 0
    found: dict[str, list[MonthLine]] = {}
    for customer, line in _lines(closing):
        found.setdefault(customer, []).append(line)
    told = [customer for customer in found if customer in context.customers]
    for customer in told:
        letter = compose(ReportLetter(context.reader(customer), closing.month, tuple(found[customer])))
        body = {"month": closing.month, "entry": closing.entry}
        post(db, context, "report", at=at, customer=customer, body=body, letter=letter)
    return len(told)


def _lines(closing: Closing) -> Iterator[tuple[str, MonthLine]]:
    for name, frozen in sorted(closing.subscriptions.items()):
        if frozen["up"] or frozen["down"] or frozen["excluded"]:
            yield frozen["customer"], _line(name, frozen)


def _line(name: str, frozen: dict[str, Any]) -> MonthLine:
    amount = frozen["credit_amount"]
    return MonthLine(
        subscription=name,
        server=frozen["server"],
        availability=_text(frozen["availability"]),
        lowest=_text(frozen["lowest"]),
        highest=_text(frozen["highest"]),
        coverage=_text(frozen["coverage"]),
        target=percent_text(frozen["target"]),
        target_met=frozen["target_met"],
        down=frozen["down"],
        excluded=frozen["excluded"],
        credit_percent=str(frozen["credit"]),
        credit_certain=frozen["credit_certain"],
        credit_amount=None if amount is None else f"{amount} {frozen['currency']}",
    )


def _text(figure: Percent | None) -> str | None:
    return None if figure is None else percent_text(figure)
