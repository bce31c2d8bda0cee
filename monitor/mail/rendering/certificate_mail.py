"""The letter that certificates are about to expire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.formatting import MAX_SUBJECT_LENGTH, format_instant, join_truncated, one_line, truncate
from monitor.mail.rendering.layout import Card, Fact, Sheet, Tone

if TYPE_CHECKING:
    from monitor.mail.content import Recipient
    from monitor.mail.languages.catalog import CertificateWords, Words
    from monitor.model import CheckKey, Millis

MOST_URGENT = 1
"""Days left at which it becomes urgent."""
_ROOM = 2000
"""Characters for the names of the checks that show one certificate."""
_MOST = 50
"""Certificates that a letter describes; those that expire first."""


@dataclass(frozen=True, slots=True)
class ExpiringCertificate:
    """One certificate, as it was seen last."""

    fingerprint: str
    """SHA-256, in hexadecimal digits."""
    expires: Millis
    days: int
    """Whole days left; negative where it has expired."""
    checks: tuple[CheckKey, ...]
    """Those that show it, at least one."""


@dataclass(frozen=True, slots=True)
class CertificateLetter:
    """Certificates of one customer, whichever expires first first; at least one."""

    recipient: Recipient
    certificates: tuple[ExpiringCertificate, ...]


def certificate_subject(letter: CertificateLetter, words: Words) -> str:
    """Return the subject: how long the first has left, and whose it is."""
    first, certificate = letter.certificates[0], words.certificate
    state = certificate.expired if first.days < 0 else certificate.days_left.format(count=first.days)
    head = f"{certificate.word}: {state}: "
    checks = dict.fromkeys(key for each in letter.certificates for key in each.checks)
    if len(checks) == 1:
        return truncate(head + _named(first.checks[0]), MAX_SUBJECT_LENGTH)
    return head + join_truncated(
        [one_line(server) for server in dict.fromkeys(key.server for key in checks)], _room(head)
    )


def _room(head: str) -> int:
    return MAX_SUBJECT_LENGTH - len(head)


def certificate_sheet(letter: CertificateLetter, words: Words) -> Sheet:
    """Return when they expire, who shows them, and what follows from that."""
    recipient, certificate = letter.recipient, words.certificate
    greeting = (words.outage.greeting.format(name=one_line(recipient.name)),) if recipient.name else ()
    over = all(each.days < 0 for each in letter.certificates)
    left_out = len(letter.certificates) - _MOST
    return Sheet(
        language=recipient.language,
        tone=Tone.BAD if letter.certificates[0].days < MOST_URGENT else Tone.WARNING,
        headline=certificate.expired_title if over else certificate.title,
        opening=(*greeting, certificate.expired_opening if over else certificate.opening),
        cards=tuple(_card(each, recipient, certificate) for each in letter.certificates[:_MOST]),
        closing=(certificate.more.format(count=left_out),) if left_out > 0 else (),
    )


def _card(each: ExpiringCertificate, recipient: Recipient, words: CertificateWords) -> Card:
    servers = dict.fromkeys(one_line(key.server) for key in each.checks)
    facts = (
        Fact(words.expires, format_instant(each.expires, recipient.timezone, recipient.language)),
        Fact(words.left, str(each.days) if each.days >= 0 else words.expired),
        Fact(words.checks, join_truncated([_named(key) for key in each.checks], _ROOM)),
        Fact(words.fingerprint, each.fingerprint),
    )
    return Card(title=join_truncated(list(servers), MAX_SUBJECT_LENGTH), facts=facts)


def _named(key: CheckKey) -> str:
    return f"{one_line(key.server)} ({one_line(key.name)})"
