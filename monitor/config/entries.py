"""Decode customers, servers with their services, and subscriptions, from all files."""

from __future__ import annotations

from dataclasses import MISSING as NO_DEFAULT
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, Union, get_args, get_origin, get_type_hints

from monitor.config.decode import REQUIRED, DecodedTable, Key, decode_table
from monitor.config.faults import MISSING, Faults, Location, ValueRejected, unknown_name_message
from monitor.config.schema import CUSTOMER_KEYS, SERVER_KEYS, SUBSCRIPTION_KEYS
from monitor.config.toml_writer import format_redacted
from monitor.config.validators import Validator, boolean, choice, identifier, list_of, path, seconds
from monitor.formatting import pluralize
from monitor.model import PING, Check, CheckKey, Customer, Server, Subscription
from monitor.probes.settings import CheckSettings, Duration, settings_fields
from monitor.sla.support_levels import SUPPORT_LEVELS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from dataclasses import Field

    from monitor.config.files import ConfigFile


# --- services: each check type declares its keys as fields of its settings --------------------------------------------

SERVICE: Final = "service"
_MAX_DURATION: Final = 86_400_000
"""Milliseconds: more than any key allows."""


class HasSettings(Protocol):
    """The part of a check type that decoding needs."""

    @property
    def settings(self) -> type:
        """Its frozen dataclass of settings."""


def _service_name(value: object) -> str:
    if value == PING:
        raise ValueRejected(f'another name: "{PING}" is the name of the reachability check')
    return identifier(value)


SERVICE_NAME_KEY: Final = Key("name", _service_name)


def service_keys(types: Mapping[str, HasSettings], name: str, folder: Path) -> tuple[Key, ...]:
    """Return every key of a service of that type; paths are relative to ``folder``."""
    return (SERVICE_NAME_KEY, Key("type", choice(*types)), *_settings_keys(types[name].settings, folder))


def decode_service(
    table: Mapping[str, object], address: str, location: Location, types: Mapping[str, HasSettings], faults: Faults
) -> Mapping[str, Any]:
    """Decode one ``[[server.service]]``; return the valid ones of ``name``, ``type`` and ``settings``.

    ``address`` is the server's address; empty if that is faulty.
    """
    given = table.get("type")
    if not isinstance(given, str) or given not in types:
        # the other keys depend on the type
        rest = {name: table[name] for name in ("name", "type") if name in table}
        found = decode_table(rest, (SERVICE_NAME_KEY, Key("type", _check_type_validator(types))), location, faults)
        return found.valid
    folder = Path(location.file).parent
    before = len(faults)
    found = decode_table(table, service_keys(types, given, folder), location, faults)
    if len(faults) > before:
        return {name: found[name] for name in ("name", "type") if found.has(name)}
    settings = types[given].settings(
        **{name: value for name, value in found.valid.items() if name not in ("name", "type")}
    )
    if wrong := _validate_settings(settings, address):
        key, allowed = wrong
        faults.add(location, key, format_redacted(table[key], key) if key in table else MISSING, allowed)
    return {"name": found["name"], "type": given, "settings": settings}


def _validate_settings(settings: object, address: str) -> tuple[str, str] | None:
    """Validate the keys of a service together; return the faulty key and what is allowed, or None."""
    if isinstance(settings, CheckSettings) and (wrong := settings.validate_common()):
        return wrong
    validate: Callable[[str], tuple[str, str] | None] | None = getattr(settings, "validate", None)
    return validate(address) if validate else None


def reachability_check(server: str, reach: str, family: str, types: Mapping[str, HasSettings]) -> Check:
    """Return the check ``ping``: ICMP, or a connection to the TCP port in ``reach``, by addresses of ``family``."""
    name, _, port = reach.partition(":")
    keys: dict[str, object] = {"family": family} | ({"port": int(port)} if port else {})
    settings = types[name].settings(**keys)
    return Check(CheckKey(server, PING), name, settings)


def _check_type_validator(types: Mapping[str, HasSettings]) -> Validator:
    def read(value: object) -> object:
        if isinstance(value, str):
            raise ValueRejected(unknown_name_message(value, types, "check type"))
        return choice(*types)(value)

    return read


@lru_cache
def _settings_keys(settings: type, folder: Path) -> tuple[Key, ...]:
    hints = get_type_hints(settings)
    return tuple(_settings_key(field, hints[field.name], folder) for field in settings_fields(settings))


