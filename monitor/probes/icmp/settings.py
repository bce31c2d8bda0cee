"""The keys of the check type ``icmp``."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.probes.settings import host_key


@dataclass(frozen=True, slots=True)
class IcmpSettings:
    """The keys of type ``icmp``."""

    host: str | None = host_key()
