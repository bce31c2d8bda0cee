"""``/metrics``: every metric in one table, each with where its lines come from.

Labels are ids, and few; names and kinds come by ``*_info`` series to join on. What leaves the configuration leaves the
page. What is many (lines of checks and subscriptions) is kept and written again where it changed; at each scrape the
live picture is asked, so a page is never older than its scrape. Looking to add a metric? Write where its lines
come from in ``series.py``, add it to ``METRICS``, and give it a heading in docs/metrics.md.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from monitor.web.metrics import sources
from monitor.web.metrics.exposition import ExpositionFormat, MetricFamily, format_histogram, format_sample, join_chunks
from monitor.web.metrics.sources import ScrapeContext, SeriesCache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from monitor.engine.live.state import LiveState
    from monitor.engine.live.telemetry import ProberCounts, Telemetry
    from monitor.ledger.support.deadlines import PendingDeadlines, SupportDeadlines
    from monitor.model import Millis
    from monitor.web.metrics.sources import MetricSource


def _telemetry_source(name: str, value: Callable[[Telemetry], float | None]) -> MetricSource:
    return lambda scene: format_sample(name, value(scene.telemetry))


def _to_seconds(at: Millis | None) -> float | None:
    return None if at is None else at / 1000


def _gauge(name: str, text: str, source: MetricSource) -> tuple[MetricFamily, MetricSource]:
    return MetricFamily(name, "gauge", text), source


def _cached_gauge(name: str, text: str) -> tuple[MetricFamily, MetricSource]:
    return MetricFamily(name, "gauge", text), sources.cached_source(name)


def _prober_counter(name: str, text: str, value: Callable[[ProberCounts], int]) -> tuple[MetricFamily, MetricSource]:
    return MetricFamily(name, "counter", text), sources.prober_counter(name, value)


def _telemetry_metric(
    name: str, text: str, value: Callable[[Telemetry], float | None]
) -> tuple[MetricFamily, MetricSource]:
    """Describe a metric of one sample without labels, a counter where its name says so."""
    return MetricFamily(name, "counter" if name.endswith("_total") else "gauge", text), _telemetry_source(name, value)


def _deadline_metrics(
    name: str, description: str, select: Callable[[SupportDeadlines], PendingDeadlines]
) -> tuple[tuple[MetricFamily, MetricSource], ...]:
    """Describe what waits of one kind: all of it, what is due soon, what is overdue, and when the next is due."""

    def count(value: Callable[[PendingDeadlines], float | None]) -> Callable[[Telemetry], float | None]:
        return lambda telemetry: (
            None if telemetry.support_deadlines is None else value(select(telemetry.support_deadlines))
        )

    return (
        _telemetry_metric(f"{name}_open", f"{description}.", count(lambda each: len(each.open))),
        _telemetry_metric(
            f"{name}_due_soon", f"{description}, in the last third of the time.", count(lambda each: len(each.due_soon))
        ),
        _telemetry_metric(
            f"{name}_overdue", f"{description}, longer than was promised.", count(lambda each: len(each.overdue))
        ),
        _telemetry_metric(
            f"{name}_next_due_timestamp_seconds",
            "When the next is due.",
            count(lambda each: _to_seconds(each.next_due)),
        ),
    )


METRICS: tuple[tuple[MetricFamily, MetricSource], ...] = (
    _cached_gauge("probe_success", "Whether the last result was ok; absent while unknown."),
    _cached_gauge("probe_duration_seconds", "Latency of the last result; absent unless that was ok."),
    _cached_gauge("probe_ssl_earliest_cert_expiry", "When the first of the certificates that are presented expires."),
    _cached_gauge(
        "probe_ssl_last_chain_expiry_timestamp_seconds", "When the chain expires by which the certificate is trusted."
    ),
    _cached_gauge(
        "monitor_probe_phase_seconds",
        "Where the time of a service's last attempt went: connect, handshake, first_byte.",
    ),
    _gauge("monitor_check_info", "What is watched, and how.", lambda scene: scene.series.check_info),
    _gauge("monitor_subscription_info", "Whose contract it is.", lambda scene: scene.series.subscription_info),
    _cached_gauge("sla_availability_ratio", "Up time over measured time, exclusions taken out."),
    _cached_gauge("sla_coverage_ratio", "Measured time over the time that counts."),
    _cached_gauge("sla_down_seconds", "Down time that counts."),
    _cached_gauge("sla_error_budget_remaining_seconds", "Down time left before the target is missed, negative after."),
    _gauge("sla_target_ratio", "The availability that is promised.", lambda scene: scene.series.target),
    _cached_gauge("sla_credit_ratio", "Share of the fee that would be owed if this month ended now."),
    _prober_counter("monitor_results_total", "Results of all outcomes.", lambda counts: counts.results),
    _prober_counter("monitor_results_failed_total", "Results that were failures.", lambda counts: counts.failed),
    _prober_counter(
        "monitor_results_unknown_total", "Results that say nothing about the server.", lambda counts: counts.unknown
    ),
    (
        MetricFamily("monitor_probe_latency_seconds", "histogram", "How long successful probes took."),
        sources.latency_histograms,
    ),
    (
        MetricFamily("monitor_probe_lag_seconds", "histogram", "How late probes left their slot."),
        lambda scene: format_histogram("monitor_probe_lag_seconds", scene.telemetry.lag),
    ),
    _telemetry_metric("monitor_slots_missed_total", "Slots in which a probe never left.", lambda t: t.slots_missed),
    _telemetry_metric(
        "monitor_icmp_late_replies_total", "Answers to pings that had been given up.", lambda t: t.pings.late
    ),
    _telemetry_metric(
        "monitor_icmp_duplicate_replies_total", "Answers to pings that came again.", lambda t: t.pings.duplicate
    ),
    _telemetry_metric(
        "monitor_icmp_dropped_total", "ICMP packets that this machine had no room for.", lambda t: t.pings.dropped
    ),
    _telemetry_metric(
        "monitor_last_sweep_timestamp_seconds", "When a sweep was last complete.", lambda t: _to_seconds(t.last_sweep)
    ),
    _gauge("monitor_outages_open", "Outages that are open now.", sources.open_outages),
    _gauge(
        "monitor_maintenance_active", "A maintenance window is active; absent otherwise.", sources.active_maintenance
    ),
    _gauge("monitor_canary_success", "Whether the monitor can see out.", sources.canary_success),
    _telemetry_metric("monitor_emails_sent_total", "Mails that the transport took.", lambda t: t.emails_sent),
    _telemetry_metric("monitor_emails_failed_total", "Attempts to send a mail that failed.", lambda t: t.emails_failed),
    _gauge(
        "monitor_emails_pending",
        "Mails that wait in the outbox.",
        lambda scene: format_sample("monitor_emails_pending", scene.live_state.mails_pending),
    ),
    _gauge(
        "monitor_email_oldest_pending_timestamp_seconds",
        "Since when the oldest of them waits.",
        lambda scene: format_sample(
            "monitor_email_oldest_pending_timestamp_seconds", _to_seconds(scene.live_state.oldest_pending)
        ),
    ),
    _telemetry_metric("monitor_claims_open", "Claims that wait for their answer.", lambda t: t.claims_open),
    _telemetry_metric(
        "monitor_claims_overdue", "Claims that should have been answered by now.", lambda t: t.claims_overdue
    ),
    *_deadline_metrics("monitor_hardware", "Parts that wait for their replacement", lambda promises: promises.hardware),
    *_deadline_metrics(
        "monitor_tickets", "Tickets that wait for their first answer", lambda promises: promises.tickets
    ),
    _telemetry_metric("monitor_journal_entries", "Entries of the journal.", lambda t: t.journal_entries),
    _telemetry_metric(
        "monitor_journal_verified_timestamp_seconds",
        "When the journal was last recomputed and found whole.",
        lambda t: _to_seconds(t.journal_verified),
    ),
    _telemetry_metric(
        "monitor_figures_drift_total", "Kept figures that had drifted from the books.", lambda t: t.figures_drift
    ),
    _telemetry_metric(
        "monitor_config_last_reload_successful",
        "Whether the configuration that was read last came into force.",
        lambda t: None if t.reload_succeeded is None else int(t.reload_succeeded),
    ),
    _telemetry_metric(
        "monitor_config_last_reload_success_timestamp_seconds",
        "When a configuration last came into force.",
        lambda t: _to_seconds(t.reloaded_at),
    ),
    _telemetry_metric(
        "monitor_database_size_bytes", "The database on disk, its log included.", lambda t: t.database_size
    ),
    (
        MetricFamily("monitor_database_write_seconds", "histogram", "How long write transactions took."),
        lambda scene: format_histogram("monitor_database_write_seconds", scene.telemetry.writes),
    ),
    _telemetry_metric("monitor_database_errors_total", "Write transactions that failed.", lambda t: t.database_errors),
    _gauge("monitor_build_info", "What runs here.", lambda scene: scene.series.build_info),
)
"""Every metric of the page, in its order; the process's own (``process_*``) come from the registry."""


