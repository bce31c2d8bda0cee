"""``load``: from files to a Config, or a ConfigError with all faults; and the rules between tables."""

from __future__ import annotations

from dataclasses import replace
from stat import S_ISDIR
from typing import TYPE_CHECKING, Any

from monitor.config.decode import DecodedTable, decode_table
from monitor.config.entries import (
    SERVICE,
    DecodedEntries,
    build_customer,
    build_server,
    build_subscription,
    decode_entries,
)
from monitor.config.faults import MISSING, Faults, Location, unknown_name_message
from monitor.config.files import ConfigFiles
from monitor.config.schema import ARRAY_TABLES, SINGLE_TABLES, TOP_LEVEL_NAMES
from monitor.config.settings import Config, ContractSettings, EmailSettings, MonitorSettings, WebSettings
from monitor.config.toml_writer import format_redacted
from monitor.config.validators import format_seconds
from monitor.probes.check_types import CHECK_TYPES
from monitor.probes.settings import is_loopback
from monitor.sla.terms import PRODUCTS, WEB_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from monitor.config.entries import DecodedEntry, HasSettings
    from monitor.config.files import ConfigFile


# --- rules between tables: references exist, parents form no circle, products can be measured -------------------------


def check_references(contract: DecodedTable, entries: DecodedEntries, faults: Faults, *, complete: bool) -> None:
    """Add faults for references to missing entries, parents in a cycle and products that cannot be measured.

    If the files are not ``complete``, missing entries are not reported: they may be in the file that cannot be read.
    """
    if complete:
        _check_targets_exist(entries.subscriptions, "customer", entries.customers, "customer", faults)
        _check_targets_exist(entries.subscriptions, "server", entries.servers, "server", faults)
        _check_targets_exist(entries.servers, "parent", entries.servers, "server", faults)
        _check_ticket_area(contract, entries.servers, faults)
    _check_parent_cycles(entries.servers, faults)
    _check_measurable(entries, faults)


def _check_targets_exist(
    entries: Iterable[DecodedEntry], key: str, targets: Iterable[DecodedEntry], noun: str, faults: Faults
) -> None:
    ids = [entry.raw_id for entry in targets if isinstance(entry.raw_id, str)]
    there = set(ids)
    for entry in entries:
        given = entry.values.get(key)
        if given is not None and given not in there:
            others = (known_id for known_id in ids if known_id != entry.raw_id)
            faults.add(entry.location, key, format_redacted(given), unknown_name_message(given, others, noun))


def _check_ticket_area(contract: DecodedTable, servers: Iterable[DecodedEntry], faults: Faults) -> None:
    ids = [entry.raw_id for entry in servers if isinstance(entry.raw_id, str)]
    given = contract.get("ticket_area")
    if given is not None and given not in ids:
        faults.add(contract.location, "ticket_area", format_redacted(given), unknown_name_message(given, ids, "server"))


def _check_parent_cycles(servers: Sequence[DecodedEntry], faults: Faults) -> None:
    """Add one fault for each cycle of parents, at its first server."""
    parents = {entry.values.get("id"): entry.values.get("parent") for entry in servers}
    done: set[str] = set()
    for entry in servers:
        chain: list[str] = []
        at = entry.values.get("id")
        while at is not None and at not in done:
            done.add(at)
            chain.append(at)
            at = parents.get(at)
        # a chain that ends in itself is a cycle; one that ends in an earlier chain is not
        if at in chain:
            cycle = [*chain[chain.index(at) :], at]
            first = next(one for one in servers if one.values.get("id") in cycle)
            rotated = _rotate_cycle(cycle, first.values["id"])
            faults.add(first.location, "parent", format_redacted(first.values["parent"]), _cycle_message(rotated))


def _rotate_cycle(cycle: Sequence[str], first: str) -> list[str]:
    """Return the closed cycle (its first member repeated at the end) starting at another member."""
    ring = list(cycle[:-1])
    start = ring.index(first)
    return [*ring[start:], *ring[:start], first]


def _cycle_message(cycle: Sequence[str]) -> str:
    if len(cycle) == 2:  # noqa: PLR2004 - itself, twice
        return "another server: a server cannot be its own parent"
    return f"a parent that does not depend on this server: {' -> '.join(cycle)}"


