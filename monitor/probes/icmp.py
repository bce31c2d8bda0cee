"""ICMP echo: does the server's address answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.probes.settings import host_key

if TYPE_CHECKING:
    from monitor.probes.instruments import Instruments
    from monitor.probes.probe import Attempt, Target


@dataclass(frozen=True, slots=True)
class IcmpSettings:
    """The keys of type ``icmp``."""

    host: str | None = host_key()


class IcmpProbe:
    """See the module."""

    def __init__(self, settings: IcmpSettings, instruments: Instruments) -> None:
        self._settings = settings
        self._instruments = instruments

    async def attempt(self, target: Target, timeout: float) -> Attempt:  # noqa: ASYNC109
        """Try once."""
        raise NotImplementedError
