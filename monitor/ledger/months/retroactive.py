"""Records facts that may affect a closed month, each together with the corrections that it causes.

Differences that exist already are recorded first, with a reason of their own, so that no correction attributes them to
the new fact.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from monitor.ledger import exclusions, maintenance
from monitor.ledger.months.corrections import DAEMON, LATER_RESULTS, CorrectionScope, record_corrections
from monitor.ledger.outage_history import outage_extents
from monitor.ledger.recorded_by import recorded_by
from monitor.ledger.results import importing
from monitor.model import Span
from monitor.store import import_staging, journal, result_origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlite_utils import Database

    from monitor.ledger.context import LedgerContext
    from monitor.ledger.exclusions import ExclusionRecord, ExclusionRequest
    from monitor.ledger.maintenance import ExternalAnnouncement
    from monitor.model import Millis
    from monitor.sla.maintenance import MaintenanceWindow
    from monitor.sla.terms import Terms


class _CorrectionReason:
    """The reason of a correction, which is set when the fact is recorded."""

    text = ""


@contextmanager
def _recording_corrections(db: Database, at: Millis, scopes: Sequence[CorrectionScope]) -> Iterator[_CorrectionReason]:
    for scope in scopes:
        record_corrections(db, at, scope, LATER_RESULTS, DAEMON)
    correction_reason = _CorrectionReason()
    yield correction_reason
    for scope in scopes:
        record_corrections(db, at, scope, correction_reason.text, recorded_by())


def exclude(db: Database, current: Terms, request: ExclusionRequest, at: Millis) -> ExclusionRecord:
    """Record an exclusion; see ``exclusions.add``."""
    span, server = request.span, request.server
    if (
        request.outage is not None
        and (extent := outage_extents(db, [request.outage], at, ()).get(request.outage)) is not None
    ):
        span, server = Span(extent.start, at if extent.end is None else extent.end), extent.check.server
    scopes = [CorrectionScope(span, servers=(server,))] if span is not None and server is not None else []
    with _recording_corrections(db, at, scopes) as correction_reason:
        record = exclusions.add(db, current, request, at)
        correction_reason.text = record.reference
    return record


def withdraw(db: Database, number: int, reason: str, at: Millis) -> ExclusionRecord:
    """Withdraw an exclusion; see ``exclusions.withdraw``."""
    known = next((one for one in exclusions.known_exclusions(db, at) if one.id == number), None)
    scopes = [CorrectionScope(known.exclusion(at).span, servers=(known.server,))] if known is not None else []
    with _recording_corrections(db, at, scopes) as correction_reason:
        record = exclusions.withdraw(db, number, reason, at)
        correction_reason.text = f"{record.reference}, withdrawn"
    return record


def announce(
    db: Database, context: LedgerContext, request: maintenance.MaintenanceRequest, at: Millis
) -> MaintenanceWindow:
    """Announce a window; see ``maintenance.announce``."""
    with _recording_corrections(
        db, at, [CorrectionScope(Span(request.start, request.end), servers=request.servers)]
    ) as correction_reason:
        window = maintenance.announce(db, context, request, at)
        correction_reason.text = window.reference
    return window


def extend(
    db: Database, context: LedgerContext, number: int, end: Millis, external: ExternalAnnouncement | None, at: Millis
) -> MaintenanceWindow:
    """Set another end of a window; see ``maintenance.extend``. For a past window this can affect a closed month."""
    before = maintenance.window_of(db, number)
    scopes = [CorrectionScope(Span(before.end, end), servers=before.servers)] if before.end < min(end, at) else []
    with _recording_corrections(db, at, scopes) as correction_reason:
        correction_reason.text = before.reference
        return maintenance.extend(db, context, number, end, external, at)


def import_results(db: Database, current: Terms, at: Millis, progress: Callable[[int], None] = lambda _: None) -> int:
    """Import the results of the staging table; see ``importing.import_results``."""
    closed = journal.oldest_month(db, "month-closed") is not None
    scopes = (
        [_import_scope(db, server, span) for server, span in import_staging.time_spans(db).items()] if closed else []
    )
    with _recording_corrections(db, at, scopes) as correction_reason:
        before = result_origin.last_batch_id(db)
        count = importing.import_results(db, current, at, progress)
        correction_reason.text = _batches_label(before + 1, result_origin.last_batch_id(db))
    return count


def _batches_label(first: int, last: int) -> str:
    return f"import batch {first}" if first == last else f"import batches {first} to {last}"


def _import_scope(db: Database, server: str, span: Span) -> CorrectionScope:
    begin, end = result_origin.surrounding_oks(db, server, span.start, span.end)
    return CorrectionScope(Span(begin, 1 << 62 if end is None else end), servers=(server,))
