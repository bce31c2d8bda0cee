"""The letter that a certificate is about to expire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.mail.sheet import Card, Fact, Sheet, Tone
from monitor.mail.text import one_line
from monitor.mail.wording import SUBJECT_LENGTH, cut, instant

if TYPE_CHECKING:
    from monitor.mail.letters import Reader
    from monitor.mail.words import Words
    from monitor.model import Millis

MOST_URGENT = 1
"""Days left at which it becomes urgent."""


@dataclass(frozen=True, slots=True)
class CertificateLetter:
    """One check's certificate, as it was seen last."""

    reader: Reader
    server: str
    check: str
    expires: Millis
    days: int
    """Whole days left; negative where it has expired."""


def certificate_subject(letter: CertificateLetter, words: Words) -> str:
    """Return the subject: how long it has left, and whose it is."""
    certificate = words.certificate
    head = certificate.expired if letter.days < 0 else certificate.days_left.format(count=letter.days)
    return cut(f"{certificate.word}: {head}: {one_line(letter.server)} ({one_line(letter.check)})", SUBJECT_LENGTH)


def certificate_sheet(letter: CertificateLetter, words: Words) -> Sheet:
    """Return when it expires, and what follows from that."""
    reader, certificate = letter.reader, words.certificate
    greeting = (words.outage.greeting.format(name=one_line(reader.name)),) if reader.name else ()
    facts = (
        Fact(certificate.check, one_line(letter.check)),
        Fact(certificate.expires, instant(letter.expires, reader.timezone, reader.language)),
    )
    return Sheet(
        language=reader.language,
        tone=Tone.BAD if letter.days < MOST_URGENT else Tone.WARNING,
        headline=certificate.title,
        opening=(*greeting, certificate.opening),
        cards=(Card(title=one_line(letter.server), facts=facts),),
    )
