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
from monitor.web.metrics.exposition import PIECE, Family, Format, Kind, histogram, labels, pieces, sample
from tests.web.page_fixtures import parsed

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
FORMATS = pytest.mark.parametrize("form", Format)
plain_numbers = st.floats(0, 999_999).filter(lambda number: "e" not in repr(number))
labelled = st.fixed_dictionaries({"check": st.text(), "server": st.text()})


class Given:
    """A collector of metrics that are given."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = list(metrics)

    def collect(self) -> list[Metric]:
        return self._metrics


def by_the_library(metric: Metric, form: Format) -> str:
    registry = CollectorRegistry()
    registry.register(Given([metric]))
    render = openmetrics.generate_latest if form is Format.OPENMETRICS else generate_latest
    return str(render(registry).decode().removesuffix("# EOF\n"))


def read(text: str, form: Format) -> list[Metric]:
    return parsed(text + ("# EOF\n" if form is Format.OPENMETRICS else ""), form)


@FORMATS
@pytest.mark.parametrize("kind", ["gauge", "counter"])
@given(text=st.text(), samples=st.lists(st.tuples(labelled, plain_numbers), min_size=1, max_size=4))
def test_samples_read_letter_by_letter_as_the_library_writes_them(
    form: Format, kind: Kind, text: str, samples: list[tuple[dict[str, str], float]]
) -> None:
    name = NAMES[kind]
    metric = Metric(name.removesuffix("_total"), text, kind)
    for pairs, value in samples:
        metric.add_sample(name, pairs, value)
    lines = [line for pairs, value in samples for line in sample(name, value, labels(**dict(sorted(pairs.items()))))]
    assert "".join(Family(name, kind, text).block(lines, form)) == by_the_library(metric, form)


@FORMATS
@given(number=st.one_of(st.integers(0, 10**15), st.floats(allow_nan=False, allow_infinity=False)))
def test_a_number_of_any_size_is_read_back_unchanged(form: Format, number: float) -> None:
    text = "".join(Family("things_here", "gauge", "Things.").block(sample("things_here", number), form))
    assert [each.value for each in read(text, form)[0].samples] == [number]


@FORMATS
@given(st.lists(st.floats(0, 100)))
def test_a_histogram_means_what_the_library_means_by_it(form: Format, observed: list[float]) -> None:
    measured = Histogram((0.001, 0.5, 1.0, 60.0))
    for value in observed:
        measured.observe(value)
    within = [(repr(bound), sum(value <= bound for value in observed)) for bound in measured.bounds]
    metric = HistogramMetricFamily("wait_seconds", "Waiting.", labels=["prober"])
    metric.add_metric(["icmp"], [*within, ("+Inf", len(observed))], sum_value=measured.total)
    lines = histogram("wait_seconds", measured, prober="icmp")
    text = "".join(Family("wait_seconds", "histogram", "Waiting.").block(lines, form))
    assert read(text, form) == read(by_the_library(metric, form), form)


def test_a_histogram_without_labels_has_braces_for_its_bounds_only() -> None:
    assert list(histogram("wait_seconds", Histogram((1.0,)))) == [
        'wait_seconds_bucket{le="1.0"} 0\n',
        'wait_seconds_bucket{le="+Inf"} 0\n',
        "wait_seconds_count 0\n",
        "wait_seconds_sum 0.0\n",
    ]


def test_a_metric_without_samples_has_no_heading_either() -> None:
    assert list(Family("things_here", "gauge", "Things.").block([], Format.TEXT)) == []


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", Format.TEXT),
        ("*/*", Format.TEXT),
        ("text/html,application/xhtml+xml,*/*;q=0.8", Format.TEXT),
        ("text/plain;version=0.0.4", Format.TEXT),
        ("application/openmetrics-text", Format.OPENMETRICS),
        (PROMETHEUS_2, Format.OPENMETRICS),
        (PROMETHEUS_3, Format.OPENMETRICS),
        ("text/plain;version=0.0.4,application/openmetrics-text;q=0.5", Format.TEXT),
        ("application/openmetrics-text;q=0", Format.TEXT),
        ("application/openmetrics-text;q=nonsense", Format.TEXT),
        (";;,=;q", Format.TEXT),
        ("application/openmetrics-text;q=0.5,*/*", Format.TEXT),
        ("application/openmetrics-text;q=0.5,text/*;q=0.4,*/*", Format.OPENMETRICS),
        (
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;q=0.1,text/plain;q=0.5",
            Format.OPENMETRICS,
        ),
        ('application/openmetrics-text;note="text/plain, or not",text/plain;q=0.5', Format.OPENMETRICS),
        ("application/openmetrics-text;q=nan", Format.TEXT),
        ("application/openmetrics-text;q=1e5,text/plain", Format.TEXT),
        ("application/*,text/plain;q=0.5", Format.OPENMETRICS),
    ],
)
def test_openmetrics_is_sent_to_those_who_prefer_it(accept: str, form: Format) -> None:
    assert Format.accepted([accept]) is form


def test_wishes_on_several_lines_are_those_of_one() -> None:
    assert Format.accepted(["text/plain;q=0.5", "application/openmetrics-text"]) is Format.OPENMETRICS
    assert Format.accepted([]) is Format.TEXT


@given(st.text())
def test_no_accept_header_upsets_it(accept: str) -> None:
    assert Format.accepted([accept]) in Format


def test_pieces_are_made_one_at_a_time_and_lose_nothing() -> None:
    made = []

    def lines() -> Iterable[str]:
        for number in range(PIECE):
            made.append(number)
            yield f"{number}\n"

    cut = pieces(iter(lines()))
    first = next(cut)
    assert PIECE <= len(first) < PIECE + 10
    assert first.split() == [str(number) for number in made]
    assert (first + "".join(cut)).split() == [str(number) for number in made]
    assert len(made) == PIECE
