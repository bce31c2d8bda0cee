"""What a JSON document must have: ``data.items[0].state = "ok"``, ``load < 4.5``, ``"app.version" != "1.0"``.

Numbers are compared by their value, exactly: 3, 3.0 and 3e0 are equal, and no digit is lost to binary fractions.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from monitor.model import Reason
from monitor.probes.failures import server_failure

MAX_JSON_SIZE = 256 * 1024
"""Bytes of a document: the parser lets nobody else run meanwhile, for tens of milliseconds at a megabyte."""

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_PART = re.compile(rf"\[([0-9]{{1,6}})\]|\[?({_QUOTED})\]?|([\w-]+)")
_BRACKETS = rf"\[(?:[0-9]{{1,6}}|{_QUOTED})\]"
_NAME = rf"(?:[\w-]+|{_QUOTED})"
_PATH = rf"(?:{_NAME}|{_BRACKETS})(?:\.{_NAME}|{_BRACKETS})*"
_EXPECTATION = re.compile(rf"(?:\$\.?)?({_PATH}) *(=|!=|<=|>=|<|>) *(.+)")
_MISSING = object()


class JsonExpectation(NamedTuple):
    """A value in a JSON document, and how it must compare with another one."""

    path: tuple[str | int, ...]
    """Names of members, numbers of items."""
    operator: str
    """``=``, ``!=``, ``<``, ``<=``, ``>`` or ``>=``."""
    value: Any
    """Its numbers are decimals."""

    def is_met(self, document: Any) -> bool:
        """Whether the value is there and compares as expected; a value of another type is only unequal."""
        found = _value_at(document, self.path)
        if found is _MISSING:
            return False
        if self.operator in ("=", "!="):
            return _equal(found, self.value) is (self.operator == "=")
        if not isinstance(found, Decimal) or not isinstance(self.value, Decimal):
            return False
        if self.operator in ("<", "<="):
            return found < self.value or (self.operator == "<=" and found == self.value)
        return found > self.value or (self.operator == ">=" and found == self.value)


def parse_json_expectation(text: str) -> JsonExpectation:
    """Parse a path, an operator and a value; what is no JSON is a text. Raises ``ValueError``."""
    match = _EXPECTATION.fullmatch(text)
    if match is None:
        raise ValueError(text)
    path = tuple(
        int(number) if number else json.loads(quoted) if quoted else name
        for number, quoted, name in _PART.findall(match[1])
    )
    try:
        value = _loads(match[3])
    except ValueError:
        value = match[3]
    if match[2] not in ("=", "!=") and not isinstance(value, Decimal):
        raise ValueError(text)
    return JsonExpectation(path, match[2], value)


def parse_document(body: bytes) -> Any:
    """Parse a document; its numbers are decimals. Raises ``ProbeError``."""
    if len(body) > MAX_JSON_SIZE:
        raise server_failure(Reason.CONTENT, "JSON too long")
    try:
        return _loads(body)
    except (ValueError, RecursionError):
        raise server_failure(Reason.CONTENT, "no JSON") from None


def _loads(text: str | bytes) -> Any:
    return json.loads(text, parse_int=_number, parse_float=_number)


def _number(text: str) -> Any:
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent of too many digits: equal to no number
        return float("nan")


def _value_at(document: Any, path: tuple[str | int, ...]) -> Any:
    found = document
    for part in path:
        inside: Any = found if isinstance(found, list if isinstance(part, int) else dict) else ()
        try:
            found = inside[part]
        except (LookupError, TypeError):
            return _MISSING
    return found


def _equal(found: Any, value: Any) -> bool:
    """Whether two values are equal; true is no number here, whatever Python says."""
    if type(found) is not type(value):
        return False
    if isinstance(found, list):
        return len(found) == len(value) and all(map(_equal, found, value))
    if isinstance(found, dict):
        return found.keys() == value.keys() and all(_equal(each, value[name]) for name, each in found.items())
    return bool(found == value)
