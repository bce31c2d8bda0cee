"""Puts mails into the outbox, with the recipients, language and Message-ID of the present configuration."""

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
    """Return a new Message-ID with the sender's domain."""
    return new_message_id(sender_domain(context.sender))


def queue_mail(
    db: Database,
    context: LedgerContext,
    kind: str,
    *,
    at: Millis,
    customer: str | None,
    body: dict[str, Any],
    rendered: RenderedMail | None = None,
    own_id: str | None = None,
    refers: Iterable[str] = (),
    sweep: int | None = None,
) -> int | None:
    """Queue a mail to a customer (None: the operators) and return its id; None if there are no recipients.

    ``body`` is stored with the mail: the facts that it reports. A mail without ``rendered`` is a digest: it collects
    news until ``sweep`` is over and is rendered then. ``own_id`` is its Message-ID; by default it gets a new one.
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
        subject=rendered.subject if rendered else "",
        text=rendered.text if rendered else "",
        html=rendered.html if rendered else "",
        refers=refers,
    )
