"""Certificates that are about to expire: a mail at each of the days that checks name, once for each customer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.engine.jobs.certificate_expiry import CertificateExpiryReminder
from monitor.engine.live.state import CheckEntry, LiveState
from monitor.mail.compose import compose
from monitor.mail.content import CertificateMail, ExpiringCertificate, Recipient
from monitor.model import Certificate, CheckKey, Outcome, Result
from tests.fakes import (
    DAY,
    HOUR,
    MINUTE,
    START,
    InlineWriter,
    make_context,
    make_server,
    make_subscription,
    replace_config,
)
from tests.ledger.ledger_fixture import LedgerFixture

if TYPE_CHECKING:
    from monitor.model import Millis
    from monitor.store.outbox import Mail

SITE = CheckKey("web-01", "site")
MAIL = CheckKey("mail-01", "imap")
EXPIRY = (START + 30 * DAY) // 1000
END = EXPIRY * 1000
OLD, NEW = "ab" * 32, "cd" * 32
WARN = (21, 7, 1)


def certificate(fingerprint: str = OLD, expiry: int = EXPIRY) -> Certificate:
    return Certificate(fingerprint, expiry, expiry)


class Office:
    """Books, a board with a check on each of two servers, and a keeper that looks at a moment of the test's choice."""

    def __init__(self, *customers: str, operators: tuple[str, ...] = ("noc@example.com",)) -> None:
        servers = ("web-01", "mail-01")
        subscriptions = [make_subscription(customer, server) for customer in customers for server in servers]
        self.desk = LedgerFixture(
            make_context([make_server(server) for server in servers], subscriptions, operators=operators)
        )
        self.desk.apply_terms()
        self.now: Millis = START
        self.board = LiveState()
        entries = [CheckEntry(key.server, key.name, "tls", "acme.example:443") for key in (SITE, MAIL)]
        replace_config(self.board, entries, [], servers)
        self.see(certificate())
        self.begin()

    def see(self, seen: Certificate, key: CheckKey = SITE) -> None:
        self.board.set_check_result(Result(key, self.now, Outcome.OK, 1, 400, ""), seen)

    def begin(self, site: tuple[int, ...] = WARN, mail: tuple[int, ...] = WARN) -> None:
        """Start as a new process does."""
        asked = {key: days for key, days in ((SITE, site), (MAIL, mail)) if days}
        self.keeper = CertificateExpiryReminder(
            self.board,
            InlineWriter(self.desk.db).run,
            now=lambda: self.now,
            context=lambda: self.desk.context,
            warn_days=lambda: asked,
        )

    async def look(self, at: Millis) -> list[int]:
        """Look as a daemon does up to a moment, every minute; give the days that all mails up to then told of."""
        for self.now in (at - MINUTE, at):
            await self.keeper.run()
        return [told["days"] for mail in self.mails() for told in mail.body["certificates"]]

    def mails(self) -> list[Mail]:
        return self.desk.mails("certificate")


async def test_a_mail_goes_out_at_21_7_and_1_days_left_once_each() -> None:
    office = Office("acme")
    assert await office.look(END - 22 * DAY) == []
    assert await office.look(END - 21 * DAY) == [21]
    assert await office.look(END - 20 * DAY) == [21]
    office.begin()
    assert await office.look(END - 8 * DAY) == [21]
    assert await office.look(END - 7 * DAY) == [21, 7]
    office.begin()
    assert await office.look(END - 7 * DAY + HOUR) == [21, 7]
    assert await office.look(END - DAY) == [21, 7, 1]
    assert await office.look(END + 9 * DAY) == [21, 7, 1]


async def test_who_looks_late_is_told_of_the_nearest_day_alone() -> None:
    assert await Office("acme").look(END - 3 * DAY) == [7]


async def test_a_certificate_that_several_checks_show_is_told_of_once_with_all_of_them() -> None:
    office = Office("acme")
    office.see(certificate(), MAIL)
    assert await office.look(END - 21 * DAY) == [21]
    (mail,) = office.mails()
    assert mail.body["certificates"][0]["checks"] == [["web-01", "site"], ["mail-01", "imap"]]
    assert mail.subject == "CERTIFICATE: days left: 21: web-01, mail-01"
    assert "web-01 (site), mail-01 (imap)" in mail.text
    office.begin()
    assert await office.look(END - 20 * DAY) == [21]


