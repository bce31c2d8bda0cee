"""A course that is kept and gone on with says of any window what an account of it says."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model import Outcome, Run, Span
from monitor.sla.availability import account
from monitor.sla.credits import band
from monitor.sla.kept import Kept, keep, resume
from monitor.sla.live.classified_time import FAR, Course, Share
from monitor.sla.live.window_figures import Figures, Outlook, calendar_outlook, rolling_outlook
from monitor.sla.segments import Promise, Segment
from monitor.sla.terms import PRODUCTS
from tests.sla.sla_fixtures import EXAMPLE, FAIL, OK, PING, THOROUGH, UNKNOWN, histories_of, some_worlds

if TYPE_CHECKING:
    from monitor.model import CheckKey, Millis
    from monitor.sla.availability import Account
    from tests.sla.reference_model import World

Drawn = tuple["World", tuple[Segment, ...]]
PRODUCT = PRODUCTS[EXAMPLE.product]
MONTH = Span(35, 70)
LENGTH = 12
"""Of the window that moves."""


def runs_of(world: World, now: Millis, since: Millis = 0) -> dict[CheckKey, list[Run]]:
    """What the store gives at a moment: the runs that say anything of the time after ``since``."""
    found = {}
    for key, history in histories_of(replace(world, now=now)).items():
        runs = list(history.runs)
        while len(runs) > 1 and runs[1].first <= since:
            del runs[0]
        found[key] = runs
    return found


def account_then(world: World, parts: tuple[Segment, ...], window: Span, now: Millis) -> Account:
    cut = [
        replace(part, span=Span(max(part.span.start, window.start), min(part.span.end, window.end)))
        for part in parts
        if part.span.start < window.end and part.span.end > window.start
    ]
    records = histories_of(replace(world, now=now))
    return account(cut, records, world.exclusions, rounding=world.rounding, target=PRODUCT.target, now=now)  # type: ignore[arg-type]


def promised(world: World, parts: tuple[Segment, ...]) -> list[Promise]:
    return [Promise(part.span, PRODUCT, world.rounding) for part in parts]  # type: ignore[arg-type]


def figures_then(world: World, parts: tuple[Segment, ...], window: Span, now: Millis) -> Figures | None:
    """The figures of a window, by its account."""
    if not any(max(part.span.start, window.start) < min(part.span.end, window.end, now) for part in parts):
        return None
    made = account_then(world, parts, window, now)
    nominal = sum(max(0, min(part.span.end, window.end) - max(part.span.start, window.start)) for part in parts)
    owed = band(PRODUCT, made.availability) if window == MONTH else None
    return Figures(made.up, made.down, made.unknown, made.availability, made.budget_ms(nominal), owed)


@THOROUGH
@given(some_worlds(), st.integers(20, 75), st.data())
def test_the_sums_of_any_window_are_those_of_its_account(drawn: Drawn, now: Millis, data: st.DataObject) -> None:
    world, parts = drawn
    start = data.draw(st.integers(0, 40), label="start")
    course = keep(parts, runs_of(world, now), world.exclusions, start, now).course
    begin, end = sorted(data.draw(st.tuples(*[st.integers(start, max(start, now))] * 2), label="window"))
    made = account_then(world, parts, Span(begin, end), now)
    outside, excluded, up, down, unknown = course.between(begin, end)
    assert (excluded, up, down, unknown) == (made.excluded, made.up, made.down, made.unknown)
    assert outside == end - begin - made.window
    assert all(one is not other for one, other in pairwise(course.shares))


class Advancing:
    """One subscription as it is kept from step to step: read again only where something happened."""

    def __init__(self, world: World, parts: tuple[Segment, ...], now: Millis) -> None:
        self.world, self.parts, self.now = world, parts, now
        self.kept = keep(parts, runs_of(world, now), world.exclusions, 0, now)
        self.outlooks: dict[Span | None, Outlook] = {}

    def step(self, now: Millis) -> None:
        runs = runs_of(self.world, now)
        began = any(run.first > self.now for each in runs.values() for run in each)
        newest = {key: each[-1].last for key, each in runs.items() if each}
        if began or self.kept.sure(newest.get) < now:
            news = runs_of(self.world, now, self.kept.settled)
            self.kept = resume(self.kept, self.parts, news, self.world.exclusions, now, 10)
            self.outlooks.clear()
        self.now = now

    def figures(self, window: Span | None) -> Figures | None:
        """Of the month, or of the window that moves."""
        outlook = self.outlooks.get(window)
        if outlook is None or not outlook.holds(self.now):
            course, promises = self.kept.course, promised(self.world, self.parts)
            if window is None:
                outlook = rolling_outlook(course, promises, self.now - LENGTH, self.now)
            else:
                outlook = calendar_outlook(course, promises, window, self.now)
            self.outlooks[window] = outlook
        return outlook.figures(self.now)


@THOROUGH
@given(some_worlds(), st.sets(st.integers(35, 69), min_size=1, max_size=12))
def test_advancing_step_by_step_is_an_account_at_each_step(drawn: Drawn, moments: set[Millis]) -> None:
    world, parts = drawn
    first, *steps = sorted(moments)
    kept = Advancing(world, parts, first)
    for now in (first, *steps):
        if now > first:
            kept.step(now)
        assert kept.figures(MONTH) == figures_then(world, parts, MONTH, now)
        assert kept.figures(None) == figures_then(world, parts, Span(now - LENGTH, now), now)


@THOROUGH
@given(some_worlds(), st.integers(25, 60), st.integers(0, 15))
def test_going_on_is_reading_everything_from_the_beginning(drawn: Drawn, now: Millis, more: Millis) -> None:
    world, parts = drawn
    before = keep(parts, runs_of(world, now), world.exclusions, 0, now)
    later = now + more
    news = runs_of(world, later, before.settled)
    assert resume(before, parts, news, world.exclusions, later, 0) == keep(
        parts, runs_of(world, later), world.exclusions, 0, later
    )


def a_segment(start: Millis = 0, end: Millis = FAR) -> Segment:
    return Segment(Span(start, end), "web-01", ("ping",), "x")


def kept_of(*letters: tuple[Millis, Millis, Outcome], now: Millis) -> Kept:
    runs = [Run(first, last, outcome, 2) for first, last, outcome in letters]
    return keep([a_segment()], {PING: runs}, (), 0, now)


def test_what_a_check_gave_last_is_presumed_to_go_on() -> None:
    kept = kept_of((3, 5, OK), (6, 9, FAIL), now=10)
    assert kept.course == Course(
        (0, 3, 6),
        (Share.UNKNOWN, Share.UP, Share.DOWN),
        ((0, 0, 0, 0, 0), (0, 0, 0, 0, 3), (0, 0, 3, 0, 3)),
    )
    assert kept.course.between(4, 10) == (0, 0, 2, 4, 0)


def test_it_is_sure_until_the_newest_result_holds_no_more() -> None:
    kept = kept_of((3, 9, OK), now=10)
    assert kept.sure(lambda _: None) == 11
    assert kept.sure(lambda _: 10) == 12
    assert kept.settled == 9


def test_a_check_that_has_been_silent_is_waited_for_no_more() -> None:
    kept = kept_of((3, 9, OK), now=12)
    assert kept.course.share(11) is Share.UNKNOWN
    assert kept.sure(lambda _: None) == FAR


def test_without_any_result_nothing_is_settled() -> None:
    assert kept_of(now=12).settled == 0


def test_a_subscription_that_is_over_is_settled_for_ever() -> None:
    kept = keep([a_segment(0, 8)], {PING: [Run(3, 9, OK, 2)]}, (), 0, 10)
    assert (kept.settled, kept.presumed) == (FAR, ())
    assert resume(kept, [a_segment(0, 8)], {PING: [Run(3, 20, OK, 2)]}, (), 20, 0) is kept
    assert kept.course.share(8) is Share.OUTSIDE


def test_what_no_window_reaches_any_more_is_forgotten() -> None:
    before = kept_of((3, 5, OK), (6, 9, FAIL), (10, 11, UNKNOWN), now=12)
    assert resume(before, [a_segment()], {}, (), 12, 8).course.starts[0] == 6
    with pytest.raises(ValueError, match="before 6, where the course begins"):
        resume(before, [a_segment()], {}, (), 12, 8).course.between(5, 12)
