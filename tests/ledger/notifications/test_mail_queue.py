"""Letters into the outbox: who gets them, in which language, under which Message-ID."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.ledger.notifications.mail_queue import queue_mail
from monitor.mail.content import RenderedMail
from monitor.store import database, outbox
from tests.fakes import START, make_context, make_customer, make_server, make_subscription
from tests.ledger.ledger_fixture import LedgerFixture

if TYPE_CHECKING:
    from monitor.store.outbox import Mail

LETTER = RenderedMail("a subject", "its text", "<p>its text</p>")


def posted(
    desk: LedgerFixture, customer: str | None, letter: RenderedMail | None = LETTER, sweep: int | None = None
) -> Mail | None:
    with database.transaction(desk.db):
        number = queue_mail(
            desk.db, desk.context, "test", at=START, customer=customer, body={"a": 1}, rendered=letter, sweep=sweep
        )
    return None if number is None else outbox.get(desk.db, number)


def a_desk(*operators: str) -> LedgerFixture:
    subscriptions = [make_subscription("acme", "web-01")]
    return LedgerFixture(
        make_context([make_server("web-01")], subscriptions, [make_customer("acme", "tr")], operators=operators)
    )


def test_a_letter_goes_to_the_customer_in_its_language_and_a_copy_to_the_operators() -> None:
    mail = posted(a_desk("noc@example.com"), "acme")
    assert mail is not None
    assert (mail.recipients, mail.copies, mail.language) == (("it@acme.example",), ("noc@example.com",), "tr")
    assert (mail.subject, mail.text, mail.html, mail.body) == ("a subject", "its text", "<p>its text</p>", {"a": 1})
    assert mail.message_id.endswith("@example.com>")


def test_what_is_nobodys_goes_to_the_operators_in_english() -> None:
    mail = posted(a_desk("noc@example.com"), None)
    assert mail is not None
    assert (mail.recipients, mail.copies, mail.language) == (("noc@example.com",), (), "en")


def test_nothing_is_queued_where_there_is_nobody_to_send_it_to() -> None:
    desk = a_desk()
    assert posted(desk, None) is None
    assert outbox.list_mails(desk.db) == []


def test_a_mail_without_a_letter_gathers_until_its_sweep_is_over() -> None:
    desk = a_desk()
    mail = posted(desk, "acme", None, 7)
    assert mail is not None
    assert (mail.sweep, mail.subject) == (7, "")
    assert outbox.due_mails(desk.db, START) == []
