"""Whoever looks every minute whether something has come due, put together for one engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.engine.jobs.certificate_expiry import CertificateKeeper
from monitor.engine.jobs.overdue_claims import ClaimKeeper
from monitor.engine.jobs.support_deadlines import PromiseKeeper

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from monitor.engine.engine import Engine
    from monitor.ledger.context import Context
    from monitor.store.threads import Thread


def looks(engine: Engine, reader: Thread) -> tuple[Callable[[], Awaitable[None]], ...]:
    """Give what is to be called every minute."""
    now = engine.timescale.now

    def context() -> Context:
        return engine.recording.context

    claims = ClaimKeeper(reader, engine.recorder.write, engine.telemetry, now=now, context=context)
    promises = PromiseKeeper(reader, engine.telemetry, now=now, terms=lambda: context().terms)
    certificates = CertificateKeeper(
        engine.board, engine.recorder.write, now=now, context=context, warn_days=lambda: engine.warn_days
    )
    return claims.look, promises.look, certificates.look
