"""A mail in the outbox, and as MIME.

The outbox holds a :class:`Message` with everything that MIME needs, so a repeat after a crash is the same mail byte
for byte, with the same Message-ID.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import secrets
import unicodedata
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, parseaddr
from typing import TYPE_CHECKING

from monitor.domain_names import ascii_domain
from monitor.errors import InputError
from monitor.formatting import CONTROL_CATEGORIES, one_line

if TYPE_CHECKING:
    from monitor.model import Language, Millis

_ADDRESS = re.compile(r"[^\s@<>()\[\],;:\"\\\x00-\x20\x7f]{1,64}@(?:[\w](?:[\w-]*[\w])?\.)*[\w](?:[\w-]*[\w])?")
_DOT_ATOM_WORD = r"[\w!#$%&'*+/=?^`{|}~-]+"
_MESSAGE_ID = re.compile(
    rf"<{_DOT_ATOM_WORD}(?:\.{_DOT_ATOM_WORD})*@{_DOT_ATOM_WORD}(?:\.{_DOT_ATOM_WORD})*>", re.ASCII
)
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_ID_HEADERS = frozenset({"message-id", "in-reply-to", "references"})


@dataclass(frozen=True, slots=True)
class Message:
    """One mail; nothing in it changes after it is queued."""

    sender: str
    """``SLA <sla@example.com>`` or a bare address."""
    to: tuple[str, ...]
    """Bare addresses, shown to every recipient."""
    bcc: tuple[str, ...]
    """Bare addresses that get a copy through the envelope; over SMTP no header names them."""
    subject: str
    text: str
    html: str
    message_id: str
    """With its angle brackets; a repeat is recognised by it."""
    references: tuple[str, ...]
    """The Message-IDs before it in its thread, oldest first; it answers the last."""
    date: Millis
    language: Language

    @property
    def recipients(self) -> tuple[str, ...]:
        """All recipients, each once: ``to``, then ``bcc``."""
        return tuple(dict.fromkeys((*self.to, *self.bcc)))


def new_message_id(domain: str) -> str:
    """Return a new, unique Message-ID in its angle brackets; ``domain`` is that of the sender."""
    return f"<{secrets.token_hex(16)}@{_ascii_domain(domain) or 'localhost'}>"


def sender_address(sender: str) -> str:
    """Return the bare address of ``SLA <sla@example.com>``; raises InputError if there is none."""
    return normalize_address(parseaddr(one_line(sender))[1])


def sender_domain(sender: str) -> str:
    """Return the domain of the sender's address, for Message-IDs."""
    return sender_address(sender).rpartition("@")[2]


def normalize_address(address: str) -> str:
    """Return the address with its domain in ASCII; raises InputError unless it is one bare e-mail address."""
    if not _ADDRESS.fullmatch(address) or any(unicodedata.category(c) in CONTROL_CATEGORIES for c in address):
        raise InputError(f"{one_line(address)!r} is not an e-mail address")
    local, _, domain = address.rpartition("@")
    domain = _ascii_domain(domain)
    if not domain or local.startswith(".") or local.endswith(".") or ".." in local:
        raise InputError(f"{one_line(address)!r} is not an e-mail address")
    return f"{local}@{domain}"


def needs_smtputf8(message: Message) -> bool:
    """Return whether an address has letters beyond ASCII before its @, so that the relay must offer SMTPUTF8."""
    everyone = (sender_address(message.sender), *(normalize_address(a) for a in message.recipients))
    return not all(address.isascii() for address in everyone)


def to_mime(message: Message, *, show_bcc: bool = False) -> EmailMessage:
    """Return the mail as MIME: text and HTML, 7-bit clean, with lines short enough for every relay.

    ``show_bcc`` is for mails in files, which have no envelope. Raises InputError if an address is invalid.
    """
    addresses = [normalize_address(a) for a in message.to]
    name = _header_text(parseaddr(one_line(message.sender))[0])
    mail = EmailMessage(policy=_SmtpPolicy(utf8=needs_smtputf8(message)))
    mail["From"] = _header_address(sender_address(message.sender), name)
    mail["To"] = tuple(_header_address(a) for a in addresses) or "undisclosed-recipients:;"
    if show_bcc and message.bcc:
        mail["Bcc"] = tuple(_header_address(normalize_address(a)) for a in message.bcc)
    mail["Subject"] = _header_text(message.subject)
    mail["Date"] = format_datetime(dt.datetime.fromtimestamp(message.date // 1000, dt.UTC))
    mail["Message-ID"] = _safe_message_id(message.message_id)
    if message.references:
        references = [_safe_message_id(r) for r in message.references]
        mail["In-Reply-To"] = references[-1]
        mail["References"] = " ".join(references)
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail.set_content(_clean_body(message.text), cte="quoted-printable")
    mail.add_alternative(_clean_body(message.html), subtype="html", cte="quoted-printable")
    mail["Content-Language"] = message.language
    # "=_" cannot occur in quoted-printable text, so the boundary never occurs in a part; a repeat has the same one
    mail.set_boundary("=_" + hashlib.sha256(message.message_id.encode("utf-8", "replace")).hexdigest()[:32])
    return mail


class _SmtpPolicy(EmailPolicy):
    """Lines end in CRLF; an id is never folded or encoded, however long it is, so that it can be found."""

    linesep = "\r\n"

    def fold(self, name: str, value: str) -> str:
        if name.lower() in _ID_HEADERS:
            return f"{name}: " + "\r\n ".join(value.split()) + "\r\n"
        folded: str = super().fold(name, value)
        return folded

    def fold_binary(self, name: str, value: str) -> bytes:
        if name.lower() in _ID_HEADERS:
            return self.fold(name, value).encode("ascii")
        return super().fold_binary(name, value)


def _ascii_domain(domain: str) -> str:
    """Return the domain in ASCII (IDNA), empty if it is not a valid domain."""
    try:
        return ascii_domain(domain)
    except ValueError:
        return ""


def _header_address(normalized: str, name: str = "") -> Address:
    """Return an address for a header, from its two parts: parsing it again would refuse letters beyond ASCII."""
    local, _, domain = normalized.rpartition("@")
    return Address(display_name=name, username=local, domain=domain)


def _header_text(text: str) -> str:
    """Return text for a header, without encoded words: one can contain a line break."""
    return one_line(text).replace("=?", "= ?")


def _safe_message_id(text: str) -> str:
    """Return the Message-ID if it is valid, else one made of its hash, which cannot add a header."""
    if _MESSAGE_ID.fullmatch(text):
        return text
    return f"<{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:32]}@localhost>"


def _clean_body(text: str) -> str:
    """Return text that every mail program can show: line feeds only, no control characters, no lone surrogates."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(
        c if c in "\n\t" or unicodedata.category(c) not in CONTROL_CATEGORIES else _REPLACEMENT for c in lines
    )
