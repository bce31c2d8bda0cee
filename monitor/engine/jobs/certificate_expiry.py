"""Keeps an eye on the certificates that checks see, and has customers and operators told in time."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from monitor.errors import StoreError
from monitor.ledger.notifications.certificates import CertificateId, queue_expiry_warnings, reached_threshold

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from sqlite_utils import Database

    from monitor.engine.live.state import LiveState
    from monitor.ledger.context import LedgerContext
    from monitor.model import CheckKey, Millis

log = logging.getLogger(__name__)


class CertificateExpiryReminder:
    """Sent warnings are in the outbox, so a new process does not repeat them."""

    def __init__(
        self,
        live_state: LiveState,
        write: Callable[[Callable[[Database], object]], Awaitable[object]],
        *,
        now: Callable[[], Millis],
        context: Callable[[], LedgerContext],
        warn_days: Callable[[], Mapping[CheckKey, tuple[int, ...]]],
    ) -> None:
        """``warn_days`` gives, of each check that speaks TLS, how many days before the end it is to be told."""
        self._live_state = live_state
        self._write = write
        self._now = now
        self._context = context
        self._warn_days = warn_days
        self._first_seen: dict[CertificateId, Millis] = {}
        """When each certificate was first met: a sweep later every check that shows it has done so."""
        self._handled_threshold: dict[CertificateId, int] = {}
        """The step of each that was dealt with, so that the outbox is not asked every time."""
        self._handled_context: LedgerContext | None = None

    async def run(self) -> None:
        """Tell of what has come near enough; to be called every minute."""
        now, context = self._now(), self._context()
        if context is not self._handled_context:  # others may have to be told now
            self._handled_threshold, self._handled_context = {}, context
        shown = self._presented_certificates()
        self._first_seen = {seen: self._first_seen.get(seen, now) for seen in shown}
        due: dict[CertificateId, dict[CheckKey, tuple[int, ...]]] = {}
        steps: dict[CertificateId, int] = {}
        for seen, checks in shown.items():
            step = reached_threshold(seen.expiry, (each for days in checks.values() for each in days), now)
            if (
                step is not None
                and self._handled_threshold.get(seen) != step
                and now - self._first_seen[seen] >= context.interval
            ):
                due[seen], steps[seen] = checks, step
        if not due:
            return
        try:
            await self._write(partial(queue_expiry_warnings, context=context, due=due, at=now))
        except StoreError as error:
            log.warning("certificates that are about to expire: %s", error)
            return
        self._handled_threshold |= steps

    def _presented_certificates(self) -> dict[CertificateId, dict[CheckKey, tuple[int, ...]]]:
        """Return each certificate with the checks that show it now."""
        shown: dict[CertificateId, dict[CheckKey, tuple[int, ...]]] = {}
        for key, days in self._warn_days().items():
            view = self._live_state.checks.get(key)
            if view is not None and view.certificate is not None:
                seen = CertificateId(view.certificate.fingerprint, view.certificate.expiry)
                shown.setdefault(seen, {})[key] = days
        return shown
