"""Sends the mails of the outbox: each at least once, with retries.

Nobody waits for the slowest: as soon as one conversation with the relay is over, the next mail leaves, and customers
take turns. A conversation that lasts makes room for another one. ``store/mail_order.py`` keeps the order of the mails
about one subject: a mail that is on its way is still pending there.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from monitor.errors import StoreError
from monitor.formatting import one_line
from monitor.mail.delivery.transport import NO_REFUSALS, TransportError, next_attempt_at
from monitor.mail.message import Message
from monitor.store import outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlite_utils import Database

    from monitor.engine.live.telemetry import Telemetry
    from monitor.mail.delivery.transport import MailTransport, Receipt
    from monitor.model import Millis
    from monitor.store.database_thread import DatabaseThread
    from monitor.store.outbox import Mail, OutboxSummary

T = TypeVar("T")
log = logging.getLogger(__name__)

MAX_CONNECTIONS = 8
"""Conversations at once, without slow ones."""
MAX_SLOW_CONNECTIONS = 24
"""Slow conversations at once besides; with all of them a relay that permits 50 of one client has enough."""
SLOW_AFTER = 15.0
"""Seconds after which a conversation is slow."""
MAX_PER_CUSTOMER = 2
"""Conversations at once about the mails of one customer."""
DELIVERY_DEADLINE = 330.0
"""Seconds for one delivery; the transport's own deadline is shorter."""
BATCH_SIZE = 40
"""Mails that are read from the outbox at once."""
POLL_INTERVAL = 1.0
"""Seconds between reads of the outbox: other processes queue mail too."""


class Writer(Protocol):
    """The writer that also records results, so that it sees every write that fails."""

    async def write(self, work: Callable[[Database], T]) -> T:
        """Do work in the writer's thread, in one transaction."""
        ...


class DeliveryListener(Protocol):
    """Receives delivery failures and the size of the backlog."""

    def on_dead_letter(self, mail: Mail, error: str) -> Callable[[Database], object]:
        """Return the work that records a dead letter, to run in the same transaction."""

    def on_backlog(self, summary: OutboxSummary) -> None:
        """Handle what the outbox holds that has not reached everybody."""


class Conversation(NamedTuple):
    """A mail on its way."""

    mail: Mail
    started: float
    """Seconds of the event loop."""


