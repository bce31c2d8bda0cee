"""What is wanted of a web server's answer, read from the texts of the configuration."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any, NamedTuple

_CODES = re.compile(r"([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}): *(.*)")
_PATH = re.compile(r"(?:\$\.?)?((?:[\w-]+|\[[0-9]{1,6}\])(?:\.[\w-]+|\[[0-9]{1,6}\])*) *= *(.+)")
_PART = re.compile(r"[\w-]+|\[[0-9]+\]")


class Place(NamedTuple):
    """A value in a JSON document, and what it must be."""

    path: tuple[str | int, ...]
    """Names of members, numbers of items."""
    value: Any


def status_range(text: str) -> range:
    """Read ``"204"`` or ``"200-299"``, both ends included; raises ``ValueError`` for anything else."""
    match = _CODES.fullmatch(text)
    if match is None:
        raise ValueError(text)
    first = int(match[1])
    last = int(match[2] or match[1])
    if last < first:
        raise ValueError(text)
    return range(first, last + 1)


@lru_cache
def status_ranges(texts: tuple[str, ...]) -> tuple[range, ...]:
    """Read several; checks that accept the same statuses share them. Raises as ``status_range`` does."""
    return tuple(status_range(text) for text in texts)


def header_expected(text: str) -> tuple[bytes, bytes]:
    """Read ``Name: text`` into the name in small letters and the text; raises ``ValueError`` for anything else."""
    match = _HEADER.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return match[1].lower().encode(), match[2].strip().encode()


def place(text: str) -> Place:
    """Read ``data.items[0].state = "ok"``; what is no JSON after the sign is a text. Raises ``ValueError``."""
    match = _PATH.fullmatch(text)
    if match is None:
        raise ValueError(text)
    parts = _PART.findall(match[1])
    path = tuple(int(part[1:-1]) if part.startswith("[") else part for part in parts)
    try:
        return Place(path, json.loads(match[2]))
    except ValueError:
        return Place(path, match[2])