class MetricsPage:
    """The page, as of each scrape; ``registry`` holds whatever else is to stand on it."""

    def __init__(self, live_state: LiveState, telemetry: Telemetry, registry: CollectorRegistry) -> None:
        self._live_state = live_state
        self._telemetry = telemetry
        self._registry = registry
        self._series_cache = SeriesCache(live_state)
        self._preparation = self._series_cache.prepare_in_steps()

    def render(self, fmt: ExpositionFormat) -> Iterator[str]:
        """Return the text piece by piece, some of them empty; nothing of one is computed before it is asked for.

        A configuration that changes in between leaves the page whole: it goes on with what it began with.
        """
        if self._series_cache.generation != self._live_state.generation:
            self._series_cache = SeriesCache(self._live_state)
            self._preparation = self._series_cache.prepare_in_steps()
        labelled, preparing = self._series_cache, self._preparation
        for _ in preparing:  # a concurrent scrape helps to prepare the same
            yield ""
        scene = ScrapeContext(self._live_state, self._telemetry, labelled)
        blocks = (family.render(source(scene), fmt) for family, source in METRICS)
        yield from join_chunks(chain(chain.from_iterable(blocks), self._render_registry(fmt)))

    def _render_registry(self, fmt: ExpositionFormat) -> Iterator[str]:
        # the registry comes last, since it ends the page where OpenMetrics wants an end
        render = openmetrics.generate_latest if fmt is ExpositionFormat.OPENMETRICS else generate_latest
        yield render(self._registry).decode()
