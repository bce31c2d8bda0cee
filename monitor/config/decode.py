"""Keys of a table as data, and the function that decodes a table by them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from monitor.config.faults import MISSING, Faults, Location, ValueRejected, unknown_name_message
from monitor.config.toml_writer import format_redacted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitor.config.validators import Validator

REQUIRED: Final = object()
"""The default of a key that must be given."""

_FILE_HINT = "unknown key; put the password alone into a file and name that file by password_file"


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a table."""

    name: str
    validator: Validator
    default: object = REQUIRED
    """The decoded value of a key that is not given."""


@dataclass(frozen=True, slots=True)
class DecodedTable:
    """The valid values of a table, with defaults for keys that are not given."""

    location: Location
    valid: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.valid[name]

    def get(self, name: str) -> Any:
        """Return the value, or None if it is faulty; its fault is already recorded."""
        return self.valid.get(name)

    def has(self, *names: str) -> bool:
        """Whether all these keys are valid."""
        return all(name in self.valid for name in names)


def decode_table(
    table: Mapping[str, object], keys: Sequence[Key], location: Location, faults: Faults, extra_keys: Sequence[str] = ()
) -> DecodedTable:
    """Decode a table by its keys and add every fault; the caller decodes ``extra_keys`` itself."""
    known: dict[str, Any] = {}
    for key in keys:
        if key.name in table:
            value = table[key.name]
            try:
                known[key.name] = key.validator(value)
            except ValueRejected as rejection:
                faults.add_rejected(location, key.name, value, rejection)
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
    """Return what a key allows: its validator's message for a value that no validator allows."""
    try:
        key.validator(object())
    except ValueRejected as rejection:
        return f"required: {rejection.allowed}"
    return "required"


def _unknown_key_message(name: str, names: Sequence[str]) -> str:
    if name == "password" and "password_file" in names:
        return _FILE_HINT
    return unknown_name_message(name, names, "key")
