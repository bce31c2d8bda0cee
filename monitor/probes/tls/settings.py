"""The keys of the check type ``tls``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from monitor.probes.settings import TlsSettings, any_value, key, port_key

DEFAULT_PORT = 443


@dataclass(frozen=True, slots=True)
class TlsOnlySettings(TlsSettings):
    """The keys of type ``tls``."""

    port: int = port_key(DEFAULT_PORT)
    lowest_version: Literal["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"] = key(
        default="TLSv1.2",
        doc="the lowest version of TLS that the server may agree on",
        allowed='"TLSv1", "TLSv1.1", "TLSv1.2" or "TLSv1.3"',
        check=any_value,
    )
