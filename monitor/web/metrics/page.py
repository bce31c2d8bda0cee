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
from monitor.web.metrics.exposition import Family, Format, histogram, pieces, sample
from monitor.web.metrics.sources import Labelled, Scene

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from monitor.engine.live.state import Board
    from monitor.engine.live.telemetry import ProberCounts, Telemetry
    from monitor.ledger.support.deadlines import Promises, Waits
    from monitor.model import Millis
    from monitor.web.metrics.sources import Source


def _telling(name: str, value: Callable[[Telemetry], float | None]) -> Source:
    return lambda scene: sample(name, value(scene.telemetry))


def _seconds(at: Millis | None) -> float | None:
    return None if at is None else at / 1000


def _gauge(name: str, text: str, source: Source) -> tuple[Family, Source]:
    return Family(name, "gauge", text), source


def _shelved(name: str, text: str) -> tuple[Family, Source]:
    return Family(name, "gauge", text), sources.shelved(name)


def _prober_counter(name: str, text: str, value: Callable[[ProberCounts], int]) -> tuple[Family, Source]:
    return Family(name, "counter", text), sources.per_prober(name, value)


def _own(name: str, text: str, value: Callable[[Telemetry], float | None]) -> tuple[Family, Source]:
    """Describe a metric of one sample without labels, a counter where its name says so."""
    return Family(name, "counter" if name.endswith("_total") else "gauge", text), _telling(name, value)


def _waits(name: str, what: str, waits: Callable[[Promises], Waits]) -> tuple[tuple[Family, Source], ...]:
    """Describe what waits of one kind: all of it, what is due soon, what is overdue, and when the next is due."""

    def count(value: Callable[[Waits], float | None]) -> Callable[[Telemetry], float | None]:
        return lambda telemetry: None if telemetry.promises is None else value(waits(telemetry.promises))

    return (
        _own(f"{name}_open", f"{what}.", count(lambda each: len(each.open))),
        _own(f"{name}_due_soon", f"{what}, in the last third of the time.", count(lambda each: len(each.due_soon))),
        _own(f"{name}_overdue", f"{what}, longer than was promised.", count(lambda each: len(each.overdue))),
        _own(
            f"{name}_next_due_timestamp_seconds", "When the next is due.", count(lambda each: _seconds(each.next_due))
        ),
    )


