"""The figures of a window as of one moment, and how they go on from there.

While nothing happens a window's sums are straight lines: what the newest instant counts as grows, and in a window that
moves with now, what the oldest counts as shrinks. So a figure is brought up to date by what passed since, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from monitor.sla.credits import band
from monitor.sla.live.classified_time import Share
from monitor.sla.percentages import budget, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.model import Millis, Rounding, Span
    from monitor.sla.live.classified_time import Course, Sums
    from monitor.sla.percentages import Percent
    from monitor.sla.segments import Promise
    from monitor.sla.terms import ProductTerms


WindowName: TypeAlias = Literal["rolling", "month"]
"""The two windows that are kept up to date: the rolling month of operations, the calendar month of credits."""


class Figures(NamedTuple):
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
class Outlook:
    """What a window came to at ``at``, and how that goes on for moments in ``[at, until)``."""

    at: Millis
    until: Millis
    sums: Sums
    grows: Share
    shrinks: Share | None
    """None for a window whose beginning stays where it is."""
    nominal: Millis | None
    """The length to the window's end of what the subscription is in force for; None for a window that ends now."""
    product: ProductTerms | None
    """What was promised last in it; None where the subscription is not in it, and so has no figures."""
    rounding: Rounding
    stands: bool
    """Whether the figures stay as they are while it holds: what grows at one end shrinks at the other."""
    fair: Figures | None = None
    """The figures at ``at`` where only ``up`` grows and nothing was down: then nothing else of them changes."""

    def holds(self, now: Millis) -> bool:
        """Whether it says what is now."""
        return self.at <= now < self.until

    def figures(self, now: Millis) -> Figures | None:
        """Give the figures at a moment for which it holds."""
        if self.fair is not None:  # most of all, most of the time
            up, down, unknown, came_to, left, owed = self.fair
            return Figures(up + now - self.at, down, unknown, came_to, left, owed)
        if self.product is None:
            return None
        sums = [*self.sums]
        sums[self.grows] += now - self.at
        if self.shrinks is not None:
            sums[self.shrinks] -= now - self.at
        _, excluded, up, down, unknown = sums
        nominal = excluded + up + down + unknown if self.nominal is None else self.nominal
        came_to = percent(up, up + down, self.rounding)
        left = budget(nominal - excluded, down, self.product.target, self.rounding)
        owed = None if self.nominal is None else band(self.product, came_to)
        return Figures(up, down, unknown, came_to, left, owed)


def calendar_outlook(course: Course, promises: Sequence[Promise], window: Span, now: Millis) -> Outlook:
    """Look at a calendar month, in which ``now`` lies: it ends where it ends, and pays credits (6.4)."""
    outside = course.between(*window)[Share.OUTSIDE]
    nominal = window.end - window.start - outside
    return _outlook(course, promises, window.start, now, min(window.end, course.change_after(now)), nominal)


def rolling_outlook(course: Course, promises: Sequence[Promise], start: Millis, now: Millis) -> Outlook:
    """Look at a window that is ``now - start`` long and ends now, whenever that is."""
    until = min(course.change_after(now), course.change_after(start) + now - start)
    return _outlook(course, promises, start, now, until, None)


def _outlook(
    course: Course, promises: Sequence[Promise], start: Millis, now: Millis, until: Millis, nominal: Millis | None
) -> Outlook:
    last = None
    for one in promises:
        first = max(one.span.start, start)
        if first < min(one.span.end, now):
            last = one
        if first >= now:
            until = min(until, first + 1)  # from when on it is the last one in the window
    sums, grows, shrinks = course.between(start, now), course.share(now), None
    if nominal is None:
        shrinks = course.share(start)
    made = Outlook(
        at=now,
        until=until,
        sums=sums,
        grows=grows,
        shrinks=shrinks,
        nominal=nominal,
        product=last.product if last else None,
        rounding=last.rounding if last else "down",
        stands=last is None or grows is shrinks,
    )
    only_up = grows is Share.UP and shrinks is None and sums[Share.UP] > 0 and sums[Share.DOWN] == 0
    return replace(made, fair=made.figures(now)) if only_up else made