def _settings_key(field: Field[Any], hint: object, folder: Path) -> Key:
    default = field.default
    if default is NO_DEFAULT:
        default = REQUIRED if field.default_factory is NO_DEFAULT else field.default_factory()
    return Key(
        field.name, _with_check(_validator_for(hint, folder), field.metadata.get("check"), field.metadata), default
    )


def _with_check(validator: Validator, check: Callable[[Any], bool] | None, metadata: Mapping[str, Any]) -> Validator:
    """Return the validator with the check type's own condition and description of allowed values added."""

    def read(value: object) -> object:
        try:
            result = validator(value)
            passed = check is None or check(result)
        except ValueRejected as rejection:
            raise ValueRejected(metadata.get("allowed", rejection.allowed), rejection.bad_items) from None
        except ValueError:
            passed = False
        if not passed:
            raise ValueRejected(metadata.get("allowed", "another value"))
        return result

    return read


def _validator_for(hint: object, folder: Path) -> Validator:
    """Return the validator for a type hint; raises TypeError for a hint that no key can have."""
    if get_origin(hint) in (Union, UnionType):
        (hint,) = (one for one in get_args(hint) if one is not NoneType)
    if get_origin(hint) is Literal:
        return _literal_validator(get_args(hint))
    if get_origin(hint) is tuple:
        item, _ = get_args(hint)
        return list_of(_validator_for(item, folder), "values")
    simple: dict[object, Validator] = {
        str: _string,
        int: _integer,
        bool: boolean,
        Path: _path_validator(folder),
        Duration: seconds(0, _MAX_DURATION),
    }
    if hint not in simple:
        raise TypeError(f"no key of a check type can be {hint!r}")
    return simple[hint]


def _literal_validator(words: tuple[str, ...]) -> Validator:
    """Return the validator for one of a few words; a word of digits may also be given as a number."""
    one = choice(*words)
    return lambda value: one(str(value) if type(value) is int and str(value) in words else value)


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise ValueRejected("a text in quotes")
    return value


def _integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueRejected("a whole number")
    return value


def _path_validator(folder: Path) -> Validator:
    def read(value: object) -> Path:
        return (folder / str(path(value))).absolute()

    return read


@dataclass(frozen=True, slots=True)
class DecodedEntry:
    """The valid values of one customer, server or subscription."""

    values: DecodedTable
    raw_id: object
    """The id as given, valid or not, so that references to a faulty id are not reported as unknown."""
    services: tuple[Mapping[str, Any], ...] = ()
    all_services_valid: bool = True
    """Whether no service has a fault."""

    @property
    def location(self) -> Location:
        """The file and table."""
        return self.values.location


@dataclass(slots=True)
class DecodedEntries:
    """All customers, servers and subscriptions, in the order of the files."""

    customers: list[DecodedEntry] = field(default_factory=list)
    servers: list[DecodedEntry] = field(default_factory=list)
    subscriptions: list[DecodedEntry] = field(default_factory=list)


def decode_entries(sources: Iterable[ConfigFile], types: Mapping[str, HasSettings], faults: Faults) -> DecodedEntries:
    """Decode all customers, servers and subscriptions; add the faults of each by itself."""
    entries = DecodedEntries()
    for source in sources:
        for location, table in _iter_tables(source.tables, "customer", Location(source.name), faults):
            entries.customers.append(_decode_entry(table, CUSTOMER_KEYS, location, faults))
        for location, table in _iter_tables(source.tables, "server", Location(source.name), faults):
            entries.servers.append(_decode_server(table, location, types, faults))
        for location, table in _iter_tables(source.tables, "subscription", Location(source.name), faults):
            entries.subscriptions.append(_decode_subscription(table, location, faults))
    for several in (entries.customers, entries.servers, entries.subscriptions):
        _check_unique_ids(several, faults)
    return entries


def build_customer(entry: DecodedEntry) -> Customer:
    """Return the customer of an entry without faults."""
    return Customer(**entry.values.valid)


def build_server(entry: DecodedEntry, types: Mapping[str, HasSettings]) -> Server:
    """Return the server of an entry without faults; its checks with ``ping`` first, none on level 1."""
    values = entry.values
    checks: list[Check] = []
    if SUPPORT_LEVELS[values["level"]].monitored:
        checks.append(reachability_check(values["id"], values["reach"], values["family"], types))
    checks += [Check(CheckKey(values["id"], one["name"]), one["type"], one["settings"]) for one in entry.services]
    return Server(values["id"], values["address"], values["level"], values["parent"], tuple(checks))


