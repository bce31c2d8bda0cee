"""Mail leaves: what waits in the outbox is handed to the transport, at least once, for as long as that takes."""

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
    from monitor.mail.delivery.transport import MailTransport
    from monitor.model import Millis
    from monitor.store.database_thread import DatabaseThread
    from monitor.store.outbox import Mail

T = TypeVar("T")
log = logging.getLogger(__name__)

MAX_CONNECTIONS = 8
"""Mails under way at once: a relay that thinks for seconds about each must not hold up a hundred customers."""
POLL_INTERVAL = 1.0
"""Seconds between looks into the outbox: other processes put mail into it too."""


class Writer(Protocol):
    """Who writes; the same one that results go to, so that it knows of every write that failed."""

    async def write(self, work: Callable[[Database], T]) -> T:
        """Do work in the writer's thread, in one transaction."""
        ...


class DeliveryListener(Protocol):
    """Who hears of mail that went wrong."""

    def on_dead_letter(self, mail: Mail, error: str) -> Callable[[Database], object]:
        """Return what is to be written down when a mail goes to the dead letters, in the same transaction."""

    def on_backlog(self, pending: tuple[int, Millis | None]) -> None:
        """Hear how many mails have not left, and since when the oldest of them waits."""


class MailDispatcher:
    """Sends what is due, the mails of one customer one after the other."""

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
    ) -> None:
        self.transport = transport
        self.sender = sender
        self._reader = reader
        self._writer = writer
        self._telemetry = telemetry
        self._now = now
        self._listener = listener
        self._unrecorded: dict[int, Callable[[Database], object]] = {}
        """By mail, what came of it and could not be written down yet: it must not leave once more for that."""

    async def run(self) -> None:
        """Send until cancelled; a database that refuses is tried again at the next look."""
        while True:
            try:
                while await self.send_due():
                    pass
            except StoreError as error:
                log.warning("the outbox: %s", error)
            await asyncio.sleep(POLL_INTERVAL)

    async def send_due(self) -> int:
        """Try every mail that is due, once; gives how many there were.

        Raises StoreError where the database refuses; then what came of the mails is written down first next time.
        """
        for number, work in list(self._unrecorded.items()):
            await self._record_outcome(number, work)
        mails, waiting = await self._reader.run(
            lambda db: (outbox.due_mails(db, self._now()), outbox.pending_summary(db))
        )
        self._listener.on_backlog(waiting)
        by_customer: dict[str | None, list[Mail]] = {}
        for mail in mails:
            by_customer.setdefault(mail.customer, []).append(mail)
        lines = asyncio.Semaphore(MAX_CONNECTIONS)
        ended = await asyncio.gather(
            *(self._send_in_order(each, lines) for each in by_customer.values()), return_exceptions=True
        )
        for error in ended:
            if error is not None:
                raise error
        return len(mails)

    async def _record_outcome(self, mail_id: int, work: Callable[[Database], object]) -> None:
        """Write down what came of a mail; where the database refuses, it is remembered until it does not."""
        self._unrecorded[mail_id] = work
        await self._writer.write(work)
        del self._unrecorded[mail_id]

    async def _send_in_order(self, mails: list[Mail], connections: asyncio.Semaphore) -> None:
        """Send one customer's mails one after the other, so that an end never overtakes its beginning."""
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
        except Exception as error:  # a fault of ours in one mail must not end the monitoring
            log.exception("mail %d could not be handed over", mail.id)
            await self._on_failed(mail, TransportError(permanent=False, text=f"error {type(error).__name__}"))
            return
        self._telemetry.mail_sent()
        await self._on_accepted(mail, receipt.refused_temporarily, receipt.refused_permanently)

    async def _on_accepted(
        self, mail: Mail, refused_temporarily: Mapping[str, str], refused_permanently: Mapping[str, str]
    ) -> None:
        """Some or all have it: those who were refused are tried again, or are told to the operators."""
        if refused_temporarily:
            self._telemetry.mail_failed()
            await self._schedule_retry(
                mail, tuple(refused_temporarily), _refusals_text(refused_temporarily), refused_permanently
            )
        elif refused_permanently:
            await self._dead_letter(
                replace(mail, remaining=tuple(refused_permanently)), _refusals_text(refused_permanently)
            )
        else:
            now = self._now()
            await self._record_outcome(mail.id, lambda db: outbox.mark_sent(db, mail.id, now))
            log.info("mail %d sent: %s", mail.id, one_line(mail.subject))

    async def _on_failed(self, mail: Mail, error: TransportError) -> None:
        remaining = tuple(address for address in mail.remaining if address not in error.refused)
        if error.permanent or not remaining:
            await self._dead_letter(mail, error.text)
        else:
            self._telemetry.mail_failed()
            await self._schedule_retry(mail, remaining, error.text, error.refused)

    async def _schedule_retry(
        self, mail: Mail, remaining: tuple[str, ...], error: str, refused_permanently: Mapping[str, str]
    ) -> None:
        """Keep the mail for recipients that may still get it; notify the operators of the permanently refused ones."""
        following = next_attempt_at(mail.attempts + 1, mail.since, self._now())
        if following is None:
            await self._dead_letter(
                replace(mail, remaining=(*remaining, *refused_permanently)), f"given up after days: {error}"
            )
            return
        log.warning("mail %d did not leave (%s), it will be tried again", mail.id, one_line(error))
        lost = replace(mail, remaining=tuple(refused_permanently))
        tell = (
            self._listener.on_dead_letter(lost, one_line(_refusals_text(refused_permanently)))
            if refused_permanently
            else None
        )

        def work(db: Database) -> None:
            outbox.schedule_retry(db, mail.id, remaining=remaining, next_try=following, error=one_line(error))
            if tell is not None:
                tell(db)

        await self._record_outcome(mail.id, work)

    async def _dead_letter(self, mail: Mail, error: str) -> None:
        """Put the mail into the dead letters for all who remain, and tell the operators in the same transaction."""
        self._telemetry.mail_failed()
        log.error("mail %d is dead (%s): monitor mail resend %d", mail.id, one_line(error), mail.id)
        tell = self._listener.on_dead_letter(mail, one_line(error))

        def work(db: Database) -> None:
            outbox.dead_letter(db, mail.id, remaining=mail.remaining, error=one_line(error))
            tell(db)

        await self._record_outcome(mail.id, work)


def _refusals_text(refused: Mapping[str, str]) -> str:
    return "; ".join(f"{address}: {reply}" for address, reply in refused.items())
