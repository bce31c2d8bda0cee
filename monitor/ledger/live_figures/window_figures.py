"""The figures of a window as of one moment, and their exact projection to later moments.

While no class changes, a window's sums are linear: the class of its newest instant grows, and in a rolling window the
class of its oldest instant shrinks. So figures are updated by the elapsed time, exactly.
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
"""The two windows that are updated: the rolling month for operators, the calendar month for credits."""


class WindowFigures(NamedTuple):
    """The account of one subscription over one window, so far. Lengths are milliseconds, without excluded time."""

    up: Millis
    down: Millis
    unknown: Millis
    availability: Percent | None
    """Hundredths of a percent, rounded by the terms; None if nothing was measured."""
    budget: Millis
    """Downtime left in the whole window before the target is missed; negative after that."""
    credit: int | None = None
    """The credit, in percent of the fee, if the window ended now; None for a window without credits."""


@dataclass(frozen=True, slots=True)
class WindowProjection:
    """The sums of a window at ``at``, and their linear projection for moments in ``[at, until)``."""

    at: Millis
    until: Millis
    sums: ClassSums
    growing_class: TimeClass
    shrinking_class: TimeClass | None
    """None for a window with a fixed start."""
    nominal_length: Millis | None
    """The time for which the subscription is in force in the whole window; None for a window that ends now."""
    product: ProductTerms | None
    """The last product terms in the window; None if the subscription is not in it, and so has no figures."""
    rounding: Rounding
    constant: bool
    """Whether the figures do not change during the projection: the growing class is the shrinking one."""
    all_up: WindowFigures | None = None
    """The figures at ``at`` if only ``up`` grows and nothing was down: then only ``up`` changes."""

    def figures_at(self, now: Millis) -> WindowFigures | None:
        """Return the figures at a moment in ``[at, until)``."""
        if self.all_up is not None:  # the usual case
            up, down, unknown, availability, budget, rate = self.all_up
            return WindowFigures(up + now - self.at, down, unknown, availability, budget, rate)
        if self.product is None:
            return None
        sums = [*self.sums]
        sums[self.growing_class] += now - self.at
        if self.shrinking_class is not None:
            sums[self.shrinking_class] -= now - self.at
        _, excluded, up, down, unknown = sums
        nominal = excluded + up + down + unknown if self.nominal_length is None else self.nominal_length
        availability = percent(up, up + down, self.rounding)
        budget = remaining_budget(nominal - excluded, down, self.product.target, self.rounding)
        rate = None if self.nominal_length is None else credit_percent(self.product, availability)
        return WindowFigures(up, down, unknown, availability, budget, rate)


def project_month(
    timeline: CumulativeTimeline, periods: Sequence[PromisePeriod], window: Span, now: Millis
) -> WindowProjection:
    """Return the projection of the calendar month of ``now``, which has credits (6.4)."""
    outside = timeline.sums_between(*window)[TimeClass.OUTSIDE]
    nominal = window.end - window.start - outside
    return _project(timeline, periods, window.start, now, min(window.end, timeline.next_change(now)), nominal)


def project_rolling(
    timeline: CumulativeTimeline, periods: Sequence[PromisePeriod], start: Millis, now: Millis
) -> WindowProjection:
    """Return the projection of a rolling window: it keeps the length ``now - start`` and always ends now."""
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
            until = min(until, first + 1)  # from then on it is the last period in the window
    sums, growing, shrinking = timeline.sums_between(start, now), timeline.class_at(now), None
    if nominal_length is None:
        shrinking = timeline.class_at(start)
    projection = WindowProjection(
        at=now,
        until=until,
        sums=sums,
        growing_class=growing,
        shrinking_class=shrinking,
        nominal_length=nominal_length,
        product=last.product if last else None,
        rounding=last.rounding if last else "down",
        constant=last is None or growing is shrinking,
    )
    only_up = growing is TimeClass.UP and shrinking is None and sums[TimeClass.UP] > 0 and sums[TimeClass.DOWN] == 0
    return replace(projection, all_up=projection.figures_at(now)) if only_up else projection
