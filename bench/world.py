"""A configuration of any size on loopback, as a hosting company would write it: files by the thousand servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.loopback import addresses

if TYPE_CHECKING:
    from pathlib import Path

PER_FILE = 1_000


def write_world(
    folder: Path, servers: int, page: int, *, services: int = 0, port: int = 0, interval: int = 60, retries: int = 2
) -> Path:
    """Write a configuration: each server with a subscription and its own customer; gives the main file.

    Every server is pinged, and asked for ``services`` pages of http on ``port``.
    """
    main = folder / "config.toml"
    main.write_text(
        f'include = ["servers/*.toml"]\n'
        f"[monitor]\ninterval = {interval}\ntimeout = 1\nretries = {retries}\nretry_wait = 1\n"
        f'canaries = ["127.0.0.1"]\n'
        f'[web]\nlisten = "127.0.0.1:{page}"\n'
    )
    entries = [_server(n, address, services, port) for n, address in enumerate(addresses(servers))]
    (folder / "servers").mkdir(exist_ok=True)
    for first in range(0, servers, PER_FILE):
        text = "\n".join(entries[first : first + PER_FILE])
        (folder / "servers" / f"{first // PER_FILE:03d}.toml").write_text(text)
    return main


def _server(number: int, address: str, services: int, port: int) -> str:
    checks = "".join(
        f'[[server.service]]\nname = "page-{n}"\ntype = "http"\nurl = "http://{address}:{port}/{n}"\n'
        for n in range(services)
    )
    return (
        f'[[customer]]\nid = "customer-{number:05d}"\nname = "Customer {number}"\n'
        f'emails = ["it@customer-{number:05d}.example"]\nlanguage = "en"\n'
        f'[[server]]\nid = "server-{number:05d}"\naddress = "{address}"\nlevel = 4\n{checks}'
        f'[[subscription]]\nid = "contract-{number:05d}"\ncustomer = "customer-{number:05d}"\n'
        f'server = "server-{number:05d}"\nproduct = "{"web-hosting" if services and number % 4 == 0 else "server"}"\n'
        f'fee = "120.00"\ncurrency = "EUR"\n'
    )