async def test_a_check_that_is_later_in_the_first_sweep_is_in_the_same_mail() -> None:
    office = Office("acme")
    office.now = END - 21 * DAY
    await office.keeper.run()
    assert office.mails() == []
    office.see(certificate(), MAIL)
    office.now += MINUTE
    await office.keeper.run()
    (mail,) = office.mails()
    assert len(mail.body["certificates"][0]["checks"]) == 2


async def test_two_certificates_of_one_customer_are_in_one_mail_the_nearest_first() -> None:
    office = Office("acme")
    office.see(certificate(NEW, EXPIRY - 3 * 86_400), MAIL)
    await office.look(END - 7 * DAY)
    (mail,) = office.mails()
    told = [(each["fingerprint"], each["days"]) for each in mail.body["certificates"]]
    assert told == [(NEW, 7), (OLD, 7)]
    assert mail.subject.startswith("CERTIFICATE: days left: 4: mail-01, web-01")


async def test_a_new_certificate_is_told_of_anew_even_with_the_same_end() -> None:
    office = Office("acme")
    await office.look(END - 3 * DAY)
    office.see(certificate(NEW, EXPIRY + 20 * 86_400))
    assert await office.look(END - 2 * DAY) == [7]
    assert await office.look(END) == [7, 21]
    office.see(certificate("ef" * 32, EXPIRY + 20 * 86_400))
    assert await office.look(END + DAY) == [7, 21, 21]


async def test_every_customer_of_the_check_is_told_and_the_operators_get_copies() -> None:
    office = Office("acme", "zeta")
    await office.look(END - DAY)
    assert [mail.customer for mail in office.mails()] == ["acme", "zeta"]
    assert {mail.copies for mail in office.mails()} == {("noc@example.com",)}


async def test_a_customer_who_comes_later_is_told_and_nobody_twice() -> None:
    office = Office("acme")
    await office.look(END - DAY)
    later = Office("acme", "zeta").desk.context
    office.desk.reconfigure(later, END - DAY + HOUR)
    await office.look(END - DAY + 2 * HOUR)
    assert [mail.customer for mail in office.mails()] == ["acme", "zeta"]


async def test_without_a_customer_the_operators_are_told() -> None:
    office = Office()
    await office.look(END - DAY)
    (mail,) = office.mails()
    assert (mail.customer, mail.recipients) == (None, ("noc@example.com",))
    assert "days left: 1" in mail.subject


async def test_a_check_that_asks_for_none_gets_none() -> None:
    office = Office("acme")
    office.begin(())
    assert await office.look(END) == []


async def test_checks_that_want_different_days_are_told_at_each_of_them() -> None:
    office = Office("acme")
    office.see(certificate(), MAIL)
    office.begin((30,), (7,))
    assert await office.look(END - 29 * DAY) == [30]
    assert await office.look(END - 6 * DAY) == [30, 7]


def a_letter(days: int, *checks: CheckKey, count: int = 1) -> CertificateMail:
    reader = Recipient("Acme", "tr", "Europe/Istanbul", "")
    return CertificateMail(reader, tuple(ExpiringCertificate(OLD, END, days, checks or (SITE,)) for _ in range(count)))


@pytest.mark.parametrize(
    ("left", "subject", "title"),
    [
        (5, "SERTİFİKA: kalan gün: 5: web-01 (site)", "Bir sertifikanın süresi dolmak üzere"),
        (-1, "SERTİFİKA: süresi doldu: web-01 (site)", "Bir sertifikanın süresi doldu"),
    ],
)
def test_the_letter_says_in_the_customers_language_when_it_expires(left: int, subject: str, title: str) -> None:
    letter = compose(a_letter(left))
    assert letter.subject == subject
    assert title in letter.text
    assert "Bitiş tarihi: " in letter.text
    assert OLD in letter.text


def test_a_letter_about_a_thousand_certificates_of_a_thousand_servers_stays_short() -> None:
    checks = tuple(CheckKey(f"a-server-with-a-long-name-{number}", "site") for number in range(1000))
    letter = compose(a_letter(5, *checks, count=1000))
    assert len(letter.html) + len(letter.text) < 400_000
    assert len(letter.subject) <= 60
    assert "sertifikalar: 950" in letter.text
