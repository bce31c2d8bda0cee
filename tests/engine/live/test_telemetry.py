"""What the daemon counts about itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.engine.live.telemetry import LAG_BOUNDS, LATENCY_BOUNDS, WRITE_BOUNDS, Histogram, Telemetry
from monitor.model import Outcome

BOUNDS = (0.1, 0.5, 1.0)


@given(st.lists(st.floats(0, 2)))
def test_every_observation_is_in_the_first_bucket_that_holds_it(observed: list[float]) -> None:
    measured = Histogram(BOUNDS)
    for value in observed:
        measured.observe(value)
    cumulative = [sum(measured.counts[: place + 1]) for place in range(len(BOUNDS) + 1)]
    expected = [sum(value <= bound for value in observed) for bound in (*BOUNDS, float("inf"))]
    assert cumulative == expected
    assert measured.total == pytest.approx(sum(observed))


@pytest.mark.parametrize("bounds", [LAG_BOUNDS, LATENCY_BOUNDS, WRITE_BOUNDS])
def test_bounds_ascend(bounds: tuple[float, ...]) -> None:
    assert list(bounds) == sorted(set(bounds))


def test_only_successes_have_a_latency() -> None:
    telemetry = Telemetry()
    telemetry.count_result("http", Outcome.FAIL, None)
    telemetry.count_result("http", Outcome.UNKNOWN, None)
    telemetry.count_result("http", Outcome.OK, 2_500_000)
    counts = telemetry.probers["http"]
    assert (counts.results, counts.failed, counts.unknown) == (3, 1, 1)
    assert (sum(counts.latency.counts), counts.latency.total) == (1, 2.5)


def test_a_probe_that_left_early_by_rounding_was_not_late() -> None:
    telemetry = Telemetry()
    telemetry.observe_lag(-0.0004)
    assert (telemetry.lag.counts[0], telemetry.lag.total) == (1, 0.0)


def test_a_canary_keeps_its_answer_until_it_leaves_the_configuration() -> None:
    telemetry = Telemetry()
    telemetry.set_canaries(["192.0.2.1", "198.51.100.1"])
    telemetry.set_canary("192.0.2.1", ok=False)
    telemetry.set_canaries(["192.0.2.1", "203.0.113.1"])
    telemetry.set_canary("198.51.100.1", ok=True)
    assert telemetry.canaries == {"192.0.2.1": False, "203.0.113.1": None}
