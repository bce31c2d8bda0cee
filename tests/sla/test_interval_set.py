"""Sets of half-open spans, against plain sets of instants."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model import Span
from monitor.sla.interval_set import IntervalSet
from tests.sla.sla_fixtures import THOROUGH

spans = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=8)


def instants(spans: list[tuple[int, int]]) -> set[int]:
    return {instant for start, end in spans for instant in range(start, end)}


@THOROUGH
@given(spans, spans, st.integers(-5, 45), st.integers(-5, 45))
def test_the_operations_are_those_of_sets_of_instants(
    one: list[tuple[int, int]], other: list[tuple[int, int]], start: int, end: int
) -> None:
    left, right = IntervalSet(one), IntervalSet(other)
    assert instants(list(left | right)) == instants(one) | instants(other)
    assert instants(list(left & right)) == instants(one) & instants(other)
    assert instants(list(left - right)) == instants(one) - instants(other)
    assert instants(list(left.clip(start, end))) == instants(one) & set(range(start, end))
    assert left.length == len(instants(one))
    assert bool(left) == bool(instants(one))
    assert {instant for instant in range(41) if instant in left} == instants(one)


@THOROUGH
@given(spans, spans)
def test_every_set_has_one_form(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> None:
    for made in (IntervalSet(one), IntervalSet(one) | IntervalSet(other), IntervalSet(one) - IntervalSet(other)):
        assert all(earlier.end < later.start for earlier, later in pairwise(made))
        assert all(span.start < span.end for span in made)
    same = IntervalSet(one) | IntervalSet(one)
    assert same == IntervalSet(reversed(one))
    assert hash(same) == hash(IntervalSet(one))


def test_spans_that_touch_become_one() -> None:
    assert list(IntervalSet([(3, 5), (0, 3)])) == [Span(0, 5)]


def test_a_span_that_ends_before_it_starts_holds_nothing() -> None:
    assert not IntervalSet([(5, 3), (4, 4)])
    assert not IntervalSet.of(5, 3)


def test_the_end_of_a_span_is_outside_of_it() -> None:
    assert 3 in IntervalSet.of(3, 5)
    assert 5 not in IntervalSet.of(3, 5)


def test_what_was_made_is_not_changed_by_an_operation() -> None:
    one = IntervalSet.of(0, 10)
    assert (one - IntervalSet.of(2, 4), one) == (IntervalSet([(0, 2), (4, 10)]), IntervalSet.of(0, 10))


def test_a_set_shows_its_spans() -> None:
    assert repr(IntervalSet.of(1, 2)) == "Intervals([(1, 2)])"


@pytest.mark.parametrize("other", [None, (), "Intervals([])"])
def test_a_set_equals_nothing_but_a_set(other: object) -> None:
    assert IntervalSet() != other
