"""Collecting faults: all of them, each with its place, none of them stopping the search for the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from monitor.config.toml_writer import format_redacted
from monitor.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Iterable

MISSING: Final = "missing"
"""What a message shows where a key or a file should be and is not."""
_MAX_LISTED = 20


class ValueRejected(Exception):  # noqa: N818 - it is an answer, not an error
    """A value that its kind does not allow. ``allowed`` says what is; ``bad_items`` are the bad ones of a list."""

    def __init__(self, allowed: str, bad_items: tuple[tuple[object, str], ...] = ()) -> None:
        super().__init__(allowed)
        self.allowed = allowed
        self.bad_items = bad_items


@dataclass(frozen=True, slots=True)
class Location:
    """A table of a file, named as its reader finds it."""

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
        """Note what a kind refused: the value, or each bad item of a list."""
        for bad, allowed in rejection.bad_items or ((value, rejection.allowed),):
            self.add(location, key, format_redacted(bad, key), allowed)

    def raise_if_any(self, files: Iterable[str]) -> None:
        """Raise ConfigError with all faults, those of one file together, in the order of ``files``; or do nothing."""
        if self._found:
            order = {file: number for number, file in enumerate(files)}
            raise ConfigError(tuple(sorted(self._found, key=lambda fault: order.get(fault.file, len(order)))))


def unknown_name_message(name: str, known: Iterable[str], noun: str) -> str:
    """Return what to say about a word that is none of ``known``: the one that was meant, or all there are."""
    # only a faulty configuration pays for the import
    from difflib import get_close_matches  # noqa: PLC0415

    names = list(dict.fromkeys(known))
    meant = get_close_matches(name, names, n=1)
    if meant:
        return f"unknown {noun}; did you mean {format_redacted(meant[0])}?"
    if not names:
        return f"unknown {noun}; there is none to choose from"
    more = ", ..." if len(names) > _MAX_LISTED else ""
    return f"unknown {noun}; known: {', '.join(names[:_MAX_LISTED])}{more}"
