"""Lists the jobs that run every minute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.engine.jobs.certificate_expiry import CertificateExpiryReminder
from monitor.engine.jobs.overdue_claims import OverdueClaimReminder
from monitor.engine.jobs.support_deadlines import SupportDeadlineMetrics

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from monitor.engine.engine import Engine
    from monitor.ledger.context import LedgerContext
    from monitor.store.database_thread import DatabaseThread


def minute_jobs(engine: Engine, reader: DatabaseThread) -> tuple[Callable[[], Awaitable[None]], ...]:
    """Return the jobs of an engine that run every minute."""
    now = engine.recorded_time.now

    def context() -> LedgerContext:
        return engine.recording.context

    claims = OverdueClaimReminder(reader, engine.recorder.write, engine.telemetry, now=now, context=context)
    deadlines = SupportDeadlineMetrics(reader, engine.telemetry, now=now, terms=lambda: context().terms)
    certificates = CertificateExpiryReminder(
        engine.live_state, engine.recorder.write, now=now, context=context, warn_days=lambda: engine.warn_days
    )

    def unless_held(job: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """Skip a job that mails about deadlines while the clock is in doubt."""

        async def run() -> None:
            if not engine.clock_guard.holds:
                await job()

        return run

    return unless_held(claims.run), deadlines.run, unless_held(certificates.run)
