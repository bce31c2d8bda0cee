"""The keys of the check types ``icmp`` and ``tcp``."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.probes.settings import host_key, port_key

DEFAULT_PORT = 80


@dataclass(frozen=True, slots=True)
class IcmpSettings:
    """The keys of type ``icmp``."""

    host: str | None = host_key()


@dataclass(frozen=True, slots=True)
class TcpSettings:
    """The keys of type ``tcp``."""

    host: str | None = host_key()
    port: int = port_key(DEFAULT_PORT)
