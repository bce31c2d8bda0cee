"""What a table may hold, as data, and the one function that reads a table by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from monitor.config.faults import MISSING, Faults, Location, ValueRejected, unknown_name_message
from monitor.config.toml_writer import format_redacted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitor.config.validators import Validator

REQUIRED: Final = object()
"""Stands for the default of a key that must be given."""

_FILE_HINT = "unknown key; put the password alone into a file and name that file by password_file"


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a table."""

    name: str
    validator: Validator
    default: object = REQUIRED
    """What it is when it is not given: as the program keeps it, not as the file would write it."""


@dataclass(frozen=True, slots=True)
class DecodedTable:
    """What a table says: every key that is right, with the defaults of those not given."""

    location: Location
    valid: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.valid[name]

    def get(self, name: str) -> Any:
        """Return the value, or None where it is faulty: the fault is noted already, no second one hangs on it."""
        return self.valid.get(name)

    def has(self, *names: str) -> bool:
        """Whether all these keys are right."""
        return all(name in self.valid for name in names)


def decode_table(
    table: Mapping[str, object], keys: Sequence[Key], location: Location, faults: Faults, extra_keys: Sequence[str] = ()
) -> DecodedTable:
    """Read a table by its keys, noting every fault; ``extra_keys`` are further keys, which the caller reads itself."""
    known: dict[str, Any] = {}
    for key in keys:
        if key.name in table:
            value = table[key.name]
            try:
                known[key.name] = key.validator(value)
            except ValueRejected as refused:
                faults.add_rejected(location, key.name, value, refused)
        elif key.default is REQUIRED:
            faults.add(location, key.name, MISSING, _required_message(key))
        else:
            known[key.name] = key.default
    names = [*(key.name for key in keys), *extra_keys]
    for name in table:
        if name not in names:
            faults.add(location, name, format_redacted(table[name], name), _unknown_key_message(name, names))
    return DecodedTable(location, known)


def _required_message(key: Key) -> str:
    """Return what a key allows, by asking its kind about something that nothing allows."""
    try:
        key.validator(object())
    except ValueRejected as refused:
        return f"required: {refused.allowed}"
    return "required"


def _unknown_key_message(name: str, names: Sequence[str]) -> str:
    if name == "password" and "password_file" in names:
        return _FILE_HINT
    return unknown_name_message(name, names, "key")
