"""The keys of the check type ``ntp``."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.probes.settings import HostSettings, key, port_key

DEFAULT_PORT = 123
MAX_STRATUM = 15


@dataclass(frozen=True, slots=True)
class NtpSettings(HostSettings):
    """The keys of type ``ntp``."""

    port: int = port_key(DEFAULT_PORT)
    highest_stratum: int = key(
        default=MAX_STRATUM,
        doc="the highest distance from a reference clock that is ok",
        allowed=f"a whole number from 1 to {MAX_STRATUM}",
        check=lambda stratum: 1 <= stratum <= MAX_STRATUM,
    )
