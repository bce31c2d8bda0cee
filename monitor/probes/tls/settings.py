"""The keys of the check type ``tls``."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.probes.settings import TlsSettings, port_key

DEFAULT_PORT = 443


@dataclass(frozen=True, slots=True)
class TlsOnlySettings(TlsSettings):
    """The keys of type ``tls``."""

    port: int = port_key(DEFAULT_PORT)
