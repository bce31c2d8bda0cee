"""The class of every instant of a subscription, stored so that the sums of any window take two look-ups.

The class of an instant does not depend on the window. So it is stored once, change by change, with the cumulative sums
up to each change; the sums of a window are the difference of two of them. A result that repeats the last outcome
changes no class: it only confirms the presumed continuation of its run.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from monitor.model import CheckKey, Span
from monitor.sla.exclusions import applicable_exclusions, by_precedence
from monitor.sla.interval_set import IntervalSet
from monitor.sla.timeline import Bound, History, combine, timeline_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from monitor.model import Millis, Run
    from monitor.sla.exclusions import Exclusion
    from monitor.sla.terms import Segment

END_OF_TIME: Final[Millis] = 1 << 60
"""Later than any instant; the presumed end of open runs."""


class TimeClass(IntEnum):
    """The class of an instant."""

    OUTSIDE = 0
    """The subscription is not in force; no account includes the instant."""
    EXCLUDED = 1
    UP = 2
    DOWN = 3
    UNKNOWN = 4


ClassSums: TypeAlias = tuple["Millis", "Millis", "Millis", "Millis", "Millis"]
"""Milliseconds of each ``TimeClass``, in the order of the enumeration."""
ZERO_SUMS: Final[ClassSums] = (0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class CumulativeTimeline:
    """The class of every instant from ``starts[0]`` on, without an end; neighbours differ."""

    starts: tuple[Millis, ...]
    classes: tuple[TimeClass, ...]
    """The class from each start to the next; the last one has no end."""
    sums: tuple[ClassSums, ...]
    """The sums before each start."""

    @classmethod
    def from_changes(cls, changes: Iterable[tuple[Millis, TimeClass]]) -> CumulativeTimeline:
        """Create a timeline from changes in order, each valid until the next; at least one."""
        starts: list[Millis] = []
        classes: list[TimeClass] = []
        sums: list[ClassSums] = []
        for start, time_class in changes:
            if not starts:
                sums.append(ZERO_SUMS)
            elif time_class is classes[-1]:
                continue
            else:
                sums.append(_add_time(sums[-1], classes[-1], start - starts[-1]))
            starts.append(start)
            classes.append(time_class)
        return cls(tuple(starts), tuple(classes), tuple(sums))

    def sums_between(self, start: Millis, end: Millis) -> ClassSums:
        """Return the sums of ``[start, end)``. Raise ValueError if ``start`` is before the start of the timeline."""
        i = bisect_right(self.starts, start) - 1
        if i < 0:
            raise ValueError(f"{start} is before {self.starts[0]}, where the timeline begins")
        j = bisect_right(self.starts, end, i) - 1
        first, last = self.sums[i], self.sums[j]
        sums = [after - before for before, after in zip(first, last, strict=True)]
        sums[self.classes[j]] += end - self.starts[j]
        sums[self.classes[i]] -= start - self.starts[i]
        return sums[0], sums[1], sums[2], sums[3], sums[4]

    def class_at(self, at: Millis) -> TimeClass:
        """Return the class of an instant."""
        return self.classes[bisect_right(self.starts, at) - 1]

    def next_change(self, at: Millis) -> Millis:
        """Return the first instant after ``at`` at which the class changes; ``END_OF_TIME`` if there is none."""
        i = bisect_right(self.starts, at)
        return self.starts[i] if i < len(self.starts) else END_OF_TIME

    def followed_by(self, later: CumulativeTimeline, since: Millis) -> CumulativeTimeline:
        """Return this timeline continued by ``later`` from its start on; time before ``since`` may be dropped."""
        cut = later.starts[0]
        head = max(bisect_right(self.starts, since) - 1, 0)
        tail = bisect_right(self.starts, cut - 1)
        if tail <= head:
            return later
        sums = _add_time(self.sums[tail - 1], self.classes[tail - 1], cut - self.starts[tail - 1])
        # an equal class continues and is no change
        same = later.classes[0] is self.classes[tail - 1]
        added = tuple(
            (before[0] + sums[0], before[1] + sums[1], before[2] + sums[2], before[3] + sums[3], before[4] + sums[4])
            for before in later.sums[same:]
        )
        return CumulativeTimeline(
            self.starts[head:tail] + later.starts[same:],
            self.classes[head:tail] + later.classes[same:],
            self.sums[head:tail] + added,
        )


def _add_time(sums: ClassSums, time_class: TimeClass, length: Millis) -> ClassSums:
    grown = [*sums]
    grown[time_class] += length
    return grown[0], grown[1], grown[2], grown[3], grown[4]


# --- the timeline of a subscription, extended from sweep to sweep -----------------------------------------------------


class OpenRun(NamedTuple):
    """A check whose newest run is presumed to continue."""

    check: CheckKey
    last: Millis
    """The time of its newest known result."""
    hold: Millis


@dataclass(frozen=True, slots=True)
class IncrementalTimeline:
    """A subscription's timeline, on the presumption that each check repeats its last outcome."""

    cumulative: CumulativeTimeline
    open_runs: tuple[OpenRun, ...]
    stale_checks: tuple[tuple[CheckKey, Millis], ...]
    """The checks whose newest known result no longer holds, with its time."""
    final_until: Millis
    """No future result changes anything before this instant."""

    def valid_until(self, newest_result: Callable[[CheckKey], Millis | None]) -> Millis:
        """Return until when it is valid without further results; ``END_OF_TIME`` if no run is open.

        ``newest_result`` returns the time of each check's newest result, None if it is unknown; every result since
        the timeline was built has repeated the presumed outcome.
        """
        until = END_OF_TIME
        for check, last, hold in self.open_runs:
            at = newest_result(check)
            end = (last if at is None or at < last else at) + hold
            until = min(until, end)
        return until

    def has_new_results(self, newest_result: Callable[[CheckKey], Millis | None]) -> bool:
        """Return whether a check without recent results has a new one, which may be older than the gap."""
        return any((newest_result(check) or last) > last for check, last in self.stale_checks)


