"""The month's report by mail: to each customer, once, with the figures that were frozen."""

from __future__ import annotations

from decimal import Decimal

from monitor.ledger.months.closing import close, closing_of
from monitor.ledger.months.report import close_and_report, queue_reports
from monitor.sla.calendar import month_of, month_span
from monitor.store import database
from tests.fakes import HOUR, START, make_context, make_customer, make_server, make_subscription
from tests.ledger.ledger_fixture import LedgerFixture

ZONE = "Europe/Istanbul"
WHEN = month_of(START, ZONE)
OVER = month_span(*WHEN, ZONE).end + HOUR


def lived() -> LedgerFixture:
    """A month with an outage of a minute; a customer of two services, one of another, and one of nothing measured."""
    servers = [make_server("web-01", "site"), make_server("db-01"), make_server("free-01", level=1)]
    services = [
        make_subscription("acme", "web-01", "web-hosting"),
        make_subscription("acme", "db-01", fee=Decimal("49.90")),
        make_subscription("beta", "db-01"),
        make_subscription("idle", "free-01"),
    ]
    customers = [make_customer("acme", "tr"), make_customer("beta"), make_customer("idle")]
    desk = LedgerFixture(make_context(servers, services, customers))
    desk.apply_terms()
    desk.record_sweeps(web_01="oooooooooo", web_01__site="oooooooooo", db_01="oooooxoooo")
    return desk


def reported(desk: LedgerFixture) -> int:
    with database.transaction(desk.db):
        close_and_report(desk.db, desk.context, WHEN, OVER, "monitor run")
    return len(desk.mails("report"))


def test_each_measured_customer_gets_the_month_in_their_own_language() -> None:
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
        assert queue_reports(desk.db, desk.context, made, OVER) == 2
    assert reported(desk) == 2, "the month was closed already"


def test_of_a_month_before_the_books_were_opened_nothing_is_sent() -> None:
    desk = LedgerFixture(lived().context)
    desk.apply_terms(OVER - 1)
    with database.transaction(desk.db):
        made, _ = close(desk.db, desk.context.terms, WHEN, OVER, "ayse")
        assert queue_reports(desk.db, desk.context, made, OVER) == 0
    assert desk.mails("report") == []
