"""Certificates that are about to expire: a mail at each of the days that a check names, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.engine.board import Board, CheckEntry
from monitor.engine.certificates import CertificateKeeper
from monitor.mail.certificates import CertificateLetter
from monitor.mail.compose import compose
from monitor.mail.letters import Reader
from monitor.model import CheckKey, Outcome, Result
from tests.books.desk import Desk
from tests.fakes import DAY, HOUR, START, InlineWriter, a_context, a_server, a_subscription

if TYPE_CHECKING:
    from monitor.model import Millis

SITE = CheckKey("web-01", "site")
EXPIRY = (START + 30 * DAY) // 1000


class Office:
    """Books, a board with one check, and a keeper that looks at a moment of the test's choice."""

    def __init__(self, *customers: str, operators: tuple[str, ...] = ("noc@example.com",)) -> None:
        subscriptions = [a_subscription(customer, "web-01") for customer in customers]
        self.desk = Desk(a_context([a_server("web-01")], subscriptions, operators=operators))
        self.desk.now_in_force()
        self.now: Millis = START
        self.board = Board()
        self.board.replace_config([CheckEntry("web-01", "site", "https", "https://acme.example/")], [], ["web-01"])
        self.see(EXPIRY)
        self.begin()

    def see(self, expiry: int) -> None:
        self.board.check_result(Result(SITE, self.now, Outcome.OK, 1, 400, ""), expiry)

    def begin(self, warn_days: tuple[int, ...] = (21, 7, 1)) -> None:
        """Start as a new process does."""
        self.keeper = CertificateKeeper(
            self.board,
            InlineWriter(self.desk.db).run,
            now=lambda: self.now,
            context=lambda: self.desk.context,
            warn_days=lambda: {SITE: warn_days},
        )

    async def look(self, at: Millis) -> list[int]:
        """Give the days of all mails up to then."""
        self.now = at
        await self.keeper.look()
        return [mail.body["days"] for mail in self.desk.mails("certificate")]


async def test_a_mail_goes_out_at_21_7_and_1_days_left_once_each() -> None:
    office = Office("acme")
    end = EXPIRY * 1000
    assert await office.look(end - 22 * DAY) == []
    assert await office.look(end - 21 * DAY) == [21]
    assert await office.look(end - 20 * DAY) == [21]
    office.begin()
    assert await office.look(end - 8 * DAY) == [21]
    assert await office.look(end - 7 * DAY) == [21, 7]
    office.begin()
    assert await office.look(end - 7 * DAY + HOUR) == [21, 7]
    assert await office.look(end - DAY) == [21, 7, 1]
    assert await office.look(end + 9 * DAY) == [21, 7, 1]


async def test_who_looks_late_is_told_of_the_nearest_day_alone() -> None:
    office = Office("acme")
    assert await office.look(EXPIRY * 1000 - 3 * DAY) == [7]


async def test_a_new_certificate_is_told_of_anew() -> None:
    office = Office("acme")
    await office.look(EXPIRY * 1000 - 3 * DAY)
    office.see(EXPIRY + 20 * 86400)
    assert await office.look(EXPIRY * 1000 - 2 * DAY) == [7]
    assert await office.look(EXPIRY * 1000) == [7, 21]


async def test_every_customer_of_the_check_is_told_and_the_operators_get_copies() -> None:
    office = Office("acme", "zeta")
    await office.look(EXPIRY * 1000 - DAY)
    mails = office.desk.mails("certificate")
    assert [mail.customer for mail in mails] == ["acme", "zeta"]
    assert {mail.copies for mail in mails} == {("noc@example.com",)}


async def test_without_a_customer_the_operators_are_told() -> None:
    office = Office()
    await office.look(EXPIRY * 1000 - DAY)
    (mail,) = office.desk.mails("certificate")
    assert (mail.customer, mail.recipients) == (None, ("noc@example.com",))
    assert "days left: 1" in mail.subject


async def test_a_check_that_asks_for_none_gets_none() -> None:
    office = Office("acme")
    office.begin(())
    assert await office.look(EXPIRY * 1000) == []


@pytest.mark.parametrize(("left", "words"), [(5, "kalan gün: 5"), (-1, "süresi doldu")])
def test_the_letter_says_in_the_customers_language_when_it_expires(left: int, words: str) -> None:
    reader = Reader("Acme", "tr", "Europe/Istanbul", "")
    letter = compose(CertificateLetter(reader, "web-01", "site", EXPIRY * 1000, left))
    assert letter.subject == f"SERTİFİKA: {words}: web-01 (site)"
    assert "Bitiş tarihi: " in letter.text