class MailDispatcher:
    """Sends the mails that are due."""

    def __init__(
        self,
        reader: DatabaseThread,
        writer: Writer,
        transport: MailTransport,
        sender: str,
        telemetry: Telemetry,
        *,
        now: Callable[[], Millis],
        listener: DeliveryListener,
        holds: Callable[[], bool] = lambda: False,
    ) -> None:
        """While ``holds`` says so only what concerns the monitor itself leaves, see ``clock_guard.py``."""
        self.transport = transport
        self.sender = sender
        self._reader = reader
        self._writer = writer
        self._telemetry = telemetry
        self._now = now
        self._listener = listener
        self._holds = holds
        self._unrecorded: dict[int, Callable[[Database], object]] = {}
        """By mail id, outcomes that are not recorded yet: such a mail must not be sent again."""
        self._queue: list[Mail] = []
        """Mails that are due."""
        self._conversations: dict[asyncio.Task[None], Conversation] = {}

    async def run(self) -> None:
        """Send until cancelled; database errors are retried at the next poll."""
        try:
            while True:
                try:
                    await self._record_unrecorded()
                    self._start_conversations()
                    if self._is_idle():
                        await self._fill_queue()
                        self._start_conversations()
                except StoreError as error:
                    log.warning("the outbox: %s", error)
                if (refused := await self._wait(until_one_ends=bool(self._conversations))) is not None:
                    log.warning("the outbox: %s", refused)
        finally:
            await self._cancel_conversations()

    async def send_due(self) -> int:
        """Try to send every mail that is due once; return how many there were.

        Raises StoreError if the database refuses; then the next call records the outcomes first.
        """
        await self._record_unrecorded()
        await self._fill_queue()
        count, refused = len(self._queue), None
        try:
            while self._queue or self._conversations:
                self._start_conversations()
                refused = await self._wait(until_one_ends=True) or refused
        finally:
            await self._cancel_conversations()
        if refused is not None:
            raise refused
        return count

    async def _fill_queue(self) -> None:
        """Read the mails that are due from the outbox."""
        on_their_way = {conversation.mail.id for conversation in self._conversations.values()} | {*self._unrecorded}
        self._queue, summary = await self._reader.run(
            lambda db: (
                outbox.due_mails(
                    db,
                    self._now(),
                    BATCH_SIZE,
                    kind="monitor" if self._holds() else None,
                    on_their_way=on_their_way,
                ),
                outbox.summary(db),
            )
        )
        self._listener.on_backlog(summary)

    def _start_conversations(self) -> None:
        """Start as many conversations as are permitted; a customer who has enough of them waits."""
        customers = self._customers()
        for mail in list(self._queue):
            if not self._free_connections():
                return
            if customers[mail.customer] < MAX_PER_CUSTOMER:
                self._queue.remove(mail)
                customers[mail.customer] += 1
                task = asyncio.create_task(self._send(mail), name=f"mail {mail.id}")
                self._conversations[task] = Conversation(mail, asyncio.get_running_loop().time())

    def _customers(self) -> Counter[str | None]:
        """Return the number of conversations about the mails of each customer."""
        return Counter(conversation.mail.customer for conversation in self._conversations.values())

    def _free_connections(self) -> int:
        """Return how many conversations may begin."""
        now = asyncio.get_running_loop().time()
        slow = sum(now - conversation.started >= SLOW_AFTER for conversation in self._conversations.values())
        fast = len(self._conversations) - slow
        return max(0, MAX_CONNECTIONS - fast - max(0, slow - MAX_SLOW_CONNECTIONS))

    def _is_idle(self) -> bool:
        """Return whether a conversation could begin, but no mail in the queue may leave yet."""
        customers = self._customers()
        return self._free_connections() > 0 and all(
            customers[mail.customer] >= MAX_PER_CUSTOMER for mail in self._queue
        )

    async def _wait(self, *, until_one_ends: bool) -> StoreError | None:
        """Wait until the next poll, or until a conversation ends; return an error of the database."""
        if until_one_ends:
            await asyncio.wait(self._conversations, timeout=POLL_INTERVAL, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(POLL_INTERVAL)
        refused = None
        for task in [task for task in self._conversations if task.done()]:
            del self._conversations[task]
            error = task.exception()
            if isinstance(error, StoreError):
                refused = error
            elif error is not None:
                raise error
        return refused

    async def _cancel_conversations(self) -> None:
        for task in self._conversations:
            task.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)
        self._conversations.clear()

    async def _record_unrecorded(self) -> None:
        """Record the outcomes that the database refused; conversations record their own."""
        recording = {conversation.mail.id for conversation in self._conversations.values()}
        for mail_id, work in list(self._unrecorded.items()):
            if mail_id not in recording:
                await self._record_outcome(mail_id, work)

    async def _record_outcome(self, mail_id: int, work: Callable[[Database], object]) -> None:
        """Record the outcome of a mail; if the database refuses, keep it until a later call succeeds."""
        self._unrecorded[mail_id] = work
        await self._writer.write(work)
        del self._unrecorded[mail_id]

    async def _send(self, mail: Mail) -> None:
        message = Message(
            sender=self.sender,
            to=mail.recipients,
            bcc=mail.copies,
            subject=mail.subject,
            text=mail.text,
            html=mail.html,
            message_id=mail.message_id,
            references=mail.refers,
            date=mail.queued_at,
            language=mail.language,
        )
        try:
            async with asyncio.timeout(DELIVERY_DEADLINE):
                receipt = await self.transport.send(message, mail.remaining)
        except TransportError as error:
            await self._on_failed(mail, error)
            return
        except TimeoutError:
            await self._on_failed(mail, TransportError(permanent=False, text="the delivery took too long"))
            return
        except Exception as error:  # a bug that affects one mail must not end the monitoring
            log.exception("mail %d could not be sent", mail.id)
            await self._on_failed(mail, TransportError(permanent=False, text=f"error {type(error).__name__}"))
            return
        self._telemetry.mail_sent()
        await self._on_accepted(mail, receipt)

    async def _on_accepted(self, mail: Mail, receipt: Receipt) -> None:
        """Handle a mail that was accepted for some or all recipients: retry the others, or notify the operators."""
        later, never, reply = receipt.refused_temporarily, receipt.refused_permanently, one_line(receipt.reply)
        if later:
            self._telemetry.mail_failed()
            await self._schedule_retry(mail, tuple(later), _refusals_text(later), never, reply)
        elif mail.deferred:
            await self._keep_for_deferred(mail, never, reply)
        elif never:
            await self._dead_letter(replace(mail, remaining=tuple(never)), _refusals_text(never), reply, never)
        else:
            now = self._now()
            await self._record_outcome(mail.id, lambda db: outbox.mark_sent(db, mail.id, now, reply))
            log.info("mail %d sent: %s", mail.id, one_line(mail.subject))

    async def _keep_for_deferred(self, mail: Mail, never: Mapping[str, str], reply: str | None) -> None:
        """Keep a mail for the recipients who have to get an earlier one first."""
        record_dead_letter = self._undeliverable(mail, never)
        now = self._now()

        def work(db: Database) -> None:
            outbox.keep_for_deferred(
                db, mail.id, remaining=mail.deferred, at=now, reply=reply, refused=_one_line_each(never)
            )
            record_dead_letter(db)

        await self._record_outcome(mail.id, work)

    def _undeliverable(self, mail: Mail, never: Mapping[str, str]) -> Callable[[Database], object]:
        """Return the work that notifies the operators of recipients who are refused for good, if there are any."""
        if not never:
            return lambda _: None
        return self._listener.on_dead_letter(replace(mail, remaining=tuple(never)), one_line(_refusals_text(never)))

    async def _on_failed(self, mail: Mail, error: TransportError) -> None:
        remaining = tuple(address for address in mail.remaining if address not in error.refused)
        if error.permanent:
            lost = replace(mail, remaining=(*mail.remaining, *mail.deferred))
            await self._dead_letter(lost, error.text, refused=error.refused)
        elif not remaining and mail.deferred:
            self._telemetry.mail_failed()
            await self._keep_for_deferred(mail, error.refused, None)
        elif not remaining:
            await self._dead_letter(mail, error.text, refused=error.refused)
        else:
            self._telemetry.mail_failed()
            await self._schedule_retry(mail, remaining, error.text, error.refused)

    async def _schedule_retry(
        self,
        mail: Mail,
        remaining: tuple[str, ...],
        error: str,
        refused_permanently: Mapping[str, str],
        reply: str | None = None,
    ) -> None:
        """Keep the mail for recipients that may still get it; notify the operators of the permanently refused ones."""
        now = self._now()
        next_try = next_attempt_at(mail.attempts + 1, mail.since, now)
        if next_try is None:
            lost = replace(mail, remaining=(*remaining, *mail.deferred, *refused_permanently))
            await self._dead_letter(lost, f"given up after days: {error}", reply, refused_permanently)
            return
        log.warning("mail %d was not sent (%s); it will be tried again", mail.id, one_line(error))
        record_dead_letter, left = self._undeliverable(mail, refused_permanently), (*remaining, *mail.deferred)

        def work(db: Database) -> None:
            outbox.schedule_retry(
                *(db, mail.id),
                remaining=left,
                next_try=next_try,
                error=one_line(error),
                at=now,
                reply=reply,
                refused=_one_line_each(refused_permanently),
            )
            record_dead_letter(db)

        await self._record_outcome(mail.id, work)

    async def _dead_letter(
        self, mail: Mail, error: str, reply: str | None = None, refused: Mapping[str, str] = NO_REFUSALS
    ) -> None:
        """Mark the mail as dead for its remaining recipients and notify the operators, in one transaction."""
        self._telemetry.mail_failed()
        log.error(
            "mail %d did not reach %s (%s): monitor mail resend %d",
            *(mail.id, ", ".join(mail.remaining), one_line(error), mail.id),
        )
        record_dead_letter, now = self._listener.on_dead_letter(mail, one_line(error)), self._now()

        def work(db: Database) -> None:
            if outbox.is_pending(db, mail.id):  # else it was withdrawn while it was on its way
                outbox.dead_letter(
                    *(db, mail.id),
                    remaining=mail.remaining,
                    error=one_line(error),
                    at=now,
                    reply=reply,
                    refused=_one_line_each(refused),
                )
                record_dead_letter(db)

        await self._record_outcome(mail.id, work)


def _refusals_text(refused: Mapping[str, str]) -> str:
    return "; ".join(f"{address}: {reply}" for address, reply in refused.items())


def _one_line_each(refused: Mapping[str, str]) -> dict[str, str]:
    return {address: one_line(reply) for address, reply in refused.items()}
