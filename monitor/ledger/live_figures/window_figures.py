"""The figures of a window as of one moment, and how they go on from there.

While nothing happens a window's sums are straight lines: what the newest instant counts as grows, and in a window that
moves with now, what the oldest counts as shrinks. So a figure is brought up to date by what passed since, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from monitor.ledger.live_figures.classified_time import TimeClass
from monitor.sla.availability import percent, remaining_budget
from monitor.sla.credits import credit_percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.ledger.live_figures.classified_time import ClassSums, CumulativeTimeline
    from monitor.model import Millis, Rounding, Span
    from monitor.sla.availability import Percent
    from monitor.sla.terms import ProductTerms, PromisePeriod


WindowName: TypeAlias = Literal["rolling", "month"]
"""The two windows that are kept up to date: the rolling month of operations, the calendar month of credits."""


class WindowFigures(NamedTuple):
    """The accounts of one subscription over one window, so far. Lengths are milliseconds, exclusions taken out."""

    up: Millis
    down: Millis
    unknown: Millis
    availability: Percent | None
    """Hundredths of a percent, rounded as the contract is read; None where nothing was measured."""
    budget: Millis
    """Downtime left over the whole window before the target is missed; negative after."""
    credit: int | None = None
    """The percent of the fee that would be owed if the window ended now; None for a window without credits."""


@dataclass(frozen=True, slots=True)
class WindowProjection:
    """What a window came to at ``at``, and how that goes on for moments in ``[at, until)``."""

    at: Millis
    until: Millis
    sums: ClassSums
    growing_class: TimeClass
    shrinking_class: TimeClass | None
    """None for a window whose beginning stays where it is."""
    nominal_length: Millis | None
    """The length to the window's end of what the subscription is in force for; None for a window that ends now."""
    product: ProductTerms | None
    """What was promised last in it; None where the subscription is not in it, and so has no figures."""
    rounding: Rounding
    constant: bool
    """Whether the figures stay as they are while it holds: what grows at one end shrinks at the other."""
    all_up: WindowFigures | None = None
    """The figures at ``at`` where only ``up`` grows and nothing was down: then nothing else of them changes."""

    def figures_at(self, now: Millis) -> WindowFigures | None:
        """Return the figures at a moment for which it holds."""
        if self.all_up is not None:  # most of all, most of the time
            up, down, unknown, came_to, left, owed = self.all_up
            return WindowFigures(up + now - self.at, down, unknown, came_to, left, owed)
        if self.product is None:
            return None
        sums = [*self.sums]
        sums[self.growing_class] += now - self.at
        if self.shrinking_class is not None:
            sums[self.shrinking_class] -= now - self.at
        _, excluded, up, down, unknown = sums
        nominal = excluded + up + down + unknown if self.nominal_length is None else self.nominal_length
        came_to = percent(up, up + down, self.rounding)
        left = remaining_budget(nominal - excluded, down, self.product.target, self.rounding)
        owed = None if self.nominal_length is None else credit_percent(self.product, came_to)
        return WindowFigures(up, down, unknown, came_to, left, owed)


def project_month(
    timeline: CumulativeTimeline, periods: Sequence[PromisePeriod], window: Span, now: Millis
) -> WindowProjection:
    """Look at a calendar month, in which ``now`` lies: it ends where it ends, and pays credits (6.4)."""
    outside = timeline.sums_between(*window)[TimeClass.OUTSIDE]
    nominal = window.end - window.start - outside
    return _project(timeline, periods, window.start, now, min(window.end, timeline.next_change(now)), nominal)


def project_rolling(
    timeline: CumulativeTimeline, periods: Sequence[PromisePeriod], start: Millis, now: Millis
) -> WindowProjection:
    """Look at a window that is ``now - start`` long and ends now, whenever that is."""
    until = min(timeline.next_change(now), timeline.next_change(start) + now - start)
    return _project(timeline, periods, start, now, until, None)


def _project(
    timeline: CumulativeTimeline,
    periods: Sequence[PromisePeriod],
    start: Millis,
    now: Millis,
    until: Millis,
    nominal_length: Millis | None,
) -> WindowProjection:
    last = None
    for one in periods:
        first = max(one.span.start, start)
        if first < min(one.span.end, now):
            last = one
        if first >= now:
            until = min(until, first + 1)  # from when on it is the last one in the window
    sums, grows, shrinks = timeline.sums_between(start, now), timeline.class_at(now), None
    if nominal_length is None:
        shrinks = timeline.class_at(start)
    made = WindowProjection(
        at=now,
        until=until,
        sums=sums,
        growing_class=grows,
        shrinking_class=shrinks,
        nominal_length=nominal_length,
        product=last.product if last else None,
        rounding=last.rounding if last else "down",
        constant=last is None or grows is shrinks,
    )
    only_up = grows is TimeClass.UP and shrinks is None and sums[TimeClass.UP] > 0 and sums[TimeClass.DOWN] == 0
    return replace(made, all_up=made.figures_at(now)) if only_up else made
