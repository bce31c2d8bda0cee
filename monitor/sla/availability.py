"""The account of one subscription over one window, in exact integers (docs/contract.md#from-results-to-time)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from monitor.model import CheckKey, Span
from monitor.sla.exclusions import Exclusion, applicable_exclusions, by_precedence, reference_key
from monitor.sla.interval_set import IntervalSet
from monitor.sla.terms import clause_order
from monitor.sla.timeline import Bound, History, combine, outage_downtime, timeline_of, up_throughout

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from monitor.model import Millis, Outage, Rounding
    from monitor.sla.exclusions import ApplicableExclusions
    from monitor.sla.terms import Segment
    from monitor.sla.timeline import Timeline


# --- percentages in hundredths of a percent: integers, rounded once ---------------------------------------------------

Percent: TypeAlias = int
"""Hundredths of a percent: 9973 is 99.73 %."""

HUNDRED_PERCENT = 10_000
"""The whole, in hundredths of a percent."""


def remaining_budget(counted: Millis, down: Millis, target: Percent, rounding: Rounding) -> Millis:
    """Return the downtime left of ``counted`` milliseconds before the target is missed; see ``Account.budget_ms``."""
    short = HUNDRED_PERCENT - target
    if rounding == "down":
        return counted * short // HUNDRED_PERCENT - down
    return counted * (2 * short + 1) // (2 * HUNDRED_PERCENT) - down


def percent(part: Millis, whole: Millis, rounding: Rounding) -> Percent | None:
    """Return ``part / whole`` in hundredths of a percent, rounded once; ``None`` if ``whole`` is 0.

    See docs/contract.md#products-targets-and-credit-tables.
    """
    if whole == 0:
        return None
    return (
        part * HUNDRED_PERCENT // whole if rounding == "down" else (2 * part * HUNDRED_PERCENT + whole) // (2 * whole)
    )


def percent_text(hundredths: Percent) -> str:
    """Return ``9973`` as ``99.73``."""
    return f"{hundredths // 100}.{hundredths % 100:02d}"


__all__ = ["Account", "ExcludedTime", "Exclusion", "compute_account", "excluded_downtime"]


@dataclass(frozen=True, slots=True)
class ExcludedTime:
    """The time charged to one record, in milliseconds; no instant is charged twice."""

    clause: str
    reference: str
    length: Millis


@dataclass(frozen=True, slots=True)
class Account:
    """The account of a window in milliseconds: ``excluded + up + down + unknown = window``.

    See docs/contract.md#from-results-to-time.
    """

    span: Span | None
    """From the start of the first segment to the end of the last; ``None`` without segments."""
    window: Millis
    up: Millis
    down: Millis
    excluded: Millis
    unknown: Millis
    availability: Percent | None
    lowest: Percent | None
    highest: Percent | None
    experienced: Percent | None
    coverage: Percent | None
    exclusions: tuple[ExcludedTime, ...]
    outages: tuple[int, ...]
    """Ids of the outages of the measured checks that overlap the window."""
    target: Percent
    rounding: Rounding

    @property
    def target_met(self) -> bool | None:
        """Whether the rounded figure reaches the target; ``None`` if nothing was measured."""
        return None if self.availability is None else self.availability >= self.target

    def budget_ms(self, nominal: Millis) -> Millis:
        """Return the downtime left before the target is missed, negative after, in milliseconds.

        ``nominal`` is the length of the subscription's whole window, including the time after ``now``; unknown time
        and future time count as up. The target is met exactly while the budget is not negative.
        """
        return remaining_budget(nominal - self.excluded, self.down, self.target, self.rounding)


def compute_account(
    segments: Sequence[Segment],
    histories: Mapping[CheckKey, History],
    exclusions: Iterable[Exclusion],
    *,
    rounding: Rounding,
    target: Percent,
    now: Millis,
) -> Account:
    """Return the account of one subscription's segments until ``now``; they are in order and do not overlap.

    A check without a history was never measured: its time is unknown. ``exclusions`` may contain records that do not
    apply to a segment's time, server, check or subscription; they are ignored.
    """
    ordered = by_precedence(
        one
        for one in exclusions
        if segments and one.span.start < segments[-1].span.end and one.span.end > segments[0].span.start
    )
    totals = _AccountTotals()
    touched: dict[int, Millis] = {}
    for segment in segments:
        span = Span(segment.span.start, min(segment.span.end, now))
        if span.start >= span.end:
            continue
        checks = [histories.get(CheckKey(segment.server, name), _NO_HISTORY) for name in segment.checks]
        applicable = applicable_exclusions(ordered, segment, span)
        if checks and not applicable.records and all(up_throughout(history, span) for history in checks):
            totals.add_up(span)
            continue
        totals.add(span, _timelines_by_bound(checks, span, now), applicable)
        for history in checks:
            touched.update((one.id, one.start) for one in history.outages if _touches(one, span))
    outages = tuple(sorted(touched, key=lambda one: (touched[one], one)))
    return totals.to_account(outages, rounding, target)


def excluded_downtime(outage: Outage, history: History, exclusions: Iterable[Exclusion], now: Millis) -> Millis:
    """Return how much of an outage's counted time exclusions cover, in milliseconds, each instant once.

    Exclusions limited to a subscription do not count here, because the outage concerns all subscriptions.
    """
    down = outage_downtime(outage, history, now)
    covering = IntervalSet(
        one.span
        for one in exclusions
        if one.applies_to(outage.check.server) and one.check in (None, outage.check.name) and one.subscription is None
    )
    return (down & covering).length


_NO_HISTORY = History()


class _AccountTotals:
    """The sums of an account."""

    def __init__(self) -> None:
        self.start: Millis | None = None
        self.end = self.window = self.excluded = 0
        self.up = dict.fromkeys(Bound, 0)
        self.down = dict.fromkeys(Bound, 0)
        self.raw_up = self.raw_down = 0
        self.excluded_by_record: dict[tuple[str, str], Millis] = {}

    def add_up(self, span: Span) -> None:
        """Add a segment without exclusions in which every check was always up: the same as ``add``, but cheaper."""
        self.start = span.start if self.start is None else self.start
        self.end = span.end
        length = span.end - span.start
        self.window += length
        self.raw_up += length
        for bound in Bound:
            self.up[bound] += length

    def add(
        self, span: Span, timelines_by_bound: Mapping[Bound, Sequence[Timeline]], applicable: ApplicableExclusions
    ) -> None:
        """Add one segment: combine its checks and subtract excluded time, for each bound."""
        self.start = span.start if self.start is None else self.start
        self.end = span.end
        self.window += span.end - span.start
        counted = timelines_by_bound[Bound.COUNTED]
        raw = combine(counted)
        self.raw_up += raw.up.length
        self.raw_down += raw.down.length
        excluded = _NO_TIME
        for record, time in applicable.attribute([timeline.down for timeline in counted]):
            key = record.clause, record.reference
            self.excluded_by_record[key] = self.excluded_by_record.get(key, 0) + time.length
            excluded |= time
        self.excluded += excluded.length
        up, down, before = 0, 0, None
        for bound, timelines in timelines_by_bound.items():
            if timelines is not before:  # without an outage nearby all three bounds are equal
                same = timelines is counted and not applicable.excluded_by_check
                whole = raw if same else combine(timelines, applicable.excluded_by_check)
                up, down = (whole.up - excluded).length, (whole.down - excluded).length
                before = timelines
            self.up[bound] += up
            self.down[bound] += down

    def to_account(self, outages: tuple[int, ...], rounding: Rounding, target: Percent) -> Account:
        """Return the account."""
        up, down = self.up[Bound.COUNTED], self.down[Bound.COUNTED]
        known = up + down
        unknown = self.window - self.excluded - known
        assert min(up, down, self.excluded, unknown) >= 0

        def figure(bound: Bound) -> Percent | None:
            return percent(self.up[bound], self.up[bound] + self.down[bound], rounding) if known else None

        return Account(
            span=None if self.start is None else Span(self.start, self.end),
            window=self.window,
            up=up,
            down=down,
            excluded=self.excluded,
            unknown=unknown,
            availability=figure(Bound.COUNTED),
            lowest=figure(Bound.LOWEST),
            highest=figure(Bound.HIGHEST),
            experienced=percent(self.raw_up, self.raw_up + self.raw_down, rounding),
            coverage=percent(known, self.window - self.excluded, rounding),
            exclusions=tuple(
                ExcludedTime(clause, reference, self.excluded_by_record[clause, reference])
                for clause, reference in sorted(
                    self.excluded_by_record, key=lambda key: (clause_order(key[0]), reference_key(key[1]))
                )
            ),
            outages=outages,
            target=target,
            rounding=rounding,
        )


_NO_TIME = IntervalSet()


def _timelines_by_bound(checks: Sequence[History], span: Span, now: Millis) -> dict[Bound, list[Timeline]]:
    """Return the timelines of the checks by each bound; without an outage nearby all three bounds are equal."""
    counted = [timeline_of(history, span, Bound.COUNTED, now) for history in checks]
    by_bound = {Bound.COUNTED: counted, Bound.LOWEST: counted, Bound.HIGHEST: counted}
    if any(_may_touch(outage, span) for history in checks for outage in history.outages):
        for bound in (Bound.LOWEST, Bound.HIGHEST):
            by_bound[bound] = [timeline_of(history, span, bound, now) for history in checks]
    return by_bound


def _touches(outage: Outage, span: Span) -> bool:
    return outage.start < span.end and (outage.end is None or outage.end > span.start)


def _may_touch(outage: Outage, span: Span) -> bool:
    earliest = outage.start if outage.last_ok is None else outage.last_ok
    return earliest < span.end and (outage.end is None or outage.end > span.start)
