"""Mail leaves: what waits in the outbox is handed to the transport, at least once, for as long as that takes."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, TypeVar

from monitor.errors import StoreError
from monitor.mail.delivery.transport import TransportError, next_attempt
from monitor.mail.message import Message
from monitor.mail.text import one_line
from monitor.store import outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlite_utils import Database

    from monitor.engine.live.telemetry import Telemetry
    from monitor.mail.delivery.transport import Transport
    from monitor.model import Millis
    from monitor.store.outbox import Mail
    from monitor.store.threads import Thread

T = TypeVar("T")
log = logging.getLogger(__name__)

CONNECTIONS = 8
"""Mails under way at once: a relay that thinks for seconds about each must not hold up a hundred customers."""
LOOK = 1.0
"""Seconds between looks into the outbox: other processes put mail into it too."""


class Books(Protocol):
    """Who writes; the same one that results go to, so that it knows of every write that failed."""

    async def write(self, work: Callable[[Database], T]) -> T:
        """Do work in the writer's thread, in one transaction."""
        ...


class Post(Protocol):
    """Who hears of mail that went wrong."""

    def dead_letter(self, mail: Mail, error: str) -> Callable[[Database], object]:
        """Give what is to be written down when a mail goes to the dead letters, in the same transaction."""

    def mails_wait(self, pending: tuple[int, Millis | None]) -> None:
        """Hear how many mails have not left, and since when the oldest of them waits."""


class Dispatcher:
    """Sends what is due, the mails of one customer one after the other."""

    def __init__(
        self,
        reader: Thread,
        writer: Books,
        transport: Transport,
        sender: str,
        telemetry: Telemetry,
        *,
        now: Callable[[], Millis],
        post: Post,
    ) -> None:
        self.transport = transport
        self.sender = sender
        self._reader = reader
        self._writer = writer
        self._telemetry = telemetry
        self._now = now
        self._post = post
        self._unwritten: dict[int, Callable[[Database], object]] = {}
        """By mail, what came of it and could not be written down yet: it must not leave once more for that."""

    async def run(self) -> None:
        """Send until cancelled; a database that refuses is tried again at the next look."""
        while True:
            try:
                while await self.send_due():
                    pass
            except StoreError as error:
                log.warning("the outbox: %s", error)
            await asyncio.sleep(LOOK)

    async def send_due(self) -> int:
        """Try every mail that is due, once; gives how many there were.

        Raises StoreError where the database refuses; then what came of the mails is written down first next time.
        """
        for number, work in list(self._unwritten.items()):
            await self._write_down(number, work)
        mails, waiting = await self._reader.run(lambda db: (outbox.due(db, self._now()), outbox.pending(db)))
        self._post.mails_wait(waiting)
        by_customer: dict[str | None, list[Mail]] = {}
        for mail in mails:
            by_customer.setdefault(mail.customer, []).append(mail)
        lines = asyncio.Semaphore(CONNECTIONS)
        ended = await asyncio.gather(
            *(self._send_in_order(each, lines) for each in by_customer.values()), return_exceptions=True
        )
        for error in ended:
            if error is not None:
                raise error
        return len(mails)

    async def _write_down(self, number: int, work: Callable[[Database], object]) -> None:
        """Write down what came of a mail; where the database refuses, it is remembered until it does not."""
        self._unwritten[number] = work
        await self._writer.write(work)
        del self._unwritten[number]

    async def _send_in_order(self, mails: list[Mail], lines: asyncio.Semaphore) -> None:
        """Send one customer's mails one after the other, so that an end never overtakes its beginning."""
        async with lines:
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
            await self._failed(mail, error)
            return
        except Exception as error:  # a fault of ours in one mail must not end the monitoring
            log.exception("mail %d could not be handed over", mail.id)
            await self._failed(mail, TransportError(permanent=False, text=f"error {type(error).__name__}"))
            return
        self._telemetry.mail_sent()
        await self._accepted(mail, receipt.refused_temporarily, receipt.refused_permanently)

    async def _accepted(self, mail: Mail, later: Mapping[str, str], never: Mapping[str, str]) -> None:
        """Some or all have it: those who were refused are tried again, or are told to the operators."""
        if later:
            self._telemetry.mail_failed()
            await self._again(mail, tuple(later), _replies(later), never)
        elif never:
            await self._bury(replace(mail, remaining=tuple(never)), _replies(never))
        else:
            now = self._now()
            await self._write_down(mail.id, lambda db: outbox.sent(db, mail.id, now))
            log.info("mail %d sent: %s", mail.id, one_line(mail.subject))

    async def _failed(self, mail: Mail, error: TransportError) -> None:
        remaining = tuple(address for address in mail.remaining if address not in error.refused)
        if error.permanent or not remaining:
            await self._bury(mail, error.text)
        else:
            self._telemetry.mail_failed()
            await self._again(mail, remaining, error.text, error.refused)

    async def _again(self, mail: Mail, remaining: tuple[str, ...], error: str, never: Mapping[str, str]) -> None:
        """Keep the mail for those who may still get it; of those who ``never`` will, the operators are told now."""
        following = next_attempt(mail.attempts + 1, mail.since, self._now())
        if following is None:
            await self._bury(replace(mail, remaining=(*remaining, *never)), f"given up after days: {error}")
            return
        log.warning("mail %d did not leave (%s), it will be tried again", mail.id, one_line(error))
        lost = replace(mail, remaining=tuple(never))
        tell = self._post.dead_letter(lost, one_line(_replies(never))) if never else None

        def work(db: Database) -> None:
            outbox.retry(db, mail.id, remaining=remaining, next_try=following, error=one_line(error))
            if tell is not None:
                tell(db)

        await self._write_down(mail.id, work)

    async def _bury(self, mail: Mail, error: str) -> None:
        """Put the mail into the dead letters for all who remain, and tell the operators in the same transaction."""
        self._telemetry.mail_failed()
        log.error("mail %d is dead (%s): monitor mail resend %d", mail.id, one_line(error), mail.id)
        tell = self._post.dead_letter(mail, one_line(error))

        def work(db: Database) -> None:
            outbox.bury(db, mail.id, remaining=mail.remaining, error=one_line(error))
            tell(db)

        await self._write_down(mail.id, work)


def _replies(refused: Mapping[str, str]) -> str:
    return "; ".join(f"{address}: {reply}" for address, reply in refused.items())
