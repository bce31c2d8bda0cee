"""Updates the metrics of hardware that waits for replacement and of tickets that wait for a first response."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from monitor.errors import StoreError
from monitor.ledger.support.deadlines import read_deadlines

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.engine.live.telemetry import Telemetry
    from monitor.model import Millis
    from monitor.sla.terms import Terms
    from monitor.store.database_thread import DatabaseThread

log = logging.getLogger(__name__)


class SupportDeadlineMetrics:
    """Reads the pending deadlines, so that an alert can fire before one has passed."""

    def __init__(
        self, reader: DatabaseThread, telemetry: Telemetry, *, now: Callable[[], Millis], terms: Callable[[], Terms]
    ) -> None:
        self._reader = reader
        self._telemetry = telemetry
        self._now = now
        self._terms = terms

    async def run(self) -> None:
        """Update the metrics; call this every minute."""
        now, terms = self._now(), self._terms()
        try:
            self._telemetry.set_support_deadlines(await self._reader.run(lambda db: read_deadlines(db, terms, now)))
        except StoreError as error:
            log.warning("hardware and tickets: %s", error)
