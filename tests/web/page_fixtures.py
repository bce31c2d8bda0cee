"""A live picture in which everything is known, and the pages made of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parsed_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parsed_text

from monitor.engine.live.state import ActiveWindow, Board, CheckEntry, Figures, SubscriptionEntry
from monitor.engine.live.telemetry import Telemetry
from monitor.ledger.support.deadlines import Promises, Waits
from monitor.model import Certificate, CheckKey, Outage, Outcome, Result, State
from monitor.probes.probe import Phases
from monitor.web.metrics.exposition import Format
from monitor.web.metrics.page import MetricsPage

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from monitor.model import Millis

NOW: Millis = 1_790_935_200_000
"""2026-10-02 10:00:00 UTC."""
MINUTE = 60_000
CERTIFICATE = Certificate("ab" * 32, expiry=1_900_000_000, earliest=1_800_000_000)
CHECKS = (
    CheckEntry("web-01", "ping", "icmp", "192.0.2.10"),
    CheckEntry("web-01", "site", "https", "https://www.acme.example/"),
    CheckEntry("mail-01", "ping", "icmp", "192.0.2.20"),
)
SUBSCRIPTIONS = (
    SubscriptionEntry("acme-web-01", "acme", "web-01", "server", 4, 9975),
    SubscriptionEntry("zeta-mail-01", "zeta", "mail-01", "colocation", 2, 9975),
)
FIGURES = Figures(2_664_000_000, 7_200_000, 3_600_000, 9973, -522_000, 10)
PING, SITE = CheckKey("web-01", "ping"), CheckKey("web-01", "site")


def result(check: CheckKey, outcome: Outcome = Outcome.OK, latency: int | None = None, reason: str = "") -> Result:
    """Make a result of now; an ok one took 400 microseconds."""
    if outcome is Outcome.OK and latency is None:
        latency = 400
    return Result(check, NOW, outcome, 1, latency, reason)


def outage(number: int, check: CheckKey, reason: str = "timeout") -> Outage:
    """Make one that is open and began ten minutes ago."""
    return Outage(number, check, NOW - 10 * MINUTE, NOW, None, NOW - 11 * MINUTE, reason)


def watched() -> Board:
    """Make a board on which everything is configured and nothing is known yet."""
    board = Board()
    board.replace_config(CHECKS, SUBSCRIPTIONS, ["web-01", "mail-01", "spare"], timezone="Europe/Istanbul")
    return board


def full() -> tuple[Board, Telemetry]:
    """Make a picture in which everything is known, so that no metric is absent."""
    board, telemetry = watched(), Telemetry()
    for entry in CHECKS:
        given = result(entry.key)
        tls = entry.prober == "https"
        board.check_result(given, CERTIFICATE if tls else None, Phases(400, 900, 1200) if tls else None)
        board.check_state(entry.key, State.UP, NOW - 90 * MINUTE)
        telemetry.result(entry.prober, given.outcome, given.latency)
    for subscribed in SUBSCRIPTIONS:
        board.figures(subscribed.id, "rolling", FIGURES)
        board.figures(subscribed.id, "month", FIGURES)
    board.maintenance([ActiveWindow(12, frozenset({"mail-01"}), NOW + 90 * MINUTE, "planned", "New power supply")])
    board.outage_opened(outage(7, CheckKey("mail-01", "ping")))
    board.mail(3, NOW - MINUTE)
    telemetry.slot_left(0.004)
    telemetry.sweep_done(NOW, 5_000.0)
    telemetry.watch_canaries(["192.0.2.1"])
    telemetry.canary("192.0.2.1", ok=True)
    telemetry.written(0.002)
    telemetry.database_measured(4096)
    telemetry.claims(3, 1)
    telemetry.promised(Promises(Waits((1, 2), (2,), (), NOW), Waits((7, 8, 9), (9,), (7,), NOW + MINUTE)))
    telemetry.verified(812, NOW)
    telemetry.reloaded(ok=True, at=NOW)
    return board, telemetry


def page(board: Board, telemetry: Telemetry, form: Format = Format.TEXT) -> str:
    """Make the whole page, without the process's own metrics."""
    return "".join(MetricsPage(board, telemetry, CollectorRegistry()).pieces(form))


def parsed(text: str, form: Format) -> list[Metric]:
    """Read a page as the library does; strict about OpenMetrics."""
    parse = parsed_openmetrics if form is Format.OPENMETRICS else parsed_text
    return list(parse(text))


_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)


def samples(text: str, name: str) -> dict[str, float]:
    """Give the samples of one metric by their labels as they are written."""
    return {labelled: float(value) for found, labelled, value in _SAMPLE.findall(text) if found == name}
