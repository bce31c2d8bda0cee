"""What does not count, and which record each excluded instant is attributed to (4.1 to 4.10).

See docs/contract.md#what-does-not-count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.sla.interval_set import IntervalSet
from monitor.sla.terms import clause_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from monitor.model import Millis, Span
    from monitor.sla.terms import Segment


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A recorded reason why time does not count, with its clause (4.1 to 4.10)."""

    clause: str
    span: Span
    reference: str
    """The record that it comes from: ``maintenance 12``, ``exclusion 3``."""
    recorded_at: Millis
    servers: frozenset[str] | None = None
    """Where it applies; ``None`` is everywhere."""
    check: str | None = None
    """The one check that it excuses; ``None`` is the whole server."""
    subscription: str | None = None
    """The one subscription that it is limited to; ``None`` is all."""

    def applies_to(self, server: str) -> bool:
        """Whether it applies to a server."""
        return self.servers is None or server in self.servers


@dataclass(frozen=True, slots=True)
class ApplicableExclusions:
    """The records that apply to one segment, in the order in which they are charged, each with its time there."""

    records: tuple[tuple[Exclusion, IntervalSet], ...]
    excluded_by_check: tuple[IntervalSet, ...]
    """What excuses each of several measured checks alone; empty where no record names one of several."""

    def attribute(self, downtimes: Sequence[IntervalSet]) -> Iterator[tuple[Exclusion, IntervalSet]]:
        """Yield each record with the instants that no record before it excludes.

        ``downtimes`` is when each check counts as down. A record that names one of several checks excuses that
        check only: while another, not excused, is down, the instant stays down [decision].
        """
        still_down = IntervalSet()
        for down, excuse in zip(downtimes, self.excluded_by_check, strict=False):
            still_down |= down - excuse
        taken = IntervalSet()
        for record, time in self.records:
            alone = bool(self.excluded_by_check) and record.check is not None
            mine = (time - still_down if alone else time) - taken
            if mine:
                taken |= mine
                yield record, mine


def by_precedence(exclusions: Iterable[Exclusion]) -> list[Exclusion]:
    """Order as instants are charged: the clause first in the agreement, then the record first made.

    Of two records made in one millisecond, the one with the lower number.
    """
    return sorted(exclusions, key=lambda one: (clause_order(one.clause), one.recorded_at, reference_key(one.reference)))


def reference_key(reference: str) -> tuple[str, int]:
    """Order references by their numbers: ``maintenance 9`` before ``maintenance 12``."""
    kind, _, digits = reference.rpartition(" ")
    return (kind, int(digits)) if digits.isdecimal() else (reference, 0)


def applicable_exclusions(ordered: Iterable[Exclusion], segment: Segment, span: Span) -> ApplicableExclusions:
    """Pick what applies to ``span`` of a segment: to its server, its subscription, and a check that is measured."""
    records = tuple(
        (one, IntervalSet.of(max(one.span.start, span.start), min(one.span.end, span.end)))
        for one in ordered
        if one.span.start < span.end
        and one.span.end > span.start
        and one.applies_to(segment.server)
        and (one.subscription is None or one.subscription == segment.subscription)
        and (one.check is None or one.check in segment.checks)
    )
    if len(segment.checks) < 2 or all(one.check is None for one, _ in records):  # noqa: PLR2004 - several
        return ApplicableExclusions(records, ())
    return ApplicableExclusions(
        records,
        tuple(
            IntervalSet(part for one, time in records if one.check == name for part in time) for name in segment.checks
        ),
    )
