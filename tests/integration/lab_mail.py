"""What a mail about outages says, read as its reader reads it."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from email.message import EmailMessage

_NOTICES = {
    "DOWN": "down",
    "UP": "up",
    "FLAPPING": "flapping",
    "SETTLED": "settled",
    "KESİNTİ": "down",
    "DÜZELDİ": "up",
    "KARARSIZ": "flapping",
    "KARARLI": "settled",
}
_TITLE = re.compile(r"\s*([\w-]+)")
_ENTRY = re.compile(r"\s*(\w+): ([\w-]+)")


class MailNews(NamedTuple):
    """One line of it."""

    server: str
    check: str
    notice: str
    """``down``, ``up``, ``flapping`` or ``settled``."""


def text_of(mail: EmailMessage) -> str:
    """Give its text part."""
    part = mail.get_body(("plain",))
    assert part is not None
    text: str = part.get_content()
    return text


def news_of(mail: EmailMessage) -> frozenset[MailNews]:
    """Read its news, each under the name of its server; empty where it is not about outages."""
    found: set[MailNews] = set()
    server = ""
    for line in text_of(mail).splitlines():
        if title := _TITLE.fullmatch(line):
            server = title[1]
        elif (entry := _ENTRY.fullmatch(line)) and entry[1] in _NOTICES:
            found.add(MailNews(server, entry[2], _NOTICES[entry[1]]))
    return frozenset(found)


def count_by_news(mails: Iterable[EmailMessage]) -> Counter[frozenset[MailNews]]:
    """Count mails by what they tell."""
    return Counter(news_of(mail) for mail in mails)


def references_of(mail: EmailMessage) -> list[str]:
    """Give the Message-IDs of the mails that it continues."""
    return str(mail["References"] or "").split()
