"""From results to time that is up, down or unknown, by three bounds (docs/contract.md#from-results-to-time).

A **run** is a series of consecutive results with the same outcome. A result holds from its time to the next result of
its check, and at most two intervals (``hold``). A result exactly at the end of its predecessor's hold continues the
run: spans are half-open, and no instant between the two is uncovered. A later one begins a new run.
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

    Both are as of the moment of reading (``now``): later results have not extended or ended them. ``runs`` begin with
    the one that covers the start of the window or earlier; ``outages`` contain every one whose time from its last ok to
    its end overlaps the window.
    """

    runs: tuple[Run, ...] = ()
    outages: tuple[Outage, ...] = ()


class Bound(StrEnum):
    """How much downtime an outage has (docs/contract.md#outages-and-their-bounds)."""

    COUNTED = "counted"
    """The time for which its fail results hold."""
    LOWEST = "lowest"
    """All possible downtime: from the last ok before it to the first ok after it."""
    HIGHEST = "highest"
    """Only certain downtime: its last fail proves nothing after its own instant."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """The up and down time of one or several checks in a window; the rest of the window is unknown."""

    up: IntervalSet
    down: IntervalSet


@dataclass(frozen=True, slots=True)
class OutageDurations:
    """The durations of an outage in milliseconds, before exclusions and not cut to a window."""

    counted: Millis
    """The time for which its fail results hold."""
    least: Millis
    """The certain time: without the time for which its last fail holds."""
    most: Millis
    """The possible time: from the last ok before it (else its first fail) to the first ok after it (else now)."""


def extend_run(run: Run | None, result: Result, hold: Millis) -> Run:
    """Return the run of a check after its next result: ``run`` extended, or a new one (its ``first`` differs).

    ``hold`` is two intervals, in milliseconds, of the time of the measurement. Raise ``ValueError`` for a result that
    is not later than the run: results out of order require a rebuild by ``runs_of``.
    """
    if run is not None:
        if result.at <= run.last:
            raise ValueError(f"a result at {result.at} does not follow a run that lasts to {run.last}")
        if run.outcome is result.outcome and run.hold == hold and result.at - run.last <= hold:
            return Run(run.first, result.at, run.outcome, hold)
    return Run(result.at, result.at, result.outcome, hold)


def runs_of(results: Iterable[Result], hold: Millis) -> tuple[Run, ...]:
    """Return the runs of one check's results in any order. Raise ``ValueError`` if two have the same time."""
    runs: list[Run] = []
    for result in sorted(results, key=_AT):
        run = extend_run(runs[-1] if runs else None, result, hold)
        if runs and runs[-1].first == run.first:
            runs[-1] = run
        else:
            runs.append(run)
    return tuple(runs)


def timeline_of(history: History, window: Span, bound: Bound, now: Millis) -> Timeline:
    """Return one check's timeline in ``window``, cut at ``now`` (docs/contract.md#from-results-to-time)."""
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
    """Return whether a single ok run covers ``span`` and no outage is near: then it was up by every bound.

    This is the usual case. False does not mean that it was not up.
    """
    if history.outages or not history.runs:
        return False
    run = history.runs[0]
    alone = len(history.runs) == 1 or history.runs[1].first >= span.end
    return alone and run.outcome is Outcome.OK and run.first <= span.start and span.end <= run.last + run.hold


def run_at(history: History, at: Millis) -> Run | None:
    """Return the run that covers an instant; ``None`` if no result holds (docs/contract.md#from-results-to-time)."""
    return next((run for run, _ in _covered_spans(history.runs, at, at + 1)), None)


def combine(timelines: Sequence[Timeline], excluded_by_check: Sequence[IntervalSet] = ()) -> Timeline:
    """Return the combination of several checks: down if any is down, else unknown if any is unknown, else up.

    ``excluded_by_check``, if given, is the time in which each check is left out. While all are, the time is unknown.
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
    """Return the span of an outage from its first fail to its end, or to ``now``: the time of its exclusion."""
    return Span(outage.start, max(outage.start, now if outage.end is None else min(outage.end, now)))


def outage_downtime(outage: Outage, history: History, now: Millis) -> IntervalSet:
    """Return the time for which the outage's fail results hold, not cut to a window."""
    within = outage_span(outage, now)
    return IntervalSet(
        cover for run, cover in _covered_spans(history.runs, within.start, within.end) if run.outcome is Outcome.FAIL
    )


def outage_durations(outage: Outage, history: History, now: Millis) -> OutageDurations:
    """Return the durations of an outage; ``history`` contains its runs and the one after it.

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
    """Yield each run with the part of ``[start, end)`` that it covers, until the next run or the end of its hold."""
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
