"""How a mail leaves: what every way of sending promises, and how long a mail is tried.

A mail is tried until the transport has accepted it for a recipient or refused that recipient for good. What fails for
now is tried again for :data:`QUEUE_LIFETIME`, so a relay may be away for days and nothing is lost; only then, or where
it is refused for good, does a mail go to the dead letters, from which it can be sent again by hand.
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
"""How long a mail is tried, from when it was queued: 5 days, as mail servers do."""

NO_REFUSALS: Final[Mapping[str, str]] = MappingProxyType({})


class TransportError(Exception):
    """A mail that was accepted for nobody.

    ``permanent``: trying again is of no use, for any recipient. ``text``: one line, what was wrong and where, never a
    secret. ``refused``: recipients that were refused for good on the way (address to reply), also where the rest is
    worth another try: they need not be tried again.
    """

    def __init__(self, *, permanent: bool, text: str, refused: Mapping[str, str] = NO_REFUSALS) -> None:
        super().__init__(text)
        self.permanent = permanent
        self.text = text
        self.refused = refused


@dataclass(frozen=True, slots=True)
class Receipt:
    """A mail that was accepted for at least one of the recipients; those not named here have it."""

    reply: str
    """What the transport answered: the relay's last line, with its queue id, or the file."""
    refused_permanently: Mapping[str, str] = field(default_factory=dict)
    """Address to reply: they will never get it."""
    refused_temporarily: Mapping[str, str] = field(default_factory=dict)
    """Address to reply: to be tried again, they alone."""


class MailTransport(Protocol):
    """A way for a mail to leave."""

    async def send(self, message: Message, recipients: tuple[str, ...]) -> Receipt:
        """Hand the mail over for ``recipients``: those of ``message.recipients`` that do not have it yet.

        Returns once the other side has taken responsibility for it; a crash before the receipt is written down sends
        it again, with the same Message-ID. Raises TransportError where it was accepted for nobody.
        """


def backoff(attempts: int) -> Millis:
    """Return how long to wait after so many failed attempts (1 or more): a minute, doubling to an hour."""
    # beyond ten doublings the hour is long reached; the exponent stays small whatever is passed in
    return min(MAX_RETRY_DELAY, FIRST_RETRY_DELAY << min(max(attempts, 1) - 1, 10))


def next_attempt_at(attempts: int, queued_at: Millis, now: Millis) -> Millis | None:
    """Return when to try again after so many failed attempts, or None where the mail has had its QUEUE_LIFETIME.

    The last attempt is made at the end of the lifetime, not before it.
    """
    end = queued_at + QUEUE_LIFETIME
    return None if now >= end else min(now + backoff(attempts), end)
