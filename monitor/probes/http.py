"""HTTP and HTTPS: does a page come, whole and as expected."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monitor.probes.http_settings import HttpSettings
    from monitor.probes.instruments import Instruments
    from monitor.probes.probe import Attempt, Target


class HttpProbe:
    """Gets a page."""

    def __init__(self, settings: HttpSettings, instruments: Instruments) -> None:
        self._settings = settings
        self._instruments = instruments

    async def attempt(self, target: Target, timeout: float) -> Attempt:  # noqa: ASYNC109
        """Get the page once."""
        raise NotImplementedError
