"""The month's report by mail: to each customer, once, with the figures that were frozen."""

from __future__ import annotations

from decimal import Decimal

from monitor.ledger.months.closing import close, closing_of
from monitor.ledger.months.report import close_and_report, report
from monitor.sla.calendar import month_of, month_span
from monitor.store import database
from tests.fakes import HOUR, START, a_context, a_customer, a_server, a_subscription
from tests.ledger.ledger_fixture import Desk

ZONE = "Europe/Istanbul"
WHEN = month_of(START, ZONE)
OVER = month_span(*WHEN, ZONE).end + HOUR


def lived() -> Desk:
    """A month with an outage of a minute; a customer of two services, one of another, and one of nothing measured."""
    servers = [a_server("web-01", "site"), a_server("db-01"), a_server("free-01", level=1)]
    services = [
        a_subscription("acme", "web-01", "web-hosting"),
        a_subscription("acme", "db-01", fee=Decimal("49.90")),
        a_subscription("beta", "db-01"),
        a_subscription("idle", "free-01"),
    ]
    customers = [a_customer("acme", "tr"), a_customer("beta"), a_customer("idle")]
    desk = Desk(a_context(servers, services, customers))
    desk.now_in_force()
    desk.tell(web_01="oooooooooo", web_01__site="oooooooooo", db_01="oooooxoooo")
    return desk


def reported(desk: Desk) -> int:
    with database.transaction(desk.db):
        close_and_report(desk.db, desk.context, WHEN, OVER, "monitor run")
    return len(desk.mails("report"))


def test_each_customer_for_whom_something_was_measured_gets_the_month_in_the_own_language() -> None:
    desk = lived()
    assert reported(desk) == 2
    acme, beta = desk.mails("report")
    closing = closing_of(desk.db, f"{WHEN[0]}-{WHEN[1]:02d}")
    assert closing is not None
    for mail, customer, language in ((acme, "acme", "tr"), (beta, "beta", "en")):
        assert (mail.customer, mail.language) == (customer, language)
        assert (mail.recipients, mail.copies) == ((f"it@{customer}.example",), ("noc@example.com",))
        assert mail.body == {"month": closing.month, "entry": closing.entry}
    assert acme.subject.startswith("RAPOR")
    assert beta.subject.startswith("REPORT")
    assert "acme-web-01" in acme.text
    assert "acme-db-01" in acme.text
    assert "acme" not in beta.text
    assert "90.90 %" in beta.text, "ten minutes up, one down"


def test_a_report_has_the_figures_that_were_frozen_and_is_sent_once() -> None:
    desk = lived()
    with database.transaction(desk.db):
        made, new = close(desk.db, desk.context.terms, WHEN, OVER, "ayse")
        assert new
        assert report(desk.db, desk.context, made, OVER) == 2
    assert reported(desk) == 2, "the month was closed already"


def test_of_a_month_before_the_books_were_opened_nothing_is_sent() -> None:
    desk = Desk(lived().context)
    desk.now_in_force(OVER - 1)
    with database.transaction(desk.db):
        made, _ = close(desk.db, desk.context.terms, WHEN, OVER, "ayse")
        assert report(desk.db, desk.context, made, OVER) == 0
    assert desk.mails("report") == []
