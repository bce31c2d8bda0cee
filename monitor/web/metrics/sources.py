"""The sources of the lines of ``/metrics``: the live state, and the daemon's telemetry.

A source returns the lines of one metric, lazily, and reads memory only.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar

from monitor.model import PING, Outcome
from monitor.web.metrics.exposition import format_histogram, format_labels, format_sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from monitor.engine.live.state import CheckView, LiveState, SubscriptionView, WindowFigures, WindowName
    from monitor.engine.live.telemetry import ProberCounts, Telemetry
    from monitor.model import Certificate, Millis


# --- lines that are cached between scrapes ----------------------------------------------------------------------------

Observed = TypeVar("Observed")


class CachedSeries(Generic[Observed]):
    """Some hundred lines of one metric, cached as text and rendered again only if their values change."""

    __slots__ = ("_label_texts", "_last_values", "_name", "_read_values", "_text", "_to_number")

    def __init__(
        self,
        name: str,
        label_texts: Sequence[str],
        read_values: Callable[[], list[Observed]],
        to_number: Callable[[Observed], float | None],
    ) -> None:
        """``read_values`` returns a value for each of ``label_texts``; ``to_number`` converts it, None: no line."""
        self._name = name
        self._label_texts = label_texts
        self._read_values = read_values
        self._to_number = to_number
        self._last_values: list[Observed] | None = None
        self._text = ""

    def render(self) -> str:
        """Return the lines as of now."""
        values = self._read_values()
        if values != self._last_values:
            self._last_values = values
            name, to_number = self._name, self._to_number
            self._text = "".join(
                [
                    f"{name}{labelled} {number!r}\n"
                    for labelled, each in zip(self._label_texts, values, strict=True)
                    if (number := to_number(each)) is not None
                ]
            )
        return self._text


DISTRIBUTION_NAME = "sla-monitor"
WINDOWS: tuple[WindowName, ...] = ("rolling", "month")
CACHED_SERIES_SIZE = 500
"""Checks or subscriptions in one cached series: rendering it takes half a millisecond."""
T = TypeVar("T")


_PHASES = ("connect", "handshake", "first_byte")
_NO_PHASES = (None, None, None)


class SeriesCache:
    """What depends on the configuration: labels, constant series, and cached series."""

    def __init__(self, live_state: LiveState) -> None:
        """Create an empty cache; ``prepare_in_steps`` fills it."""
        self.generation = live_state.generation
        self._checks, self._subscriptions = list(live_state.checks.values()), list(live_state.subscriptions.values())
        self.cached_by_metric: dict[str, list[CachedSeries[Any]]] = {}
        """The cached series by metric."""
        self.check_info: list[str] = []
        self.subscription_info: list[str] = []
        self.target: list[str] = []
        self.probers = sorted({view.entry.prober for view in self._checks})
        build = format_labels(version=version(DISTRIBUTION_NAME), python=platform.python_version())
        self.build_info = [f"monitor_build_info{build} 1\n"]

    def prepare_in_steps(self) -> Iterator[None]:
        """Fill the cache in steps, between which the event loop can run."""
        for first in range(0, len(self._checks), CACHED_SERIES_SIZE):
            self._prepare_checks(self._checks[first : first + CACHED_SERIES_SIZE])
            yield
        for first in range(0, len(self._subscriptions), CACHED_SERIES_SIZE):
            self._prepare_subscriptions(self._subscriptions[first : first + CACHED_SERIES_SIZE])
            yield

    def _prepare_checks(self, views: Sequence[CheckView]) -> None:
        labelled = [format_labels(server=view.entry.server, check=view.entry.check) for view in views]
        self.check_info.append(
            "".join(
                "monitor_check_info"
                f"{format_labels(server=e.server, check=e.check, prober=e.prober, address=e.address)} 1\n"
                for e in (view.entry for view in views)
            )
        )
        self._add_cached("probe_success", labelled, lambda: [view.outcome for view in views], _success_value)
        self._add_cached("probe_duration_seconds", labelled, lambda: [view.latency for view in views], _latency_seconds)
        limited = [view for view in views if view.entry.slower_than is not None]
        if limited:
            own = [format_labels(server=view.entry.server, check=view.entry.check) for view in limited]
            self._add_cached(
                "monitor_check_slow", own, lambda: [(view.at, view.is_slow) for view in limited], _slow_value
            )
        services = [view for view in views if view.entry.check != PING]
        phased = [
            format_labels(server=view.entry.server, check=view.entry.check, phase=phase)
            for view in services
            for phase in _PHASES
        ]
        self._add_cached(
            "monitor_probe_phase_seconds",
            phased,
            lambda: [duration for view in services for duration in view.phases or _NO_PHASES],
            _latency_seconds,
        )
        self._add_cached(
            "probe_ssl_earliest_cert_expiry", labelled, lambda: [view.certificate for view in views], _earliest_expiry
        )
        last_chain = "probe_ssl_last_chain_expiry_timestamp_seconds"
        self._add_cached(last_chain, labelled, lambda: [view.certificate for view in views], _chain_expiry)

    def _prepare_subscriptions(self, views: Sequence[SubscriptionView]) -> None:
        labelled = [format_labels(subscription=view.entry.id) for view in views]
        windowed = [format_labels(subscription=view.entry.id, window=window) for view in views for window in WINDOWS]
        self.subscription_info.append("".join(map(_subscription_info_line, views)))
        self.target.append(
            "".join(
                f"sla_target_ratio{own} {view.entry.target / 10_000!r}\n"
                for view, own in zip(views, labelled, strict=True)
            )
        )
        for name, value in WINDOW_METRICS.items():
            self._add_cached(
                name, windowed, lambda: [view.figures.get(window) for view in views for window in WINDOWS], value
            )
        self._add_cached(
            "sla_credit_ratio", labelled, lambda: [view.figures.get("month") for view in views], _credit_ratio
        )

    def _add_cached(
        self,
        name: str,
        label_texts: Sequence[str],
        read_values: Callable[[], list[T]],
        to_number: Callable[[T], float | None],
    ) -> None:
        self.cached_by_metric.setdefault(name, []).append(CachedSeries(name, label_texts, read_values, to_number))


def _success_value(outcome: Outcome | None) -> int | None:
    """Return 1 for ok, 0 for fail, None for unknown."""
    return None if outcome is None or outcome is Outcome.UNKNOWN else int(outcome is Outcome.OK)


def _slow_value(last_result: tuple[Millis | None, bool]) -> int | None:
    """Return 1 for a slow last result, else 0; None before the first."""
    at, is_slow = last_result
    return None if at is None else int(is_slow)


def _latency_seconds(latency: int | None) -> float | None:
    return None if latency is None else latency / 1_000_000


def _earliest_expiry(certificate: Certificate | None) -> int | None:
    return None if certificate is None else certificate.earliest_expiry


def _chain_expiry(certificate: Certificate | None) -> int | None:
    return None if certificate is None else certificate.expiry


def _availability_ratio(figures: WindowFigures | None) -> float | None:
    """Return the ratio by one division of integers, so that it compares with the target as the exact fraction does."""
    known = figures.up + figures.down if figures is not None else 0
    return figures.up / known if figures is not None and known else None


def _coverage_ratio(figures: WindowFigures | None) -> float | None:
    """Return the measured share of the time that counts; None if no time counts."""
    if figures is None or not (counted := figures.up + figures.down + figures.unknown):
        return None
    return (figures.up + figures.down) / counted


def _down_seconds(figures: WindowFigures | None) -> float | None:
    return None if figures is None else figures.down / 1000


def _error_budget_seconds(figures: WindowFigures | None) -> float | None:
    return None if figures is None else figures.budget / 1000


def _credit_ratio(figures: WindowFigures | None) -> float | None:
    return None if figures is None or figures.credit is None else figures.credit / 100


WINDOW_METRICS: Final[Mapping[str, Callable[[WindowFigures | None], float | None]]] = {
    "sla_availability_ratio": _availability_ratio,
    "sla_coverage_ratio": _coverage_ratio,
    "sla_down_seconds": _down_seconds,
    "sla_error_budget_remaining_seconds": _error_budget_seconds,
}
"""Metrics of each subscription and window."""


def _subscription_info_line(view: SubscriptionView) -> str:
    entry = view.entry
    labelled = format_labels(
        subscription=entry.id,
        customer_id=entry.customer,
        server=entry.server,
        product=entry.product,
        level=str(entry.level),
    )
    return f"monitor_subscription_info{labelled} 1\n"


@dataclass(frozen=True, slots=True)
class ScrapeContext:
    """The data of one page."""

    live_state: LiveState
    telemetry: Telemetry
    series: SeriesCache


MetricSource: TypeAlias = "Callable[[ScrapeContext], Iterable[str]]"


def cached_source(name: str) -> MetricSource:
    """Return the source of a cached metric."""
    return lambda context: (series.render() for series in context.series.cached_by_metric.get(name, ()))


def prober_counter(name: str, value: Callable[[ProberCounts], int]) -> MetricSource:
    """Return the source of a counter for each type of check, from 0 on."""

    def lines(context: ScrapeContext) -> Iterator[str]:
        for prober in context.series.probers:
            counts = context.telemetry.probers.get(prober)
            yield from format_sample(name, value(counts) if counts else 0, format_labels(prober=prober))

    return lines


def latency_histograms(context: ScrapeContext) -> Iterator[str]:
    """Return the latencies of each type of check that has any results."""
    for prober in context.series.probers:
        if counts := context.telemetry.probers.get(prober):
            yield from format_histogram("monitor_probe_latency_seconds", counts.latency, prober=prober)


def open_outages(context: ScrapeContext) -> Iterator[str]:
    """Return the number of open outages for each type of check."""
    live_state = context.live_state
    open_now = dict.fromkeys(context.series.probers, 0)
    for outage in live_state.outages.values():
        view = live_state.checks.get(outage.check)
        # a type of a newer configuration is not on this page yet
        if view is not None and view.entry.prober in open_now:
            open_now[view.entry.prober] += 1
    return (f"monitor_outages_open{format_labels(prober=prober)} {count}\n" for prober, count in open_now.items())


def active_maintenance(context: ScrapeContext) -> Iterator[str]:
    """Return the servers that are in maintenance."""
    return (
        f"monitor_maintenance_active{format_labels(server=server)} 1\n"
        for server in sorted(context.live_state.in_maintenance)
    )


def canary_success(context: ScrapeContext) -> Iterator[str]:
    """Return the canaries that were probed."""
    return (
        f"monitor_canary_success{format_labels(canary=address)} {int(ok)}\n"
        for address, ok in context.telemetry.canaries.items()
        if ok is not None
    )
