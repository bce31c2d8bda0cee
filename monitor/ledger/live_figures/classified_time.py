"""The class of every instant of a subscription, kept so that the sums of any window are two look-ups.

An account asks what a window came to. But what an instant counts as does not hang on the window that is asked about: so
it is written down once, change by change, with the sums up to each change; what a window came to is the difference of
two sums. A result that repeats what is known changes nothing of it: it only makes sure for longer what was presumed.
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
"""Later than anything: until then goes what is presumed to go on."""


class TimeClass(IntEnum):
    """What an instant counts as."""

    OUTSIDE = 0
    """The subscription is not in force: no account has it."""
    EXCLUDED = 1
    UP = 2
    DOWN = 3
    UNKNOWN = 4


ClassSums: TypeAlias = tuple["Millis", "Millis", "Millis", "Millis", "Millis"]
"""Milliseconds of each ``TimeClass``, in their order."""
ZERO_SUMS: Final[ClassSums] = (0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class CumulativeTimeline:
    """What every instant counts as, from ``starts[0]`` on and without an end; neighbours differ."""

    starts: tuple[Millis, ...]
    classes: tuple[TimeClass, ...]
    """What counts from each of the starts to the next; the last one for ever."""
    sums: tuple[ClassSums, ...]
    """What there was before each of the starts."""

    @classmethod
    def from_changes(cls, changes: Iterable[tuple[Millis, TimeClass]]) -> CumulativeTimeline:
        """Take pieces in order, each to the start of the next; there must be one."""
        starts: list[Millis] = []
        shares: list[TimeClass] = []
        sums: list[ClassSums] = []
        for start, share in changes:
            if not starts:
                sums.append(ZERO_SUMS)
            elif share is shares[-1]:
                continue
            else:
                sums.append(_add_time(sums[-1], shares[-1], start - starts[-1]))
            starts.append(start)
            shares.append(share)
        return cls(tuple(starts), tuple(shares), tuple(sums))

    def sums_between(self, start: Millis, end: Millis) -> ClassSums:
        """Return what ``[start, end)`` came to; ``start`` must not be before the course's own."""
        i = bisect_right(self.starts, start) - 1
        if i < 0:
            raise ValueError(f"{start} is before {self.starts[0]}, where the course begins")
        j = bisect_right(self.starts, end, i) - 1
        first, last = self.sums[i], self.sums[j]
        came = [after - before for before, after in zip(first, last, strict=True)]
        came[self.classes[j]] += end - self.starts[j]
        came[self.classes[i]] -= start - self.starts[i]
        return came[0], came[1], came[2], came[3], came[4]

    def class_at(self, at: Millis) -> TimeClass:
        """Return what an instant counts as."""
        return self.classes[bisect_right(self.starts, at) - 1]

    def next_change(self, at: Millis) -> Millis:
        """Return the first instant after ``at`` at which the class changes; ``END_OF_TIME`` if there is none."""
        i = bisect_right(self.starts, at)
        return self.starts[i] if i < len(self.starts) else END_OF_TIME

    def followed_by(self, later: CumulativeTimeline, since: Millis) -> CumulativeTimeline:
        """Go by ``later`` from its start on, and by this before; what was before ``since`` may be forgotten."""
        cut = later.starts[0]
        head = max(bisect_right(self.starts, since) - 1, 0)
        kept = bisect_right(self.starts, cut - 1)
        if kept <= head:
            return later
        sums = _add_time(self.sums[kept - 1], self.classes[kept - 1], cut - self.starts[kept - 1])
        # what goes on as before is no change
        same = later.classes[0] is self.classes[kept - 1]
        added = tuple(
            (own[0] + sums[0], own[1] + sums[1], own[2] + sums[2], own[3] + sums[3], own[4] + sums[4])
            for own in later.sums[same:]
        )
        return CumulativeTimeline(
            self.starts[head:kept] + later.starts[same:],
            self.classes[head:kept] + later.classes[same:],
            self.sums[head:kept] + added,
        )


def _add_time(sums: ClassSums, time_class: TimeClass, length: Millis) -> ClassSums:
    grown = [*sums]
    grown[time_class] += length
    return grown[0], grown[1], grown[2], grown[3], grown[4]


# --- the timeline of a subscription, kept from sweep to sweep and extended by what is new -----------------------------


class OpenRun(NamedTuple):
    """One check whose newest run is presumed to go on."""

    check: CheckKey
    last: Millis
    """Its newest result that is known."""
    hold: Millis


