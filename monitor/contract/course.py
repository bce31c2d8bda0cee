"""What every instant of a subscription counts as (reading.md 4.3), kept so that any window's sums are two look-ups.

An account asks what a window came to. But what an instant counts as does not hang on the window that is asked about: so
it is written down once, change by change, with the sums up to each change; what a window came to is the difference of
two sums. A result that repeats what is known changes nothing of it: it only makes sure for longer what was presumed.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from monitor.contract.exclusions import excused, in_order
from monitor.contract.intervals import Intervals
from monitor.contract.timeline import History, Reading, read, together
from monitor.model import CheckKey, Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from monitor.contract.exclusions import Exclusion
    from monitor.contract.segments import Segment
    from monitor.model import Millis, Run

FAR: Final[Millis] = 1 << 60
"""Later than anything: until then goes what is presumed to go on."""


class Share(IntEnum):
    """What an instant counts as."""

    OUTSIDE = 0
    """The subscription is not in force: no account has it."""
    EXCLUDED = 1
    UP = 2
    DOWN = 3
    UNKNOWN = 4


Sums: TypeAlias = tuple["Millis", "Millis", "Millis", "Millis", "Millis"]
"""Milliseconds of each ``Share``, in their order."""
NOTHING: Final[Sums] = (0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Course:
    """What every instant counts as, from ``starts[0]`` on and without an end; neighbours differ."""

    starts: tuple[Millis, ...]
    shares: tuple[Share, ...]
    """What counts from each of the starts to the next; the last one for ever."""
    sums: tuple[Sums, ...]
    """What there was before each of the starts."""

    @classmethod
    def of(cls, pieces: Iterable[tuple[Millis, Share]]) -> Course:
        """Take pieces in order, each to the start of the next; there must be one."""
        starts: list[Millis] = []
        shares: list[Share] = []
        sums: list[Sums] = []
        for start, share in pieces:
            if not starts:
                sums.append(NOTHING)
            elif share is shares[-1]:
                continue
            else:
                sums.append(_grown(sums[-1], shares[-1], start - starts[-1]))
            starts.append(start)
            shares.append(share)
        return cls(tuple(starts), tuple(shares), tuple(sums))

    def between(self, start: Millis, end: Millis) -> Sums:
        """Give what ``[start, end)`` came to; ``start`` must not be before the course's own."""
        i = bisect_right(self.starts, start) - 1
        if i < 0:
            raise ValueError(f"{start} is before {self.starts[0]}, where the course begins")
        j = bisect_right(self.starts, end, i) - 1
        first, last = self.sums[i], self.sums[j]
        came = [after - before for before, after in zip(first, last, strict=True)]
        came[self.shares[j]] += end - self.starts[j]
        came[self.shares[i]] -= start - self.starts[i]
        return came[0], came[1], came[2], came[3], came[4]

    def share(self, at: Millis) -> Share:
        """Give what an instant counts as."""
        return self.shares[bisect_right(self.starts, at) - 1]

    def change_after(self, at: Millis) -> Millis:
        """Give the first instant after ``at`` that counts otherwise than the one before it; ``FAR`` where none does."""
        i = bisect_right(self.starts, at)
        return self.starts[i] if i < len(self.starts) else FAR

    def followed_by(self, later: Course, since: Millis) -> Course:
        """Go by ``later`` from its start on, and by this before; what was before ``since`` may be forgotten."""
        cut = later.starts[0]
        head = max(bisect_right(self.starts, since) - 1, 0)
        kept = bisect_right(self.starts, cut - 1)
        if kept <= head:
            return later
        sums = _grown(self.sums[kept - 1], self.shares[kept - 1], cut - self.starts[kept - 1])
        # what goes on as before is no change
        same = later.shares[0] is self.shares[kept - 1]
        added = tuple(
            (own[0] + sums[0], own[1] + sums[1], own[2] + sums[2], own[3] + sums[3], own[4] + sums[4])
            for own in later.sums[same:]
        )
        return Course(
            self.starts[head:kept] + later.starts[same:],
            self.shares[head:kept] + later.shares[same:],
            self.sums[head:kept] + added,
        )


def _grown(sums: Sums, share: Share, length: Millis) -> Sums:
    grown = [*sums]
    grown[share] += length
    return grown[0], grown[1], grown[2], grown[3], grown[4]


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
