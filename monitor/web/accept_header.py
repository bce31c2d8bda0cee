"""The preferences of a client by its ``Accept`` headers, with their weights (RFC 9110, 12.4 and 12.5).

aiohttp and prometheus_client ignore the weights: they only search the header for a name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.request import parse_http_list

if TYPE_CHECKING:
    from collections.abc import Iterable

_QVALUE = re.compile(r"0(\.\d{0,3})?|1(\.0{0,3})?")


class AcceptHeader:
    """The weights of the names in all lines of one header, from 0 (not acceptable) to 1."""

    def __init__(self, lines: Iterable[str]) -> None:
        """Parse the lines; a name that occurs several times has its largest weight."""
        self._weights: dict[str, float] = {}
        for item in parse_http_list(",".join(lines)):
            name, weight = _parse_item(item)
            self._weights[name] = max(weight, self._weights.get(name, 0.0))

    def weight(self, *names: str) -> float | None:
        """Return the weight of the first of some names that the header contains; None if it contains none."""
        return next((self._weights[name] for name in names if name in self._weights), None)


def _parse_item(item: str) -> tuple[str, float]:
    """Return a name and its weight; an invalid weight is 0."""
    name, *parameters = (part.strip().lower() for part in item.split(";"))
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            return name, float(value) if _QVALUE.fullmatch(value.strip()) else 0.0
    return name, 1.0