@dataclass(frozen=True, slots=True)
class IncrementalTimeline:
    """A subscription's course, presuming that each check goes on giving what it gave last."""

    cumulative: CumulativeTimeline
    open_runs: tuple[OpenRun, ...]
    stale_checks: tuple[tuple[CheckKey, Millis], ...]
    """The checks whose newest result that is known holds no more, with its time."""
    final_until: Millis
    """No result to come changes anything before this instant."""

    def valid_until(self, newest_result: Callable[[CheckKey], Millis | None]) -> Millis:
        """Return until when it is true whatever comes; ``END_OF_TIME`` where no check is waited for.

        ``newest_result`` gives the time of each check's newest result, None where nobody knows; every result
        since the course was kept has repeated what is presumed.
        """
        until = END_OF_TIME
        for check, last, hold in self.open_runs:
            at = newest_result(check)
            end = (last if at is None or at < last else at) + hold
            until = min(until, end)
        return until

    def has_new_results(self, newest_result: Callable[[CheckKey], Millis | None]) -> bool:
        """Whether a check that was taken for silent has spoken: what it said may be older than its silence."""
        return any((newest_result(check) or last) > last for check, last in self.stale_checks)


def build_timeline(
    segments: Sequence[Segment],
    records: Mapping[CheckKey, Sequence[Run]],
    exclusions: Iterable[Exclusion],
    start: Millis,
    now: Millis,
) -> IncrementalTimeline:
    """Write down what every instant from ``start`` on counts as.

    ``segments`` are in order, do not overlap and go on past ``now``, to ``END_OF_TIME`` where the subscription has
    no end. ``records`` are the runs of each measured check that say anything of the time after ``start``;
    exclusions that have no end yet go to ``END_OF_TIME``.
    """
    presumed: list[OpenRun] = []
    silent: list[tuple[CheckKey, Millis]] = []
    histories: dict[CheckKey, History] = {}
    settled = END_OF_TIME
    for key, end in _measured_checks(segments, start).items():
        runs = records.get(key, ())
        last = runs[-1] if runs else None
        if last is None:
            settled = start
        elif last.last < end:
            settled = min(settled, last.last)
            if last.last + last.hold >= now:
                presumed.append(OpenRun(key, last.last, last.hold))
                runs = (*runs[:-1], replace(last, last=END_OF_TIME))
            else:
                silent.append((key, last.last))
        histories[key] = History(tuple(runs))
    course = CumulativeTimeline.from_changes(_class_changes(segments, histories, [*exclusions], start))
    return IncrementalTimeline(course, tuple(presumed), tuple(silent), max(settled, start))


def extend_timeline(
    previous: IncrementalTimeline,
    segments: Sequence[Segment],
    records: Mapping[CheckKey, Sequence[Run]],
    exclusions: Iterable[Exclusion],
    now: Millis,
    since: Millis,
) -> IncrementalTimeline:
    """Extend a timeline by what is newer than ``previous.final_until``: the same as ``build_timeline``, at less cost.

    ``records`` need to say only what is of the time after ``previous.final_until``; segments and exclusions are as
    before. What was before ``since`` may be forgotten.
    """
    if previous.final_until >= END_OF_TIME:
        return previous
    news = build_timeline(segments, records, exclusions, previous.final_until, now)
    return replace(news, cumulative=previous.cumulative.followed_by(news.cumulative, since))


def _measured_checks(segments: Iterable[Segment], start: Millis) -> dict[CheckKey, Millis]:
    """Return every check that is measured after ``start``, with the end of that."""
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
    """Classify the instants of one segment as ``availability`` does: excluded wins."""
    counted = [
        timeline_of(histories[CheckKey(segment.server, name)], span, Bound.COUNTED, END_OF_TIME)
        for name in segment.checks
    ]
    heeded = applicable_exclusions(by_precedence(exclusions) if exclusions else (), segment, span)
    excluded = IntervalSet()
    for _, time in heeded.attribute([timeline.down for timeline in counted]):
        excluded |= time
    whole = combine(counted, heeded.excluded_by_check)
    parts = [(*one, TimeClass.EXCLUDED) for one in excluded]
    parts += [(*one, TimeClass.UP) for one in whole.up - excluded]
    parts += [(*one, TimeClass.DOWN) for one in whole.down - excluded]
    at = span.start
    for start, end, share in sorted(parts):
        if at < start:
            yield at, TimeClass.UNKNOWN
        yield start, share
        at = end
    if at < span.end:
        yield at, TimeClass.UNKNOWN