def _check_measurable(entries: DecodedEntries, faults: Faults) -> None:
    """Add faults for subscriptions that cannot be measured: web hosting without a web check (5.1)."""
    servers: Mapping[str | None, DecodedEntry] = {entry.values.get("id"): entry for entry in entries.servers}
    for entry in entries.subscriptions:
        product, server = entry.values.get("product"), servers.get(entry.values.get("server"))
        if product is None or server is None or PRODUCTS[product].measured != "web" or not server.all_services_valid:
            continue
        if not any(service["type"] in WEB_TYPES for service in server.services):
            name = format_redacted(entry.values["server"])
            faults.add(
                entry.location,
                "product",
                format_redacted(product),
                f"it is measured by http and https checks ({PRODUCTS[product].clause}) and server {name} has none: "
                "give the server a [[server.service]] of type http or https (level 4), or sell another product on it",
            )


_ATTEMPT_KEYS = ("timeout", "retries", "retry_wait")
"""The keys of [monitor] that a service may have too."""

DEFAULT_PORTS: Mapping[str, int] = {"starttls": 587, "tls": 465, "none": 25}
"""The relay's default port, by security."""


def load(path: Path, check_types: Mapping[str, HasSettings] = CHECK_TYPES) -> Config:
    """Read a configuration with all files that it includes.

    Messages name files relative to ``path``. Raises ConfigError with every fault of every file; if a file cannot be
    read at all, faults that its content might resolve are left out.
    """
    faults = Faults()
    sources = ConfigFiles(path, faults)
    for source in sources.files:
        _check_top_level(source, faults, main=source is sources.main)
    main = sources.files[0] if sources.files else None
    single = {name: _decode_single(name, main, faults) for name in SINGLE_TABLES} if main else {}
    if main:
        _check_monitor_settings(single["monitor"], main.path.parent, faults)
        _check_login(single["email"], faults)
    entries = decode_entries(sources.files, check_types, faults)
    if main:
        _check_service_durations(single["monitor"], entries.servers, faults)
        check_references(single["contract"], entries, faults, complete=sources.complete)
    faults.raise_if_any(source.name for source in sources.files)
    return _build_config(sources, single, entries, check_types)


def _check_top_level(source: ConfigFile, faults: Faults, *, main: bool) -> None:
    """Add faults for unknown tables, and for tables that an included file must not have."""
    location = Location(source.name)
    for name, value in source.tables.items():
        if name == SERVICE:
            faults.add(location, name, format_redacted(value), "it belongs under its server, as [[server.service]]")
        elif name not in TOP_LEVEL_NAMES:
            faults.add(
                location,
                name,
                format_redacted(value, name),
                unknown_name_message(name, TOP_LEVEL_NAMES if main else ARRAY_TABLES, "table or key"),
            )
        elif not main and name not in ARRAY_TABLES:
            faults.add(
                location,
                name,
                format_redacted(value),
                f"only the main file may have it; an included file may have {', '.join(ARRAY_TABLES)}",
            )


def _decode_single(name: str, main: ConfigFile, faults: Faults) -> DecodedTable:
    table = main.tables.get(name, {})
    if not isinstance(table, dict):
        faults.add(Location(main.name), name, format_redacted(table), f"one table, under [{name}] in single brackets")
        table = {}
    return decode_table(table, SINGLE_TABLES[name], Location(main.name, name), faults)


def _check_monitor_settings(values: DecodedTable, folder: Path, faults: Faults) -> None:
    if values.has("data_dir") and _is_not_directory(folder / values["data_dir"]):
        faults.add(
            values.location,
            "data_dir",
            format_redacted(values["data_dir"]),
            "a folder; it is created if it does not exist",
        )
    settings = _valid_monitor_settings(values)
    if settings is not None and settings.max_check_duration > settings.interval:
        faults.add(values.location, "timeout", format_seconds(settings.timeout), _too_long_message(settings))


