"""Warns customers and operators before the certificates that checks see expire."""

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
    """Queues the warnings. Sent warnings are in the outbox, so a new process does not repeat them."""

    def __init__(
        self,
        live_state: LiveState,
        write: Callable[[Callable[[Database], object]], Awaitable[object]],
        *,
        now: Callable[[], Millis],
        context: Callable[[], LedgerContext],
        warn_days: Callable[[], Mapping[CheckKey, tuple[int, ...]]],
    ) -> None:
        """``warn_days`` returns, by TLS check, the days before the expiry at which warnings are sent."""
        self._live_state = live_state
        self._write = write
        self._now = now
        self._context = context
        self._warn_days = warn_days
        self._first_seen: dict[CertificateId, Millis] = {}
        """When each certificate was first seen: one interval later every check that presents it has seen it."""
        self._handled_threshold: dict[CertificateId, int] = {}
        """The threshold that was handled last, so that the outbox is not read every minute."""
        self._handled_context: LedgerContext | None = None

    async def run(self) -> None:
        """Queue the warnings that are due; call this every minute."""
        now, context = self._now(), self._context()
        if context is not self._handled_context:  # there may be other recipients now
            self._handled_threshold, self._handled_context = {}, context
        certificates = self._presented_certificates()
        self._first_seen = {certificate: self._first_seen.get(certificate, now) for certificate in certificates}
        due: dict[CertificateId, dict[CheckKey, tuple[int, ...]]] = {}
        thresholds: dict[CertificateId, int] = {}
        for certificate, checks in certificates.items():
            threshold = reached_threshold(certificate.expiry, (day for days in checks.values() for day in days), now)
            if (
                threshold is not None
                and self._handled_threshold.get(certificate) != threshold
                and now - self._first_seen[certificate] >= context.interval
            ):
                due[certificate], thresholds[certificate] = checks, threshold
        if not due:
            return
        try:
            await self._write(partial(queue_expiry_warnings, context=context, due=due, at=now))
        except StoreError as error:
            log.warning("certificates that are about to expire: %s", error)
            return
        self._handled_threshold |= thresholds

    def _presented_certificates(self) -> dict[CertificateId, dict[CheckKey, tuple[int, ...]]]:
        """Return the present certificates with the checks that present each."""
        certificates: dict[CertificateId, dict[CheckKey, tuple[int, ...]]] = {}
        for key, days in self._warn_days().items():
            view = self._live_state.checks.get(key)
            if view is not None and view.certificate is not None:
                certificate = CertificateId(view.certificate.fingerprint, view.certificate.expiry)
                certificates.setdefault(certificate, {})[key] = days
        return certificates
