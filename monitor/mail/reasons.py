"""Why a check failed, in the reader's language."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.mail.text import one_line
from monitor.model import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

_FORMER = {
    "connection refused": Reason.REFUSED,
    "connection reset": Reason.RESET,
    "connection closed": Reason.CLOSED,
    "host unreachable": Reason.UNREACHABLE,
    "network unreachable": Reason.UNREACHABLE,
    "port unreachable": Reason.UNREACHABLE,
    "protocol unreachable": Reason.UNREACHABLE,
    "administratively prohibited": Reason.UNREACHABLE,
    "time to live exceeded": Reason.UNREACHABLE,
    "not connected": Reason.UNREACHABLE,
    "certificate expired": Reason.TLS_EXPIRED,
    "certificate not yet valid": Reason.TLS_EARLY,
    "certificate for another name": Reason.TLS_NAME,
    "certificate not trusted": Reason.TLS_UNTRUSTED,
    "certificate revoked": Reason.TLS_REVOKED,
    "tls failed": Reason.TLS,
    "invalid answer": Reason.PROTOCOL,
    "incomplete body": Reason.PROTOCOL,
    "protocol error": Reason.PROTOCOL,
    "text not found": Reason.CONTENT,
    "too many redirects": Reason.REDIRECT,
    "redirect to nowhere": Reason.REDIRECT,
}
"""What was recorded before reasons began with a word; records are never rewritten, and are still told of."""
_WORDS = frozenset(Reason)


def reason(text: str, phrases: Mapping[Reason, str]) -> str:
    """Return what was seen in the reader's words, with the result's own reason, by which it is found again.

    A reason that is none of the set (of an import, or of a program to come) is shown as it is.
    """
    text = one_line(text)
    phrase, by, router = text.partition(" (from ")
    word = _word(phrase)
    known = phrases.get(word, "") if word else ""
    if known in ("", phrase):
        return text
    return f"{known} ({phrase} from {router}" if by else f"{known} ({phrase})"


def _word(text: str) -> Reason | None:
    word = text.partition(":")[0]
    if word in _WORDS:
        return Reason(word)
    return Reason.STATUS if text.startswith("status ") else _FORMER.get(text)
