"""Domain names beyond ASCII, as browsers and mail servers write them: IDNA 2008, after the mapping of UTS 46.

Python's own codec follows IDNA 2003, in which ``straße`` is ``strasse``: another name, and often another owner's.
"""

from __future__ import annotations

import idna

_MAX_INPUT_LENGTH = 1000
"""Characters of a name that is converted: more do not become a valid name, and would take long."""
_MAX_LENGTH = 253
_MAX_LABEL_LENGTH = 63


def ascii_domain(name: str, *, allow_symbols: bool = False) -> str:
    """Return a domain in small letters of ASCII; of labels in ASCII only the length is checked. Raises ``ValueError``.

    With ``allow_symbols`` a label may have symbols that IDNA 2008 forbids but browsers look up (``i❤``).
    """
    if len(name) > _MAX_INPUT_LENGTH:
        raise ValueError(name)
    if name.isascii():
        domain = name.lower()
    else:
        mapped = idna.uts46_remap(name, std3_rules=False, transitional=False)
        domain = ".".join(_ascii_label(label, allow_symbols=allow_symbols) for label in mapped.split("."))
    labels = domain.removesuffix(".").split(".")
    if len(domain) > _MAX_LENGTH + domain.endswith(".") or not all(
        0 < len(each) <= _MAX_LABEL_LENGTH for each in labels
    ):
        raise ValueError(name)
    return domain


def _ascii_label(label: str, *, allow_symbols: bool) -> str:
    if label.isascii():
        return label
    try:
        return idna.alabel(label).decode("ascii")
    except idna.InvalidCodepoint:
        if not allow_symbols:
            raise
        return f"xn--{label.encode('punycode').decode('ascii')}"
