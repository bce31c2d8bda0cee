"""The interface of a mail transport, and how long delivery is tried.

Delivery to a recipient is tried until the transport accepts the mail or refuses the recipient permanently. Temporary
failures are retried for :data:`QUEUE_LIFETIME`, so nothing is lost if a relay is down for days. After that, or if it
is refused permanently, the mail is a dead letter, which an operator can send again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.mail.message import Message
    from monitor.model import Millis

FIRST_RETRY_DELAY: Final[Millis] = 60_000
MAX_RETRY_DELAY: Final[Millis] = 3_600_000
QUEUE_LIFETIME: Final[Millis] = 5 * 86_400_000
"""The time from queueing during which delivery is tried: 5 days, as mail servers do."""

NO_REFUSALS: Final[Mapping[str, str]] = MappingProxyType({})


class TransportError(Exception):
    """The mail was accepted for no recipient.

    ``permanent``: a retry is useless for every recipient. ``text``: the error and its place on one line, never with a
    secret. ``refused``: recipients that were refused permanently (address to reply); they are not tried again, even if
    the others are.
    """

    def __init__(self, *, permanent: bool, text: str, refused: Mapping[str, str] = NO_REFUSALS) -> None:
        super().__init__(text)
        self.permanent = permanent
        self.text = text
        self.refused = refused


@dataclass(frozen=True, slots=True)
class Receipt:
    """The mail was accepted for at least one recipient: for all that are not refused here."""

    reply: str
    """The transport's answer: the relay's last line, with its queue id, or the file."""
    refused_permanently: Mapping[str, str] = field(default_factory=dict)
    """Address to reply, of recipients that are not tried again."""
    refused_temporarily: Mapping[str, str] = field(default_factory=dict)
    """Address to reply, of recipients that are tried again."""


class MailTransport(Protocol):
    """Delivers mails."""

    async def send(self, message: Message, recipients: tuple[str, ...]) -> Receipt:
        """Deliver the mail to ``recipients``: those of ``message.recipients`` that do not have it yet.

        Returns when the other side has taken responsibility for the mail. After a crash before the receipt is recorded,
        it is sent again with the same Message-ID. Raises TransportError if it was accepted for no recipient.
        """


def backoff(attempts: int) -> Millis:
    """Return the delay after a number of failed attempts (1 or more): a minute, doubling up to an hour."""
    # ten doublings exceed the hour; the bound keeps the exponent small for every argument
    return min(MAX_RETRY_DELAY, FIRST_RETRY_DELAY << min(max(attempts, 1) - 1, 10))


def next_attempt_at(attempts: int, queued_at: Millis, now: Millis) -> Millis | None:
    """Return the time of the next attempt after a number of failed ones, None after QUEUE_LIFETIME.

    The last attempt is at the end of the lifetime.
    """
    end = queued_at + QUEUE_LIFETIME
    return None if now >= end else min(now + backoff(attempts), end)
