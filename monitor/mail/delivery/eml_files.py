"""Delivery into files: one ``.eml`` for each mail, for a machine without a relay or for another program to send."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.errors import MonitorError
from monitor.mail.delivery.transport import Receipt, TransportError
from monitor.mail.message import to_mime
from monitor.ownership import give_to_folders_owner, make_folder

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.mail.message import Message


@dataclass(frozen=True, slots=True)
class FileTransport:
    """Writes mails into ``folder``, which is created if it is missing.

    A file is written completely or not at all, also in a power failure. Names sort by date, and a mail that is sent
    again replaces its own file. The Bcc header is kept, because there is no envelope.
    """

    folder: Path

    async def send(self, message: Message, recipients: tuple[str, ...]) -> Receipt:  # noqa: ARG002 - one file has all
        """Write the mail's file; see MailTransport.send. A folder that cannot be written is a temporary failure."""
        try:
            content = to_mime(message, show_bcc=True).as_bytes()
        except MonitorError as error:
            raise TransportError(permanent=True, text=str(error)) from error
        path = self.folder / file_name(message)
        try:
            await asyncio.to_thread(_write_atomically, path, content)
        except OSError as error:
            raise TransportError(permanent=False, text=f"folder {self.folder}: {error.strerror or error}") from error
        return Receipt(reply=f"file {path}")


def file_name(message: Message) -> str:
    """Return the file's name: ``20261002T101500.000Z-`` and 16 digits of the Message-ID's hash."""
    at = dt.datetime.fromtimestamp(message.date // 1000, dt.UTC)
    digits = hashlib.sha256(message.message_id.encode("utf-8", "replace")).hexdigest()[:16]
    return f"{at:%Y%m%dT%H%M%S}.{message.date % 1000:03d}Z-{digits}.eml"


def _write_atomically(path: Path, content: bytes) -> None:
    """Write the file so that a reader sees all of it or nothing."""
    make_folder(path.parent)
    unfinished = path.with_suffix(".tmp")
    try:
        # the owner and the group may read it: mails name customers
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        give_to_folders_owner(unfinished)
        unfinished.replace(path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
