"""A configuration made from the terms in the ledger: what commands read with while ``config.toml`` has faults.

It has what accounts depend on, and nothing that is only in the file: no addresses, no settings of checks, no relay.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from monitor.config.schema import EMAIL_KEYS, MONITOR_KEYS, WEB_KEYS
from monitor.config.settings import Config, ContractSettings, EmailSettings, MonitorSettings, WebSettings
from monitor.model import Check, CheckKey, Customer, Server

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from monitor.config.decode import Key
    from monitor.model import Millis
    from monitor.sla.terms import Terms

_DATA_DIR_LINE: Final = re.compile(r"""^\s*data_dir\s*=\s*(?:"([^"\n]*)"|'([^'\n]*)')""", re.MULTILINE)
_DEFAULT_PORT: Final = 587


@dataclass(frozen=True)
class RecordedConfig(Config):
    """A configuration whose terms are those that were recorded last."""

    recorded_terms: Terms

    def terms(self, in_force: Millis) -> Terms:
        """Return the recorded terms as if they came into force at an instant."""
        return replace(self.recorded_terms, in_force=in_force)


def find_data_dir(path: Path) -> Path | None:
    """Return the data directory that a faulty configuration file names; None if the file cannot be read at all."""
    try:
        text = path.read_bytes().decode("utf-8-sig", errors="replace")
    except OSError:
        return None
    try:
        monitor = tomllib.loads(text).get("monitor", {})
        named = monitor.get("data_dir") if isinstance(monitor, dict) else None
    except (ValueError, RecursionError):
        found = _DATA_DIR_LINE.search(text)
        named = (found[1] or found[2]) if found else None
    folder = named if isinstance(named, str) and named else _defaults(MONITOR_KEYS)["data_dir"]
    return (path.parent / folder).resolve()


def config_from_terms(path: Path, data_dir: Path, terms: Terms) -> RecordedConfig:
    """Return the configuration that recorded terms make."""
    monitor, email, web = (_defaults(keys) for keys in (MONITOR_KEYS, EMAIL_KEYS, WEB_KEYS))
    return RecordedConfig(
        path=path,
        files=(path,),
        data_dir=data_dir,
        monitor=MonitorSettings(terms.interval, monitor["timeout"], monitor["retries"], monitor["retry_wait"]),
        canaries=(),
        contract=ContractSettings(
            timezone=terms.timezone,
            rounding=terms.rounding,
            rolling_days=terms.rolling_days,
            operator_emails=(),
            credit=terms.credit,
            support_credit=terms.support_credit,
            ticket_area=terms.ticket_area,
        ),
        web=WebSettings(web["listen"], public_url=""),
        email=EmailSettings(
            transport=email["transport"],
            sender=email["from"],
            host=email["host"],
            port=_DEFAULT_PORT,
            security=email["security"],
            username=None,
            password_file=None,
        ),
        customers=tuple(Customer(id_, name, (), "en") for id_, name in terms.customers.items()),
        servers=tuple(
            Server(
                id=id_,
                address="",
                level=server.level,
                parent=None,
                checks=tuple(Check(CheckKey(id_, check.name), check.type, None) for check in server.checks),
            )
            for id_, server in terms.servers.items()
        ),
        subscriptions=tuple(terms.subscriptions.values()),
        recorded_terms=terms,
    )


def _defaults(keys: Iterable[Key]) -> dict[str, Any]:
    return {key.name: key.default for key in keys}
