"""The things that are watched, and for whom: customers, servers and subscriptions, out of all files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from monitor.config.decode import Values, read_table
from monitor.config.faults import MISSING, Faults, Place, Refused
from monitor.config.schema import CUSTOMER, SERVER, SUBSCRIPTION
from monitor.config.services import SERVICE, CheckType, reachability, read_service
from monitor.config.toml_writer import shown
from monitor.config.validators import identifier
from monitor.mail.text import counted
from monitor.model import Check, CheckKey, Customer, Server, Subscription
from monitor.sla.support_levels import LEVELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from monitor.config.decode import Key
    from monitor.config.files import Source


@dataclass(frozen=True, slots=True)
class Entry:
    """One customer, server or subscription as far as it could be read."""

    values: Values
    given_id: object
    """What stands as its id, right or wrong: a reference to it is then not dangling."""
    services: tuple[Mapping[str, Any], ...] = ()
    services_whole: bool = True
    """Whether every service could be read."""

    @property
    def place(self) -> Place:
        """Where it stands."""
        return self.values.place


@dataclass(slots=True)
class Entries:
    """Everything that stands more than once, in the order of the files."""

    customers: list[Entry] = field(default_factory=list)
    servers: list[Entry] = field(default_factory=list)
    subscriptions: list[Entry] = field(default_factory=list)


def read_entries(sources: Iterable[Source], types: Mapping[str, CheckType], faults: Faults) -> Entries:
    """Read every customer, server and subscription, noting all faults that lie in one of them alone."""
    entries = Entries()
    for source in sources:
        for place, table in _tables(source.tables, "customer", Place(source.name), faults):
            entries.customers.append(_read(table, CUSTOMER, place, faults))
        for place, table in _tables(source.tables, "server", Place(source.name), faults):
            entries.servers.append(_read_server(table, place, types, faults))
        for place, table in _tables(source.tables, "subscription", Place(source.name), faults):
            entries.subscriptions.append(_read_subscription(table, place, faults))
    for several in (entries.customers, entries.servers, entries.subscriptions):
        _check_ids(several, faults)
    return entries


def customer(entry: Entry) -> Customer:
    """Return the customer; every value is right by now."""
    return Customer(**entry.values.known)


def server(entry: Entry, types: Mapping[str, CheckType]) -> Server:
    """Return the server with its checks, the reachability check first; none on level 1."""
    values = entry.values
    checks: list[Check] = []
    if LEVELS[values["level"]].monitored:
        checks.append(reachability(values["id"], values["reach"], types))
    checks += [Check(CheckKey(values["id"], one["name"]), one["type"], one["settings"]) for one in entry.services]
    return Server(values["id"], values["address"], values["level"], values["parent"], tuple(checks))


def subscription(entry: Entry) -> Subscription:
    """Return the subscription; every value is right by now."""
    return Subscription(**entry.values.known)


def _tables(
    tables: Mapping[str, object], kind: str, place: Place, faults: Faults, key: str = "id"
) -> Iterator[tuple[Place, Mapping[str, object]]]:
    """Yield every table of a kind with its place: by its id (or name) where it has a usable one, else by its number."""
    given = tables.get(kind, [])
    header = f"[[{kind}]]" if key == "id" else f"[[server.{kind}]]"
    if not isinstance(given, list):
        faults.add(place, kind, shown(given), f"tables of their own, each under {header} in double brackets")
        return
    for number, table in enumerate(given, 1):
        if not isinstance(table, dict):
            faults.add(place, kind, shown(table), f"a table under {header}")
            continue
        prefix = f"{place.table} " if place.table else ""
        try:
            name = identifier(table.get(key))
        except Refused:
            name = f"#{number}"
        yield Place(place.file, f"{prefix}{kind} {name}"), table


def _read(
    table: Mapping[str, object], keys: Sequence[Key], place: Place, faults: Faults, tables: Sequence[str] = ()
) -> Entry:
    return Entry(read_table(table, keys, place, faults, tables), table.get("id"))


def _read_server(table: Mapping[str, object], place: Place, types: Mapping[str, CheckType], faults: Faults) -> Entry:
    values = read_table(table, SERVER, place, faults, (SERVICE,))
    before = len(faults)
    services: list[Mapping[str, Any]] = []
    first: set[str] = set()
    for where, service in _tables(table, SERVICE, place, faults, key="name"):
        found = read_service(service, values.get("address") or "", where, types, faults)
        services.append(found)
        name = found.get("name")
        if name in first:
            faults.add(where, "name", shown(name), "a name of its own: another service of this server has it")
        elif name:
            first.add(name)
    whole = len(faults) == before
    if values.has("level"):
        _check_level(values["level"], len(services), place, faults)
    return Entry(values, table.get("id"), tuple(services), whole)


def _check_level(level: int, services: int, place: Place, faults: Faults) -> None:
    """Note services beyond those that the server's level includes (8.1)."""
    included = LEVELS[level].services
    if services <= included:
        return
    table = ", ".join(f"level {number} {terms.monitoring}" for number, terms in LEVELS.items())
    enough = [number for number, terms in LEVELS.items() if terms.services >= services]
    remedy = f"take out {services - included}" + (f" or raise the level to {enough[0]}" if enough else "")
    several = counted(services, "service")
    faults.add(place, SERVICE, several, f"more than level {level} includes (table 8.1: {table}); {remedy}")


def _read_subscription(table: Mapping[str, object], place: Place, faults: Faults) -> Entry:
    entry = _read(table, SUBSCRIPTION, place, faults)
    values = entry.values
    if "fee" in table and "currency" not in table:
        faults.add(place, "currency", MISSING, 'the currency of the fee, such as "USD"')
    if "currency" in table and "fee" not in table:
        faults.add(place, "fee", MISSING, f"the fee in {values.get('currency') or 'that currency'}, or no currency")
    start, end = values.get("start"), values.get("end")
    if start and end and end < start:
        faults.add(place, "end", shown(end), f"the last day, not before the first, {start}")
    return entry


def _check_ids(entries: Iterable[Entry], faults: Faults) -> None:
    """Note every id that something before it has, naming both files."""
    first: dict[str, Place] = {}
    for entry in entries:
        given = entry.values.get("id")
        if given is None:
            continue
        if given in first:
            where = "this file" if first[given].file == entry.place.file else first[given].file
            faults.add(entry.place, "id", shown(given), f"an id of its own: {where} has it already")
        else:
            first[given] = entry.place
