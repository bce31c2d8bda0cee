"""Keeps an eye on the certificates that checks see, and has customers and operators told in time."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from monitor.errors import StoreError
from monitor.ledger.notifications.certificates import Seen, step_reached, warn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from sqlite_utils import Database

    from monitor.engine.live.state import Board
    from monitor.ledger.context import Context
    from monitor.model import CheckKey, Millis

log = logging.getLogger(__name__)


class CertificateKeeper:
    """What it has told of is in the outbox, so that a new process does not tell it again."""

    def __init__(
        self,
        board: Board,
        write: Callable[[Callable[[Database], object]], Awaitable[object]],
        *,
        now: Callable[[], Millis],
        context: Callable[[], Context],
        warn_days: Callable[[], Mapping[CheckKey, tuple[int, ...]]],
    ) -> None:
        """``warn_days`` gives, of each check that speaks TLS, how many days before the end it is to be told."""
        self._board = board
        self._write = write
        self._now = now
        self._context = context
        self._warn_days = warn_days
        self._since: dict[Seen, Millis] = {}
        """When each certificate was first met: a sweep later every check that shows it has done so."""
        self._told: dict[Seen, int] = {}
        """The step of each that was dealt with, so that the outbox is not asked every time."""
        self._told_under: Context | None = None

    async def look(self) -> None:
        """Tell of what has come near enough; to be called every minute."""
        now, context = self._now(), self._context()
        if context is not self._told_under:  # others may have to be told now
            self._told, self._told_under = {}, context
        shown = self._shown()
        self._since = {seen: self._since.get(seen, now) for seen in shown}
        due: dict[Seen, dict[CheckKey, tuple[int, ...]]] = {}
        steps: dict[Seen, int] = {}
        for seen, checks in shown.items():
            step = step_reached(seen.expiry, (each for days in checks.values() for each in days), now)
            if step is not None and self._told.get(seen) != step and now - self._since[seen] >= context.interval:
                due[seen], steps[seen] = checks, step
        if not due:
            return
        try:
            await self._write(partial(warn, context=context, due=due, at=now))
        except StoreError as error:
            log.warning("certificates that are about to expire: %s", error)
            return
        self._told |= steps

    def _shown(self) -> dict[Seen, dict[CheckKey, tuple[int, ...]]]:
        """Give each certificate with the checks that show it now."""
        shown: dict[Seen, dict[CheckKey, tuple[int, ...]]] = {}
        for key, days in self._warn_days().items():
            view = self._board.checks.get(key)
            if view is not None and view.certificate is not None:
                seen = Seen(view.certificate.fingerprint, view.certificate.expiry)
                shown.setdefault(seen, {})[key] = days
        return shown
