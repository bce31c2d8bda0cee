"""Mails the operators without the database, for when the database is lost.

These mails are not in the outbox. One mail about each subject is sent within ``MIN_INTERVAL_MS``, also across restarts,
so that a service manager that restarts the daemon repeatedly does not flood the recipients.
"""

from __future__ import annotations

import html
import json
import logging
from typing import TYPE_CHECKING, Final

from monitor.formatting import one_line
from monitor.mail.delivery.transport import TransportError
from monitor.mail.message import Message, new_message_id, sender_domain
from monitor.ownership import make_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from monitor.ledger.context import LedgerContext
    from monitor.mail.delivery.transport import MailTransport
    from monitor.model import Millis

log = logging.getLogger(__name__)

MIN_INTERVAL_MS: Final = 6 * 3_600_000
STAMP_FILE: Final = "direct-mails.json"
"""The file with the time of the last mail about each subject."""


async def send_direct(
    transport: MailTransport, context: LedgerContext, data_dir: Path, subject: str, lines: Iterable[str], at: Millis
) -> bool:
    """Mail the operators now; return whether a mail about this subject was sent, now or within the interval."""
    sent = _read_stamps(data_dir)
    if 0 <= at - sent.get(subject, -MIN_INTERVAL_MS) < MIN_INTERVAL_MS:
        return True
    recipients, copies = context.addresses(None)
    all_recipients = tuple(dict.fromkeys([*recipients, *copies]))
    if not all_recipients:
        return True
    text = "\n\n".join(one_line(line) for line in lines) + "\n"
    message = Message(
        sender=context.sender,
        to=tuple(recipients) or all_recipients,
        bcc=tuple(copies) if recipients else (),
        subject=subject,
        text=text,
        html="".join(f"<p>{html.escape(part)}</p>" for part in text.split("\n\n")),
        message_id=new_message_id(sender_domain(context.sender)),
        references=(),
        date=at,
        language="en",
    )
    try:
        await transport.send(message, all_recipients)
    except TransportError as error:
        log.error("the operators could not be mailed that %s: %s", subject, error.text)  # noqa: TRY400 - for users
        return False
    _write_stamps(data_dir, sent | {subject: at})
    return True


def _read_stamps(data_dir: Path) -> dict[str, Millis]:
    try:
        body = json.loads((data_dir / STAMP_FILE).read_text())
        return {str(name): int(at) for name, at in body.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _write_stamps(data_dir: Path, sent: dict[str, Millis]) -> None:
    try:
        make_file(data_dir / STAMP_FILE)
        (data_dir / STAMP_FILE).write_text(json.dumps(sent) + "\n")
    except OSError as error:
        log.warning("%s cannot be written: %s", data_dir / STAMP_FILE, error.strerror)
