"""Values as TOML: whole for a document, short and without secrets for a message."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_URL_LOGIN = re.compile(r"//[^/\s]*@")
_SECRET_KEY = re.compile(r"passw|passphrase|secret|token|credential", re.IGNORECASE)
_MAX_REDACTED_LENGTH = 80
_REDACTED = '"***"'


def format_value(value: object) -> str:
    """Return the value as TOML on one line.

    Raises TypeError for values without a TOML form, ValueError for integers of thousands of digits.
    """
    match value:
        case bool():
            return "true" if value else "false"
        case str() | PurePath():
            return '"' + "".join(_escape_character(c) for c in str(value)) + '"'
        case int() | float() | Decimal():
            return str(value)
        case dt.date() | dt.time():
            return value.isoformat()
        case list() | tuple():
            return "[" + ", ".join(format_value(item) for item in value) + "]"
        case dict():
            pairs = ", ".join(f"{format_key(name)} = {format_value(item)}" for name, item in value.items())
            return "{" + pairs + "}"
        case _:
            raise TypeError(f"{type(value).__name__} has no form in TOML")


def format_key(name: str) -> str:
    """Return a key as TOML: bare if possible, else quoted."""
    return name if _BARE_KEY.fullmatch(name) else format_value(name)


def format_table(header: str, table: Mapping[str, object]) -> list[str]:
    """Return the lines of one table, its ``header`` (``[web]``) first, a blank line last.

    A key whose value is None becomes a comment that it is not set. Lists of tables are left out: they need headers.
    """
    lines = [header]
    for name, value in table.items():
        if value is None:
            lines.append(f"# {format_key(name)} is not set")
        elif not _is_array_of_tables(value):
            lines.append(f"{format_key(name)} = {format_value(value)}")
    return [*lines, ""]


def format_redacted(value: object, key: str = "") -> str:
    """Return the value for a message: one line, shortened, without secrets.

    Hides the value of a key whose name suggests a password, and the login in a URL.
    """
    if _SECRET_KEY.search(key) and key != "password_file":
        return _REDACTED
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return "a list of tables"
    if isinstance(value, list) and any(isinstance(item, list) for item in value):
        return "a list of lists"
    try:
        text = _URL_LOGIN.sub("//***@", format_value(value))
    except ValueError:
        return "a number of thousands of digits"
    return text if len(text) <= _MAX_REDACTED_LENGTH else f"{text[: _MAX_REDACTED_LENGTH - 4]} ..."


def _escape_character(c: str) -> str:
    if c in _ESCAPES:
        return _ESCAPES[c]
    if c.isprintable():
        return c
    # escape characters that are invisible, break the line or change the direction of text
    return f"\\u{ord(c):04X}" if ord(c) <= 0xFFFF else f"\\U{ord(c):08X}"  # noqa: PLR2004 - the width of \u


def _is_array_of_tables(value: object) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(item, dict) for item in value)
