"""Keeps an eye on the certificates that checks see, and has customers and operators told in time."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from monitor.books.certificates import step_reached, warn_once
from monitor.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from sqlite_utils import Database

    from monitor.books.context import Context
    from monitor.engine.board import Board
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
        self._told: dict[CheckKey, tuple[int, int]] = {}
        """The expiry and the step of each check that were seen to last, so that the outbox is not asked every time."""

    async def look(self) -> None:
        """Tell of what has come near enough; to be called every minute."""
        now, context = self._now(), self._context()
        for key, days in self._warn_days().items():
            view = self._board.checks.get(key)
            if view is None or view.cert_expiry is None:
                continue
            step = step_reached(view.cert_expiry, days, now)
            if step is None or self._told.get(key) == (view.cert_expiry, step):
                continue
            try:
                await self._write(
                    partial(warn_once, context=context, key=key, expiry=view.cert_expiry, step=step, at=now)
                )
            except StoreError as error:
                log.warning("the certificate of %s: %s", key, error)
                return
            self._told[key] = (view.cert_expiry, step)
