"""From what there is to tell to the words that tell it."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

from monitor.mail.claim_letters import AnswerLetter, RefusalLetter
from monitor.mail.content import (
    Letter,
    MaintenanceLetter,
    OperatorLetter,
    OutageLetter,
    ReportLetter,
    TestLetter,
)
from monitor.mail.languages.english import ENGLISH
from monitor.mail.languages.turkish import TURKISH
from monitor.mail.rendering.certificate_mail import CertificateLetter, certificate_sheet, certificate_subject
from monitor.mail.rendering.claim_mail import answer_sheet, answer_subject, refusal_sheet, refusal_subject
from monitor.mail.rendering.layout import as_html, as_text
from monitor.mail.rendering.other_mail import (
    maintenance_sheet,
    maintenance_subject,
    operator_sheet,
    operator_subject,
    report_sheet,
    report_subject,
    trial_sheet,
    trial_subject,
)
from monitor.mail.rendering.outage_mail import outage_sheet, outage_subject
from monitor.mail.text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.mail.languages.catalog import Words
    from monitor.mail.rendering.layout import Sheet
    from monitor.model import Language

AnyLetter: TypeAlias = (
    OutageLetter
    | MaintenanceLetter
    | OperatorLetter
    | ReportLetter
    | TestLetter
    | AnswerLetter
    | RefusalLetter
    | CertificateLetter
)

WORDS: Final[Mapping[Language, Words]] = MappingProxyType({"en": ENGLISH, "tr": TURKISH})


def compose(letter: AnyLetter) -> Letter:
    """Return the letter in its reader's language; the same context always gives the same letter."""
    words = WORDS[letter.reader.language]
    subject, sheet = _written(letter, words)
    url = one_line(letter.reader.url)
    sheet = replace(
        sheet,
        look=words.look if url else "",
        url=url,
        footer=(words.zone.format(zone=letter.reader.timezone), words.automatic),
    )
    return Letter(subject=subject, text=as_text(sheet), html=as_html(sheet))


def _written(letter: AnyLetter, words: Words) -> tuple[str, Sheet]:
    match letter:
        case OutageLetter():
            written = outage_subject(letter, words), outage_sheet(letter, words)
        case MaintenanceLetter():
            written = maintenance_subject(letter, words), maintenance_sheet(letter, words)
        case OperatorLetter():
            written = operator_subject(letter, words), operator_sheet(letter, words)
        case ReportLetter():
            written = report_subject(letter, words), report_sheet(letter, words)
        case AnswerLetter():
            written = answer_subject(letter, words), answer_sheet(letter, words)
        case RefusalLetter():
            written = refusal_subject(letter, words), refusal_sheet(letter, words)
        case CertificateLetter():
            written = certificate_subject(letter, words), certificate_sheet(letter, words)
        case TestLetter():
            written = trial_subject(letter, words), trial_sheet(letter, words)
    return written