def build_subscription(entry: DecodedEntry) -> Subscription:
    """Return the subscription of an entry without faults."""
    return Subscription(**entry.values.valid)


def _iter_tables(
    tables: Mapping[str, object], table_name: str, location: Location, faults: Faults, name_key: str = "id"
) -> Iterator[tuple[Location, Mapping[str, object]]]:
    """Yield each table of an array with its location, which names it by its id (or name), else by its number."""
    given = tables.get(table_name, [])
    header = f"[[{table_name}]]" if name_key == "id" else f"[[server.{table_name}]]"
    if not isinstance(given, list):
        faults.add(
            location, table_name, format_redacted(given), f"tables of their own, each under {header} in double brackets"
        )
        return
    for number, table in enumerate(given, 1):
        if not isinstance(table, dict):
            faults.add(location, table_name, format_redacted(table), f"a table under {header}")
            continue
        prefix = f"{location.table} " if location.table else ""
        try:
            name = identifier(table.get(name_key))
        except ValueRejected:
            name = f"#{number}"
        yield Location(location.file, f"{prefix}{table_name} {name}"), table


def _decode_entry(
    table: Mapping[str, object], keys: Sequence[Key], location: Location, faults: Faults, extra_keys: Sequence[str] = ()
) -> DecodedEntry:
    return DecodedEntry(decode_table(table, keys, location, faults, extra_keys), table.get("id"))


def _decode_server(
    table: Mapping[str, object], location: Location, types: Mapping[str, HasSettings], faults: Faults
) -> DecodedEntry:
    values = decode_table(table, SERVER_KEYS, location, faults, (SERVICE,))
    before = len(faults)
    services: list[Mapping[str, Any]] = []
    first: set[str] = set()
    for where, service in _iter_tables(table, SERVICE, location, faults, name_key="name"):
        found = decode_service(service, values.get("address") or "", where, types, faults)
        services.append(found)
        name = found.get("name")
        if name in first:
            faults.add(where, "name", format_redacted(name), "a name of its own: another service of this server has it")
        elif name:
            first.add(name)
    whole = len(faults) == before
    if values.has("level"):
        _check_service_count(values["level"], len(services), location, faults)
    return DecodedEntry(values, table.get("id"), tuple(services), whole)


def _check_service_count(level: int, services: int, location: Location, faults: Faults) -> None:
    """Add a fault for more services than the server's level includes (8.1)."""
    included = SUPPORT_LEVELS[level].services
    if services <= included:
        return
    table = ", ".join(f"level {number} {terms.monitoring}" for number, terms in SUPPORT_LEVELS.items())
    enough = [number for number, terms in SUPPORT_LEVELS.items() if terms.services >= services]
    remedy = f"take out {services - included}" + (f" or raise the level to {enough[0]}" if enough else "")
    several = pluralize(services, "service")
    faults.add(location, SERVICE, several, f"more than level {level} includes (table 8.1: {table}); {remedy}")


def _decode_subscription(table: Mapping[str, object], location: Location, faults: Faults) -> DecodedEntry:
    entry = _decode_entry(table, SUBSCRIPTION_KEYS, location, faults)
    values = entry.values
    if "fee" in table and "currency" not in table:
        faults.add(location, "currency", MISSING, 'the currency of the fee, such as "USD"')
    if "currency" in table and "fee" not in table:
        faults.add(location, "fee", MISSING, f"the fee in {values.get('currency') or 'that currency'}, or no currency")
    start, end = values.get("start"), values.get("end")
    if start and end and end < start:
        faults.add(location, "end", format_redacted(end), f"the last day, not before the first, {start}")
    return entry


def _check_unique_ids(entries: Iterable[DecodedEntry], faults: Faults) -> None:
    """Add a fault for each id that an earlier entry has."""
    first: dict[str, Location] = {}
    for entry in entries:
        given = entry.values.get("id")
        if given is None:
            continue
        if given in first:
            where = "this file" if first[given].file == entry.location.file else first[given].file
            faults.add(entry.location, "id", format_redacted(given), f"an id of its own: {where} has it already")
        else:
            first[given] = entry.location
