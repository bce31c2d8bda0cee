"""What a table may hold, as data, and the one function that reads a table by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from monitor.config.faults import MISSING, Faults, Place, Refused, nearest
from monitor.config.toml_writer import shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitor.config.validators import Kind

REQUIRED: Final = object()
"""Stands for the default of a key that must be given."""

_IN_A_FILE = "unknown key; put the password alone into a file and name that file by password_file"


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a table."""

    name: str
    kind: Kind
    default: object = REQUIRED
    """What it is when it is not given: as the program keeps it, not as the file would write it."""


@dataclass(frozen=True, slots=True)
class Values:
    """What a table says: every key that is right, with the defaults of those not given."""

    place: Place
    known: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.known[name]

    def get(self, name: str) -> Any:
        """Return the value, or None where it is faulty: the fault is noted already, no second one hangs on it."""
        return self.known.get(name)

    def has(self, *names: str) -> bool:
        """Whether all these keys are right."""
        return all(name in self.known for name in names)


def read_table(
    table: Mapping[str, object], keys: Sequence[Key], place: Place, faults: Faults, tables: Sequence[str] = ()
) -> Values:
    """Read a table by its keys, noting every fault; ``tables`` are further keys, which the caller reads itself."""
    known: dict[str, Any] = {}
    for key in keys:
        if key.name in table:
            value = table[key.name]
            try:
                known[key.name] = key.kind(value)
            except Refused as refused:
                faults.add_refused(place, key.name, value, refused)
        elif key.default is REQUIRED:
            faults.add(place, key.name, MISSING, _allowed(key))
        else:
            known[key.name] = key.default
    names = [*(key.name for key in keys), *tables]
    for name in table:
        if name not in names:
            faults.add(place, name, shown(table[name], name), _unknown(name, names))
    return Values(place, known)


def _allowed(key: Key) -> str:
    """Return what a key allows, by asking its kind about something that nothing allows."""
    try:
        key.kind(object())
    except Refused as refused:
        return f"required: {refused.allowed}"
    return "required"


def _unknown(name: str, names: Sequence[str]) -> str:
    if name == "password" and "password_file" in names:
        return _IN_A_FILE
    return nearest(name, names, "key")
