"""From what there is to tell to the words that tell it."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

from monitor.formatting import one_line
from monitor.mail.content import (
    ClaimAnswerMail,
    ClaimRefusalMail,
    MaintenanceMail,
    OperatorMail,
    OutageMail,
    RenderedMail,
    ReportMail,
    TestMail,
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

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.mail.languages.catalog import Words
    from monitor.mail.rendering.layout import Sheet
    from monitor.model import Language

AnyLetter: TypeAlias = (
    OutageMail
    | MaintenanceMail
    | OperatorMail
    | ReportMail
    | TestMail
    | ClaimAnswerMail
    | ClaimRefusalMail
    | CertificateLetter
)

WORDS: Final[Mapping[Language, Words]] = MappingProxyType({"en": ENGLISH, "tr": TURKISH})


def compose(letter: AnyLetter) -> RenderedMail:
    """Return the letter in its reader's language; the same context always gives the same letter."""
    words = WORDS[letter.recipient.language]
    subject, sheet = _written(letter, words)
    url = one_line(letter.recipient.url)
    sheet = replace(
        sheet,
        look=words.look if url else "",
        url=url,
        footer=(words.zone.format(zone=letter.recipient.timezone), words.automatic),
    )
    return RenderedMail(subject=subject, text=as_text(sheet), html=as_html(sheet))


def _written(letter: AnyLetter, words: Words) -> tuple[str, Sheet]:
    match letter:
        case OutageMail():
            written = outage_subject(letter, words), outage_sheet(letter, words)
        case MaintenanceMail():
            written = maintenance_subject(letter, words), maintenance_sheet(letter, words)
        case OperatorMail():
            written = operator_subject(letter, words), operator_sheet(letter, words)
        case ReportMail():
            written = report_subject(letter, words), report_sheet(letter, words)
        case ClaimAnswerMail():
            written = answer_subject(letter, words), answer_sheet(letter, words)
        case ClaimRefusalMail():
            written = refusal_subject(letter, words), refusal_sheet(letter, words)
        case CertificateLetter():
            written = certificate_subject(letter, words), certificate_sheet(letter, words)
        case TestMail():
            written = trial_subject(letter, words), trial_sheet(letter, words)
    return written
