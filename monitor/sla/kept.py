"""The course of a subscription as it is kept from sweep to sweep, and taken further by what came."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from monitor.model import CheckKey, Span
from monitor.sla.exclusions import excused, in_order
from monitor.sla.interval_set import Intervals
from monitor.sla.live.classified_time import FAR, Course, Share
from monitor.sla.timeline import History, Reading, read, together

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from monitor.model import Millis, Run
    from monitor.sla.exclusions import Exclusion
    from monitor.sla.segments import Segment


class Presumed(NamedTuple):
    """One check whose newest run is presumed to go on."""

    check: CheckKey
    last: Millis
    """Its newest result that is known."""
    hold: Millis


@dataclass(frozen=True, slots=True)
class Kept:
    """A subscription's course, presuming that each check goes on giving what it gave last."""

    course: Course
    presumed: tuple[Presumed, ...]
    silent: tuple[tuple[CheckKey, Millis], ...]
    """The checks whose newest result that is known holds no more, with its time."""
    settled: Millis
    """No result to come changes anything before this instant."""

    def sure(self, newest: Callable[[CheckKey], Millis | None]) -> Millis:
        """Give until when it is true whatever comes; ``FAR`` where no check is waited for.

        ``newest`` gives the time of each check's newest result, None where nobody knows; every result since the course
        was kept has repeated what is presumed.
        """
        until = FAR
        for check, last, hold in self.presumed:
            at = newest(check)
            end = (last if at is None or at < last else at) + hold
            until = min(until, end)
        return until

    def heard(self, newest: Callable[[CheckKey], Millis | None]) -> bool:
        """Whether a check that was taken for silent has spoken: what it said may be older than its silence."""
        return any((newest(check) or last) > last for check, last in self.silent)


def keep(
    segments: Sequence[Segment],
    records: Mapping[CheckKey, Sequence[Run]],
    exclusions: Iterable[Exclusion],
    start: Millis,
    now: Millis,
) -> Kept:
    """Write down what every instant from ``start`` on counts as.

    ``segments`` are in order, do not overlap and go on past ``now``, to ``FAR`` where the subscription has no end.
    ``records`` are the runs of each measured check that say anything of the time after ``start``; exclusions that
    have no end yet go to ``FAR``.
    """
    presumed: list[Presumed] = []
    silent: list[tuple[CheckKey, Millis]] = []
    histories: dict[CheckKey, History] = {}
    settled = FAR
    for key, end in _measured(segments, start).items():
        runs = records.get(key, ())
        last = runs[-1] if runs else None
        if last is None:
            settled = start
        elif last.last < end:
            settled = min(settled, last.last)
            if last.last + last.hold >= now:
                presumed.append(Presumed(key, last.last, last.hold))
                runs = (*runs[:-1], replace(last, last=FAR))
            else:
                silent.append((key, last.last))
        histories[key] = History(tuple(runs))
    course = Course.of(_pieces(segments, histories, [*exclusions], start))
    return Kept(course, tuple(presumed), tuple(silent), max(settled, start))


def resume(
    before: Kept,
    segments: Sequence[Segment],
    records: Mapping[CheckKey, Sequence[Run]],
    exclusions: Iterable[Exclusion],
    now: Millis,
    since: Millis,
) -> Kept:
    """Take in what came after ``before.settled``: the same as ``keep`` from the beginning, for the price of the news.

    ``records`` need to say only what is of the time after ``before.settled``; segments and exclusions are as before.
    What was before ``since`` may be forgotten.
    """
    if before.settled >= FAR:
        return before
    news = keep(segments, records, exclusions, before.settled, now)
    return replace(news, course=before.course.followed_by(news.course, since))


def _measured(segments: Iterable[Segment], start: Millis) -> dict[CheckKey, Millis]:
    """Give every check that is measured after ``start``, with the end of that."""
    return {
        CheckKey(segment.server, name): segment.span.end
        for segment in segments
        if segment.span.end > start
        for name in segment.checks
    }


def _pieces(
    segments: Iterable[Segment], histories: Mapping[CheckKey, History], exclusions: Sequence[Exclusion], start: Millis
) -> Iterable[tuple[Millis, Share]]:
    at = start
    for segment in segments:
        span = Span(max(segment.span.start, start), segment.span.end)
        if span.start >= span.end:
            continue
        if at < span.start:
            yield at, Share.OUTSIDE
        yield from _shares(segment, span, histories, exclusions)
        at = span.end
    if at < FAR:
        yield at, Share.OUTSIDE


def _shares(
    segment: Segment, span: Span, histories: Mapping[CheckKey, History], exclusions: Sequence[Exclusion]
) -> Iterable[tuple[Millis, Share]]:
    """Class the instants of one segment as ``availability.account`` does: excluded wins (reading.md 4.3)."""
    counted = [read(histories[CheckKey(segment.server, name)], span, Reading.COUNTED, FAR) for name in segment.checks]
    heeded = excused(in_order(exclusions) if exclusions else (), segment, span)
    excluded = Intervals()
    for _, time in heeded.charged([timeline.down for timeline in counted]):
        excluded |= time
    whole = together(counted, heeded.by_check)
    parts = [(*one, Share.EXCLUDED) for one in excluded]
    parts += [(*one, Share.UP) for one in whole.up - excluded]
    parts += [(*one, Share.DOWN) for one in whole.down - excluded]
    at = span.start
    for start, end, share in sorted(parts):
        if at < start:
            yield at, Share.UNKNOWN
        yield start, share
        at = end
    if at < span.end:
        yield at, Share.UNKNOWN