def _check_service_durations(monitor: DecodedTable, servers: Iterable[DecodedEntry], faults: Faults) -> None:
    """Add a fault for each service whose own timeout, retries and retry_wait do not fit into the interval."""
    settings = _valid_monitor_settings(monitor)
    if settings is None:
        return
    for server in servers:
        for service in server.services:
            given = _own_attempt_keys(service.get("settings"))
            own = replace(settings, **given)
            if given and own.max_check_duration > own.interval:
                key, value = next(iter(given.items()))
                shown = str(value) if key == "retries" else format_seconds(value)
                location = Location(server.location.file, f"{server.location.table} {SERVICE} {service['name']}")
                faults.add(location, key, shown, _too_long_message(own))


def _own_attempt_keys(settings: object) -> dict[str, int]:
    """Return those of the keys of [monitor] about attempts that a service has itself."""
    values = {name: getattr(settings, name, None) for name in _ATTEMPT_KEYS}
    return {name: value for name, value in values.items() if value is not None}


def _is_not_directory(path: Path) -> bool:
    """Whether the path is something else than a folder, or cannot exist."""
    try:
        return not S_ISDIR(path.stat().st_mode)
    except FileNotFoundError:
        return False
    except PermissionError:
        # the user who checks a configuration may lack access to the data
        return False
    except OSError:
        return True


def _too_long_message(settings: MonitorSettings) -> str:
    """Return why the attempts of a check do not fit into the interval, with a remedy."""
    attempts, waits = settings.retries + 1, settings.retries * settings.retry_wait
    room = settings.interval - waits
    remedy = f"lower timeout to {format_seconds(room // attempts)}" if room >= attempts * 10 else "lower retry_wait"
    return (
        f"all attempts must fit into the interval of {format_seconds(settings.interval)} s, and "
        f"{attempts} x {format_seconds(settings.timeout)} s with {settings.retries} x "
        f"{format_seconds(settings.retry_wait)} s of retry_wait take {format_seconds(settings.max_check_duration)} s: "
        f"{remedy}, lower retries, or raise interval"
    )


def _check_login(values: DecodedTable, faults: Faults) -> None:
    if values.has("username", "password_file"):
        if values["username"] and not values["password_file"]:
            faults.add(values.location, "password_file", MISSING, "the file that holds the password of username")
        if values["password_file"] and not values["username"]:
            faults.add(values.location, "username", MISSING, "the user name that belongs to password_file")
    in_clear = values.has("username", "security", "host") and values["username"] and values["security"] == "none"
    if in_clear and not is_loopback(values["host"]):
        allowed = "with a login only for a relay on this machine: the password would be sent in clear text"
        faults.add(values.location, "security", '"none"', f'{allowed}; use "starttls" or "tls"')


def _valid_monitor_settings(values: DecodedTable) -> MonitorSettings | None:
    """Return the settings of all checks; None if one of them is faulty."""
    return _monitor_settings(values) if values.has("interval", *_ATTEMPT_KEYS) else None


def _monitor_settings(values: DecodedTable) -> MonitorSettings:
    return MonitorSettings(values["interval"], values["timeout"], values["retries"], values["retry_wait"])


def _build_config(
    sources: ConfigFiles,
    single: Mapping[str, DecodedTable],
    entries: DecodedEntries,
    check_types: Mapping[str, HasSettings],
) -> Config:
    folder = sources.main.path.parent
    monitor, web = single["monitor"], single["web"]
    return Config(
        path=sources.main.path,
        files=tuple(source.path for source in sources.files),
        data_dir=(folder / monitor["data_dir"]).absolute(),
        monitor=_monitor_settings(monitor),
        canaries=monitor["canaries"],
        contract=ContractSettings(**single["contract"].valid),
        web=WebSettings(web["listen"], web["public_url"] or f"http://{web['listen'].browser_address}/"),
        email=_email_settings(single["email"].valid, folder),
        customers=tuple(build_customer(entry) for entry in entries.customers),
        servers=tuple(build_server(entry, check_types) for entry in entries.servers),
        subscriptions=tuple(build_subscription(entry) for entry in entries.subscriptions),
    )


def _email_settings(values: Mapping[str, Any], folder: Path) -> EmailSettings:
    file = values["password_file"]
    return EmailSettings(
        transport=values["transport"],
        sender=values["from"],
        host=values["host"],
        port=values["port"] or DEFAULT_PORTS[values["security"]],
        security=values["security"],
        username=values["username"],
        password_file=(folder / file).absolute() if file else None,
    )
