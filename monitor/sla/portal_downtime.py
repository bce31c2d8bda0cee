"""Where tickets are opened, and when it was away: that time does not count for first responses (5.4.3).

The area is one of the watched servers. It was away while it was down, and in time that is excluded for it as
maintenance (4.1) or for force majeure and emergencies (4.9). What is unknown of it counts: the monitor must not excuse.
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
"""Exclusions of the area's server by these pause the clock; a window announced too late excludes nothing."""


@dataclass(frozen=True, slots=True)
class PortalPeriod:
    """Time in which the area was one server, read on the same checks."""

    span: Span
    server: str
    checks: tuple[str, ...]


def portal_checks(server: ServerTerms) -> tuple[str, ...]:
    """Return the checks that tell whether the area can be reached: its web checks, or ping where it has none."""
    web = tuple(check.name for check in server.checks if check.name != PING and check.type in WEB_TYPES)
    return web or tuple(check.name for check in server.checks if check.name == PING)


def portal_periods(versions: Sequence[Terms], window: Span) -> tuple[PortalPeriod, ...]:
    """Return where the area was in a window, by the terms in force; the first of them extend back without limit."""
    found = []
    for place, terms in enumerate(versions):
        start = window.start if place == 0 else max(window.start, terms.in_force)
        end = min(window.end, versions[place + 1].in_force) if place + 1 < len(versions) else window.end
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
    """Return when the area was away, until ``now``: down by any of its checks, or excluded by 4.1 or 4.9."""
    excusing = [each for each in exclusions if each.clause in PAUSING_CLAUSES and each.subscription is None]
    found = IntervalSet()
    for part in periods:
        for name in part.checks:
            history = histories[CheckKey(part.server, name), part.span]
            found |= timeline_of(history, part.span, Bound.COUNTED, now).down
        mine = (each for each in excusing if each.applies_to(part.server) and each.check in (None, *part.checks))
        found |= IntervalSet(each.span for each in mine).clip(part.span.start, min(part.span.end, now))
    return found
