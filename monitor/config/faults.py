"""Collecting faults: all of them, each with its place, none of them stopping the search for the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from monitor.config.toml_writer import shown
from monitor.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Iterable

MISSING: Final = "missing"
"""What a message shows where a key or a file should be and is not."""
_MANY = 20


class Refused(Exception):  # noqa: N818 - it is an answer, not an error
    """A value that its kind does not allow. ``allowed`` says what is; ``items`` are the bad ones of a list."""

    def __init__(self, allowed: str, items: tuple[tuple[object, str], ...] = ()) -> None:
        super().__init__(allowed)
        self.allowed = allowed
        self.items = items


@dataclass(frozen=True, slots=True)
class Place:
    """A table of a file, named as its reader finds it."""

    file: str
    table: str = ""


class Faults:
    """The faults found so far, in the order in which they were found."""

    def __init__(self) -> None:
        self._found: list[Fault] = []

    def __len__(self) -> int:
        return len(self._found)

    def add(self, place: Place, key: str, value: str, allowed: str) -> None:
        """Note one fault; ``value`` as the reader shall see it, see :func:`monitor.config.toml_writer.shown`."""
        self._found.append(Fault(place.file, place.table, key, value, allowed))

    def add_refused(self, place: Place, key: str, value: object, refused: Refused) -> None:
        """Note what a kind refused: the value, or each bad item of a list."""
        for bad, allowed in refused.items or ((value, refused.allowed),):
            self.add(place, key, shown(bad, key), allowed)

    def raise_any(self, files: Iterable[str]) -> None:
        """Raise ConfigError with all faults, those of one file together, in the order of ``files``; or do nothing."""
        if self._found:
            order = {file: number for number, file in enumerate(files)}
            raise ConfigError(tuple(sorted(self._found, key=lambda fault: order.get(fault.file, len(order)))))


def nearest(word: str, known: Iterable[str], kind: str) -> str:
    """Return what to say about a word that is none of ``known``: the one that was meant, or all there are."""
    # only a faulty configuration pays for the import
    from difflib import get_close_matches  # noqa: PLC0415

    names = list(dict.fromkeys(known))
    meant = get_close_matches(word, names, n=1)
    if meant:
        return f"unknown {kind}; did you mean {shown(meant[0])}?"
    if not names:
        return f"unknown {kind}; there is none to choose from"
    more = ", ..." if len(names) > _MANY else ""
    return f"unknown {kind}; known: {', '.join(names[:_MANY])}{more}"
