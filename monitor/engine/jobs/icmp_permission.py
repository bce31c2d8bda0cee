"""Whether the system permits pings, where any are configured: without it they are unknown, and somebody is told."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from monitor.engine.jobs.operator_mail import over, trouble
from monitor.errors import StoreError
from monitor.mail.content import OperatorNews
from monitor.probes.icmp.probe import icmp_permission

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlite_utils import Database

    from monitor.engine.live.state import Board
    from monitor.ledger.context import Context
    from monitor.model import Millis

log = logging.getLogger(__name__)

PROBLEM: Final = "icmp"
_NEVER: Final = ""


class PermissionKeeper:
    """Notices a permission that is given, or taken away, while the daemon runs."""

    def __init__(
        self,
        board: Board,
        write: Callable[[Callable[[Database], object]], Awaitable[object]],
        *,
        now: Callable[[], Millis],
        context: Callable[[], Context],
        remedy: Callable[[], str | None] = icmp_permission,
    ) -> None:
        """``remedy`` says what would permit pings; None where they are permitted."""
        self._board = board
        self._write = write
        self._now = now
        self._context = context
        self._remedy = remedy
        self._told: str | None = _NEVER
        """What was written down last, so that the database is not asked every minute."""

    async def look(self, *, pings: bool) -> None:
        """Say so, once, where ``pings`` are configured and the system permits none; or that it is over."""
        remedy = self._remedy() if pings else None
        if remedy is None:
            self._board.solved(PROBLEM)
        else:
            if PROBLEM not in self._board.problems:
                log.error("%s", remedy)
            self._board.problem(PROBLEM, remedy)
        if remedy == self._told:
            return
        try:
            if remedy is None:
                await self._write(partial(over, news=OperatorNews.ICMP))
            else:
                context, at = self._context(), self._now()
                await self._write(partial(trouble, context=context, news=OperatorNews.ICMP, lines=(remedy,), at=at))
        except StoreError as error:
            log.warning("%s", error)
        else:
            self._told = remedy
