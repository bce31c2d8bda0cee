"""A live picture in which everything is known, and the pages made of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parsed_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parsed_text

from monitor.engine.live.state import ActiveMaintenanceWindow, CheckEntry, LiveState, SubscriptionEntry, WindowFigures
from monitor.engine.live.telemetry import Telemetry
from monitor.ledger.support.deadlines import PendingDeadlines, SupportDeadlines
from monitor.model import Certificate, CheckKey, Outage, Outcome, Result, State
from monitor.probes.probe import Phases
from monitor.web.metrics.exposition import ExpositionFormat
from monitor.web.metrics.page import MetricsPage
from tests.fakes import replace_config

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from monitor.model import Millis

NOW: Millis = 1_790_935_200_000
"""2026-10-02 10:00:00 UTC."""
MINUTE = 60_000
CERTIFICATE = Certificate("ab" * 32, expiry=1_900_000_000, earliest_expiry=1_800_000_000)
CHECKS = (
    CheckEntry("web-01", "ping", "icmp", "192.0.2.10"),
    CheckEntry("web-01", "site", "https", "https://www.acme.example/", slower_than=2_000),
    CheckEntry("mail-01", "ping", "icmp", "192.0.2.20"),
)
SUBSCRIPTIONS = (
    SubscriptionEntry("acme-web-01", "acme", "web-01", "server", 4, 9975),
    SubscriptionEntry("zeta-mail-01", "zeta", "mail-01", "colocation", 2, 9975),
)
FIGURES = WindowFigures(2_664_000_000, 7_200_000, 3_600_000, 9973, -522_000, 10)
PING, SITE = CheckKey("web-01", "ping"), CheckKey("web-01", "site")


def make_result(check: CheckKey, outcome: Outcome = Outcome.OK, latency: int | None = None, reason: str = "") -> Result:
    """Make a result of now; an ok one took 400 microseconds."""
    if outcome is Outcome.OK and latency is None:
        latency = 400
    return Result(check, NOW, outcome, 1, latency, reason)


def make_outage(number: int, check: CheckKey, reason: str = "timeout") -> Outage:
    """Make one that is open and began ten minutes ago."""
    return Outage(number, check, NOW - 10 * MINUTE, NOW, None, NOW - 11 * MINUTE, reason)


def configured_state() -> LiveState:
    """Make a board on which everything is configured and nothing is known yet."""
    board = LiveState()
    replace_config(board, CHECKS, SUBSCRIPTIONS, ["web-01", "mail-01", "spare"], timezone="Europe/Istanbul")
    return board


def populated_state() -> tuple[LiveState, Telemetry]:
    """Make a picture in which everything is known, so that no metric is absent."""
    board, telemetry = configured_state(), Telemetry()
    for entry in CHECKS:
        given = make_result(entry.key)
        tls = entry.prober == "https"
        board.set_check_result(given, CERTIFICATE if tls else None, Phases(400, 900, 1200) if tls else None)
        board.set_check_state(entry.key, State.UP, NOW - 90 * MINUTE)
        telemetry.count_result(entry.prober, given.outcome, given.latency)
    for subscribed in SUBSCRIPTIONS:
        board.set_figures(subscribed.id, "rolling", FIGURES)
        board.set_figures(subscribed.id, "month", FIGURES)
    board.set_maintenance_windows(
        [ActiveMaintenanceWindow(12, frozenset({"mail-01"}), NOW + 90 * MINUTE, "planned", "New power supply")]
    )
    board.add_outage(make_outage(7, CheckKey("mail-01", "ping")))
    board.set_mail_backlog(3, NOW - MINUTE)
    telemetry.observe_lag(0.004)
    telemetry.sweep_done(NOW, 5_000.0)
    telemetry.set_canaries(["192.0.2.1"])
    telemetry.set_canary("192.0.2.1", ok=True)
    telemetry.observe_write(0.002)
    telemetry.database_measured(4096)
    telemetry.set_open_claims(3, 1)
    telemetry.set_support_deadlines(
        SupportDeadlines(PendingDeadlines((1, 2), (2,), (), NOW), PendingDeadlines((7, 8, 9), (9,), (7,), NOW + MINUTE))
    )
    telemetry.set_journal_verified(812, NOW)
    telemetry.reloaded(ok=True, at=NOW)
    return board, telemetry


def metrics_page(state: LiveState, telemetry: Telemetry, form: ExpositionFormat = ExpositionFormat.TEXT) -> str:
    """Make the whole page, without the process's own metrics."""
    return "".join(MetricsPage(state, telemetry, CollectorRegistry()).render(form))


def parse_page(text: str, form: ExpositionFormat) -> list[Metric]:
    """Read a page as the library does; strict about OpenMetrics."""
    parse = parsed_openmetrics if form is ExpositionFormat.OPENMETRICS else parsed_text
    return list(parse(text))


_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)


def samples_of(text: str, name: str) -> dict[str, float]:
    """Give the samples of one metric by their labels as they are written."""
    return {labelled: float(value) for found, labelled, value in _SAMPLE.findall(text) if found == name}
