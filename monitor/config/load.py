"""From files to a configuration, or to all the reasons why not."""

from __future__ import annotations

from stat import S_ISDIR
from typing import TYPE_CHECKING, Any

from monitor.config.decode import Values, read_table
from monitor.config.entries import Entries, customer, read_entries, server, subscription
from monitor.config.faults import MISSING, Faults, Place, nearest
from monitor.config.files import Sources
from monitor.config.references import check_references
from monitor.config.schema import REPEATED, SINGLE, TOP
from monitor.config.services import SERVICE
from monitor.config.settings import Config, ContractSettings, EmailSettings, MonitorSettings, WebSettings
from monitor.config.toml_writer import shown
from monitor.config.validators import seconds_text
from monitor.probes.check_types import CHECK_TYPES
from monitor.probes.settings import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from monitor.config.files import Source
    from monitor.config.services import CheckType

PORTS: Mapping[str, int] = {"starttls": 587, "tls": 465, "none": 25}
"""The port that mail leaves by unless one is given, by security."""


def load(path: Path, check_types: Mapping[str, CheckType] = CHECK_TYPES) -> Config:
    """Read a configuration and everything that it includes.

    Messages name files as ``path`` names the main one. Raises ConfigError with every fault of every file; where a file
    cannot be read at all, faults that its content might resolve are left out.
    """
    faults = Faults()
    sources = Sources(path, faults)
    for source in sources.files:
        _check_top(source, faults, main=source is sources.main)
    main = sources.files[0] if sources.files else None
    single = {name: _read_single(name, main, faults) for name in SINGLE} if main else {}
    if main:
        _check_monitor(single["monitor"], main.path.parent, faults)
        _check_login(single["email"], faults)
    entries = read_entries(sources.files, check_types, faults)
    if main:
        check_references(single["contract"], entries, faults, complete=sources.complete)
    faults.raise_any(source.name for source in sources.files)
    return _config(sources, single, entries, check_types)


def _check_top(source: Source, faults: Faults, *, main: bool) -> None:
    """Note what is no table of a configuration, or stands in an included file and must not."""
    place = Place(source.name)
    for name, value in source.tables.items():
        if name == SERVICE:
            faults.add(place, name, shown(value), "it stands under its server, as [[server.service]]")
        elif name not in TOP:
            faults.add(place, name, shown(value, name), nearest(name, TOP if main else REPEATED, "table or key"))
        elif not main and name not in REPEATED:
            faults.add(place, name, shown(value), f"only the main file may hold it; here stand {', '.join(REPEATED)}")


def _read_single(name: str, main: Source, faults: Faults) -> Values:
    table = main.tables.get(name, {})
    if not isinstance(table, dict):
        faults.add(Place(main.name), name, shown(table), f"one table, under [{name}] in single brackets")
        table = {}
    return read_table(table, SINGLE[name], Place(main.name, name), faults)


def _check_monitor(values: Values, folder: Path, faults: Faults) -> None:
    if values.has("data_dir") and _is_no_folder(folder / values["data_dir"]):
        faults.add(values.place, "data_dir", shown(values["data_dir"]), "a folder; it is made where there is none")
    if not values.has("interval", "timeout", "retries", "retry_wait"):
        return
    settings = _monitor(values)
    if settings.longest_cycle > settings.interval:
        faults.add(values.place, "timeout", seconds_text(settings.timeout), _fitting(settings))


def _is_no_folder(path: Path) -> bool:
    """Whether something else stands there, or nothing ever could."""
    try:
        return not S_ISDIR(path.stat().st_mode)
    except FileNotFoundError:
        return False
    except PermissionError:
        # whoever only checks a configuration need not be allowed to see the data
        return False
    except OSError:
        return True


def _fitting(settings: MonitorSettings) -> str:
    """Return why the attempts of a check do not fit into the interval, and what would."""
    attempts, waits = settings.retries + 1, settings.retries * settings.retry_wait
    room = settings.interval - waits
    remedy = f"lower timeout to {seconds_text(room // attempts)}" if room >= attempts * 10 else "lower retry_wait"
    return (
        f"all attempts must fit into the interval of {seconds_text(settings.interval)} s, and "
        f"{attempts} x {seconds_text(settings.timeout)} s with {settings.retries} x "
        f"{seconds_text(settings.retry_wait)} s of retry_wait take {seconds_text(settings.longest_cycle)} s: "
        f"{remedy}, lower retries, or raise interval"
    )


def _check_login(values: Values, faults: Faults) -> None:
    if values.has("username", "password_file"):
        if values["username"] and not values["password_file"]:
            faults.add(values.place, "password_file", MISSING, "the file that holds the password of username")
        if values["password_file"] and not values["username"]:
            faults.add(values.place, "username", MISSING, "the name that password_file holds the password of")
    in_clear = values.has("username", "security", "host") and values["username"] and values["security"] == "none"
    if in_clear and not is_loopback(values["host"]):
        allowed = "with a login only for a relay on this machine: the password would travel in clear text"
        faults.add(values.place, "security", '"none"', f'{allowed}; use "starttls" or "tls"')


def _monitor(values: Values) -> MonitorSettings:
    return MonitorSettings(values["interval"], values["timeout"], values["retries"], values["retry_wait"])


def _config(
    sources: Sources, single: Mapping[str, Values], entries: Entries, check_types: Mapping[str, CheckType]
) -> Config:
    folder = sources.main.path.parent
    monitor, web = single["monitor"], single["web"]
    return Config(
        path=sources.main.path,
        files=tuple(source.path for source in sources.files),
        data_dir=(folder / monitor["data_dir"]).absolute(),
        monitor=_monitor(monitor),
        canaries=monitor["canaries"],
        contract=ContractSettings(**single["contract"].known),
        web=WebSettings(web["listen"], web["public_url"] or f"http://{web['listen'].reachable}/"),
        email=_email(single["email"].known, folder),
        customers=tuple(customer(entry) for entry in entries.customers),
        servers=tuple(server(entry, check_types) for entry in entries.servers),
        subscriptions=tuple(subscription(entry) for entry in entries.subscriptions),
    )


def _email(values: Mapping[str, Any], folder: Path) -> EmailSettings:
    file = values["password_file"]
    return EmailSettings(
        transport=values["transport"],
        sender=values["from"],
        host=values["host"],
        port=values["port"] or PORTS[values["security"]],
        security=values["security"],
        username=values["username"],
        password_file=(folder / file).absolute() if file else None,
    )
