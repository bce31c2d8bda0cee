"""The text that Prometheus reads: headings, labels, numbers, histograms, in both of its formats.

``prometheus_client`` builds an object for each sample and then a line of each object, which takes a second for 10,000
servers. Here lines come straight from the live picture, lazily, so that a page can be cut into pieces between which the
event loop turns. A test holds the result against what ``prometheus_client`` makes of the same samples.
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
"""Characters: a piece takes a few milliseconds at most, to make and to compress."""


class ExpositionFormat(Enum):
    """How the lines are headed; the value is the content type."""

    TEXT = CONTENT_TYPE_PLAIN_0_0_4
    OPENMETRICS = CONTENT_TYPE_LATEST

    @classmethod
    def negotiate(cls, accept: Iterable[str]) -> ExpositionFormat:
        """Choose by the lines of ``Accept``: OpenMetrics where it is named, and wished for no less than plain text."""
        wishes = AcceptHeader(accept)
        open_metrics = wishes.weight("application/openmetrics-text", "application/*") or 0.0
        plain = wishes.weight("text/plain", "text/*", "*/*") or 0.0
        return cls.OPENMETRICS if open_metrics > 0 and open_metrics >= plain else cls.TEXT


class MetricFamily(NamedTuple):
    """One metric: its name as it is queried, its type, and what it means."""

    name: str
    metric_type: MetricType
    help: str

    def header_lines(self, fmt: ExpositionFormat) -> str:
        """Write the two lines above the samples; OpenMetrics calls a counter by its name without ``_total``."""
        name = self.name
        if fmt is ExpositionFormat.OPENMETRICS:
            name = name.removesuffix("_total")
            return f"# HELP {name} {escape_text(self.help)}\n# TYPE {name} {self.metric_type}\n"
        text = self.help.replace("\\", r"\\").replace("\n", r"\n")
        return f"# HELP {name} {text}\n# TYPE {name} {self.metric_type}\n"

    def render(self, lines: Iterable[str], fmt: ExpositionFormat) -> Iterator[str]:
        """Put the heading above the lines; a metric without any sample is absent altogether."""
        some = filter(None, lines)
        first = next(some, None)
        return iter(()) if first is None else chain((self.header_lines(fmt), first), some)


def escape_text(value: str) -> str:
    """Write a label's value so that it stays on its line and within its quotes."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def format_labels(**pairs: str) -> str:
    """Write labels in the order given, braces included."""
    return "{" + ",".join(f'{name}="{escape_text(value)}"' for name, value in pairs.items()) + "}"


def format_sample(name: str, value: float | None, label_text: str = "") -> Iterator[str]:
    """Write one sample; None is no sample at all."""
    if value is not None:
        yield f"{name}{label_text} {value!r}\n"


def format_histogram(name: str, data: Histogram, **pairs: str) -> Iterator[str]:
    """Write one histogram: buckets (cumulative, as Prometheus wants them), count, sum."""
    seen = 0
    for bound, count in zip((*(repr(float(bound)) for bound in data.bounds), "+Inf"), data.counts, strict=True):
        seen += count
        yield f"{name}_bucket{format_labels(**pairs, le=bound)} {seen}\n"
    labelled = format_labels(**pairs) if pairs else ""
    yield f"{name}_count{labelled} {seen}\n"
    yield f"{name}_sum{labelled} {data.total!r}\n"


def join_chunks(lines: Iterable[str]) -> Iterator[str]:
    """Put lines together to pieces; each is made when it is asked for."""
    gathered: list[str] = []
    size = 0
    for some in lines:
        gathered.append(some)
        size += len(some)
        if size >= CHUNK_SIZE:
            yield "".join(gathered)
            gathered, size = [], 0
    yield "".join(gathered)
