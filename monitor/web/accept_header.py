"""What a client wishes for, by its ``Accept`` headers, and how much (RFC 9110, 12.4 and 12.5).

Neither aiohttp nor prometheus_client weighs: they look whether a name stands in the header.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.request import parse_http_list

if TYPE_CHECKING:
    from collections.abc import Iterable

_QVALUE = re.compile(r"0(\.\d{0,3})?|1(\.0{0,3})?")


class AcceptHeader:
    """The wishes of all lines of one header: how much each name is wished for, from 0 (not at all) to 1."""

    def __init__(self, lines: Iterable[str]) -> None:
        """A name that is said again, with other parameters, counts by what it is wished for most."""
        self._weights: dict[str, float] = {}
        for item in parse_http_list(",".join(lines)):
            name, weight = _parse_item(item)
            self._weights[name] = max(weight, self._weights.get(name, 0.0))

    def weight(self, *names: str) -> float | None:
        """How much the first of some names that is mentioned at all is wished for: the special before the general."""
        return next((self._weights[name] for name in names if name in self._weights), None)


def _parse_item(item: str) -> tuple[str, float]:
    """Read one name and its weight; one whose weight cannot be read is not wished for."""
    name, *parameters = (part.strip().lower() for part in item.split(";"))
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            return name, float(value) if _QVALUE.fullmatch(value.strip()) else 0.0
    return name, 1.0
