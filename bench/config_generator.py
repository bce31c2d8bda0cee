"""A configuration of any size on loopback, in files of a thousand servers each."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from bench.loopback import addresses

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

PER_FILE = 1_000


def write_config(
    folder: Path,
    servers: int,
    page: int,
    *,
    services: int = 0,
    port: int = 0,
    interval: int = 60,
    timeout: int = 1,
    services_toml: Callable[[int, str], str] | None = None,
) -> Path:
    """Write a configuration, each server with a subscription and its own customer; return the main file.

    Every server has a ping, and the services that ``services_toml`` returns for its number and address; by default
    ``services`` http checks on ``port``.
    """
    services_toml = services_toml or partial(_page_services, services, port)
    main = folder / "config.toml"
    main.write_text(
        f'include = ["servers/*.toml"]\n'
        f"[monitor]\ninterval = {interval}\ntimeout = {timeout}\nretries = 2\nretry_wait = 1\n"
        f'canaries = ["127.0.0.1"]\n'
        f'[web]\nlisten = "127.0.0.1:{page}"\n'
    )
    entries = [_server_toml(n, address, services_toml(n, address)) for n, address in enumerate(addresses(servers))]
    (folder / "servers").mkdir(exist_ok=True)
    for first in range(0, servers, PER_FILE):
        text = "\n".join(entries[first : first + PER_FILE])
        (folder / "servers" / f"{first // PER_FILE:03d}.toml").write_text(text)
    return main


def service_toml(name: str, kind: str, keys: Mapping[str, Any]) -> str:
    """Return one service as TOML; texts, numbers and lists in JSON are valid TOML."""
    lines = [f"{key} = {json.dumps(value, default=str)}\n" for key, value in keys.items()]
    return f'[[server.service]]\nname = "{name}"\ntype = "{kind}"\n{"".join(lines)}'


def _page_services(count: int, port: int, _number: int, address: str) -> str:
    return "".join(service_toml(f"page-{n}", "http", {"url": f"http://{address}:{port}/{n}"}) for n in range(count))


def _server_toml(number: int, address: str, services: str) -> str:
    product = "web-hosting" if 'type = "http"' in services and number % 4 == 0 else "server"
    return (
        f'[[customer]]\nid = "customer-{number:05d}"\nname = "Customer {number}"\n'
        f'emails = ["it@customer-{number:05d}.example"]\nlanguage = "en"\n'
        f'[[server]]\nid = "server-{number:05d}"\naddress = "{address}"\nlevel = 4\n{services}'
        f'[[subscription]]\nid = "contract-{number:05d}"\ncustomer = "customer-{number:05d}"\n'
        f'server = "server-{number:05d}"\nproduct = "{product}"\nfee = "120.00"\ncurrency = "EUR"\n'
    )