METRICS: tuple[tuple[Family, Source], ...] = (
    _shelved("probe_success", "Whether the last result was ok; absent while unknown."),
    _shelved("probe_duration_seconds", "Latency of the last result; absent unless that was ok."),
    _shelved("probe_ssl_earliest_cert_expiry", "When the first of the certificates that are presented expires."),
    _shelved(
        "probe_ssl_last_chain_expiry_timestamp_seconds", "When the chain expires by which the certificate is trusted."
    ),
    _shelved(
        "monitor_probe_phase_seconds",
        "Where the time of a service's last attempt went: connect, handshake, first_byte.",
    ),
    _gauge("monitor_check_info", "What is watched, and how.", lambda scene: scene.labelled.check_info),
    _gauge("monitor_subscription_info", "Whose contract it is.", lambda scene: scene.labelled.subscription_info),
    _shelved("sla_availability_ratio", "Up time over measured time, exclusions taken out."),
    _shelved("sla_coverage_ratio", "Measured time over the time that counts."),
    _shelved("sla_down_seconds", "Down time that counts."),
    _shelved("sla_error_budget_remaining_seconds", "Down time left before the target is missed, negative after."),
    _gauge("sla_target_ratio", "The availability that is promised.", lambda scene: scene.labelled.target),
    _shelved("sla_credit_ratio", "Share of the fee that would be owed if this month ended now."),
    _prober_counter("monitor_results_total", "Results of all outcomes.", lambda counts: counts.results),
    _prober_counter("monitor_results_failed_total", "Results that were failures.", lambda counts: counts.failed),
    _prober_counter(
        "monitor_results_unknown_total", "Results that say nothing about the server.", lambda counts: counts.unknown
    ),
    (Family("monitor_probe_latency_seconds", "histogram", "How long successful probes took."), sources.latency),
    (
        Family("monitor_probe_lag_seconds", "histogram", "How late probes left their slot."),
        lambda scene: histogram("monitor_probe_lag_seconds", scene.telemetry.lag),
    ),
    _own("monitor_slots_missed_total", "Slots in which a probe never left.", lambda t: t.slots_missed),
    _own("monitor_icmp_late_replies_total", "Answers to pings that had been given up.", lambda t: t.pings.late),
    _own("monitor_icmp_duplicate_replies_total", "Answers to pings that came again.", lambda t: t.pings.duplicate),
    _own("monitor_icmp_dropped_total", "ICMP packets that this machine had no room for.", lambda t: t.pings.dropped),
    _own("monitor_last_sweep_timestamp_seconds", "When a sweep was last complete.", lambda t: _seconds(t.last_sweep)),
    _gauge("monitor_outages_open", "Outages that are open now.", sources.outages),
    _gauge("monitor_maintenance_active", "A maintenance window is active; absent otherwise.", sources.maintenance),
    _gauge("monitor_canary_success", "Whether the monitor can see out.", sources.canaries),
    _own("monitor_emails_sent_total", "Mails that the transport took.", lambda t: t.emails_sent),
    _own("monitor_emails_failed_total", "Attempts to send a mail that failed.", lambda t: t.emails_failed),
    _gauge(
        "monitor_emails_pending",
        "Mails that wait in the outbox.",
        lambda scene: sample("monitor_emails_pending", scene.board.mails_pending),
    ),
    _gauge(
        "monitor_email_oldest_pending_timestamp_seconds",
        "Since when the oldest of them waits.",
        lambda scene: sample("monitor_email_oldest_pending_timestamp_seconds", _seconds(scene.board.oldest_pending)),
    ),
    _own("monitor_claims_open", "Claims that wait for their answer.", lambda t: t.claims_open),
    _own("monitor_claims_overdue", "Claims that should have been answered by now.", lambda t: t.claims_overdue),
    *_waits("monitor_hardware", "Parts that wait for their replacement", lambda promises: promises.hardware),
    *_waits("monitor_tickets", "Tickets that wait for their first answer", lambda promises: promises.tickets),
    _own("monitor_journal_entries", "Entries of the journal.", lambda t: t.journal_entries),
    _own(
        "monitor_journal_verified_timestamp_seconds",
        "When the journal was last recomputed and found whole.",
        lambda t: _seconds(t.journal_verified),
    ),
    _own("monitor_figures_drift_total", "Kept figures that had drifted from the books.", lambda t: t.figures_drift),
    _own(
        "monitor_config_last_reload_successful",
        "Whether the configuration that was read last came into force.",
        lambda t: None if t.reload_succeeded is None else int(t.reload_succeeded),
    ),
    _own(
        "monitor_config_last_reload_success_timestamp_seconds",
        "When a configuration last came into force.",
        lambda t: _seconds(t.reloaded_at),
    ),
    _own("monitor_database_size_bytes", "The database on disk, its log included.", lambda t: t.database_size),
    (
        Family("monitor_database_write_seconds", "histogram", "How long write transactions took."),
        lambda scene: histogram("monitor_database_write_seconds", scene.telemetry.writes),
    ),
    _own("monitor_database_errors_total", "Write transactions that failed.", lambda t: t.database_errors),
    _gauge("monitor_build_info", "What runs here.", lambda scene: scene.labelled.build_info),
)
"""Every metric of the page, in its order; the process's own (``process_*``) come from the registry."""


class MetricsPage:
    """The page, as of each scrape; ``registry`` holds whatever else is to stand on it."""

    def __init__(self, board: Board, telemetry: Telemetry, registry: CollectorRegistry) -> None:
        self._board = board
        self._telemetry = telemetry
        self._registry = registry
        self._labelled = Labelled(board)
        self._preparing = self._labelled.prepared()

    def pieces(self, form: Format) -> Iterator[str]:
        """Give the text piece by piece, some of them empty; nothing of one is computed before it is asked for.

        A configuration that changes in between leaves the page whole: it goes on with what it began with.
        """
        if self._labelled.generation != self._board.generation:
            self._labelled = Labelled(self._board)
            self._preparing = self._labelled.prepared()
        labelled, preparing = self._labelled, self._preparing
        for _ in preparing:  # whoever asks meanwhile helps to prepare the same
            yield ""
        scene = Scene(self._board, self._telemetry, labelled)
        blocks = (family.block(source(scene), form) for family, source in METRICS)
        yield from pieces(chain(chain.from_iterable(blocks), self._registered(form)))

    def _registered(self, form: Format) -> Iterator[str]:
        # the registry comes last, since it ends the page where OpenMetrics wants an end
        render = openmetrics.generate_latest if form is Format.OPENMETRICS else generate_latest
        yield render(self._registry).decode()
