"""Letters into the outbox: who gets them, in which language and under which Message-ID, as is configured now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from monitor.mail.message import new_message_id, sender_domain
from monitor.store import outbox

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlite_utils import Database

    from monitor.ledger.context import LedgerContext
    from monitor.mail.content import RenderedMail
    from monitor.model import Millis


def generate_message_id(context: LedgerContext) -> str:
    """Make a Message-ID under the sender's domain."""
    return new_message_id(sender_domain(context.sender))


def queue_mail(
    db: Database,
    context: LedgerContext,
    kind: str,
    *,
    at: Millis,
    customer: str | None,
    body: dict[str, Any],
    letter: RenderedMail | None = None,
    own_id: str | None = None,
    refers: Iterable[str] = (),
    sweep: int | None = None,
) -> int | None:
    """Queue a mail to a customer (None: the operators) and give its number; None where there is nobody to send it to.

    ``body`` is kept with the mail, as what it tells of. A mail without a ``letter`` gathers until ``sweep`` is over and
    is worded then. ``own_id`` is its Message-ID where the caller keeps that too; else it gets a new one.
    """
    recipients, copies = context.addresses(customer)
    if not recipients and not copies:
        return None
    return outbox.enqueue(
        db,
        kind,
        at=at,
        customer=customer,
        recipients=recipients,
        copies=copies,
        language=context.language(customer),
        message_id=own_id or generate_message_id(context),
        body=body,
        sweep=sweep,
        subject=letter.subject if letter else "",
        text=letter.text if letter else "",
        html=letter.html if letter else "",
        refers=refers,
    )
