"""Pieces of text: what somebody else wrote, as it may stand in a record or a mail; words that are counted."""

from __future__ import annotations

import unicodedata

BROKEN = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Categories of what is no character of a line: controls, lone surrogates, separators of lines."""


def one_line(text: str) -> str:
    """Return the text on one line: every line break and control character becomes a space, runs of spaces one."""
    return " ".join("".join(" " if unicodedata.category(c) in BROKEN else c for c in text).split())


def counted(number: int, one: str, several: str | None = None) -> str:
    """Return ``1 server`` or ``2 servers``; ``several`` is the plural where it is more than an s at the end."""
    return f"{number} {one if number == 1 else several or one + 's'}"
