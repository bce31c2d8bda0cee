"""Where the lines of ``/metrics`` come from: the live picture, and what the daemon counts about itself.

A source gives the lines of one metric, lazily. None asks anything but memory.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from monitor.model import PING, Outcome
from monitor.web.metrics.exposition import histogram, labels, sample
from monitor.web.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from monitor.engine.live.state import Board, CheckView, Figures, SubscriptionView, WindowName
    from monitor.engine.live.telemetry import ProberCounts, Telemetry
    from monitor.model import Certificate

PRODUCT = "sla-monitor"
WINDOWS: tuple[WindowName, ...] = ("rolling", "month")
SHELF = 500
"""Checks or subscriptions of one shelf: what is written again in one go takes half a millisecond."""
T = TypeVar("T")


_PHASES = ("connect", "handshake", "first_byte")
_NO_PHASES = (None, None, None)


class Labelled:
    """What hangs on the configuration: labels, the series that never change, and those that seldom do, on shelves."""

    def __init__(self, board: Board) -> None:
        """Begin; see ``prepared``."""
        self.generation = board.generation
        self._checks, self._subscriptions = list(board.checks.values()), list(board.subscriptions.values())
        self.shelves: dict[str, list[Shelf[Any]]] = {}
        """By metric."""
        self.check_info: list[str] = []
        self.subscription_info: list[str] = []
        self.target: list[str] = []
        self.probers = sorted({view.entry.prober for view in self._checks})
        build = labels(version=version(PRODUCT), python=platform.python_version())
        self.build_info = [f"monitor_build_info{build} 1\n"]

    def prepared(self) -> Iterator[None]:
        """Write it all, by slices, so that the event loop can turn in between."""
        for first in range(0, len(self._checks), SHELF):
            self._prepare_checks(self._checks[first : first + SHELF])
            yield
        for first in range(0, len(self._subscriptions), SHELF):
            self._prepare_subscriptions(self._subscriptions[first : first + SHELF])
            yield

    def _prepare_checks(self, views: Sequence[CheckView]) -> None:
        labelled = [labels(server=view.entry.server, check=view.entry.check) for view in views]
        self.check_info.append(
            "".join(
                f"monitor_check_info{labels(server=e.server, check=e.check, prober=e.prober, address=e.address)} 1\n"
                for e in (view.entry for view in views)
            )
        )
        self._shelve("probe_success", labelled, lambda: [view.outcome for view in views], _succeeded)
        self._shelve("probe_duration_seconds", labelled, lambda: [view.latency for view in views], _seconds)
        services = [view for view in views if view.entry.check != PING]
        phased = [
            labels(server=view.entry.server, check=view.entry.check, phase=phase)
            for view in services
            for phase in _PHASES
        ]
        self._shelve(
            "monitor_probe_phase_seconds",
            phased,
            lambda: [took for view in services for took in view.phases or _NO_PHASES],
            _seconds,
        )
        self._shelve(
            "probe_ssl_earliest_cert_expiry", labelled, lambda: [view.certificate for view in views], _earliest
        )
        last_chain = "probe_ssl_last_chain_expiry_timestamp_seconds"
        self._shelve(last_chain, labelled, lambda: [view.certificate for view in views], _expiry)

    def _prepare_subscriptions(self, views: Sequence[SubscriptionView]) -> None:
        labelled = [labels(subscription=view.entry.id) for view in views]
        windowed = [labels(subscription=view.entry.id, window=window) for view in views for window in WINDOWS]
        self.subscription_info.append("".join(map(_subscription_info, views)))
        self.target.append(
            "".join(
                f"sla_target_ratio{own} {view.entry.target / 10_000!r}\n"
                for view, own in zip(views, labelled, strict=True)
            )
        )
        for name, value in WINDOWED.items():
            self._shelve(
                name, windowed, lambda: [view.figures.get(window) for view in views for window in WINDOWS], value
            )
        self._shelve("sla_credit_ratio", labelled, lambda: [view.figures.get("month") for view in views], _credit)

    def _shelve(
        self, name: str, labelled: Sequence[str], read: Callable[[], list[T]], value: Callable[[T], float | None]
    ) -> None:
        self.shelves.setdefault(name, []).append(Shelf(name, labelled, read, value))


def _succeeded(outcome: Outcome | None) -> int | None:
    """Give 1 or 0 for a result that says anything."""
    return None if outcome is None or outcome is Outcome.UNKNOWN else int(outcome is Outcome.OK)


def _seconds(latency: int | None) -> float | None:
    return None if latency is None else latency / 1_000_000


def _earliest(certificate: Certificate | None) -> int | None:
    return None if certificate is None else certificate.earliest


def _expiry(certificate: Certificate | None) -> int | None:
    return None if certificate is None else certificate.expiry


def _availability(figures: Figures | None) -> float | None:
    """Divide whole numbers once: the ratio compares with the target as the exact fraction would."""
    known = figures.up + figures.down if figures is not None else 0
    return figures.up / known if figures is not None and known else None


def _coverage(figures: Figures | None) -> float | None:
    """Give how much of the time that counts was measured; None where none counts."""
    if figures is None or not (counted := figures.up + figures.down + figures.unknown):
        return None
    return (figures.up + figures.down) / counted


def _down(figures: Figures | None) -> float | None:
    return None if figures is None else figures.down / 1000


def _budget(figures: Figures | None) -> float | None:
    return None if figures is None else figures.budget / 1000


def _credit(figures: Figures | None) -> float | None:
    return None if figures is None or figures.credit is None else figures.credit / 100


WINDOWED: Final[Mapping[str, Callable[[Figures | None], float | None]]] = {
    "sla_availability_ratio": _availability,
    "sla_coverage_ratio": _coverage,
    "sla_down_seconds": _down,
    "sla_error_budget_remaining_seconds": _budget,
}
"""Metrics of each subscription and window."""


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


def shelved(name: str) -> Source:
    """Make a source of what stands on shelves."""
    return lambda scene: (shelf.text() for shelf in scene.labelled.shelves.get(name, ()))


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
