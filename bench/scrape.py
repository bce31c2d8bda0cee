"""``python -m bench scrape``: the cost of a scrape of 10,000 servers, compared with gauges of prometheus_client.

Ours is the page as the daemon serves it, through its web server; a quarter of the results is new at each scrape, as for
a scrape every 15 s of checks each minute. The peer is ``generate_latest`` with the same samples in gauges; setting them
is not counted.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections import deque
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

import click
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from bench.http_load import LoadGenerator
from bench.report import Row
from monitor.clock import SystemClock
from monitor.engine.live.state import CheckEntry, LiveState, SubscriptionEntry, WindowFigures
from monitor.engine.live.telemetry import Telemetry
from monitor.model import Outcome, Result
from monitor.web.metrics.exposition import ExpositionFormat
from monitor.web.metrics.page import MetricsPage
from monitor.web.server import WebState, serve

PORT = 19_877
MAX_BLOCKED_MS = 20
"""Milliseconds."""
MAX_SHARE_OF_PEER = 0.1
if TYPE_CHECKING:
    from collections.abc import Iterable

    from monitor.model import CheckKey

_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
ACCEPT_VARIANTS = {
    "plain": {"Accept-Encoding": "identity"},
    "gzip": {"Accept-Encoding": "gzip"},
    "OpenMetrics, gzip": {"Accept-Encoding": "gzip", "Accept": "application/openmetrics-text;version=1.0.0"},
}


@dataclass(frozen=True, slots=True)
class Scrape:
    """One scrape, or the median of some; milliseconds."""

    cpu: float
    blocked: float
    """The longest delay of the event loop."""


def make_state(servers: int) -> LiveState:
    """Return a live state with a check and a subscription on each server."""
    state = LiveState()
    names = [f"server-{number:05d}" for number in range(servers)]
    steps = state.replace_config_steps(
        [CheckEntry(name, "ping", "icmp", f"127.0.0.{number % 250}") for number, name in enumerate(names)],
        [SubscriptionEntry(f"contract-{name}", f"customer-{name}", name, "server", 4, 9975) for name in names],
        interval=60_000,
        timezone="UTC",
        released=[],
    )
    deque(steps, maxlen=0)
    add_results(state, list(state.checks), random.Random(1))  # noqa: S311 - no secret
    update_figures(state, 0)
    return state


def add_results(state: LiveState, keys: Iterable[CheckKey], random_source: random.Random) -> None:
    """Add results to the live state."""
    for key in keys:
        state.set_check_result(Result(key, 0, Outcome.OK, 1, random_source.randrange(100, 90_000), ""))


def update_figures(state: LiveState, number: int) -> None:
    """Update the figures of every subscription."""
    for name in state.subscriptions:
        up = 2_592_000_000 - 60_000 * number
        state.set_figures(name, "rolling", WindowFigures(up, 0, 60_000 * number, 10_000, 6_480_000))
        state.set_figures(name, "month", WindowFigures(up, 0, 60_000 * number, 10_000, 6_480_000, 0))


async def measure_ours(state: LiveState, scrapes: int) -> dict[str, Scrape]:
    """Scrape in all formats in turn; each time a quarter of the results is new, each fourth time every figure."""
    chance = random.Random(2)  # noqa: S311 - no secret
    keys = list(state.checks)
    found: dict[str, list[Scrape]] = {way: [] for way in ACCEPT_VARIANTS}
    web_state = WebState(state, Telemetry(), SystemClock())
    async with serve(web_state, ("127.0.0.1", PORT), f"http://127.0.0.1:{PORT}/"):
        for number in range(scrapes):
            for way, headers in ACCEPT_VARIANTS.items():
                add_results(state, chance.sample(keys, len(keys) // 4), chance)
                if number % 4 == 3:  # noqa: PLR2004 - four scrapes a minute
                    update_figures(state, number)
                found[way].append(await _scrape(headers))
    return {
        way: Scrape(median(each.cpu for each in several), max(each.blocked for each in several[1:] or several))
        for way, several in found.items()
    }


async def _scrape(headers: dict[str, str]) -> Scrape:
    """Scrape from another process: once for the processor time, once for the longest delay of the loop."""
    scraper = LoadGenerator(PORT, ["/metrics"], 1, 1, headers=headers)
    cpu = time.process_time()
    await asyncio.to_thread(scraper.result)
    cpu = time.process_time() - cpu
    asked = asyncio.create_task(asyncio.to_thread(LoadGenerator(PORT, ["/metrics"], 1, 1, headers=headers).result))
    longest, last = 0.0, time.perf_counter()
    while not asked.done():
        await asyncio.sleep(0)
        longest, last = max(longest, time.perf_counter() - last), time.perf_counter()
    return Scrape(1000 * cpu, 1000 * longest)


def measure_peer(state: LiveState) -> float:
    """Return the cost of ``generate_latest`` for the same samples in gauges, in milliseconds."""
    text = "".join(MetricsPage(state, Telemetry(), CollectorRegistry()).render(ExpositionFormat.TEXT))
    registry = CollectorRegistry()
    gauges: dict[str, Gauge] = {}
    for name, labels, value in _SAMPLE.findall(text):
        pairs = dict(_LABEL.findall(labels))
        if len(pairs) == 0 or "le" in pairs:
            continue
        if name not in gauges:
            gauges[name] = Gauge(name, "A gauge.", list(pairs), registry=registry)
        gauges[name].labels(**pairs).set(float(value))
    costs = []
    for _ in range(3):
        cpu = time.process_time()
        generate_latest(registry)
        costs.append(1000 * (time.process_time() - cpu))
    return median(costs)


@click.command()
@click.option("--servers", default=10_000, show_default=True, type=click.IntRange(1))
@click.option("--scrapes", default=8, show_default=True, type=click.IntRange(1), help="Of each format.")
def main(servers: int, scrapes: int) -> list[Row]:
    """Measure the cost of a scrape and the delay of the loop, compared with generate_latest and gauges."""
    state = make_state(servers)
    found, peer = asyncio.run(measure_ours(state, scrapes)), measure_peer(state)
    rows: list[Row] = []
    for way, scrape in found.items():
        what = f"scrape of {servers:,} servers, {way}"
        rows += [
            Row(
                f"{what}: processor", scrape.cpu, "ms", peer, "generate_latest, gauges", MAX_SHARE_OF_PEER, of_peer=True
            ),
            Row(
                f"{what}: loop held up",
                scrape.blocked,
                "ms",
                at_most=MAX_BLOCKED_MS,
                note="the longest of all scrapes but the first",
            ),
        ]
    return rows
