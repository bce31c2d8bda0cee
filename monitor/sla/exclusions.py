"""What does not count, and the record to which each excluded instant is charged (4.1 to 4.10).

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
    """Its record: ``maintenance 12``, ``exclusion 3``."""
    recorded_at: Millis
    servers: frozenset[str] | None = None
    """The servers to which it applies; ``None`` is all."""
    check: str | None = None
    """The only check that it excuses; ``None`` is the whole server."""
    subscription: str | None = None
    """The only subscription to which it applies; ``None`` is all."""

    def applies_to(self, server: str) -> bool:
        """Return whether it applies to a server."""
        return self.servers is None or server in self.servers


@dataclass(frozen=True, slots=True)
class ApplicableExclusions:
    """The records that apply to one segment, in order of precedence, each with its time in the segment."""

    records: tuple[tuple[Exclusion, IntervalSet], ...]
    excluded_by_check: tuple[IntervalSet, ...]
    """The excused time of each of several measured checks; empty if no record names one of several checks."""

    def attribute(self, downtimes: Sequence[IntervalSet]) -> Iterator[tuple[Exclusion, IntervalSet]]:
        """Yield each record with the instants that no record of higher precedence excludes.

        ``downtimes`` is the downtime of each check. A record that names one of several checks excuses that check
        only: while another check is down and not excused, the instant stays down [decision].
        """
        still_down = IntervalSet()
        for down, excuse in zip(downtimes, self.excluded_by_check, strict=False):
            still_down |= down - excuse
        charged = IntervalSet()
        for record, time in self.records:
            for_one_check = bool(self.excluded_by_check) and record.check is not None
            charge = (time - still_down if for_one_check else time) - charged
            if charge:
                charged |= charge
                yield record, charge


def by_precedence(exclusions: Iterable[Exclusion]) -> list[Exclusion]:
    """Return exclusions by precedence: first by the order of clauses, then by the time of recording.

    Of two records made in the same millisecond, the lower number takes precedence.
    """
    return sorted(exclusions, key=lambda one: (clause_order(one.clause), one.recorded_at, reference_key(one.reference)))


def reference_key(reference: str) -> tuple[str, int]:
    """Return a sort key that orders references by number: ``maintenance 9`` before ``maintenance 12``."""
    kind, _, digits = reference.rpartition(" ")
    return (kind, int(digits)) if digits.isdecimal() else (reference, 0)


def applicable_exclusions(ordered: Iterable[Exclusion], segment: Segment, span: Span) -> ApplicableExclusions:
    """Return the exclusions that apply to ``span`` of a segment: to its server, subscription and measured checks."""
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