def build_timeline(
    segments: Sequence[Segment],
    records: Mapping[CheckKey, Sequence[Run]],
    exclusions: Iterable[Exclusion],
    start: Millis,
    now: Millis,
) -> IncrementalTimeline:
    """Return the timeline from ``start`` on.

    ``segments`` are in order, do not overlap and continue after ``now``, to ``END_OF_TIME`` if the subscription has no
    end. ``records`` are the runs of each measured check that cover any time after ``start``; exclusions without an end
    extend to ``END_OF_TIME``.
    """
    open_runs: list[OpenRun] = []
    stale: list[tuple[CheckKey, Millis]] = []
    histories: dict[CheckKey, History] = {}
    final_until = END_OF_TIME
    for key, end in _measured_checks(segments, start).items():
        runs = records.get(key, ())
        last = runs[-1] if runs else None
        if last is None:
            final_until = start
        elif last.last < end:
            final_until = min(final_until, last.last)
            if last.last + last.hold >= now:
                open_runs.append(OpenRun(key, last.last, last.hold))
                runs = (*runs[:-1], replace(last, last=END_OF_TIME))
            else:
                stale.append((key, last.last))
        histories[key] = History(tuple(runs))
    cumulative = CumulativeTimeline.from_changes(_class_changes(segments, histories, [*exclusions], start))
    return IncrementalTimeline(cumulative, tuple(open_runs), tuple(stale), max(final_until, start))


def extend_timeline(
    previous: IncrementalTimeline,
    segments: Sequence[Segment],
    records: Mapping[CheckKey, Sequence[Run]],
    exclusions: Iterable[Exclusion],
    now: Millis,
    since: Millis,
) -> IncrementalTimeline:
    """Return a timeline rebuilt after ``previous.final_until``: equal to that of ``build_timeline``, but cheaper.

    ``records`` need to cover only the time after ``previous.final_until``; segments and exclusions are unchanged. Time
    before ``since`` may be dropped.
    """
    if previous.final_until >= END_OF_TIME:
        return previous
    later = build_timeline(segments, records, exclusions, previous.final_until, now)
    return replace(later, cumulative=previous.cumulative.followed_by(later.cumulative, since))


def _measured_checks(segments: Iterable[Segment], start: Millis) -> dict[CheckKey, Millis]:
    """Return every check that is measured after ``start``, with the end of its measurement."""
    return {
        CheckKey(segment.server, name): segment.span.end
        for segment in segments
        if segment.span.end > start
        for name in segment.checks
    }


def _class_changes(
    segments: Iterable[Segment], histories: Mapping[CheckKey, History], exclusions: Sequence[Exclusion], start: Millis
) -> Iterable[tuple[Millis, TimeClass]]:
    at = start
    for segment in segments:
        span = Span(max(segment.span.start, start), segment.span.end)
        if span.start >= span.end:
            continue
        if at < span.start:
            yield at, TimeClass.OUTSIDE
        yield from _classify_segment(segment, span, histories, exclusions)
        at = span.end
    if at < END_OF_TIME:
        yield at, TimeClass.OUTSIDE


def _classify_segment(
    segment: Segment, span: Span, histories: Mapping[CheckKey, History], exclusions: Sequence[Exclusion]
) -> Iterable[tuple[Millis, TimeClass]]:
    """Yield the class changes of one segment, by the rules of ``availability``: excluded takes precedence."""
    counted = [
        timeline_of(histories[CheckKey(segment.server, name)], span, Bound.COUNTED, END_OF_TIME)
        for name in segment.checks
    ]
    applicable = applicable_exclusions(by_precedence(exclusions) if exclusions else (), segment, span)
    excluded = IntervalSet()
    for _, time in applicable.attribute([timeline.down for timeline in counted]):
        excluded |= time
    whole = combine(counted, applicable.excluded_by_check)
    parts = [(*one, TimeClass.EXCLUDED) for one in excluded]
    parts += [(*one, TimeClass.UP) for one in whole.up - excluded]
    parts += [(*one, TimeClass.DOWN) for one in whole.down - excluded]
    at = span.start
    for start, end, time_class in sorted(parts):
        if at < start:
            yield at, TimeClass.UNKNOWN
        yield start, time_class
        at = end
    if at < span.end:
        yield at, TimeClass.UNKNOWN
