"""From results to time that is up, down or unknown, by three bounds (docs/contract.md#from-results-to-time).

A **run** is what consecutive results with one outcome say together. A result holds from its time to the next result of
its check, at most two intervals (``hold``), so a result that comes exactly when its predecessor's hold ends continues
the run: spans are half-open, and no instant between the two is uncovered. One that comes later begins a new run.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from typing import TYPE_CHECKING

from monitor.model import Outcome, Run, Span
from monitor.sla.interval_set import IntervalSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from monitor.model import Millis, Outage, Result

_FIRST = attrgetter("first")
_AT = attrgetter("at")


@dataclass(frozen=True, slots=True)
class History:
    """One check's record: its runs by ``first``, its outages by ``start``.

    Both are as of the moment the books are read at (``now``): a run or an outage that a later result lengthened or
    ended is given as it stood. ``runs`` reach back at least to the one that covers the start of what is read;
    ``outages`` hold every one whose stretch from its last ok to its end touches what is read.
    """

    runs: tuple[Run, ...] = ()
    outages: tuple[Outage, ...] = ()


class Bound(StrEnum):
    """How an outage is read (docs/contract.md#outages-and-their-bounds)."""

    COUNTED = "counted"
    """Down is the time that its fail results hold."""
    LOWEST = "lowest"
    """Down is all that is possible: from the last ok before it to the first ok after it."""
    HIGHEST = "highest"
    """Down is all that is certain: its last fail proves nothing after its own instant."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """What a window of one check, or of several together, was; the rest of the window is unknown."""

    up: IntervalSet
    down: IntervalSet


@dataclass(frozen=True, slots=True)
class OutageDurations:
    """How long an outage was, in milliseconds, before exclusions and not cut to any window."""

    counted: Millis
    """The time that its fail results hold."""
    least: Millis
    """What is certain: without the time that its last fail holds."""
    most: Millis
    """What is possible: from the last ok before it (else its first fail) to the first ok after it (else now)."""


def extend_run(run: Run | None, result: Result, hold: Millis) -> Run:
    """Return the run of a check after its next result: ``run`` made longer, or a new one (its ``first`` tells).

    ``hold`` is two intervals, in milliseconds, as the result was measured. Raises ``ValueError`` for a result that is
    not later than the run: results out of order need their runs made anew by ``runs_of``.
    """
    if run is not None:
        if result.at <= run.last:
            raise ValueError(f"a result at {result.at} does not follow a run that lasts to {run.last}")
        if run.outcome is result.outcome and run.hold == hold and result.at - run.last <= hold:
            return Run(run.first, result.at, run.outcome, hold)
    return Run(result.at, result.at, result.outcome, hold)


def runs_of(results: Iterable[Result], hold: Millis) -> tuple[Run, ...]:
    """Return the runs of one check's results, given in any order; no two may have the same time (``ValueError``)."""
    runs: list[Run] = []
    for result in sorted(results, key=_AT):
        run = extend_run(runs[-1] if runs else None, result, hold)
        if runs and runs[-1].first == run.first:
            runs[-1] = run
        else:
            runs.append(run)
    return tuple(runs)


def timeline_of(history: History, window: Span, bound: Bound, now: Millis) -> Timeline:
    """Read one check in ``window``; a window still running ends at ``now`` (docs/contract.md#from-results-to-time)."""
    start, end = window.start, min(window.end, now)
    last_fails = {outage.last_fail for outage in history.outages} if bound is Bound.HIGHEST else frozenset()
    up: list[Span] = []
    down: list[Span] = []
    for run, cover in _covered_spans(history.runs, start, end):
        if run.outcome is Outcome.OK:
            up.append(cover)
        elif run.outcome is Outcome.FAIL:
            if run.last in last_fails:
                down.append(Span(cover.start, min(cover.end, run.last)))
                up.append(Span(max(cover.start, run.last), cover.end))
            else:
                down.append(cover)
    if bound is not Bound.LOWEST:
        return Timeline(IntervalSet(up), IntervalSet(down))
    possible = IntervalSet([*down, *_possible_downtime(history.outages, start, end)])
    return Timeline(IntervalSet(up) - possible, possible)


def up_throughout(history: History, span: Span) -> bool:
    """Whether a single run is all there is to say of ``span``, and it was up, by every reading; most checks, mostly.

    False may also be said of a span that was up all the same.
    """
    if history.outages or not history.runs:
        return False
    run = history.runs[0]
    alone = len(history.runs) == 1 or history.runs[1].first >= span.end
    return alone and run.outcome is Outcome.OK and run.first <= span.start and span.end <= run.last + run.hold


def run_at(history: History, at: Millis) -> Run | None:
    """Return the run that covers an instant; ``None`` where no result holds (docs/contract.md#from-results-to-time)."""
    return next((run for run, _ in _covered_spans(history.runs, at, at + 1)), None)


def combine(timelines: Sequence[Timeline], excluded_by_check: Sequence[IntervalSet] = ()) -> Timeline:
    """Combine several checks: down if any is down, else unknown if any is unknown, else up.

    ``excluded_by_check``, if given, holds for each check the time in which it is left out; where all are, nothing
    is known.
    """
    if not timelines:
        return Timeline(IntervalSet(), IntervalSet())
    ups = [timeline.up for timeline in timelines]
    downs = [timeline.down for timeline in timelines]
    if excluded_by_check:
        ups = [up | excuse for up, excuse in zip(ups, excluded_by_check, strict=True)]
        downs = [down - excuse for down, excuse in zip(downs, excluded_by_check, strict=True)]
    up, down = ups[0], downs[0]
    for more_up, more_down in zip(ups[1:], downs[1:], strict=True):
        up &= more_up
        down |= more_down
    return Timeline(up - down, down)


def outage_span(outage: Outage, now: Millis) -> Span:
    """Return the outage from its first fail to its end, to ``now`` while it is open: what an exclusion of it covers."""
    return Span(outage.start, max(outage.start, now if outage.end is None else min(outage.end, now)))


def outage_downtime(outage: Outage, history: History, now: Millis) -> IntervalSet:
    """Return the time that the outage's fail results hold, whatever window is looked at."""
    within = outage_span(outage, now)
    return IntervalSet(
        cover for run, cover in _covered_spans(history.runs, within.start, within.end) if run.outcome is Outcome.FAIL
    )


def outage_durations(outage: Outage, history: History, now: Millis) -> OutageDurations:
    """Measure an outage with its bounds; ``history`` holds its runs and the one after it.

    See docs/contract.md#outages-and-their-bounds.
    """
    down = outage_downtime(outage, history, now)
    possible = outage_span(outage, now)
    earliest = outage.start if outage.last_ok is None else outage.last_ok
    return OutageDurations(
        counted=down.length,
        least=down.clip(outage.start, outage.last_fail).length,
        most=possible.end - earliest,
    )


def _covered_spans(runs: tuple[Run, ...], start: Millis, end: Millis) -> Iterator[tuple[Run, Span]]:
    """Yield each run with the part of ``[start, end)`` that it covers: to the next run's first, or its hold's end."""
    index = max(bisect_right(runs, start, key=_FIRST) - 1, 0)
    count = len(runs)
    while index < count and runs[index].first < end:
        run = runs[index]
        index += 1
        until = min(run.last + run.hold, end)
        if index < count:
            until = min(until, runs[index].first)
        if max(run.first, start) < until:
            yield run, Span(max(run.first, start), until)


def _possible_downtime(outages: tuple[Outage, ...], start: Millis, end: Millis) -> Iterator[Span]:
    for outage in outages:
        first = outage.start if outage.last_ok is None else outage.last_ok
        last = end if outage.end is None else outage.end
        if first < end and last > start:
            yield Span(max(first, start), min(last, end))
