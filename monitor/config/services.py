"""The services of a server: each check type brings keys of its own, declared by the fields of its settings."""

from __future__ import annotations

from dataclasses import MISSING as NO_DEFAULT
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, Union, get_args, get_origin, get_type_hints

from monitor.config.decode import REQUIRED, Key, read_table
from monitor.config.faults import MISSING, Faults, Place, Refused, nearest
from monitor.config.toml_writer import shown
from monitor.config.validators import Kind, choice, flag, identifier, list_of, path
from monitor.model import PING, Check, CheckKey

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from dataclasses import Field

SERVICE: Final = "service"


class CheckType(Protocol):
    """As much of a check type as its keys hang on."""

    @property
    def settings(self) -> type:
        """Its frozen dataclass of settings."""


def _service_name(value: object) -> str:
    if value == PING:
        raise Refused(f'another name: "{PING}" is what the reachability check is called')
    return identifier(value)


NAME: Final = Key("name", _service_name)


def service_keys(types: Mapping[str, CheckType], name: str, folder: Path) -> tuple[Key, ...]:
    """Return every key of a service of that type; paths are relative to ``folder``."""
    return (NAME, Key("type", choice(*types)), *_settings_keys(types[name].settings, folder))


def read_service(
    table: Mapping[str, object], address: str, place: Place, types: Mapping[str, CheckType], faults: Faults
) -> Mapping[str, Any]:
    """Read one ``[[server.service]]`` and return what is right of ``name``, ``type`` and ``settings``.

    ``address`` is that of the server; empty where that is not known.
    """
    given = table.get("type")
    if not isinstance(given, str) or given not in types:
        # without a type nothing else of it can be judged
        rest = {name: table[name] for name in ("name", "type") if name in table}
        found = read_table(rest, (NAME, Key("type", _known_type(types))), place, faults)
        return found.known
    folder = Path(place.file).parent
    before = len(faults)
    found = read_table(table, service_keys(types, given, folder), place, faults)
    if len(faults) > before:
        return {name: found[name] for name in ("name", "type") if found.has(name)}
    settings = types[given].settings(
        **{name: value for name, value in found.known.items() if name not in ("name", "type")}
    )
    if wrong := _together(settings, address):
        key, allowed = wrong
        faults.add(place, key, shown(table[key], key) if key in table else MISSING, allowed)
    return {"name": found["name"], "type": given, "settings": settings}


def _together(settings: object, address: str) -> tuple[str, str] | None:
    """Ask a type whether its keys fit each other: the one that does not, and what is allowed."""
    judge: Callable[[str], tuple[str, str] | None] | None = getattr(settings, "together", None)
    return judge(address) if judge else None


def reachability(server: str, reach: str, types: Mapping[str, CheckType]) -> Check:
    """Return the check ``ping``: by ICMP, or by the TCP port that ``reach`` names."""
    name, _, port = reach.partition(":")
    settings = types[name].settings(port=int(port)) if port else types[name].settings()
    return Check(CheckKey(server, PING), name, settings)


def _known_type(types: Mapping[str, CheckType]) -> Kind:
    def read(value: object) -> object:
        if isinstance(value, str):
            raise Refused(nearest(value, types, "check type"))
        return choice(*types)(value)

    return read


@lru_cache
def _settings_keys(settings: type, folder: Path) -> tuple[Key, ...]:
    hints = get_type_hints(settings)
    return tuple(_settings_key(field, hints[field.name], folder) for field in fields(settings) if field.init)


def _settings_key(field: Field[Any], hint: object, folder: Path) -> Key:
    default = field.default
    if default is NO_DEFAULT:
        default = REQUIRED if field.default_factory is NO_DEFAULT else field.default_factory()
    return Key(field.name, _checked(_kind(hint, folder), field.metadata.get("check"), field.metadata), default)


def _checked(kind: Kind, check: Callable[[Any], bool] | None, metadata: Mapping[str, Any]) -> Kind:
    """Return the kind that also asks the check type itself, and says what it allows in its own words."""

    def read(value: object) -> object:
        try:
            result = kind(value)
            passed = check is None or check(result)
        except Refused as refused:
            raise Refused(metadata.get("allowed", refused.allowed), refused.items) from None
        except ValueError:
            passed = False
        if not passed:
            raise Refused(metadata.get("allowed", "another value"))
        return result

    return read


def _kind(hint: object, folder: Path) -> Kind:
    """Return how a value of a type hint is read; raises TypeError for a hint that no key can have."""
    if get_origin(hint) in (Union, UnionType):
        (hint,) = (one for one in get_args(hint) if one is not NoneType)
    if get_origin(hint) is Literal:
        return _word_of(get_args(hint))
    if get_origin(hint) is tuple:
        item, _ = get_args(hint)
        return list_of(_kind(item, folder), "values")
    simple: dict[object, Kind] = {str: _text, int: _number, bool: flag, Path: _file_in(folder)}
    if hint not in simple:
        raise TypeError(f"no key of a check type can be {hint!r}")
    return simple[hint]


def _word_of(words: tuple[str, ...]) -> Kind:
    """Return the kind that is one of a few words; one of digits alone may stand there as a number."""
    one = choice(*words)
    return lambda value: one(str(value) if type(value) is int and str(value) in words else value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Refused("a text in quotes")
    return value


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Refused("a whole number")
    return value


def _file_in(folder: Path) -> Kind:
    def read(value: object) -> Path:
        return (folder / str(path(value))).absolute()

    return read
