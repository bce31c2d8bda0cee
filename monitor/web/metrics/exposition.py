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

from monitor.web.accept_header import Wishes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from monitor.engine.live.telemetry import Histogram

Kind: TypeAlias = Literal["gauge", "counter", "histogram"]

PIECE = 200_000
"""Characters: a piece takes a few milliseconds at most, to make and to compress."""


class Format(Enum):
    """How the lines are headed; the value is the content type."""

    TEXT = CONTENT_TYPE_PLAIN_0_0_4
    OPENMETRICS = CONTENT_TYPE_LATEST

    @classmethod
    def accepted(cls, accept: Iterable[str]) -> Format:
        """Choose by the lines of ``Accept``: OpenMetrics where it is named, and wished for no less than plain text."""
        wishes = Wishes(accept)
        open_metrics = wishes.of("application/openmetrics-text", "application/*") or 0.0
        plain = wishes.of("text/plain", "text/*", "*/*") or 0.0
        return cls.OPENMETRICS if open_metrics > 0 and open_metrics >= plain else cls.TEXT


class Family(NamedTuple):
    """One metric: its name as it is queried, its type, and what it means."""

    name: str
    kind: Kind
    help: str

    def head(self, form: Format) -> str:
        """Write the two lines above the samples; OpenMetrics calls a counter by its name without ``_total``."""
        name = self.name
        if form is Format.OPENMETRICS:
            name = name.removesuffix("_total")
            return f"# HELP {name} {escaped(self.help)}\n# TYPE {name} {self.kind}\n"
        text = self.help.replace("\\", r"\\").replace("\n", r"\n")
        return f"# HELP {name} {text}\n# TYPE {name} {self.kind}\n"

    def block(self, lines: Iterable[str], form: Format) -> Iterator[str]:
        """Put the heading above the lines; a metric without any sample is absent altogether."""
        some = filter(None, lines)
        first = next(some, None)
        return iter(()) if first is None else chain((self.head(form), first), some)


def escaped(value: str) -> str:
    """Write a label's value so that it stays on its line and within its quotes."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def labels(**pairs: str) -> str:
    """Write labels in the order given, braces included."""
    return "{" + ",".join(f'{name}="{escaped(value)}"' for name, value in pairs.items()) + "}"


def sample(name: str, value: float | None, labelled: str = "") -> Iterator[str]:
    """Write one sample; None is no sample at all."""
    if value is not None:
        yield f"{name}{labelled} {value!r}\n"


def histogram(name: str, measured: Histogram, **pairs: str) -> Iterator[str]:
    """Write one histogram: buckets (cumulative, as Prometheus wants them), count, sum."""
    seen = 0
    for bound, count in zip((*(repr(float(bound)) for bound in measured.bounds), "+Inf"), measured.counts, strict=True):
        seen += count
        yield f"{name}_bucket{labels(**pairs, le=bound)} {seen}\n"
    labelled = labels(**pairs) if pairs else ""
    yield f"{name}_count{labelled} {seen}\n"
    yield f"{name}_sum{labelled} {measured.total!r}\n"


def pieces(lines: Iterable[str]) -> Iterator[str]:
    """Put lines together to pieces; each is made when it is asked for."""
    gathered: list[str] = []
    size = 0
    for some in lines:
        gathered.append(some)
        size += len(some)
        if size >= PIECE:
            yield "".join(gathered)
            gathered, size = [], 0
    yield "".join(gathered)
