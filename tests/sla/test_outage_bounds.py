"""How long an outage was, at least and at most, and how much of it is excluded."""

from __future__ import annotations

import pytest

from monitor.model import Span
from monitor.sla.availability import excluded_downtime
from monitor.sla.exclusions import Exclusion
from monitor.sla.interval_set import IntervalSet
from monitor.sla.timeline import OutageDurations, outage_downtime, outage_durations, outage_span
from tests.sla.sla_fixtures import DAY, FAIL, HOUR, MINUTE, OK, UNKNOWN, at, history_from

FAR = 10**15
START = at("2026-10-02T13:08:00+03:00")


def minutes(lengths: OutageDurations) -> tuple[float, float, float]:
    return lengths.counted / MINUTE, lengths.least / MINUTE, lengths.most / MINUTE


def test_seven_fails_are_seven_minutes_at_least_six_at_most_eight() -> None:
    """420, 360 and 480 seconds."""
    history = history_from(START, (OK, 7), (FAIL, 7), (OK, 10))
    assert outage_durations(history.outages[0], history, FAR) == OutageDurations(420_000, 360_000, 480_000)


def test_a_single_fail_is_certain_for_no_time() -> None:
    history = history_from(START, (OK, 7), (FAIL, 1), (OK, 10))
    assert minutes(outage_durations(history.outages[0], history, FAR)) == (1, 0, 2)


def test_an_outage_before_any_ok_is_at_most_from_its_first_fail() -> None:
    history = history_from(START, (FAIL, 7), (OK, 10))
    assert minutes(outage_durations(history.outages[0], history, FAR)) == (7, 6, 7)


def test_the_last_fail_of_an_open_outage_holds_two_minutes_or_to_now() -> None:
    history = history_from(START, (OK, 7), (FAIL, 7))
    first = START + 7 * MINUTE
    (outage,) = history.outages
    assert minutes(outage_durations(outage, history, first + 6 * MINUTE + 1)) == (6 + 1 / MINUTE, 6, 7 + 1 / MINUTE)
    assert minutes(outage_durations(outage, history, first + 7 * MINUTE)) == (7, 6, 8)
    assert minutes(outage_durations(outage, history, first + HOUR)) == (8, 6, 61)


def test_unknown_time_inside_an_outage_is_possible_but_does_not_count() -> None:
    history = history_from(START, (OK, 7), (FAIL, 3), (UNKNOWN, 30), (FAIL, 2), (OK, 1))
    assert minutes(outage_durations(history.outages[0], history, FAR)) == (5, 4, 36)


def test_a_gap_inside_an_outage_counts_for_the_two_minutes_that_its_fail_holds() -> None:
    history = history_from(START, (OK, 7), (FAIL, 3), (None, 30), (FAIL, 2), (OK, 1))
    assert minutes(outage_durations(history.outages[0], history, FAR)) == (4 + 2, 5, 36)


def test_the_lengths_of_one_outage_leave_the_next_one_out() -> None:
    history = history_from(START, (OK, 2), (FAIL, 3), (OK, 2), (FAIL, 9), (OK, 1))
    assert [minutes(outage_durations(one, history, FAR)) for one in history.outages] == [(3, 2, 4), (9, 8, 10)]


def test_an_outage_is_not_cut_to_a_month() -> None:
    start = at("2026-10-31T23:30:00+03:00")
    history = history_from(start, (OK, 1), (FAIL, 100), (OK, 1))
    assert minutes(outage_durations(history.outages[0], history, FAR)) == (100, 99, 101)


def exclusion(start: int, end: int, **changed: object) -> Exclusion:
    fields = {"clause": "4.3", "reference": "exclusion 1", "recorded_at": 0, **changed}
    return Exclusion(span=Span(start, end), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("records", "excluded"),
    [
        ([], 0),
        ([exclusion(START, START + DAY)], 7),
        ([exclusion(START + 8 * MINUTE, START + 10 * MINUTE)], 2),
        ([exclusion(START, START + 10 * MINUTE), exclusion(START + 9 * MINUTE, START + 11 * MINUTE)], 4),
        ([exclusion(START, START + DAY, servers=frozenset({"web-01"}))], 7),
        ([exclusion(START, START + DAY, servers=frozenset({"web-02"}))], 0),
        ([exclusion(START, START + DAY, check="ping")], 7),
        ([exclusion(START, START + DAY, check="site")], 0),
        ([exclusion(START, START + DAY, subscription="x")], 0),
    ],
)
def test_the_excluded_length_is_the_counted_time_that_exclusions_of_everybody_cover(
    records: list[Exclusion], excluded: int
) -> None:
    history = history_from(START, (OK, 7), (FAIL, 7), (OK, 1))
    assert excluded_downtime(history.outages[0], history, records, FAR) == excluded * MINUTE


def test_an_exclusion_of_an_outage_covers_it_from_its_first_fail_to_its_end() -> None:
    history = history_from(START, (OK, 7), (FAIL, 7), (OK, 1))
    assert outage_span(history.outages[0], FAR) == Span(START + 7 * MINUTE, START + 14 * MINUTE)


def test_an_exclusion_of_an_open_outage_grows_with_it() -> None:
    history = history_from(START, (FAIL, 7))
    spans = [outage_span(history.outages[0], START + minute * MINUTE) for minute in (0, 3, 600)]
    assert [(span.end - span.start) // MINUTE for span in spans] == [0, 3, 600]


def test_the_down_time_of_an_outage_lists_its_stretches() -> None:
    history = history_from(0, (FAIL, 2), (UNKNOWN, 2), (FAIL, 1), (OK, 1))
    assert outage_downtime(history.outages[0], history, FAR) == IntervalSet([(0, 2 * MINUTE), (4 * MINUTE, 5 * MINUTE)])
