"""``/metrics``: every metric in one table, each with where its lines come from.

Labels are ids, and few; names and kinds come by ``*_info`` series to join on. What leaves the configuration leaves the
page, because the page is made of the live picture anew at each scrape. Looking to add a metric? Write where its lines
come from, add it to ``METRICS``, and give it a heading in docs/metrics.md.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import version
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from monitor.model import Outcome
from monitor.web.exposition import Family, Format, histogram, labels, pieces, sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from monitor.engine.board import Board, CheckView, Figures, SubscriptionView, WindowName
    from monitor.engine.telemetry import ProberCounts, Telemetry
    from monitor.model import Millis

PRODUCT = "sla-monitor"
WINDOWS: tuple[WindowName, ...] = ("rolling", "month")


class Labelled:
    """What hangs on the configuration alone, written once for each: labels, and the series that never change."""

    def __init__(self, board: Board) -> None:
        self.generation = board.generation
        self.checks: list[tuple[CheckView, str]] = [
            (view, labels(server=view.entry.server, check=view.entry.check)) for view in board.checks.values()
        ]
        self.check_info = [
            f"monitor_check_info{labels(server=e.server, check=e.check, prober=e.prober, address=e.address)} 1\n"
            for e in (view.entry for view in board.checks.values())
        ]
        self.probers = sorted({view.entry.prober for view in board.checks.values()})
        self.subscriptions: list[tuple[SubscriptionView, str]] = [
            (view, labels(subscription=view.entry.id)) for view in board.subscriptions.values()
        ]
        self.windows: list[tuple[SubscriptionView, WindowName, str]] = [
            (view, window, labels(subscription=view.entry.id, window=window))
            for view in board.subscriptions.values()
            for window in WINDOWS
        ]
        self.subscription_info = [_subscription_info(view) for view in board.subscriptions.values()]
        build = labels(version=version(PRODUCT), python=platform.python_version())
        self.build_info = [f"monitor_build_info{build} 1\n"]


def _subscription_info(view: SubscriptionView) -> str:
    entry = view.entry
    labelled = labels(
        subscription=entry.id,
        customer_id=entry.customer,
        server=entry.server,
        product=entry.product,
        level=str(entry.level),
    )
    return f"monitor_subscription_info{labelled} 1\n"


@dataclass(frozen=True, slots=True)
class Scene:
    """All that a page is made of."""

    board: Board
    telemetry: Telemetry
    labelled: Labelled


Source: TypeAlias = "Callable[[Scene], Iterable[str]]"


def _success(scene: Scene) -> Iterator[str]:
    for view, labelled in scene.labelled.checks:
        if view.outcome is Outcome.OK:
            yield f"probe_success{labelled} 1\n"
        elif view.outcome is Outcome.FAIL:
            yield f"probe_success{labelled} 0\n"


def _duration(scene: Scene) -> Iterator[str]:
    return (
        f"probe_duration_seconds{labelled} {view.latency / 1_000_000!r}\n"
        for view, labelled in scene.labelled.checks
        if view.latency is not None
    )


def _certificate(scene: Scene) -> Iterator[str]:
    return (
        f"probe_ssl_earliest_cert_expiry{labelled} {view.cert_expiry}\n"
        for view, labelled in scene.labelled.checks
        if view.cert_expiry is not None
    )


def _per_window(name: str, value: Callable[[Figures], float | None]) -> Source:
    def lines(scene: Scene) -> Iterator[str]:
        for view, window, labelled in scene.labelled.windows:
            figures = view.figures.get(window)
            if figures is not None and (number := value(figures)) is not None:
                yield f"{name}{labelled} {number!r}\n"

    return lines


def _availability(figures: Figures) -> float | None:
    # one division of whole numbers, rounded once: it compares with the target as the exact fraction would
    known = figures.up + figures.down
    return figures.up / known if known else None


def _coverage(figures: Figures) -> float | None:
    known = figures.up + figures.down
    return known / (known + figures.unknown) if known + figures.unknown else None


def _target(scene: Scene) -> Iterator[str]:
    return (
        f"sla_target_ratio{labelled} {view.entry.target / 10_000!r}\n"
        for view, labelled in scene.labelled.subscriptions
    )


def _credit(scene: Scene) -> Iterator[str]:
    for view, labelled in scene.labelled.subscriptions:
        figures = view.figures.get("month")
        if figures is not None and figures.credit is not None:
            yield f"sla_credit_ratio{labelled} {figures.credit / 100!r}\n"


def _per_prober(name: str, value: Callable[[ProberCounts], int]) -> Source:
    def lines(scene: Scene) -> Iterator[str]:
        for prober in scene.labelled.probers:
            counts = scene.telemetry.probers.get(prober)
            yield from sample(name, value(counts) if counts else 0, labels(prober=prober))

    return lines


def _latency(scene: Scene) -> Iterator[str]:
    for prober in scene.labelled.probers:
        if counts := scene.telemetry.probers.get(prober):
            yield from histogram("monitor_probe_latency_seconds", counts.latency, prober=prober)


def _outages(scene: Scene) -> Iterator[str]:
    board = scene.board
    open_now = dict.fromkeys(scene.labelled.probers, 0)
    for outage in board.outages.values():
        if view := board.checks.get(outage.check):
            open_now[view.entry.prober] += 1
    return (f"monitor_outages_open{labels(prober=prober)} {count}\n" for prober, count in open_now.items())


def _maintenance(scene: Scene) -> Iterator[str]:
    return (f"monitor_maintenance_active{labels(server=server)} 1\n" for server in sorted(scene.board.in_maintenance))


def _canaries(scene: Scene) -> Iterator[str]:
    return (
        f"monitor_canary_success{labels(canary=address)} {int(ok)}\n"
        for address, ok in scene.telemetry.canaries.items()
        if ok is not None
    )


def _telling(name: str, value: Callable[[Telemetry], float | None]) -> Source:
    return lambda scene: sample(name, value(scene.telemetry))


def _seconds(at: Millis | None) -> float | None:
    return None if at is None else at / 1000


def _gauge(name: str, text: str, source: Source) -> tuple[Family, Source]:
    return Family(name, "gauge", text), source


def _window_gauge(name: str, text: str, value: Callable[[Figures], float | None]) -> tuple[Family, Source]:
    return Family(name, "gauge", text), _per_window(name, value)


def _prober_counter(name: str, text: str, value: Callable[[ProberCounts], int]) -> tuple[Family, Source]:
    return Family(name, "counter", text), _per_prober(name, value)


def _own(name: str, text: str, value: Callable[[Telemetry], float | None]) -> tuple[Family, Source]:
    """Describe a metric of one sample without labels, a counter where its name says so."""
    return Family(name, "counter" if name.endswith("_total") else "gauge", text), _telling(name, value)


METRICS: tuple[tuple[Family, Source], ...] = (
    _gauge("probe_success", "Whether the last result was ok; absent while unknown.", _success),
    _gauge("probe_duration_seconds", "Latency of the last result; absent unless that was ok.", _duration),
    _gauge("probe_ssl_earliest_cert_expiry", "When the first certificate of the chain expires.", _certificate),
    _gauge("monitor_check_info", "What is watched, and how.", lambda scene: scene.labelled.check_info),
    _gauge("monitor_subscription_info", "Whose contract it is.", lambda scene: scene.labelled.subscription_info),
    _window_gauge("sla_availability_ratio", "Up time over measured time, exclusions taken out.", _availability),
    _window_gauge("sla_coverage_ratio", "Measured time over the time that counts.", _coverage),
    _window_gauge("sla_down_seconds", "Down time that counts.", lambda figures: figures.down / 1000),
    _window_gauge(
        "sla_error_budget_remaining_seconds",
        "Down time left before the target is missed, negative after.",
        lambda figures: figures.budget / 1000,
    ),
    _gauge("sla_target_ratio", "The availability that is promised.", _target),
    _gauge("sla_credit_ratio", "Share of the fee that would be owed if this month ended now.", _credit),
    _prober_counter("monitor_results_total", "Results of all outcomes.", lambda counts: counts.results),
    _prober_counter("monitor_results_failed_total", "Results that were failures.", lambda counts: counts.failed),
    _prober_counter(
        "monitor_results_unknown_total", "Results that say nothing about the server.", lambda counts: counts.unknown
    ),
    (Family("monitor_probe_latency_seconds", "histogram", "How long successful probes took."), _latency),
    (
        Family("monitor_probe_lag_seconds", "histogram", "How late probes left their slot."),
        lambda scene: histogram("monitor_probe_lag_seconds", scene.telemetry.lag),
    ),
    _own("monitor_slots_missed_total", "Slots in which a probe never left.", lambda t: t.slots_missed),
    _own("monitor_last_sweep_timestamp_seconds", "When a sweep was last complete.", lambda t: _seconds(t.last_sweep)),
    _gauge("monitor_outages_open", "Outages that are open now.", _outages),
    _gauge("monitor_maintenance_active", "A maintenance window is active; absent otherwise.", _maintenance),
    _gauge("monitor_canary_success", "Whether the monitor can see out.", _canaries),
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
    _own("monitor_journal_entries", "Entries of the journal.", lambda t: t.journal_entries),
    _own(
        "monitor_journal_verified_timestamp_seconds",
        "When the journal was last recomputed and found whole.",
        lambda t: _seconds(t.journal_verified),
    ),
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
    """The page, made anew for each scrape; ``registry`` holds whatever else is to stand on it."""

    def __init__(self, board: Board, telemetry: Telemetry, registry: CollectorRegistry) -> None:
        self._board = board
        self._telemetry = telemetry
        self._registry = registry
        self._labelled = Labelled(board)

    def pieces(self, form: Format) -> Iterator[str]:
        """Give the text piece by piece; nothing of one is computed before it is asked for.

        A configuration that changes in between leaves the page whole: it goes on with what it began with.
        """
        if self._labelled.generation != self._board.generation:
            self._labelled = Labelled(self._board)
        scene = Scene(self._board, self._telemetry, self._labelled)
        blocks = (family.block(source(scene), form) for family, source in METRICS)
        return pieces(chain(chain.from_iterable(blocks), self._registered(form)))

    def _registered(self, form: Format) -> Iterator[str]:
        # the registry comes last, since it ends the page where OpenMetrics wants an end
        render = openmetrics.generate_latest if form is Format.OPENMETRICS else generate_latest
        yield render(self._registry).decode()
