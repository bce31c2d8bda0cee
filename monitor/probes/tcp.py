"""TCP: does a port take a connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.probes.settings import host_key, port_key

DEFAULT_PORT = 80

if TYPE_CHECKING:
    from monitor.probes.instruments import Instruments
    from monitor.probes.probe import Attempt, Target


@dataclass(frozen=True, slots=True)
class TcpSettings:
    """The keys of type ``tcp``."""

    host: str | None = host_key()
    port: int = port_key(DEFAULT_PORT)


class TcpProbe:
    """See the module."""

    def __init__(self, settings: TcpSettings, instruments: Instruments) -> None:
        self._settings = settings
        self._instruments = instruments

    async def attempt(self, target: Target, timeout: float) -> Attempt:  # noqa: ASYNC109
        """Try once."""
        raise NotImplementedError
