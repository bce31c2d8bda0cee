"""Regular expressions of the configuration: what is one. ``pattern`` searches for them."""

from __future__ import annotations

from typing import Any


def library() -> Any:
    """Give the module that they are written for."""
    import regex  # noqa: PLC0415 - who has no pattern does not wait for it

    return regex


def is_expression(text: str) -> bool:
    """Whether ``text`` is a regular expression that can be searched for."""
    regex = library()
    try:
        regex.compile(text.encode())
    except (regex.error, ValueError, RecursionError, OverflowError):
        return False
    return bool(text)
