"""The downtime of the ticket area, which does not count for first responses (5.4.3).

The ticket area is one of the monitored servers. It is unavailable while it is down, and while its time is excluded by
4.1 (maintenance) or 4.9 (emergencies, force majeure). Its unknown time counts for first responses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from monitor.model import PING, CheckKey, Span
from monitor.sla.interval_set import IntervalSet
from monitor.sla.terms import WEB_TYPES
from monitor.sla.timeline import Bound, History, timeline_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from monitor.model import Millis
    from monitor.sla.exclusions import Exclusion
    from monitor.sla.terms import ServerTerms, Terms

PAUSING_CLAUSES: Final = frozenset({"4.1", "4.9"})
"""The clauses whose exclusions stop the response time; a window announced too late excludes nothing."""


@dataclass(frozen=True, slots=True)
class PortalPeriod:
    """A time in which the ticket area was one server with the same checks."""

    span: Span
    server: str
    checks: tuple[str, ...]


def portal_checks(server: ServerTerms) -> tuple[str, ...]:
    """Return the checks that measure the ticket area: its web checks, or ping if it has none."""
    web = tuple(check.name for check in server.checks if check.name != PING and check.type in WEB_TYPES)
    return web or tuple(check.name for check in server.checks if check.name == PING)


def portal_periods(versions: Sequence[Terms], window: Span) -> tuple[PortalPeriod, ...]:
    """Return the periods of the ticket area in a window, by the terms in force; the first terms extend back."""
    found = []
    for index, terms in enumerate(versions):
        start = window.start if index == 0 else max(window.start, terms.in_force)
        end = min(window.end, versions[index + 1].in_force) if index + 1 < len(versions) else window.end
        server = terms.servers.get(terms.ticket_area) if terms.ticket_area is not None else None
        if server is not None and terms.ticket_area is not None and start < end:
            found.append(PortalPeriod(Span(start, end), terms.ticket_area, portal_checks(server)))
    return tuple(found)


def portal_downtime(
    periods: Iterable[PortalPeriod],
    histories: Mapping[tuple[CheckKey, Span], History],
    exclusions: Iterable[Exclusion],
    now: Millis,
) -> IntervalSet:
    """Return the downtime of the ticket area until ``now``: a check is down, or the time is excluded by 4.1 or 4.9."""
    pausing = [each for each in exclusions if each.clause in PAUSING_CLAUSES and each.subscription is None]
    found = IntervalSet()
    for period in periods:
        for name in period.checks:
            history = histories[CheckKey(period.server, name), period.span]
            found |= timeline_of(history, period.span, Bound.COUNTED, now).down
        applicable = (
            each for each in pausing if each.applies_to(period.server) and each.check in (None, *period.checks)
        )
        found |= IntervalSet(each.span for each in applicable).clip(period.span.start, min(period.span.end, now))
    return found
