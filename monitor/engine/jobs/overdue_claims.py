"""Watches claims that wait for an answer: updates the metrics and mails the operators once for each overdue answer.

The deadline is that of 6.3 (docs/contract.md#claims-and-answers).
"""

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
    """Queues the reminders. Sent reminders are in the outbox, so a new process does not repeat them."""

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
        """Update the metrics and queue mails about overdue answers; call this every minute."""
        now, context = self._now(), self._context()
        try:
            pending = await self._reader.run(lambda db: self._read_if_changed(db, context, now))
            if pending is None:
                return
            self._telemetry.set_open_claims(len(pending.open), len(pending.overdue))
            if pending.overdue and context.operators:
                await self._notify(pending.overdue, context, now)
        except StoreError as error:
            self._last_read = None
            log.warning("the claims: %s", error)

    def _read_if_changed(self, db: Database, context: LedgerContext, now: Millis) -> PendingClaims | None:
        """Read the pending claims; None if no claim has changed and no answer has become due since the last call."""
        newest_entries = (journal.last(db, kind) for kind in CLAIM_EVENTS)
        state = (context.operators, *(entry and entry.number for entry in newest_entries))
        if state == self._last_read and (self._next_due is None or now <= self._next_due):
            return None
        pending = pending_claims(db, now)
        self._last_read, self._next_due = state, pending.next_due
        return pending

    async def _notify(self, overdue: tuple[Claim, ...], context: LedgerContext, now: Millis) -> None:
        reported = await self._reader.run(notification_log.reported_overdue_claims)
        for claim in overdue:
            if claim.id not in reported:
                log.warning("claim %d: the answer is overdue", claim.id)
                await self._write(partial(notify_once, context=context, claim=claim, at=now))


def notify_once(db: Database, context: LedgerContext, claim: Claim, at: Millis) -> None:
    """Queue the mail about an overdue answer, unless the claim was answered or the mail queued meanwhile."""
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
