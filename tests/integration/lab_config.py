"""Configurations for daemons under test: written as a user writes them, at the shortest interval there is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

INTERVAL = 1_000
"""Milliseconds between two sweeps."""
TIMEOUT, RETRIES, RETRY_WAIT = 250, 2, 100
MAX_CHECK_DURATION = (RETRIES + 1) * TIMEOUT + RETRIES * RETRY_WAIT
"""Milliseconds that a cycle takes that fails to the last."""
OPERATORS = "noc@lab.test"


@dataclass
class Customer:
    """Who gets mail: at ``ID@lab.test``."""

    id: str
    language: str = "en"


@dataclass
class Server:
    """What is watched; with a customer it has a subscription of the same id."""

    id: str
    address: str
    customer: str | None = None
    reach: str = "icmp"
    parent: str | None = None
    level: int = 2
    product: str = "server"
    services: dict[str, dict[str, str]] = field(default_factory=dict)
    """By name: the keys of each, as TOML values."""


@dataclass
class LabConfig:
    """A whole configuration."""

    port: int
    servers: list[Server]
    customers: list[Customer] = field(default_factory=list)
    canaries: list[str] = field(default_factory=list)
    email: str = 'from = "SLA <sla@lab.test>"'

    def write(self, folder: Path) -> Path:
        """Write it as ``config.toml`` in a folder, whole at once."""
        path = folder / "config.toml"
        unfinished = folder / "config.unfinished"
        unfinished.write_text(self.text())
        unfinished.replace(path)
        return path

    def text(self) -> str:
        """Give it as TOML."""
        return "\n".join([self._main(), *map(_customer, self.customers), *map(_server, self.servers)])

    def _main(self) -> str:
        canaries = ", ".join(f'"{address}"' for address in self.canaries)
        return f"""
[monitor]
data_dir = "data"
interval = {INTERVAL / 1000}
timeout = {TIMEOUT / 1000}
retries = {RETRIES}
retry_wait = {RETRY_WAIT / 1000}
canaries = [{canaries}]

[contract]
operator_emails = ["{OPERATORS}"]

[web]
listen = "127.0.0.1:{self.port}"

[email]
{self.email}
"""


def _customer(customer: Customer) -> str:
    return f"""
[[customer]]
id = "{customer.id}"
name = "Customer {customer.id}"
emails = ["{customer.id}@lab.test"]
language = "{customer.language}"
"""


def _server(server: Server) -> str:
    lines = [
        "[[server]]",
        f'id = "{server.id}"',
        f'address = "{server.address}"',
        f"level = {server.level}",
        f'reach = "{server.reach}"',
    ]
    if server.parent is not None:
        lines.append(f'parent = "{server.parent}"')
    for name, keys in server.services.items():
        lines += ["", "[[server.service]]", f'name = "{name}"']
        lines += [f"{key} = {value}" for key, value in keys.items()]
    if server.customer is not None:
        lines += ["", "[[subscription]]", f'id = "{server.id}"', f'customer = "{server.customer}"']
        lines += [f'server = "{server.id}"', f'product = "{server.product}"']
    return "\n".join([*lines, ""])
