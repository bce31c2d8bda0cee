"""Why a check failed, in the recipient's language."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.formatting import one_line
from monitor.model import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

_FORMER_REASONS = {
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
"""What was recorded before reasons began with a word; records are never rewritten."""
_WORDS = frozenset(Reason)


def describe_reason(text: str, phrases: Mapping[str, str]) -> str:
    """Return the reason in the recipient's language, with the reason as recorded, by which the result can be found.

    ``phrases`` are those of the language, by reason. A reason outside the set (of an import) is returned as it is.
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
    return Reason.STATUS if text.startswith("status ") else _FORMER_REASONS.get(text)
