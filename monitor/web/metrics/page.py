"""``/metrics``: every metric in one table, each with the source of its lines.

Labels are ids, and few; names and kinds are in ``*_info`` series, to join with. The series of removed servers,
checks and subscriptions disappear. Lines of checks and subscriptions are cached and rendered again when their values
change; each scrape reads the live state, so a page is never outdated. To add a metric: write its source in
``sources.py``, add it to ``METRICS``, and add a heading to docs/metrics.md.
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
    return lambda context: format_sample(name, value(context.telemetry))


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
    """Return a metric of one sample without labels; it is a counter if its name ends in ``_total``."""
    return MetricFamily(name, "counter" if name.endswith("_total") else "gauge", text), _telemetry_source(name, value)


def _deadline_metrics(
    name: str, description: str, select: Callable[[SupportDeadlines], PendingDeadlines]
) -> tuple[tuple[MetricFamily, MetricSource], ...]:
    """Return the metrics of pending cases of one kind: open, due soon, overdue, and the next deadline."""

    def count(value: Callable[[PendingDeadlines], float | None]) -> Callable[[Telemetry], float | None]:
        return lambda telemetry: (
            None if telemetry.support_deadlines is None else value(select(telemetry.support_deadlines))
        )

    return (
        _telemetry_metric(f"{name}_open", f"{description}.", count(lambda each: len(each.open))),
        _telemetry_metric(
            f"{name}_due_soon",
            f"{description}, in the last third of their time.",
            count(lambda each: len(each.due_soon)),
        ),
        _telemetry_metric(
            f"{name}_overdue", f"{description}, past their deadline.", count(lambda each: len(each.overdue))
        ),
        _telemetry_metric(
            f"{name}_next_due_timestamp_seconds",
            "The next deadline.",
            count(lambda each: _to_seconds(each.next_due)),
        ),
    )


METRICS: tuple[tuple[MetricFamily, MetricSource], ...] = (
    _cached_gauge("probe_success", "Whether the last result was ok; absent while unknown."),
    _cached_gauge("probe_duration_seconds", "Latency of the last result; absent unless it was ok."),
    _cached_gauge("monitor_check_slow", "Whether the last result was ok but slower than slower_than."),
    _cached_gauge("probe_ssl_earliest_cert_expiry", "The first expiry of the presented certificates."),
    _cached_gauge("probe_ssl_last_chain_expiry_timestamp_seconds", "The expiry of the verified chain."),
    _cached_gauge(
        "monitor_probe_phase_seconds",
        "Phases of a service's last attempt: connect, handshake, first_byte.",
    ),
    _gauge("monitor_check_info", "The check's type and address.", lambda context: context.series.check_info),
    _gauge(
        "monitor_subscription_info",
        "The subscription's customer, server, product and level.",
        lambda context: context.series.subscription_info,
    ),
    _cached_gauge("sla_availability_ratio", "Up time over measured time, without excluded time."),
    _cached_gauge("sla_coverage_ratio", "Measured time over the time that counts."),
    _cached_gauge("sla_down_seconds", "Downtime that counts."),
    _cached_gauge("sla_error_budget_remaining_seconds", "Downtime left before the target is missed, negative after."),
    _gauge("sla_target_ratio", "The promised availability.", lambda context: context.series.target),
    _cached_gauge("sla_credit_ratio", "The credit, as a share of the fee, if this month ended now."),
    _prober_counter("monitor_results_total", "Results of all outcomes.", lambda counts: counts.results),
    _prober_counter("monitor_results_failed_total", "Failed results.", lambda counts: counts.failed),
    _prober_counter(
        "monitor_results_unknown_total", "Results that say nothing about the server.", lambda counts: counts.unknown
    ),
    (
        MetricFamily("monitor_probe_latency_seconds", "histogram", "Latency of ok results."),
        sources.latency_histograms,
    ),
    (
        MetricFamily("monitor_probe_lag_seconds", "histogram", "Delay between a slot and its probe."),
        lambda context: format_histogram("monitor_probe_lag_seconds", context.telemetry.lag),
    ),
    _telemetry_metric("monitor_slots_missed_total", "Slots without a probe.", lambda t: t.slots_missed),
    _telemetry_metric(
        "monitor_icmp_late_replies_total", "Replies to pings after their timeout.", lambda t: t.pings.late
    ),
    _telemetry_metric(
        "monitor_icmp_duplicate_replies_total", "Duplicate replies to pings.", lambda t: t.pings.duplicate
    ),
    _telemetry_metric(
        "monitor_icmp_dropped_total",
        "ICMP packets dropped because the receive buffer was full.",
        lambda t: t.pings.dropped,
    ),
    _telemetry_metric(
        "monitor_last_sweep_timestamp_seconds", "When a sweep was last complete.", lambda t: _to_seconds(t.last_sweep)
    ),
    _telemetry_metric(
        "monitor_clock_behind_seconds",
        "By how much the newest record lies after the clock.",
        lambda t: t.clock_behind / 1000,
    ),
    _telemetry_metric(
        "monitor_clock_holds",
        "Whether mails and the closing of months wait for a decision about the clock.",
        lambda t: int(t.clock_holds),
    ),
    _gauge("monitor_outages_open", "Outages that are open now.", sources.open_outages),
    _gauge(
        "monitor_maintenance_active", "A maintenance window is active; absent otherwise.", sources.active_maintenance
    ),
    _gauge("monitor_canary_success", "Whether the canary answered the last request.", sources.canary_success),
    _telemetry_metric("monitor_emails_sent_total", "Mails that the transport accepted.", lambda t: t.emails_sent),
    _telemetry_metric("monitor_emails_failed_total", "Attempts to send a mail that failed.", lambda t: t.emails_failed),
    _gauge(
        "monitor_emails_dead",
        "Mails that did not reach all recipients and are not tried again.",
        lambda scene: format_sample("monitor_emails_dead", scene.live_state.mails_dead),
    ),
    _gauge(
        "monitor_emails_pending",
        "Mails that wait in the outbox.",
        lambda context: format_sample("monitor_emails_pending", context.live_state.mails_pending),
    ),
    _gauge(
        "monitor_email_oldest_pending_timestamp_seconds",
        "When the oldest pending mail was queued.",
        lambda context: format_sample(
            "monitor_email_oldest_pending_timestamp_seconds", _to_seconds(context.live_state.oldest_pending)
        ),
    ),
    _telemetry_metric("monitor_claims_open", "Claims that wait for their answer.", lambda t: t.claims_open),
    _telemetry_metric("monitor_claims_overdue", "Claims whose answer is overdue.", lambda t: t.claims_overdue),
    *_deadline_metrics(
        "monitor_hardware", "Parts that wait for their replacement", lambda deadlines: deadlines.hardware
    ),
    *_deadline_metrics(
        "monitor_tickets", "Tickets that wait for their first answer", lambda deadlines: deadlines.tickets
    ),
    _telemetry_metric("monitor_journal_entries", "Entries of the journal.", lambda t: t.journal_entries),
    _telemetry_metric(
        "monitor_journal_verified_timestamp_seconds",
        "The last successful verification of the journal.",
        lambda t: _to_seconds(t.journal_verified),
    ),
    _telemetry_metric(
        "monitor_figures_drift_total",
        "Figures that differed from the accounts and were corrected.",
        lambda t: t.figures_drift,
    ),
    _telemetry_metric(
        "monitor_config_last_reload_successful",
        "Whether the last configuration that was read came into force.",
        lambda t: None if t.reload_succeeded is None else int(t.reload_succeeded),
    ),
    _telemetry_metric(
        "monitor_config_last_reload_success_timestamp_seconds",
        "When a configuration last came into force.",
        lambda t: _to_seconds(t.reloaded_at),
    ),
    _telemetry_metric(
        "monitor_database_size_bytes", "The database on disk with its write-ahead log.", lambda t: t.database_size
    ),
    (
        MetricFamily("monitor_database_write_seconds", "histogram", "Duration of write transactions."),
        lambda context: format_histogram("monitor_database_write_seconds", context.telemetry.writes),
    ),
    _telemetry_metric(
        "monitor_database_lost",
        "Whether the database file is lost or lacks what was recorded.",
        lambda t: int(t.database_lost),
    ),
    _telemetry_metric("monitor_database_errors_total", "Failed write transactions.", lambda t: t.database_errors),
    _gauge(
        "monitor_build_info", "The version of the monitor and of Python.", lambda context: context.series.build_info
    ),
)
"""Every metric of the page, in its order; ``process_*`` metrics come from the registry."""


class MetricsPage:
    """Renders the page at each scrape; ``registry`` has further metrics for it."""

    def __init__(self, live_state: LiveState, telemetry: Telemetry, registry: CollectorRegistry) -> None:
        self._live_state = live_state
        self._telemetry = telemetry
        self._registry = registry
        self._series_cache = SeriesCache(live_state)
        self._preparation = self._series_cache.prepare_in_steps()

    def render(self, fmt: ExpositionFormat) -> Iterator[str]:
        """Yield the text in pieces, lazily, some of them empty.

        If the configuration changes in between, the page continues with the configuration of its start.
        """
        if self._series_cache.generation != self._live_state.generation:
            self._series_cache = SeriesCache(self._live_state)
            self._preparation = self._series_cache.prepare_in_steps()
        series_cache, preparation = self._series_cache, self._preparation
        for _ in preparation:  # concurrent scrapes share the preparation
            yield ""
        context = ScrapeContext(self._live_state, self._telemetry, series_cache)
        blocks = (family.render(source(context), fmt) for family, source in METRICS)
        yield from join_chunks(chain(chain.from_iterable(blocks), self._render_registry(fmt)))

    def _render_registry(self, fmt: ExpositionFormat) -> Iterator[str]:
        # the registry comes last, because it writes the end mark of OpenMetrics
        render = openmetrics.generate_latest if fmt is ExpositionFormat.OPENMETRICS else generate_latest
        yield render(self._registry).decode()
