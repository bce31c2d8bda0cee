"""A course that is kept and gone on with says of any window what an account of it says."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.ledger.live_figures.classified_time import (
    END_OF_TIME,
    CumulativeTimeline,
    IncrementalTimeline,
    TimeClass,
    build_timeline,
    extend_timeline,
)
from monitor.ledger.live_figures.window_figures import WindowFigures, WindowProjection, project_month, project_rolling
from monitor.model import Outcome, Run, Span
from monitor.sla.availability import compute_account
from monitor.sla.credits import credit_percent
from monitor.sla.terms import PRODUCTS, PromisePeriod, Segment
from tests.sla.sla_fixtures import EXAMPLE, FAIL, OK, PING, THOROUGH, UNKNOWN, account_inputs, histories_of

if TYPE_CHECKING:
    from monitor.model import CheckKey, Millis
    from monitor.sla.availability import Account
    from tests.sla.reference_model import AccountInputs

Drawn = tuple["AccountInputs", tuple[Segment, ...]]
PRODUCT = PRODUCTS[EXAMPLE.product]
MONTH = Span(35, 70)
LENGTH = 12
"""Of the window that moves."""


def runs_of(world: AccountInputs, now: Millis, since: Millis = 0) -> dict[CheckKey, list[Run]]:
    """What the store gives at a moment: the runs that say anything of the time after ``since``."""
    found = {}
    for key, history in histories_of(replace(world, now=now)).items():
        runs = list(history.runs)
        while len(runs) > 1 and runs[1].first <= since:
            del runs[0]
        found[key] = runs
    return found


def account_then(world: AccountInputs, parts: tuple[Segment, ...], window: Span, now: Millis) -> Account:
    cut = [
        replace(part, span=Span(max(part.span.start, window.start), min(part.span.end, window.end)))
        for part in parts
        if part.span.start < window.end and part.span.end > window.start
    ]
    records = histories_of(replace(world, now=now))
    return compute_account(cut, records, world.exclusions, rounding=world.rounding, target=PRODUCT.target, now=now)  # type: ignore[arg-type]


def promised(world: AccountInputs, parts: tuple[Segment, ...]) -> list[PromisePeriod]:
    return [PromisePeriod(part.span, PRODUCT, world.rounding) for part in parts]  # type: ignore[arg-type]


def figures_then(world: AccountInputs, parts: tuple[Segment, ...], window: Span, now: Millis) -> WindowFigures | None:
    """The figures of a window, by its account."""
    if not any(max(part.span.start, window.start) < min(part.span.end, window.end, now) for part in parts):
        return None
    made = account_then(world, parts, window, now)
    nominal = sum(max(0, min(part.span.end, window.end) - max(part.span.start, window.start)) for part in parts)
    owed = credit_percent(PRODUCT, made.availability) if window == MONTH else None
    return WindowFigures(made.up, made.down, made.unknown, made.availability, made.budget_ms(nominal), owed)


@THOROUGH
@given(account_inputs(), st.integers(20, 75), st.data())
def test_the_sums_of_any_window_are_those_of_its_account(drawn: Drawn, now: Millis, data: st.DataObject) -> None:
    world, parts = drawn
    start = data.draw(st.integers(0, 40), label="start")
    course = build_timeline(parts, runs_of(world, now), world.exclusions, start, now).cumulative
    begin, end = sorted(data.draw(st.tuples(*[st.integers(start, max(start, now))] * 2), label="window"))
    made = account_then(world, parts, Span(begin, end), now)
    outside, excluded, up, down, unknown = course.sums_between(begin, end)
    assert (excluded, up, down, unknown) == (made.excluded, made.up, made.down, made.unknown)
    assert outside == end - begin - made.window
    assert all(one is not other for one, other in pairwise(course.classes))


class Advancing:
    """One subscription as it is kept from step to step: read again only where something happened."""

    def __init__(self, world: AccountInputs, parts: tuple[Segment, ...], now: Millis) -> None:
        self.world, self.parts, self.now = world, parts, now
        self.kept = build_timeline(parts, runs_of(world, now), world.exclusions, 0, now)
        self.outlooks: dict[Span | None, WindowProjection] = {}

    def step(self, now: Millis) -> None:
        runs = runs_of(self.world, now)
        began = any(run.first > self.now for each in runs.values() for run in each)
        newest = {key: each[-1].last for key, each in runs.items() if each}
        if began or self.kept.valid_until(newest.get) < now:
            news = runs_of(self.world, now, self.kept.final_until)
            self.kept = extend_timeline(self.kept, self.parts, news, self.world.exclusions, now, 10)
            self.outlooks.clear()
        self.now = now

    def figures(self, window: Span | None) -> WindowFigures | None:
        """Of the month, or of the window that moves."""
        outlook = self.outlooks.get(window)
        if outlook is None or not outlook.at <= self.now < outlook.until:
            course, promises = self.kept.cumulative, promised(self.world, self.parts)
            if window is None:
                outlook = project_rolling(course, promises, self.now - LENGTH, self.now)
            else:
                outlook = project_month(course, promises, window, self.now)
            self.outlooks[window] = outlook
        return outlook.figures_at(self.now)


@THOROUGH
@given(account_inputs(), st.sets(st.integers(35, 69), min_size=1, max_size=12))
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
@given(account_inputs(), st.integers(25, 60), st.integers(0, 15))
def test_going_on_is_reading_everything_from_the_beginning(drawn: Drawn, now: Millis, more: Millis) -> None:
    world, parts = drawn
    before = build_timeline(parts, runs_of(world, now), world.exclusions, 0, now)
    later = now + more
    news = runs_of(world, later, before.final_until)
    assert extend_timeline(before, parts, news, world.exclusions, later, 0) == build_timeline(
        parts, runs_of(world, later), world.exclusions, 0, later
    )


def a_segment(start: Millis = 0, end: Millis = END_OF_TIME) -> Segment:
    return Segment(Span(start, end), "web-01", ("ping",), "x")


def kept_of(*letters: tuple[Millis, Millis, Outcome], now: Millis) -> IncrementalTimeline:
    runs = [Run(first, last, outcome, 2) for first, last, outcome in letters]
    return build_timeline([a_segment()], {PING: runs}, (), 0, now)


def test_what_a_check_gave_last_is_presumed_to_go_on() -> None:
    kept = kept_of((3, 5, OK), (6, 9, FAIL), now=10)
    assert kept.cumulative == CumulativeTimeline(
        (0, 3, 6),
        (TimeClass.UNKNOWN, TimeClass.UP, TimeClass.DOWN),
        ((0, 0, 0, 0, 0), (0, 0, 0, 0, 3), (0, 0, 3, 0, 3)),
    )
    assert kept.cumulative.sums_between(4, 10) == (0, 0, 2, 4, 0)


def test_it_is_sure_until_the_newest_result_holds_no_more() -> None:
    kept = kept_of((3, 9, OK), now=10)
    assert kept.valid_until(lambda _: None) == 11
    assert kept.valid_until(lambda _: 10) == 12
    assert kept.final_until == 9


def test_a_check_that_has_been_silent_is_waited_for_no_more() -> None:
    kept = kept_of((3, 9, OK), now=12)
    assert kept.cumulative.class_at(11) is TimeClass.UNKNOWN
    assert kept.valid_until(lambda _: None) == END_OF_TIME


def test_without_any_result_nothing_is_settled() -> None:
    assert kept_of(now=12).final_until == 0


def test_a_subscription_that_is_over_is_settled_for_ever() -> None:
    kept = build_timeline([a_segment(0, 8)], {PING: [Run(3, 9, OK, 2)]}, (), 0, 10)
    assert (kept.final_until, kept.open_runs) == (END_OF_TIME, ())
    assert extend_timeline(kept, [a_segment(0, 8)], {PING: [Run(3, 20, OK, 2)]}, (), 20, 0) is kept
    assert kept.cumulative.class_at(8) is TimeClass.OUTSIDE


def test_what_no_window_reaches_any_more_is_forgotten() -> None:
    before = kept_of((3, 5, OK), (6, 9, FAIL), (10, 11, UNKNOWN), now=12)
    assert extend_timeline(before, [a_segment()], {}, (), 12, 8).cumulative.starts[0] == 6
    with pytest.raises(ValueError, match="before 6, where the timeline begins"):
        extend_timeline(before, [a_segment()], {}, (), 12, 8).cumulative.sums_between(5, 12)
