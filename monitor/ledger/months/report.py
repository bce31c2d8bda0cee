"""The monthly report by mail (7): when a month is closed, each customer gets its figures.

It is queued in the transaction of the closing, so that it is sent once, with the frozen figures. Months before the
first journal entry get no report: imported history sends no mail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from monitor.ledger.months.closing import close_with_recorded_terms
from monitor.ledger.notifications.mail_queue import queue_mail
from monitor.mail.compose import compose
from monitor.mail.content import ReportMail, ReportRow
from monitor.sla.availability import percent_text
from monitor.store import journal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlite_utils import Database

    from monitor.ledger.context import LedgerContext
    from monitor.ledger.months.closing import Closing
    from monitor.model import Millis
    from monitor.sla.availability import Percent


def close_and_report(db: Database, context: LedgerContext, when: tuple[int, int], at: Millis, by: str) -> Closing:
    """Close a finished month with the recorded terms, and queue its reports."""
    closing, new = close_with_recorded_terms(db, when, at, by)
    if new:
        queue_reports(db, context, closing, at)
    return closing


def queue_reports(db: Database, context: LedgerContext, closing: Closing, at: Millis) -> int:
    """Queue the report of a closed month to each customer with measured time in it; return how many."""
    first = journal.first(db)
    if first is None or first.at >= closing.window.end:
        return 0
    rows: dict[str, list[ReportRow]] = {}
    for customer, row in _report_rows(closing):
        rows.setdefault(customer, []).append(row)
    customers = [customer for customer in rows if customer in context.customers]
    for customer in customers:
        rendered = compose(ReportMail(context.recipient(customer), closing.month, tuple(rows[customer])))
        body = {"month": closing.month, "entry": closing.entry}
        queue_mail(db, context, "report", at=at, customer=customer, body=body, rendered=rendered)
    return len(customers)


def _report_rows(closing: Closing) -> Iterator[tuple[str, ReportRow]]:
    for name, frozen in sorted(closing.subscriptions.items()):
        if frozen["up"] or frozen["down"] or frozen["excluded"]:
            yield frozen["customer"], _report_row(name, frozen)


def _report_row(name: str, frozen: dict[str, Any]) -> ReportRow:
    amount = frozen["credit_amount"]
    return ReportRow(
        subscription=name,
        server=frozen["server"],
        availability=_percent_text(frozen["availability"]),
        lowest=_percent_text(frozen["lowest"]),
        highest=_percent_text(frozen["highest"]),
        coverage=_percent_text(frozen["coverage"]),
        target=percent_text(frozen["target"]),
        target_met=frozen["target_met"],
        down=frozen["down"],
        excluded=frozen["excluded"],
        credit_percent=str(frozen["credit"]),
        credit_certain=frozen["credit_certain"],
        credit_amount=None if amount is None else f"{amount} {frozen['currency']}",
    )


def _percent_text(figure: Percent | None) -> str | None:
    return None if figure is None else percent_text(figure)
