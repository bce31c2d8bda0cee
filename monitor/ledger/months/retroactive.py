"""Facts that may reach into a closed month, each recorded together with the correction that it causes.

First what has drifted already is settled under its own name, so that a correction never lays it to the fact after it.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from monitor.ledger import exclusions, maintenance
from monitor.ledger.months.corrections import DAEMON, LATER_RESULTS, Scope, settle
from monitor.ledger.outage_history import extents
from monitor.ledger.recorded_by import recorder
from monitor.ledger.results import importing
from monitor.model import Span
from monitor.store import import_staging, journal, result_origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlite_utils import Database

    from monitor.ledger.context import Context
    from monitor.ledger.exclusions import Asked, Record
    from monitor.ledger.maintenance import Elsewhere
    from monitor.model import Millis
    from monitor.sla.maintenance import Window
    from monitor.sla.terms import Terms


class _Why:
    """What a correction is laid to; known only when the fact is recorded."""

    text = ""


@contextmanager
def _correcting(db: Database, at: Millis, scopes: Sequence[Scope]) -> Iterator[_Why]:
    for scope in scopes:
        settle(db, at, scope, LATER_RESULTS, DAEMON)
    why = _Why()
    yield why
    for scope in scopes:
        settle(db, at, scope, why.text, recorder())


def exclude(db: Database, current: Terms, asked: Asked, at: Millis) -> Record:
    """Record an exclusion; see ``exclusions.add``."""
    span, server = asked.span, asked.server
    if asked.outage is not None and (extent := extents(db, [asked.outage], at, ()).get(asked.outage)) is not None:
        span, server = Span(extent.start, at if extent.end is None else extent.end), extent.check.server
    scopes = [Scope(span, servers=(server,))] if span is not None and server is not None else []
    with _correcting(db, at, scopes) as why:
        record = exclusions.add(db, current, asked, at)
        why.text = record.reference
    return record


def withdraw(db: Database, number: int, reason: str, at: Millis) -> Record:
    """Withdraw an exclusion; see ``exclusions.withdraw``."""
    known = next((one for one in exclusions.known_exclusions(db, at) if one.id == number), None)
    scopes = [Scope(known.exclusion(at).span, servers=(known.server,))] if known is not None else []
    with _correcting(db, at, scopes) as why:
        record = exclusions.withdraw(db, number, reason, at)
        why.text = f"{record.reference}, withdrawn"
    return record


def announce(db: Database, context: Context, asked: maintenance.Asked, at: Millis) -> Window:
    """Announce a window; see ``maintenance.announce``."""
    with _correcting(db, at, [Scope(Span(asked.start, asked.end), servers=asked.servers)]) as why:
        window = maintenance.announce(db, context, asked, at)
        why.text = window.reference
    return window


def extend(db: Database, context: Context, number: int, end: Millis, elsewhere: Elsewhere | None, at: Millis) -> Window:
    """Give a window another end; see ``maintenance.extend``. What is added to one that is over may reach back."""
    before = maintenance.window_of(db, number)
    scopes = [Scope(Span(before.end, end), servers=before.servers)] if before.end < min(end, at) else []
    with _correcting(db, at, scopes) as why:
        why.text = before.reference
        return maintenance.extend(db, context, number, end, elsewhere, at)


def take_in(db: Database, current: Terms, at: Millis, progress: Callable[[int], None] = lambda _: None) -> int:
    """Take in what waits in the staging table; see ``importing.take_in``."""
    closed = journal.oldest_month(db, "month-closed") is not None
    scopes = [_reach(db, server, span) for server, span in import_staging.extents(db).items()] if closed else []
    with _correcting(db, at, scopes) as why:
        before = result_origin.last_batch(db)
        count = importing.take_in(db, current, at, progress)
        why.text = _batches(before + 1, result_origin.last_batch(db))
    return count


def _batches(first: int, last: int) -> str:
    return f"import batch {first}" if first == last else f"import batches {first} to {last}"


def _reach(db: Database, server: str, span: Span) -> Scope:
    begin, end = result_origin.oks_around(db, server, span.start, span.end)
    return Scope(Span(begin, 1 << 62 if end is None else end), servers=(server,))
