"""Where the lines of ``/metrics`` come from: the live picture, and what the daemon counts about itself.

A source gives the lines of one metric, lazily. None asks anything but memory.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, TypeAlias

from monitor.model import Outcome
from monitor.web.exposition import histogram, labels, sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from monitor.engine.board import Board, CheckView, Figures, SubscriptionView, WindowName
    from monitor.engine.telemetry import ProberCounts, Telemetry

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


def success(scene: Scene) -> Iterator[str]:
    """Give 1 or 0 for each check whose last result says anything."""
    for view, labelled in scene.labelled.checks:
        if view.outcome is Outcome.OK:
            yield f"probe_success{labelled} 1\n"
        elif view.outcome is Outcome.FAIL:
            yield f"probe_success{labelled} 0\n"


def duration(scene: Scene) -> Iterator[str]:
    """Give the latency of each check whose last result was ok."""
    return (
        f"probe_duration_seconds{labelled} {view.latency / 1_000_000!r}\n"
        for view, labelled in scene.labelled.checks
        if view.latency is not None
    )


def certificate(scene: Scene) -> Iterator[str]:
    """Give when the certificate of each check with TLS expires."""
    return (
        f"probe_ssl_earliest_cert_expiry{labelled} {view.cert_expiry}\n"
        for view, labelled in scene.labelled.checks
        if view.cert_expiry is not None
    )


def per_window(name: str, value: Callable[[Figures], float | None]) -> Source:
    """Make a source of one figure for each subscription and window; None is no sample."""

    def lines(scene: Scene) -> Iterator[str]:
        for view, window, labelled in scene.labelled.windows:
            figures = view.figures.get(window)
            if figures is not None and (number := value(figures)) is not None:
                yield f"{name}{labelled} {number!r}\n"

    return lines


def availability(figures: Figures) -> float | None:
    """Divide whole numbers once: the ratio compares with the target as the exact fraction would."""
    known = figures.up + figures.down
    return figures.up / known if known else None


def coverage(figures: Figures) -> float | None:
    """Give how much of the time that counts was measured; None where none counts."""
    known = figures.up + figures.down
    return known / (known + figures.unknown) if known + figures.unknown else None


def target(scene: Scene) -> Iterator[str]:
    """Give what is promised to each subscription."""
    return (
        f"sla_target_ratio{labelled} {view.entry.target / 10_000!r}\n"
        for view, labelled in scene.labelled.subscriptions
    )


def credit(scene: Scene) -> Iterator[str]:
    """Give what this month would cost, for each subscription."""
    for view, labelled in scene.labelled.subscriptions:
        figures = view.figures.get("month")
        if figures is not None and figures.credit is not None:
            yield f"sla_credit_ratio{labelled} {figures.credit / 100!r}\n"


def per_prober(name: str, value: Callable[[ProberCounts], int]) -> Source:
    """Make a source of one count for each type of check, from 0 on."""

    def lines(scene: Scene) -> Iterator[str]:
        for prober in scene.labelled.probers:
            counts = scene.telemetry.probers.get(prober)
            yield from sample(name, value(counts) if counts else 0, labels(prober=prober))

    return lines


def latency(scene: Scene) -> Iterator[str]:
    """Give the latencies of each type of check that has any results."""
    for prober in scene.labelled.probers:
        if counts := scene.telemetry.probers.get(prober):
            yield from histogram("monitor_probe_latency_seconds", counts.latency, prober=prober)


def outages(scene: Scene) -> Iterator[str]:
    """Count the open outages for each type of check."""
    board = scene.board
    open_now = dict.fromkeys(scene.labelled.probers, 0)
    for outage in board.outages.values():
        view = board.checks.get(outage.check)
        # a type that came with a new configuration while this page is made is not on it yet
        if view is not None and view.entry.prober in open_now:
            open_now[view.entry.prober] += 1
    return (f"monitor_outages_open{labels(prober=prober)} {count}\n" for prober, count in open_now.items())


def maintenance(scene: Scene) -> Iterator[str]:
    """Give the servers that are in maintenance."""
    return (f"monitor_maintenance_active{labels(server=server)} 1\n" for server in sorted(scene.board.in_maintenance))


def canaries(scene: Scene) -> Iterator[str]:
    """Give the canaries that were asked."""
    return (
        f"monitor_canary_success{labels(canary=address)} {int(ok)}\n"
        for address, ok in scene.telemetry.canaries.items()
        if ok is not None
    )
