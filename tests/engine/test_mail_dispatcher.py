"""Mail leaves: at least once, to everybody who can get it, and never more often than it must."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from monitor.engine.jobs.operator_mail import notify_operators
from monitor.engine.live.telemetry import Telemetry
from monitor.engine.mail_dispatcher import DELIVERY_DEADLINE, MAX_PER_CUSTOMER, POLL_INTERVAL, MailDispatcher
from monitor.errors import StoreError
from monitor.mail.content import OperatorNews
from monitor.mail.delivery.transport import FIRST_RETRY_DELAY, MAX_RETRY_DELAY, QUEUE_LIFETIME, Receipt, TransportError
from monitor.store import outbox
from tests.fakes import (
    DAY,
    HOUR,
    START,
    FakeClock,
    FakeTransport,
    InlineReader,
    InlineWriter,
    ledger_in_memory,
    make_context,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from sqlite_utils import Database

    from monitor.mail.message import Message
    from monitor.model import Millis
    from monitor.store.outbox import Mail, OutboxSummary

IT, CTO, NOC = "it@acme.example", "cto@acme.example", "noc@example.com"
NOBODY_HOME = TransportError(permanent=False, text="relay: connection refused")
NEVER = TransportError(permanent=True, text="550 no such mailbox")


class WriterDoor:
    """What the dispatcher writes through, as the recorder offers it."""

    def __init__(self, writer: InlineWriter) -> None:
        self._writer = writer

    async def write(self, work: Callable[[Database], Any]) -> Any:
        return await self._writer.run(work)


class NotingPost:
    """Tells the operators by mail, as the live picture does, and keeps what it heard."""

    def __init__(self, now: Callable[[], Millis]) -> None:
        self._now = now
        self.dead: list[tuple[int, tuple[str, ...], str]] = []
        self.waiting: list[tuple[int, Millis | None]] = []

    def on_dead_letter(self, mail: Mail, error: str) -> Callable[[Database], object]:
        def work(db: Database) -> None:
            self.dead.append((mail.id, mail.remaining, error))
            if mail.kind != "monitor":
                notify_operators(db, make_context(), OperatorNews.DEAD_LETTER, (error,), self._now())

        return work

    def on_backlog(self, summary: OutboxSummary) -> None:
        self.waiting.append((summary.pending, summary.oldest))


class Office:
    """An outbox, a relay, and the one who carries mail between them."""

    def __init__(self, *answers: Receipt | TransportError) -> None:
        self.clock = FakeClock()
        self.clock_in_doubt = False
        self.db = ledger_in_memory()
        self.writer = InlineWriter(self.db)
        self.transport: Any = FakeTransport(*answers)
        self.telemetry = Telemetry()
        self.post = NotingPost(self.clock.now)
        self.dispatcher = self.another()

    def another(self) -> MailDispatcher:
        """The dispatcher of a process that has just begun."""
        return MailDispatcher(
            InlineReader(self.db),
            WriterDoor(self.writer),
            self.transport,
            "SLA <sla@example.com>",
            self.telemetry,
            now=self.clock.now,
            listener=self.post,
            holds=lambda: self.clock_in_doubt,
        )

    def put(
        self,
        *to: str,
        copies: tuple[str, ...] = (),
        kind: str = "outages",
        sweep: int | None = None,
        server: str | None = None,
        customer: str = "acme",
    ) -> int:
        """Queue a mail to a customer; about a server, or about something of its own."""
        number = len(outbox.list_mails(self.db))
        return outbox.enqueue(
            self.db,
            kind,
            at=self.clock.now(),
            customer=customer,
            recipients=to or (IT,),
            copies=copies,
            language="en",
            message_id=f"<{number}@example.com>",
            body={"news": [{"server": server}] if server else []},
            sweep=sweep,
            subject="DOWN web-01",
            text="text",
            html="<p>text</p>",
            refers=(f"<before-{number}@example.com>",),
        )

    def mail(self, number: int = 1) -> Mail:
        mail = outbox.get(self.db, number)
        assert mail is not None
        return mail

    def run(self, story: Coroutine[Any, Any, None]) -> None:
        self.clock.run(story)

    def send(self) -> int:
        return self.clock.run(self.dispatcher.send_due())

    def work(self, seconds: float) -> None:
        """Let the dispatcher run for so long."""

        async def story() -> None:
            task = asyncio.create_task(self.dispatcher.run())
            await asyncio.sleep(seconds)
            assert not task.done()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self.clock.run(story())

    def work_by_minutes(self, days: int) -> None:
        """Let days pass, with a look into the outbox every minute."""

        async def story() -> None:
            for _ in range(days * 24 * 60):
                await self.dispatcher.send_due()
                await asyncio.sleep(60)

        self.clock.run(story())

    @property
    def delivered(self) -> list[tuple[str, ...]]:
        return [recipients for _, recipients in self.transport.delivered]


# --- one mail --------------------------------------------------------------------------------------------------------


def test_a_mail_that_is_due_leaves_and_is_marked_as_sent() -> None:
    office = Office()
    office.put(IT, copies=(NOC,))
    assert office.send() == 1
    mail = office.mail()
    assert (mail.state, mail.remaining, mail.sent_at, mail.attempts) == ("sent", (), office.clock.now(), 1)
    assert office.delivered == [(IT, NOC)]
    assert (office.telemetry.emails_sent, office.telemetry.emails_failed) == (1, 0)


def test_what_travels_is_what_was_written_down() -> None:
    office = Office()
    office.put(IT, copies=(NOC,))
    office.clock.advance(100)
    office.send()
    message: Message = office.transport.attempts[0][0]
    assert (message.sender, message.to, message.bcc) == ("SLA <sla@example.com>", (IT,), (NOC,))
    assert (message.subject, message.text, message.html) == ("DOWN web-01", "text", "<p>text</p>")
    assert message.references == ("<before-0@example.com>",)
    assert message.date == START
    assert message.message_id == office.mail().message_id


def test_a_mail_that_was_sent_is_not_sent_again() -> None:
    office = Office()
    office.put()
    office.work(3600)
    assert len(office.transport.attempts) == 1


def test_a_mail_that_still_gathers_does_not_leave() -> None:
    office = Office()
    office.put(sweep=7)
    office.work(600)
    assert office.transport.attempts == []


def test_what_another_process_puts_into_the_outbox_leaves_within_seconds() -> None:
    office = Office()

    async def story() -> None:
        task = asyncio.create_task(office.dispatcher.run())
        await asyncio.sleep(1000)
        office.put()
        await asyncio.sleep(2 * POLL_INTERVAL)
        assert office.mail().state == "sent"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    office.run(story())


def test_mails_leave_in_the_order_in_which_they_were_queued() -> None:
    office = Office()
    for _ in range(30):
        office.put()
        office.clock.advance(0.001)
    office.work(1)
    assert [message.date for message, _ in office.transport.attempts] == [START + place for place in range(30)]


def test_how_much_waits_and_since_when_is_heard() -> None:
    office = Office()
    office.put(sweep=3)
    office.clock.advance(1)
    office.put()
    office.send()
    assert office.post.waiting == [(2, START)]


# --- a relay that is away --------------------------------------------------------------------------------------------


def test_a_mail_that_did_not_leave_waits_a_minute_and_then_twice_as_long_each_time() -> None:
    office = Office(*[NOBODY_HOME] * 9)
    office.put()
    tries: list[Millis] = []

    async def story() -> None:
        while office.mail().state == "pending":
            if await office.dispatcher.send_due():
                tries.append(office.clock.now())
            await asyncio.sleep(1)

    office.run(story())
    gaps = [(later - earlier) // 1000 for earlier, later in pairwise(tries)]
    assert gaps == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    assert (FIRST_RETRY_DELAY, MAX_RETRY_DELAY) == (60_000, HOUR)
    assert office.mail().attempts == 10
    assert office.telemetry.emails_failed == 9


def test_a_relay_that_is_away_for_days_loses_nothing_and_gets_each_mail_once() -> None:
    office = Office()
    for _ in range(5):
        office.put()
    begin = office.clock.now()
    office.transport.unreachable = lambda: NOBODY_HOME if office.clock.now() < begin + 3 * DAY else None
    office.work_by_minutes(4)
    assert [office.mail(number).state for number in range(1, 6)] == ["sent"] * 5
    assert len(office.transport.delivered) == 5
    assert len({message.message_id for message, _ in office.transport.attempts}) == 5


@pytest.mark.logs_errors
def test_after_five_days_a_mail_is_given_up_and_the_operators_are_told_once() -> None:
    office = Office()
    office.put()
    office.transport.unreachable = lambda: NOBODY_HOME if office.clock.now() < START + 10 * DAY else None
    office.work_by_minutes(11)
    mail = office.mail()
    assert (mail.state, mail.remaining) == ("dead", (IT,))
    assert "given up" in mail.error
    assert len(office.post.dead) == 1
    assert QUEUE_LIFETIME == 5 * DAY


def test_a_mail_that_is_put_off_holds_up_no_other() -> None:
    office = Office(NOBODY_HOME)
    office.put()
    office.put(CTO)
    office.send()
    assert [office.mail(number).state for number in (1, 2)] == ["pending", "sent"]


def test_the_error_is_kept_on_one_line() -> None:
    office = Office(TransportError(permanent=False, text="451 try\r\nlater"))
    office.put()
    office.send()
    assert office.mail().error == "451 try later"


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.logs_errors
def test_a_mail_that_is_refused_for_good_is_dead_and_the_operators_are_told_once() -> None:
    office = Office(NEVER)
    office.put()
    office.work(3600)
    assert (office.mail().state, office.mail().error) == ("dead", "550 no such mailbox")
    assert office.post.dead == [(1, (IT,), "550 no such mailbox")]
    told = office.mail(2)
    assert (told.kind, told.recipients, told.state) == ("monitor", (NOC,), "sent")


@pytest.mark.logs_errors
def test_word_of_a_dead_letter_that_dies_itself_is_not_told_of() -> None:
    office = Office(NEVER, NEVER)
    office.put()
    office.work(3600)
    assert [office.mail(number).state for number in (1, 2)] == ["dead", "dead"]
    assert len(outbox.list_mails(office.db)) == 2


def test_those_who_were_refused_for_now_are_tried_again_alone() -> None:
    office = Office(Receipt("250 ok", refused_temporarily={CTO: "451 greylisted"}))
    office.put(IT, CTO)
    office.work(120)
    assert office.delivered == [(IT,), (CTO,)]
    assert office.mail().state == "sent"
    assert office.mail().attempts == 2


@pytest.mark.logs_errors
def test_those_who_were_refused_for_good_are_told_to_the_operators_by_name() -> None:
    office = Office(Receipt("250 ok", refused_permanently={CTO: "550 unknown"}))
    office.put(IT, CTO, copies=(NOC,))
    office.work(120)
    assert office.post.dead == [(1, (CTO,), f"{CTO}: 550 unknown")]
    assert (office.mail().state, office.mail().remaining) == ("dead", (CTO,))


def test_some_refused_for_good_and_some_for_now_loses_word_of_neither() -> None:
    office = Office(Receipt("250 ok", refused_permanently={CTO: "550 unknown"}, refused_temporarily={NOC: "451 later"}))
    office.put(IT, CTO, copies=(NOC,))
    office.work(120)
    assert office.post.dead == [(1, (CTO,), f"{CTO}: 550 unknown")]
    assert office.delivered[:1] == [(IT,)]
    assert (NOC,) in office.delivered
    assert CTO not in [address for recipients in office.delivered for address in recipients]


def test_a_failure_on_the_way_remembers_who_was_refused_for_good_before_it() -> None:
    office = Office(TransportError(permanent=False, text="connection lost", refused={CTO: "550 unknown"}))
    office.put(IT, CTO)
    office.work(120)
    assert office.post.dead == [(1, (CTO,), f"{CTO}: 550 unknown")]
    assert (IT,) in office.delivered
    assert (office.mail().state, office.mail().remaining) == ("dead", (CTO,))


@pytest.mark.logs_errors
def test_where_all_were_refused_for_good_on_the_way_the_mail_is_dead() -> None:
    office = Office(TransportError(permanent=False, text="451 later", refused={IT: "550 unknown"}))
    office.put(IT)
    office.send()
    assert office.mail().state == "dead"
    assert len(office.post.dead) == 1


@pytest.mark.logs_errors
def test_a_dead_mail_that_is_revived_is_sent_to_those_who_did_not_get_it() -> None:
    office = Office(Receipt("250 ok", refused_permanently={CTO: "550 unknown"}))
    office.put(IT, CTO)
    office.send()
    outbox.requeue(office.db, office.mail(), office.clock.now())
    office.work(10)
    assert (CTO,) in office.delivered
    assert office.mail().state == "sent"
    assert {message.message_id for message, _ in office.transport.attempts if message.to == (IT, CTO)} == {
        office.mail().message_id
    }


def test_a_requeued_mail_goes_to_everybody_again_with_the_same_message_id() -> None:
    office = Office()
    office.put(IT, copies=(NOC,))
    office.send()
    outbox.requeue(office.db, office.mail(), office.clock.now())
    office.send()
    assert office.delivered == [(IT, NOC), (IT, NOC)]
    assert len({message.message_id for message, _ in office.transport.attempts}) == 1


def test_while_the_clock_is_in_doubt_only_mail_about_the_monitor_leaves() -> None:
    office = Office()
    office.put()
    office.put(kind="monitor")
    office.clock_in_doubt = True
    office.work(10)
    assert [office.mail(number).state for number in (1, 2)] == ["pending", "sent"]
    office.clock_in_doubt = False
    office.work(10)
    assert office.mail(1).state == "sent"


# --- the order of mails about one subject ----------------------------------------------------------------------------


def test_a_mail_waits_for_an_earlier_one_about_its_subject() -> None:
    office = Office(NOBODY_HOME)
    office.put(server="web-01")
    office.put(server="web-01")
    office.put(server="db-01")
    office.send()
    assert [mail.state for mail in outbox.list_mails(office.db)] == ["pending", "pending", "sent"]
    office.work(120)
    assert [message.message_id for message, _ in office.transport.delivered] == [
        office.mail(3).message_id,
        office.mail(1).message_id,
        office.mail(2).message_id,
    ]


@pytest.mark.logs_errors
def test_a_mail_no_longer_waits_for_one_that_is_dead() -> None:
    office = Office(NEVER)
    office.put(server="web-01")
    office.put(server="web-01")
    office.work(30)
    assert [office.mail(number).state for number in (1, 2)] == ["dead", "sent"]


def test_who_has_the_earlier_mail_gets_the_later_one_without_delay() -> None:
    office = Office(Receipt("250 ok", refused_temporarily={CTO: "452 full"}))
    office.put(IT, CTO, server="web-01")
    office.put(IT, CTO, server="web-01")
    office.send()
    office.send()
    assert office.delivered == [(IT,), (IT,)]
    assert office.mail(2).remaining == (CTO,)
    assert office.mail(2).attempts == 0
    office.work(120)
    assert office.delivered == [(IT,), (IT,), (CTO,), (CTO,)]
    assert [office.mail(number).state for number in (1, 2)] == ["sent", "sent"]


def test_a_resent_mail_leaves_before_later_ones_of_its_thread() -> None:
    office = Office()
    first, second = office.put(server="web-01"), office.put(server="web-01")
    for number in (second, first):
        outbox.dead_letter(office.db, number, remaining=[IT], error="550", at=office.clock.now())
    for mail in outbox.dead_mails(office.db):
        outbox.requeue(office.db, mail, office.clock.now())
    office.work(10)
    sent = [message.message_id for message, _ in office.transport.delivered]
    assert sent == [office.mail(first).message_id, office.mail(second).message_id]


def test_a_hundred_mails_that_wait_for_an_earlier_one_hold_up_no_other_subject() -> None:
    office = Office(NOBODY_HOME)
    for _ in range(100):
        office.put(server="web-01")
    last = office.put(server="db-01")
    office.send()
    office.send()
    assert office.mail(last).state == "sent"
    assert len(office.delivered) == 1


def test_a_mail_that_was_withdrawn_on_its_way_stays_withdrawn_when_it_fails() -> None:
    office = Office(NOBODY_HOME)
    office.put()
    mail = office.mail()
    outbox.withdraw(office.db, mail.id, "joined with mail 2", office.clock.now())
    outbox.schedule_retry(office.db, mail.id, remaining=[IT], next_try=0, error="451", at=0)
    outbox.dead_letter(office.db, mail.id, remaining=[IT], error="550", at=0)
    assert office.mail().error == "withdrawn: joined with mail 2"
    assert outbox.summary(office.db) == (0, None, 0)


# --- a crash, a database that refuses, a fault of ours ---------------------------------------------------------------


def test_a_mail_not_marked_as_sent_before_a_crash_is_sent_again_with_its_message_id() -> None:
    office = Office()
    office.put()
    office.writer.failures_left = 1
    with pytest.raises(StoreError):
        office.send()
    office.dispatcher = office.another()
    office.send()
    assert len(office.transport.attempts) == 2
    assert len({message.message_id for message, _ in office.transport.attempts}) == 1
    assert office.mail().state == "sent"


def test_while_the_database_refuses_a_mail_that_left_does_not_leave_again_and_again() -> None:
    office = Office()
    office.put()
    begin = office.clock.now()
    office.writer.is_full = lambda: office.clock.now() < begin + 6 * HOUR
    office.work(7 * 3600)
    assert len(office.transport.attempts) == 1
    assert office.mail().state == "sent"
    assert office.mail().sent_at is not None
    assert (office.mail().sent_at or 0) < begin + HOUR, "it says when it left, not when that could be written"


@pytest.mark.logs_errors
@pytest.mark.parametrize("answer", [NEVER, NOBODY_HOME, Receipt("ok", refused_permanently={IT: "550"})])
def test_while_the_database_refuses_a_mail_that_failed_is_told_once(answer: Receipt | TransportError) -> None:
    office = Office(answer)
    office.put()
    office.writer.failures_left = 20
    office.work(50)
    assert len(office.transport.attempts) <= 2  # the mail, and word of it to the operators
    assert len({message.message_id for message, _ in office.transport.attempts}) == len(office.transport.attempts)
    assert len([mail for mail in outbox.list_mails(office.db) if mail.kind == "monitor"]) <= 1


def test_the_dispatcher_outlives_a_database_that_refuses() -> None:
    office = Office()
    office.writer.failures_left = 3
    for _ in range(3):
        office.put()
    office.work(60)
    assert [office.mail(number).state for number in (1, 2, 3)] == ["sent"] * 3
    assert len(office.transport.attempts) == 3


class FaultyTransport:
    """Raises what no transport may raise, for one mail; takes the others."""

    def __init__(self, faulty: str) -> None:
        self._faulty = faulty
        self.handed: list[tuple[str, ...]] = []

    async def send(self, message: Message, recipients: tuple[str, ...]) -> Receipt:  # noqa: ARG002
        self.handed.append(recipients)
        if self._faulty in recipients:
            raise UnicodeError("a fault in our own code")
        return Receipt("250 ok")


@pytest.mark.logs_errors
def test_a_fault_of_ours_in_one_mail_ends_neither_the_dispatcher_nor_the_mail() -> None:
    office = Office()
    office.transport = office.dispatcher.transport = FaultyTransport(IT)
    office.put(IT)
    office.put(CTO)
    office.work(30)
    assert (office.mail(1).state, office.mail(1).error) == ("pending", "error UnicodeError")
    assert office.mail(2).state == "sent"


def test_a_changed_transport_and_sender_hold_from_the_next_mail_on() -> None:
    office = Office()
    office.put()
    office.send()
    other = FakeTransport()
    office.dispatcher.transport, office.dispatcher.sender = other, "new@example.com"
    office.put()
    office.send()
    assert [message.sender for message, _ in other.attempts] == ["new@example.com"]


# --- slow recipients ------------------------------------------------------------------------------------------------


class SlowTransport:
    """A relay that needs long for some recipients."""

    def __init__(self, **seconds: float) -> None:
        self._seconds = seconds
        """By the part of the address before the @."""
        self.delivered: list[tuple[str, ...]] = []
        self.most_at_once = 0
        self._at_once = 0

    async def send(self, message: Message, recipients: tuple[str, ...]) -> Receipt:  # noqa: ARG002
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            await asyncio.sleep(max(self._seconds.get(address.partition("@")[0], 0.1) for address in recipients))
        finally:
            self._at_once -= 1
        self.delivered.append(recipients)
        return Receipt("250 ok")


def slow_office(**seconds: float) -> Office:
    office = Office()
    office.transport = office.dispatcher.transport = SlowTransport(**seconds)
    return office


@pytest.mark.parametrize("slow", [1, 8, 20])
def test_slow_recipients_hold_up_no_other_customer(slow: int) -> None:
    office = slow_office(slow=300.0)
    for number in range(slow):
        office.put(f"slow@{number}.example", customer=f"slow-{number}")
    for number in range(10):
        office.put(f"it@{number}.example", customer=f"quick-{number}")
    office.work(60)
    assert len(office.transport.delivered) == 10


def test_mail_that_comes_while_a_slow_one_is_on_its_way_leaves_at_once() -> None:
    office = slow_office(slow=300.0)
    office.put("slow@acme.example")

    async def story() -> None:
        task = asyncio.create_task(office.dispatcher.run())
        await asyncio.sleep(30)
        office.put(IT)
        office.put("it@zeta.example", customer="zeta")
        await asyncio.sleep(3 * POLL_INTERVAL)
        assert sorted(office.transport.delivered) == [(IT,), ("it@zeta.example",)]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    office.run(story())


def test_a_customer_with_much_mail_lets_others_go_first() -> None:
    office = slow_office(it=10.0)
    for number in range(200):
        office.put(IT, server=f"web-{number}")
    office.put("cto@zeta.example", customer="zeta")
    office.work(5)
    assert office.transport.delivered == [("cto@zeta.example",)]
    assert office.transport.most_at_once == MAX_PER_CUSTOMER + 1


def test_a_slow_mail_still_comes_before_a_later_one_about_its_subject() -> None:
    office = slow_office(slow=100.0)
    office.put("slow@acme.example", server="web-01")
    office.put("slow@acme.example", server="web-01")
    office.work(150)
    assert [office.mail(number).state for number in (1, 2)] == ["sent", "pending"]


def test_a_delivery_that_never_ends_is_tried_again_later() -> None:
    office = slow_office(slow=1e9)
    office.put("slow@acme.example")
    office.work(DELIVERY_DEADLINE + 5)
    mail = office.mail()
    assert (mail.state, mail.error, mail.attempts) == ("pending", "the delivery took too long", 1)


def test_conversations_are_limited_in_all() -> None:
    office = slow_office(slow=300.0)
    for number in range(100):
        office.put(f"slow@{number}.example", customer=f"slow-{number}")
    office.work(200)
    assert office.transport.most_at_once == 32


# --- each recipient -------------------------------------------------------------------------------------------------


@pytest.mark.logs_errors
@pytest.mark.parametrize(
    "answer",
    [
        Receipt("250 queued as 4F1", refused_permanently={NOC: "550 unknown"}),
        Receipt("250 queued as 4F1", refused_temporarily={NOC: "452 full"}),
    ],
)
def test_a_mail_whose_copy_failed_is_sent(answer: Receipt) -> None:
    office = Office(answer)
    office.put(IT, copies=(NOC,))
    office.send()
    left = office.clock.now()
    never = TransportError(permanent=True, text="550 unknown", refused={NOC: "550 unknown"})
    office.transport.unreachable = lambda: never
    office.work(3600)
    mail = office.mail()
    assert (mail.state, mail.sent_at, mail.remaining) == ("sent", left, (NOC,))
    assert [(each.address, each.copy, each.state, each.reply) for each in mail.deliveries] == [
        (IT, False, "sent", "250 queued as 4F1"),
        (NOC, True, "dead", "550 unknown"),
    ]
    assert office.post.dead[0] == (1, (NOC,), office.post.dead[0][2])
    assert outbox.summary(office.db).dead >= 1


@pytest.mark.logs_errors
def test_each_recipient_keeps_its_own_time_and_reply() -> None:
    office = Office(
        Receipt("250 first", refused_temporarily={CTO: "451 greylisted", NOC: "451 greylisted"}),
        Receipt("250 second", refused_permanently={NOC: "550 unknown"}),
    )
    office.put(IT, CTO, copies=(NOC,))
    office.work(90)
    first, second, copy = office.mail().deliveries
    assert (first.state, first.at, first.reply) == ("sent", START, "250 first")
    assert (second.state, second.at, second.reply) == ("sent", START + 60_000, "250 second")
    assert (copy.state, copy.at, copy.reply) == ("dead", START + 60_000, "550 unknown")
    assert office.mail().state == "sent"


@pytest.mark.logs_errors
def test_a_failed_copy_is_sent_again_to_nobody_else() -> None:
    office = Office(Receipt("250 ok", refused_permanently={NOC: "550 unknown"}))
    office.put(IT, copies=(NOC,))
    office.send()
    outbox.requeue(office.db, office.mail(), office.clock.now())
    office.work(10)
    assert office.delivered[:2] == [(IT,), (NOC,)]
    assert [each.state for each in office.mail().deliveries] == ["sent", "sent"]


@pytest.mark.logs_errors
def test_a_failed_copy_can_be_withdrawn() -> None:
    office = Office(Receipt("250 ok", refused_permanently={NOC: "550 unknown"}))
    office.put(IT, copies=(NOC,), kind="monitor")
    office.send()
    assert [mail.id for mail in outbox.dead_mails(office.db)] == [1]
    outbox.withdraw(office.db, 1, "left the company", office.clock.now())
    assert (office.mail().state, outbox.summary(office.db).dead) == ("sent", 0)


@pytest.mark.logs_errors
def test_a_mail_of_operators_alone_that_reached_none_is_dead() -> None:
    office = Office(NEVER)
    office.put(NOC, kind="monitor")
    office.send()
    assert [each.state for each in office.mail().deliveries] == ["dead"]
    assert office.mail().state == "dead"
