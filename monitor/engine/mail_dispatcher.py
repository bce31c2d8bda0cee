"""Sends the mails of the outbox: each at least once, with retries."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, TypeVar

from monitor.errors import StoreError
from monitor.formatting import one_line
from monitor.mail.delivery.transport import TransportError, next_attempt_at
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
"""Connections at once: a relay that needs seconds for each mail must not delay a hundred customers."""
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


class MailDispatcher:
    """Sends the mails that are due; those of one customer in order."""

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
        """By mail id, outcomes that could not be recorded yet: such a mail must not be sent again."""

    async def run(self) -> None:
        """Send until cancelled; database errors are retried at the next poll."""
        while True:
            try:
                while await self.send_due():
                    pass
            except StoreError as error:
                log.warning("the outbox: %s", error)
            await asyncio.sleep(POLL_INTERVAL)

    async def send_due(self) -> int:
        """Try to send every mail that is due once; return how many there were.

        Raises StoreError if the database refuses; then the next call records the outcomes first.
        """
        for mail_id, work in list(self._unrecorded.items()):
            await self._record_outcome(mail_id, work)
        mails, summary = await self._reader.run(
            lambda db: (
                outbox.due_mails(db, self._now(), kind="monitor" if self._holds() else None),
                outbox.summary(db),
            )
        )
        self._listener.on_backlog(summary)
        by_customer: dict[str | None, list[Mail]] = {}
        for mail in mails:
            by_customer.setdefault(mail.customer, []).append(mail)
        connections = asyncio.Semaphore(MAX_CONNECTIONS)
        outcomes = await asyncio.gather(
            *(self._send_in_order(customer_mails, connections) for customer_mails in by_customer.values()),
            return_exceptions=True,
        )
        for error in outcomes:
            if error is not None:
                raise error
        return len(mails)

    async def _record_outcome(self, mail_id: int, work: Callable[[Database], object]) -> None:
        """Record the outcome of a mail; if the database refuses, keep it until a later call succeeds."""
        self._unrecorded[mail_id] = work
        await self._writer.write(work)
        del self._unrecorded[mail_id]

    async def _send_in_order(self, mails: list[Mail], connections: asyncio.Semaphore) -> None:
        """Send one customer's mails in order, so that the end of an outage never arrives before its start."""
        async with connections:
            for mail in mails:
                await self._send(mail)

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
            receipt = await self.transport.send(message, mail.remaining)
        except TransportError as error:
            await self._on_failed(mail, error)
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
            await self._dead_letter(replace(mail, remaining=tuple(never)), _refusals_text(never), reply)
        else:
            now = self._now()
            await self._record_outcome(mail.id, lambda db: outbox.mark_sent(db, mail.id, now, reply))
            log.info("mail %d sent: %s", mail.id, one_line(mail.subject))

    async def _keep_for_deferred(self, mail: Mail, never: Mapping[str, str], reply: str) -> None:
        """Keep a mail for the recipients who have to get an earlier one first."""
        record_dead_letter = self._undeliverable(mail, never)
        now = self._now()

        def work(db: Database) -> None:
            outbox.keep_for_deferred(db, mail.id, remaining=mail.deferred, at=now, reply=reply)
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
            await self._dead_letter(replace(mail, remaining=(*mail.remaining, *mail.deferred)), error.text)
        elif not remaining and mail.deferred:
            self._telemetry.mail_failed()
            await self._keep_for_deferred(mail, error.refused, "")
        elif not remaining:
            await self._dead_letter(mail, error.text)
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
            await self._dead_letter(lost, f"given up after days: {error}", reply)
            return
        log.warning("mail %d was not sent (%s); it will be tried again", mail.id, one_line(error))
        record_dead_letter, left = self._undeliverable(mail, refused_permanently), (*remaining, *mail.deferred)

        def work(db: Database) -> None:
            outbox.schedule_retry(
                db, mail.id, remaining=left, next_try=next_try, error=one_line(error), at=now, reply=reply
            )
            record_dead_letter(db)

        await self._record_outcome(mail.id, work)

    async def _dead_letter(self, mail: Mail, error: str, reply: str | None = None) -> None:
        """Mark the mail as dead for its remaining recipients and notify the operators, in one transaction."""
        self._telemetry.mail_failed()
        log.error("mail %d is dead (%s): monitor mail resend %d", mail.id, one_line(error), mail.id)
        record_dead_letter, now = self._listener.on_dead_letter(mail, one_line(error)), self._now()

        def work(db: Database) -> None:
            if outbox.is_pending(db, mail.id):  # else it was withdrawn while it was on its way
                outbox.dead_letter(db, mail.id, remaining=mail.remaining, error=one_line(error), at=now, reply=reply)
                record_dead_letter(db)

        await self._record_outcome(mail.id, work)


def _refusals_text(refused: Mapping[str, str]) -> str:
    return "; ".join(f"{address}: {reply}" for address, reply in refused.items())
