"""From the content of a mail to its subject, text and HTML: call :func:`compose`.

A mail is one template a language: ``templates/en/outage.j2``. It is rendered three times, with a layout each: as the
subject, as text and as HTML. ``environment.py`` has the filters; ``templates/layout`` the parts that mails consist of.
"""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from monitor.formatting import MAX_SUBJECT_LENGTH, join_truncated, one_line, truncate
from monitor.mail.claim_content import ClaimAnswerMail, ClaimRefusalMail
from monitor.mail.content import (
    CertificateMail,
    MaintenanceMail,
    OperatorMail,
    OutageMail,
    RenderedMail,
    ReportMail,
    TestMail,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

MailContent: TypeAlias = (
    OutageMail
    | MaintenanceMail
    | OperatorMail
    | ReportMail
    | TestMail
    | ClaimAnswerMail
    | ClaimRefusalMail
    | CertificateMail
)

TEMPLATES: Final[Mapping[type[MailContent], str]] = MappingProxyType(
    {
        OutageMail: "outage",
        MaintenanceMail: "maintenance",
        OperatorMail: "operator",
        ReportMail: "report",
        TestMail: "test",
        ClaimAnswerMail: "claim-answer",
        ClaimRefusalMail: "claim-refused",
        CertificateMail: "certificate",
    }
)
"""The name of each mail's template, in the folder of its language."""
_SHORTENED: Final = re.compile("\x01(.*)\x03")


def compose(content: MailContent) -> RenderedMail:
    """Return the mail in its recipient's language; the same content always gives the same mail.

    Line breaks and control characters in the content become spaces, so that no value can forge a line.
    """
    content = _without_line_breaks(content)
    return RenderedMail(
        subject=_subject(_render(content, "layout/subject.j2")),
        text=_text(_render(content, "layout/text.j2")),
        html="".join(f"{line}\n" for line in _render(content, "layout/html.j2").split("\n") if line.strip()),
    )


def _render(content: MailContent, layout: str) -> str:
    # most commands compose no mail, and start sooner without Jinja2 and Babel
    from monitor.mail.environment import environment  # noqa: PLC0415

    html = layout == "layout/html.j2"
    language = content.recipient.language
    return (
        environment(html=html)
        .get_template(f"{language}/{TEMPLATES[type(content)]}.j2")
        .render(
            mail=content,
            to=content.recipient,
            language=language,
            layout=layout,
            parts=f"layout/{'html' if html else 'text'}_parts.j2",
        )
    )


def _without_line_breaks(value: Any) -> Any:
    """Return the content with every text in it on one line."""
    if type(value) is str:
        return one_line(value)
    if isinstance(value, tuple):
        items = [_without_line_breaks(item) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: _without_line_breaks(getattr(value, each.name)) for each in fields(value)})
    return value


def _subject(rendered: str) -> str:
    """Return the first candidate that a phone shows whole, its list of names shortened where it has one."""
    candidates = [_shortened(" ".join(candidate.split())) for candidate in rendered.split("\0")]
    return next((text for text in candidates if len(text) <= MAX_SUBJECT_LENGTH), truncate(candidates[-1], 60))


def _shortened(candidate: str) -> str:
    found = _SHORTENED.search(candidate)
    if found is None:
        return candidate
    room = MAX_SUBJECT_LENGTH - len(candidate) + len(found[0])
    return candidate[: found.start()] + join_truncated(found[1].split("\x02"), room) + candidate[found.end() :]


def _text(rendered: str) -> str:
    """Return the lines of the text part; blank lines are only where the layout asks for a gap."""
    lines: list[str] = []
    for line in rendered.split("\n"):
        if line.strip() == "\0":
            if lines[-1:] != [""]:
                lines.append("")
        elif line.strip():
            lines.append(line)
    return "\n".join(lines).strip("\n") + "\n"
