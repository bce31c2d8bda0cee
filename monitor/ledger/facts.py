"""What figures hang on besides results, as it stands at one moment: versions of the terms, and what does not count."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import compress, pairwise
from typing import TYPE_CHECKING

from monitor.sla import maintenance as rules
from monitor.sla.calendar import month_of, rolling_span
from monitor.sla.live.classified_time import FAR
from monitor.sla.segments import month_window
from monitor.sla.versions import place_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from monitor.ledger.accounts.accounts import Books
    from monitor.model import Millis, Span
    from monitor.sla.exclusions import Exclusion
    from monitor.sla.segments import Segment
    from monitor.sla.terms import Terms


_MONTH = 33 * 86_400_000
"""Milliseconds: longer than any month in any zone."""


def versions_since(books: Books, current: Terms) -> tuple[Terms, ...]:
    """Give the versions of the terms that were in force in any window: most of many years are not even read."""
    start = min(books.at - _MONTH, rolling_span(books.at, current.rolling_days).start)
    return tuple(books.versions[place_at(books.versions, start) :])


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of the books, in a form that holds beyond the moment that they were read at."""

    current: Terms
    """The configuration that they were read under."""
    zones: tuple[Terms, ...]
    """The versions of the terms with which the zone of the months changed, and of them no more than that.

    One version of a large configuration takes megabytes.
    """
    exclusions: frozenset[Exclusion]
    """Those of an outage that is still open go to ``FAR``."""
    growing: frozenset[int]
    """The numbers of those outages."""
    _by_server: Mapping[str | None, list[Exclusion]]

    @classmethod
    def of(cls, books: Books, current: Terms) -> Facts:
        """Take them out of books that are open."""
        valid = [record for record in books.records if record.withdrawn is None]
        found = [one for window in books.windows for one in rules.exclusions(window)]
        found += [record.exclusion(FAR) for record in valid]
        growing = frozenset(record.outage for record in valid if record.end is None and record.outage is not None)
        by_server: dict[str | None, list[Exclusion]] = {}
        for one in found:
            for server in one.servers or (None,):
                by_server.setdefault(server, []).append(one)
        recent = versions_since(books, current)
        changed = [True, *(one.timezone != other.timezone for one, other in pairwise(recent))]
        zones = (replace(one, servers={}, subscriptions={}, customers={}) for one in compress(recent, changed))
        return cls(current, tuple(zones), frozenset(found), growing, by_server)

    def month(self, at: Millis) -> Span:
        """Give the calendar month in which an instant lies."""
        return month_window(self.zones, *month_of(at, self.current.timezone))

    def concerning(self, parts: Iterable[Segment]) -> list[Exclusion]:
        """Give the exclusions that may concern the servers of some segments."""
        servers = dict.fromkeys(part.server for part in parts)
        return [one for server in (None, *servers) for one in self._by_server.get(server, ())]
