"""A configuration as output: the whole as TOML that loads to an equal one, or a summary."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from monitor.config.entries import SERVICE
from monitor.config.toml_writer import format_table
from monitor.config.validators import format_seconds
from monitor.model import PING
from monitor.probes.settings import Duration, settings_fields
from monitor.sla.support_levels import SUPPORT_LEVELS

if TYPE_CHECKING:
    from monitor.config.settings import Config
    from monitor.model import Check, Customer, Millis, Server, Subscription


def dump_toml(config: Config) -> str:
    """Return the whole configuration as one TOML file: defaults filled in, absolute paths, no secrets.

    It loads to an equal configuration from any folder.
    """
    lines: list[str] = []
    for name, table in config_document(config).items():
        if isinstance(table, dict):
            lines += format_table(f"[{name}]", table)
            continue
        for entry in table:
            lines += format_table(f"[[{name}]]", entry)
            for service in entry.get(SERVICE, ()):
                lines += format_table(f"[[{name}.{SERVICE}]]", service)
    return "\n".join(lines)


def config_document(config: Config) -> dict[str, Any]:
    """Return the configuration as the tables of a TOML file; None for an optional key that is not set.

    Values are those of TOML; fractional seconds are Decimal, days ``datetime.date``.
    """
    return {
        "monitor": _monitor_table(config),
        "contract": {
            "timezone": config.contract.timezone,
            "rounding": config.contract.rounding,
            "rolling_days": config.contract.rolling_days,
            "credit": config.contract.credit,
            "support_credit": config.contract.support_credit,
            "ticket_area": config.contract.ticket_area,
            "operator_emails": list(config.contract.operator_emails),
        },
        "web": {"listen": str(config.web.listen), "public_url": config.web.public_url},
        "email": _email_table(config),
        "customer": [_customer_table(customer) for customer in config.customers],
        "server": [_server_table(server) for server in config.servers],
        "subscription": [_subscription_table(subscription) for subscription in config.subscriptions],
    }


def config_summary(config: Config) -> dict[str, Any]:
    """Return the numbers of customers, servers, subscriptions and checks, and of checks by type."""
    types = Counter(check.type for server in config.servers for check in server.checks)
    return {
        "customers": len(config.customers),
        "servers": len(config.servers),
        "subscriptions": len(config.subscriptions),
        "checks": types.total(),
        "checks_by_type": dict(sorted(types.items())),
    }


def _monitor_table(config: Config) -> dict[str, Any]:
    settings = config.monitor
    return {
        "data_dir": str(config.data_dir),
        "interval": _toml_seconds(settings.interval),
        "timeout": _toml_seconds(settings.timeout),
        "retries": settings.retries,
        "retry_wait": _toml_seconds(settings.retry_wait),
        "canaries": list(config.canaries),
    }


def _email_table(config: Config) -> dict[str, Any]:
    settings = config.email
    return {
        "transport": settings.transport,
        "from": settings.sender,
        "host": settings.host,
        "port": settings.port,
        "security": settings.security,
        "username": settings.username,
        "password_file": settings.password_file and str(settings.password_file),
    }


def _customer_table(customer: Customer) -> dict[str, Any]:
    return {
        "id": customer.id,
        "name": customer.name,
        "emails": list(customer.emails),
        "language": customer.language,
    }


def _server_table(server: Server) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": server.id, "address": server.address, "level": server.level}
    if server.parent is not None:
        entry["parent"] = server.parent
    if SUPPORT_LEVELS[server.level].monitored:
        entry["reach"] = _reach_value(server.checks[0])
        entry["family"] = getattr(server.checks[0].settings, "family", "any")
    services = [_service_table(check) for check in server.checks if check.key.name != PING]
    return {**entry, SERVICE: services} if services else entry


def _reach_value(check: Check) -> str:
    # only reachability by TCP has a port
    port = getattr(check.settings, "port", None)
    return check.type if port is None else f"{check.type}:{port}"


def _service_table(check: Check) -> dict[str, Any]:
    settings: Any = check.settings
    settings_type: type = type(settings)
    durations = _duration_keys(settings_type)
    entry: dict[str, Any] = {"name": check.key.name, "type": check.type}
    for field in settings_fields(settings_type):
        value = getattr(settings, field.name)
        if value is not None:
            entry[field.name] = _toml_value(value, is_duration=field.name in durations)
    return entry


@lru_cache
def _duration_keys(settings: type) -> frozenset[str]:
    return frozenset(name for name, hint in get_type_hints(settings).items() if Duration in (hint, *get_args(hint)))


def _toml_value(value: Any, *, is_duration: bool) -> Any:
    if is_duration:
        return _toml_seconds(value)
    return str(value) if isinstance(value, Path) else value


def _subscription_table(subscription: Subscription) -> dict[str, Any]:
    entry = {field.name: getattr(subscription, field.name) for field in fields(subscription)}
    entry["fee"] = None if subscription.fee is None else str(subscription.fee)
    return {name: value for name, value in entry.items() if value is not None}


def _toml_seconds(length: Millis) -> int | Decimal:
    return length // 1000 if length % 1000 == 0 else Decimal(format_seconds(length))
