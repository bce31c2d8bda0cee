"""The lines for Prometheus, held against those of the library that everybody uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.openmetrics import exposition as openmetrics

from monitor.engine.live.telemetry import Histogram
from monitor.web.metrics.exposition import (
    CHUNK_SIZE,
    ExpositionFormat,
    MetricFamily,
    MetricType,
    format_histogram,
    format_labels,
    format_sample,
    join_chunks,
)
from tests.web.page_fixtures import parse_page

if TYPE_CHECKING:
    from collections.abc import Iterable

PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)
NAMES = {"gauge": "things_here", "counter": "things_seen_total"}
FORMATS = pytest.mark.parametrize("form", ExpositionFormat)
plain_numbers = st.floats(0, 999_999).filter(lambda number: "e" not in repr(number))
labelled = st.fixed_dictionaries({"check": st.text(), "server": st.text()})


class Given:
    """A collector of metrics that are given."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = list(metrics)

    def collect(self) -> list[Metric]:
        return self._metrics


def by_the_library(metric: Metric, form: ExpositionFormat) -> str:
    registry = CollectorRegistry()
    registry.register(Given([metric]))
    render = openmetrics.generate_latest if form is ExpositionFormat.OPENMETRICS else generate_latest
    return str(render(registry).decode().removesuffix("# EOF\n"))


def read(text: str, form: ExpositionFormat) -> list[Metric]:
    return parse_page(text + ("# EOF\n" if form is ExpositionFormat.OPENMETRICS else ""), form)


@FORMATS
@pytest.mark.parametrize("kind", ["gauge", "counter"])
@given(text=st.text(), samples=st.lists(st.tuples(labelled, plain_numbers), min_size=1, max_size=4))
def test_samples_read_letter_by_letter_as_the_library_writes_them(
    form: ExpositionFormat, kind: MetricType, text: str, samples: list[tuple[dict[str, str], float]]
) -> None:
    name = NAMES[kind]
    metric = Metric(name.removesuffix("_total"), text, kind)
    for pairs, value in samples:
        metric.add_sample(name, pairs, value)
    lines = [
        line
        for pairs, value in samples
        for line in format_sample(name, value, format_labels(**dict(sorted(pairs.items()))))
    ]
    assert "".join(MetricFamily(name, kind, text).render(lines, form)) == by_the_library(metric, form)


@FORMATS
@given(number=st.one_of(st.integers(0, 10**15), st.floats(allow_nan=False, allow_infinity=False)))
def test_a_number_of_any_size_is_read_back_unchanged(form: ExpositionFormat, number: float) -> None:
    text = "".join(MetricFamily("things_here", "gauge", "Things.").render(format_sample("things_here", number), form))
    assert [each.value for each in read(text, form)[0].samples] == [number]


@FORMATS
@given(st.lists(st.floats(0, 100)))
def test_a_histogram_means_what_the_library_means_by_it(form: ExpositionFormat, observed: list[float]) -> None:
    measured = Histogram((0.001, 0.5, 1.0, 60.0))
    for value in observed:
        measured.observe(value)
    within = [(repr(bound), sum(value <= bound for value in observed)) for bound in measured.bounds]
    metric = HistogramMetricFamily("wait_seconds", "Waiting.", labels=["prober"])
    metric.add_metric(["icmp"], [*within, ("+Inf", len(observed))], sum_value=measured.total)
    lines = format_histogram("wait_seconds", measured, prober="icmp")
    text = "".join(MetricFamily("wait_seconds", "histogram", "Waiting.").render(lines, form))
    assert read(text, form) == read(by_the_library(metric, form), form)


def test_a_histogram_without_labels_has_braces_for_its_bounds_only() -> None:
    assert list(format_histogram("wait_seconds", Histogram((1.0,)))) == [
        'wait_seconds_bucket{le="1.0"} 0\n',
        'wait_seconds_bucket{le="+Inf"} 0\n',
        "wait_seconds_count 0\n",
        "wait_seconds_sum 0.0\n",
    ]


def test_a_metric_without_samples_has_no_heading_either() -> None:
    assert list(MetricFamily("things_here", "gauge", "Things.").render([], ExpositionFormat.TEXT)) == []


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", ExpositionFormat.TEXT),
        ("*/*", ExpositionFormat.TEXT),
        ("text/html,application/xhtml+xml,*/*;q=0.8", ExpositionFormat.TEXT),
        ("text/plain;version=0.0.4", ExpositionFormat.TEXT),
        ("application/openmetrics-text", ExpositionFormat.OPENMETRICS),
        (PROMETHEUS_2, ExpositionFormat.OPENMETRICS),
        (PROMETHEUS_3, ExpositionFormat.OPENMETRICS),
        ("text/plain;version=0.0.4,application/openmetrics-text;q=0.5", ExpositionFormat.TEXT),
        ("application/openmetrics-text;q=0", ExpositionFormat.TEXT),
        ("application/openmetrics-text;q=nonsense", ExpositionFormat.TEXT),
        (";;,=;q", ExpositionFormat.TEXT),
        ("application/openmetrics-text;q=0.5,*/*", ExpositionFormat.TEXT),
        ("application/openmetrics-text;q=0.5,text/*;q=0.4,*/*", ExpositionFormat.OPENMETRICS),
        (
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;q=0.1,text/plain;q=0.5",
            ExpositionFormat.OPENMETRICS,
        ),
        ('application/openmetrics-text;note="text/plain, or not",text/plain;q=0.5', ExpositionFormat.OPENMETRICS),
        ("application/openmetrics-text;q=nan", ExpositionFormat.TEXT),
        ("application/openmetrics-text;q=1e5,text/plain", ExpositionFormat.TEXT),
        ("application/*,text/plain;q=0.5", ExpositionFormat.OPENMETRICS),
    ],
)
def test_openmetrics_is_sent_to_those_who_prefer_it(accept: str, form: ExpositionFormat) -> None:
    assert ExpositionFormat.negotiate([accept]) is form


def test_wishes_on_several_lines_are_those_of_one() -> None:
    assert (
        ExpositionFormat.negotiate(["text/plain;q=0.5", "application/openmetrics-text"]) is ExpositionFormat.OPENMETRICS
    )
    assert ExpositionFormat.negotiate([]) is ExpositionFormat.TEXT


@given(st.text())
def test_no_accept_header_upsets_it(accept: str) -> None:
    assert ExpositionFormat.negotiate([accept]) in ExpositionFormat


def test_pieces_are_made_one_at_a_time_and_lose_nothing() -> None:
    made = []

    def lines() -> Iterable[str]:
        for number in range(CHUNK_SIZE):
            made.append(number)
            yield f"{number}\n"

    cut = join_chunks(iter(lines()))
    first = next(cut)
    assert CHUNK_SIZE <= len(first) < CHUNK_SIZE + 10
    assert first.split() == [str(number) for number in made]
    assert (first + "".join(cut)).split() == [str(number) for number in made]
    assert len(made) == CHUNK_SIZE
