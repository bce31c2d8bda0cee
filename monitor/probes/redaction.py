"""What a person sees of what a server said: nothing that cannot be printed, and no secret.

A server may say again what was said to it. Hidden is the password as it stands, as protocols quote it, as pages and
addresses write it, and within any base64 text, wherever in it the password begins.
"""

from __future__ import annotations

import base64
import html
import json
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable

MASK = "********"
_MIN_BASE64_LENGTH = 4
"""Characters of base64 that a password alone decides; of fewer nobody learns it, and they stand in any text."""
_UNQUOTED_IN_URLS = "/?:@!$&'()*+,;="
_UNQUOTED_IN_PATHS = "!$%&'()*+,/:;=?@[]|"
_UNQUOTED_IN_QUERIES = "!$%&()*+,/:;=?@[\\]^`{|}"
"""What browsers leave as it is, and so this program: see ``http/url.py``."""
_ENCODINGS = ("latin-1", "cp1254")
_MIN_CUT_LENGTH = 4
"""Characters of a password at the end of a text that was cut there."""


def printable(text: str) -> str:
    """Return what a server said with line breaks kept, and whatever else is not to be printed replaced."""
    if text.replace("\n", "").isprintable():
        return text
    return "".join(each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}" for each in text)


class Redactor:
    """Hides secrets in texts; without any it leaves them as they are."""

    def __init__(self) -> None:
        self._variants: list[str] = []
        """The longest first: one may stand within another."""

    def add_secrets(self, *secrets: str) -> None:
        """Hide these too from now on."""
        found = {form for secret in secrets for form in _secret_variants(secret)}
        self._variants = sorted({*self._variants, *found}, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """Return the text without the secrets, also without the beginning of one that its end cuts off."""
        for form in self._variants:
            text = text.replace(form, MASK)
        for form in self._variants:
            for length in range(len(form) - 1, _MIN_CUT_LENGTH - 1, -1):
                if text.endswith(form[:length]):
                    return text[:-length] + MASK
        return text


def _secret_variants(secret: str) -> Iterable[str]:
    """Return every way in which a secret may be written, also in another encoding than it is read in."""
    escaped = secret.replace("\\", "\\\\").replace('"', '\\"')
    forms = {secret, escaped, html.escape(secret), quote(secret, safe=""), quote(secret), quote_plus(secret)}
    forms |= {quote(secret, safe=_UNQUOTED_IN_URLS), quote_plus(secret, safe=_UNQUOTED_IN_URLS)}
    forms |= {quote(secret, safe=_UNQUOTED_IN_QUERIES), quote(secret, safe=_UNQUOTED_IN_PATHS)}
    forms |= {quote(secret.replace("\\", "/"), safe=_UNQUOTED_IN_PATHS)}
    forms |= {json.dumps(secret)[1:-1], repr(secret)[1:-1], *_base64_fragments(secret.encode())}
    forms |= {form.encode().decode("latin-1") for form in (secret, escaped)}
    forms |= {secret.encode(other, "replace").decode("utf-8", "replace") for other in _ENCODINGS}
    return {*forms, *map(printable, forms)} - {""}


def _base64_fragments(secret: bytes) -> Iterable[str]:
    """Return what of a text in base64 the secret alone decides, for each of the three places at which it may begin."""
    for before in range(3):
        text = base64.b64encode(bytes(before) + secret).decode()
        whole = (before + len(secret)) * 8 // 6  # the last character also holds bits of what follows
        decided = text[-(-before * 8 // 6) : whole]
        if len(decided) >= _MIN_BASE64_LENGTH:
            yield decided
            yield decided.replace("+", "-").replace("/", "_")
