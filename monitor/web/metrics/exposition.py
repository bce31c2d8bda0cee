"""The text formats of Prometheus: headings, labels, samples, histograms.

``prometheus_client`` builds an object and then a line for each sample, which takes a second for 10,000 servers. This
module renders lines directly from the live state, lazily, so that the event loop can run between pieces of a page. A
test compares the result with that of ``prometheus_client`` for the same samples.
"""

from __future__ import annotations

from enum import Enum
from itertools import chain
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST

from monitor.web.accept_header import AcceptHeader

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from monitor.engine.live.telemetry import Histogram

MetricType: TypeAlias = Literal["gauge", "counter", "histogram"]

CHUNK_SIZE = 200_000
"""Characters of a piece: rendering and compressing it takes a few milliseconds at most."""


class ExpositionFormat(Enum):
    """A text format; the value is its content type."""

    TEXT = CONTENT_TYPE_PLAIN_0_0_4
    OPENMETRICS = CONTENT_TYPE_LATEST

    @classmethod
    def negotiate(cls, accept: Iterable[str]) -> ExpositionFormat:
        """Return the format by the ``Accept`` lines: OpenMetrics if accepted with at least the weight of plain text."""
        accepted = AcceptHeader(accept)
        open_metrics = accepted.weight("application/openmetrics-text", "application/*") or 0.0
        plain = accepted.weight("text/plain", "text/*", "*/*") or 0.0
        return cls.OPENMETRICS if open_metrics > 0 and open_metrics >= plain else cls.TEXT


class MetricFamily(NamedTuple):
    """One metric: its name in queries, its type and its meaning."""

    name: str
    metric_type: MetricType
    help: str

    def header_lines(self, fmt: ExpositionFormat) -> str:
        """Return the two heading lines; in OpenMetrics a counter's name is without ``_total``."""
        name = self.name
        if fmt is ExpositionFormat.OPENMETRICS:
            name = name.removesuffix("_total")
            return f"# HELP {name} {escape_text(self.help)}\n# TYPE {name} {self.metric_type}\n"
        text = self.help.replace("\\", r"\\").replace("\n", r"\n")
        return f"# HELP {name} {text}\n# TYPE {name} {self.metric_type}\n"

    def render(self, lines: Iterable[str], fmt: ExpositionFormat) -> Iterator[str]:
        """Return the heading and the lines; nothing for a metric without samples."""
        some = filter(None, lines)
        first = next(some, None)
        return iter(()) if first is None else chain((self.header_lines(fmt), first), some)


def escape_text(value: str) -> str:
    """Return a label value with line feeds, quotes and backslashes escaped."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def format_labels(**pairs: str) -> str:
    """Return labels in the given order, with braces."""
    return "{" + ",".join(f'{name}="{escape_text(value)}"' for name, value in pairs.items()) + "}"


def format_sample(name: str, value: float | None, label_text: str = "") -> Iterator[str]:
    """Yield the line of one sample; nothing for None."""
    if value is not None:
        yield f"{name}{label_text} {value!r}\n"


def format_histogram(name: str, data: Histogram, **pairs: str) -> Iterator[str]:
    """Yield the lines of one histogram: cumulative buckets, count, sum."""
    cumulative = 0
    for bound, count in zip((*(repr(float(bound)) for bound in data.bounds), "+Inf"), data.counts, strict=True):
        cumulative += count
        yield f"{name}_bucket{format_labels(**pairs, le=bound)} {cumulative}\n"
    labelled = format_labels(**pairs) if pairs else ""
    yield f"{name}_count{labelled} {cumulative}\n"
    yield f"{name}_sum{labelled} {data.total!r}\n"


def join_chunks(lines: Iterable[str]) -> Iterator[str]:
    """Join lines into pieces, lazily."""
    collected: list[str] = []
    size = 0
    for some in lines:
        collected.append(some)
        size += len(some)
        if size >= CHUNK_SIZE:
            yield "".join(collected)
            collected, size = [], 0
    yield "".join(collected)
