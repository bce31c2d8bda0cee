"""The daemon's eye on claims: metrics say how many wait, and the operators are told once of each that is overdue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.engine.jobs.overdue_claims import OverdueClaimReminder
from monitor.engine.live.telemetry import Telemetry
from monitor.ledger.claims import answers
from monitor.ledger.claims.claims import open_claim
from monitor.store import database
from tests.fakes import DAY, HOUR, START, InlineReader, InlineWriter, make_context, make_server, make_subscription
from tests.ledger.ledger_fixture import LedgerFixture

if TYPE_CHECKING:
    from monitor.model import Millis

DUE = START + 4 * DAY + 11 * HOUR
"""24:00 of Tuesday: the claim is made on Friday at 14:00 in Istanbul."""


class Office:
    """Books with an outage on two servers, and a keeper that looks at a moment of the test's choice."""

    def __init__(self, operators: tuple[str, ...] = ("noc@example.com",)) -> None:
        names = ("web-01", "web-02")
        subscriptions = [make_subscription("acme", name) for name in names]
        self.desk = LedgerFixture(
            make_context([make_server(name) for name in names], subscriptions, operators=operators)
        )
        self.desk.apply_terms()
        self.desk.record_sweeps(web_01="oxo", web_02="oxo")
        self.writer = InlineWriter(self.desk.db)
        self.now: Millis = START
        self.begin()

    def begin(self) -> None:
        """Start as a new process does."""
        self.telemetry = Telemetry()
        self.keeper = OverdueClaimReminder(
            InlineReader(self.desk.db),
            self.writer.run,
            self.telemetry,
            now=lambda: self.now,
            context=lambda: self.desk.context,
        )

    def claim(self, outage: int, at: Millis = START + HOUR) -> None:
        with database.transaction(self.desk.db):
            open_claim(self.desk.db, self.desk.context, f"acme-web-0{outage}", outage, None, at)

    def answer(self, number: int, at: Millis) -> None:
        with database.transaction(self.desk.db):
            answers.answer(self.desk.db, self.desk.context, number, "", at)

    async def look(self, at: Millis) -> tuple[int | None, int | None, int]:
        """Give what the metrics say then, and how many mails the operators have got."""
        self.now = at
        await self.keeper.run()
        return self.telemetry.claims_open, self.telemetry.claims_overdue, len(self.desk.mails("monitor"))


async def test_a_claim_waits_and_at_24_00_itself_its_answer_is_not_overdue() -> None:
    office = Office()
    assert await office.look(START) == (0, 0, 0)
    office.claim(1)
    assert await office.look(START + HOUR) == (1, 0, 0)
    assert await office.look(DUE) == (1, 0, 0)
    assert await office.look(DUE + 1) == (1, 1, 1)


async def test_the_operators_are_told_once_of_each_claim_also_after_a_restart() -> None:
    office = Office()
    office.claim(1)
    await office.look(DUE + 1)
    office.claim(2, DUE + 2)
    assert await office.look(DUE + HOUR) == (2, 1, 1)
    office.begin()
    assert await office.look(DUE + 2 * HOUR) == (2, 1, 1)
    assert await office.look(DUE + 30 * DAY) == (2, 2, 2)
    told = [mail.body for mail in office.desk.mails("monitor")]
    assert told == [{"news": "overdue", "claim": 1}, {"news": "overdue", "claim": 2}]


async def test_the_mail_names_the_claim_and_when_its_answer_was_due_and_is_queued_now() -> None:
    office = Office()
    office.claim(1)
    await office.look(DUE + 10 * DAY)
    (mail,) = office.desk.mails("monitor")
    assert (mail.recipients, mail.queued_at) == (("noc@example.com",), DUE + 10 * DAY)
    assert "An answer was due at 2026-10-06 24:00" in mail.text
    assert "claim 1: acme-web-01, outage 1 (web-01/ping)" in mail.text


async def test_an_answer_takes_the_claim_off_the_metrics() -> None:
    office = Office()
    office.claim(1)
    await office.look(DUE + 1)
    office.answer(1, DUE + HOUR)
    assert await office.look(DUE + HOUR) == (0, 0, 1)


async def test_a_claim_answered_before_anybody_looked_is_not_told() -> None:
    office = Office()
    office.claim(1)
    office.answer(1, DUE + 1)
    assert await office.look(DUE + HOUR) == (0, 0, 0)


async def test_what_the_database_refused_to_write_is_told_at_the_next_look() -> None:
    office = Office()
    office.claim(1)
    office.writer.failures_left = 1
    assert await office.look(DUE + 1) == (1, 1, 0)
    assert await office.look(DUE + HOUR) == (1, 1, 1)


async def test_without_operators_nobody_is_told_and_the_metrics_say_it_all_the_same() -> None:
    office = Office(operators=())
    office.claim(1)
    assert await office.look(DUE + 1) == (1, 1, 0)


async def test_nothing_is_read_again_while_nothing_was_recorded_and_nothing_became_due() -> None:
    office = Office()
    office.claim(1)
    await office.look(START + HOUR)
    office.telemetry.set_open_claims(7, 7)  # would be put right by a reading
    assert await office.look(DUE) == (7, 7, 0)
    assert await office.look(DUE + 1) == (1, 1, 1)
