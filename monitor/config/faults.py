"""Collect faults with their locations; a fault does not stop the search for the next.

A module of its own because ``validators.py``, ``decode.py``, ``files.py`` and ``entries.py`` all build on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from monitor.config.toml_writer import format_redacted
from monitor.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Iterable

MISSING: Final = "missing"
"""What a message shows as the value of a missing key or file."""
_MAX_LISTED = 40


class ValueRejected(Exception):  # noqa: N818 - it is an answer, not an error
    """A validator rejects a value. ``allowed`` describes valid values; ``bad_items`` are the bad items of a list."""

    def __init__(self, allowed: str, bad_items: tuple[tuple[object, str], ...] = ()) -> None:
        super().__init__(allowed)
        self.allowed = allowed
        self.bad_items = bad_items


@dataclass(frozen=True, slots=True)
class Location:
    """A table of a file, named as messages show it."""

    file: str
    table: str = ""


class Faults:
    """The faults found so far, in the order in which they were found."""

    def __init__(self) -> None:
        self._found: list[Fault] = []

    def __len__(self) -> int:
        return len(self._found)

    def add(self, location: Location, key: str, value: str, allowed: str) -> None:
        """Add one fault; ``value`` is text for a person, see :func:`monitor.config.toml_writer.format_redacted`."""
        self._found.append(Fault(location.file, location.table, key, value, allowed))

    def add_rejected(self, location: Location, key: str, value: object, rejection: ValueRejected) -> None:
        """Add a rejected value, or each bad item of a list."""
        for bad, allowed in rejection.bad_items or ((value, rejection.allowed),):
            self.add(location, key, format_redacted(bad, key), allowed)

    def raise_if_any(self, files: Iterable[str]) -> None:
        """Raise ConfigError with all faults, grouped by file in the order of ``files``, if there are any."""
        if self._found:
            order = {file: number for number, file in enumerate(files)}
            raise ConfigError(tuple(sorted(self._found, key=lambda fault: order.get(fault.file, len(order)))))


def unknown_name_message(name: str, known: Iterable[str], noun: str) -> str:
    """Return a message for a word that is not in ``known``: with the closest one, or all of them."""
    # only a faulty configuration needs the import
    from difflib import get_close_matches  # noqa: PLC0415

    names = list(dict.fromkeys(known))
    meant = get_close_matches(name, names, n=1)
    if meant:
        return f"unknown {noun}; did you mean {format_redacted(meant[0])}?"
    if not names:
        return f"unknown {noun}; the configuration has none"
    more = ", ..." if len(names) > _MAX_LISTED else ""
    return f"unknown {noun}; known: {', '.join(names[:_MAX_LISTED])}{more}"
