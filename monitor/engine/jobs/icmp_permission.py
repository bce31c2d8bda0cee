"""Checks whether the system permits pings, if any are configured; without permission their results are unknown."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from monitor.engine.jobs.operator_mail import clear_problem, raise_problem
from monitor.errors import StoreError
from monitor.mail.content import OperatorNews
from monitor.probes.icmp.probe import icmp_permission_hint

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlite_utils import Database

    from monitor.engine.live.state import LiveState
    from monitor.ledger.context import LedgerContext
    from monitor.model import Millis

log = logging.getLogger(__name__)

PROBLEM: Final = "icmp"
_NOT_RECORDED: Final = ""


class IcmpPermissionCheck:
    """Reports a missing permission, and notices when it is granted or revoked while the daemon runs."""

    def __init__(
        self,
        live_state: LiveState,
        write: Callable[[Callable[[Database], object]], Awaitable[object]],
        *,
        now: Callable[[], Millis],
        context: Callable[[], LedgerContext],
        remedy: Callable[[], str | None] = icmp_permission_hint,
    ) -> None:
        """``remedy`` returns the command that permits pings; None if they are permitted."""
        self._live_state = live_state
        self._write = write
        self._now = now
        self._context = context
        self._remedy = remedy
        self._recorded_remedy: str | None = _NOT_RECORDED
        """The remedy that was recorded last, so that the database is not written every minute."""

    async def run(self, *, pings_configured: bool) -> None:
        """Report once that pings are configured but not permitted, or that this problem is over."""
        remedy = self._remedy() if pings_configured else None
        if remedy is None:
            self._live_state.clear_problem(PROBLEM)
        else:
            if PROBLEM not in self._live_state.problems:
                log.error("%s", remedy)
            self._live_state.set_problem(PROBLEM, remedy)
        if remedy == self._recorded_remedy:
            return
        try:
            if remedy is None:
                await self._write(partial(clear_problem, news=OperatorNews.ICMP, at=self._now()))
            else:
                context, at = self._context(), self._now()
                await self._write(
                    partial(raise_problem, context=context, news=OperatorNews.ICMP, lines=(remedy,), at=at)
                )
        except StoreError as error:
            log.warning("%s", error)
        else:
            self._recorded_remedy = remedy
