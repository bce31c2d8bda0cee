"""Keeps an eye on claims that wait for their answer: for the metrics, and to tell the operators once of each (6.3)."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from monitor.engine.jobs.operator_mail import notify_operators
from monitor.errors import StoreError
from monitor.formatting import format_iso_minute
from monitor.ledger.claims.claims import CLAIM_EVENTS, pending_claims
from monitor.mail.content import OperatorNews
from monitor.store import journal, notification_log

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlite_utils import Database

    from monitor.engine.live.telemetry import Telemetry
    from monitor.ledger.claims.claims import PendingClaims
    from monitor.ledger.context import LedgerContext
    from monitor.model import Millis
    from monitor.sla.claims import Claim
    from monitor.store.database_thread import DatabaseThread

log = logging.getLogger(__name__)


class OverdueClaimReminder:
    """Checks the claims; sent reminders are in the outbox, so a new process does not repeat them."""

    def __init__(
        self,
        reader: DatabaseThread,
        write: Callable[[Callable[[Database], object]], Awaitable[object]],
        telemetry: Telemetry,
        *,
        now: Callable[[], Millis],
        context: Callable[[], LedgerContext],
    ) -> None:
        self._reader = reader
        self._write = write
        self._telemetry = telemetry
        self._now = now
        self._context = context
        self._last_read: tuple[object, ...] | None = None
        self._next_due: Millis | None = None

    async def run(self) -> None:
        """Bring the metrics up to date, and tell of answers that have become overdue; to be called every minute."""
        now, context = self._now(), self._context()
        try:
            found = await self._reader.run(lambda db: self._read_if_changed(db, context, now))
            if found is None:
                return
            self._telemetry.set_open_claims(len(found.open), len(found.overdue))
            if found.overdue and context.operators:
                await self._notify(found.overdue, context, now)
        except StoreError as error:
            self._last_read = None
            log.warning("the claims: %s", error)

    def _read_if_changed(self, db: Database, context: LedgerContext, now: Millis) -> PendingClaims | None:
        """Read the claims; None while nothing was recorded of any, and no answer has become due since the last look."""
        newest = (journal.last(db, kind) for kind in CLAIM_EVENTS)
        marks = (context.operators, *(entry and entry.number for entry in newest))
        if marks == self._last_read and (self._next_due is None or now <= self._next_due):
            return None
        found = pending_claims(db, now)
        self._last_read, self._next_due = marks, found.next_due
        return found

    async def _notify(self, overdue: tuple[Claim, ...], context: LedgerContext, now: Millis) -> None:
        told = await self._reader.run(notification_log.reported_overdue_claims)
        for claim in overdue:
            if claim.id not in told:
                log.warning("claim %d: its answer is overdue", claim.id)
                await self._write(partial(notify_once, context=context, claim=claim, at=now))


def notify_once(db: Database, context: LedgerContext, claim: Claim, at: Millis) -> None:
    """Queue the mail that a claim's answer is overdue, unless it was answered or mailed meanwhile."""
    if claim not in pending_claims(db, at).overdue or claim.id in notification_log.reported_overdue_claims(db):
        return
    lines = (
        f"claim {claim.id}: {claim.subscription}, outage {claim.outage} ({claim.check})",
        f"made {format_iso_minute(claim.opened_at, ZoneInfo(context.zone))}",
        f"monitor claim answer {claim.id}",
    )
    notify_operators(
        db, context, OperatorNews.CLAIM_OVERDUE, lines, at, since=claim.answer_due, extra={"claim": claim.id}
    )
