"""``python -m bench daemon``: the whole daemon at growing sizes, compared with the probes of blackbox_exporter alone.

Each server has a ping and two http checks each interval; everything is stored, accounted for and served, with a scrape
and the operators' page every 15 s. For a while ``/healthz`` is requested every 5 ms: its response time shows the delay
of the event loop. Then processor time is measured over one whole interval.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import click

from bench.blackbox import blackbox
from bench.daemon_process import PAGE_PORT, WEBSITE_PORT, lag_quantile, run_daemon
from bench.http_load import LoadGenerator
from bench.loopback import addresses
from bench.processes import resident_kib
from bench.report import Row
from bench.website import run_website

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.blackbox import Cost
    from bench.daemon_process import RunningDaemon, Snapshot
    from bench.http_load import LoadResult

SCRAPE_INTERVAL = 15.0
"""Seconds between two scrapes, and between two requests of the page."""
HEALTH_RATE = 200
"""Requests of ``/healthz`` a second."""
CONNECTIONS = 20
"""Connections for these requests, so that none waits for another."""
SERVICES = 2
GOAL_SERVERS = 10_000
"""The number of servers of the goals."""
MAX_MEMORY_MB = 250
"""MB, of a million bytes."""
MAX_LAG_MS = MAX_BLOCKED_MS = 50
"""Milliseconds."""
MAX_SHARE_OF_PEER = 0.25


@dataclass(frozen=True, slots=True)
class SizeResult:
    """The measurement of one size."""

    servers: int
    before: Snapshot
    after: Snapshot
    health: LoadResult
    rss_kib: int
    """At the end of the measurement."""

    @property
    def checks(self) -> float:
        """Return the number of checks during the measurement."""
        name = "monitor_results_total"
        return self.after.total(name) - self.before.total(name)

    @property
    def microseconds(self) -> float:
        """Return the cost of one check, everything included."""
        return 1e6 * (self.after.cpu - self.before.cpu) / max(1.0, self.checks)

    @property
    def share(self) -> float:
        """Return the share of one core, in percent."""
        return 100 * (self.after.cpu - self.before.cpu) / (self.after.at - self.before.at)


def measure(servers: int, seconds: int, interval: int) -> SizeResult:
    """Measure the daemon on so many servers."""
    with run_daemon(servers, services=SERVICES, interval=interval) as daemon:
        daemon.wait_for_sweeps(interval, settle_seconds=0)
        health = LoadGenerator(PAGE_PORT, ["/healthz"], HEALTH_RATE, seconds, CONNECTIONS)
        _scrape_for(daemon, seconds)
        responses = health.result()
        before = daemon.snapshot()
        _scrape_for(daemon, interval)  # a whole interval: some work is done once, at the end of its sweep
        return SizeResult(servers, before, daemon.snapshot(), responses, resident_kib(daemon.pid))


def _scrape_for(daemon: RunningDaemon, seconds: float) -> None:
    """Wait, and request metrics and page meanwhile."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(SCRAPE_INTERVAL, left))
        daemon.get("/metrics")
        with suppress(OSError):
            daemon.get("/")


def measure_peer(servers: int, seconds: int, interval: int) -> Cost | None:
    """Measure blackbox_exporter with the same probes at the same rate."""
    probes: list[tuple[str, str]] = []
    for address in addresses(servers):
        probes.append(("icmp", address))
        probes += [("http", f"http://{address}:{WEBSITE_PORT}/{n}") for n in range(SERVICES)]
    with blackbox() as exporter:
        return exporter.run_paced(probes, len(probes) / interval, seconds) if exporter else None


def rows(size: SizeResult, cost: Cost | None, interval: int) -> list[Row]:
    """Return the rows of one size; the goals are for 10,000 servers a minute."""
    load = f"{size.servers:,} x (ping + {SERVICES} http), {interval} s"
    has_goal = size.servers == GOAL_SERVERS
    missed = size.after.total("monitor_slots_missed_total") - size.before.total("monitor_slots_missed_total")
    answered = f"peer: {cost.answered} of {cost.probes} answered" if cost else ""
    return [
        Row(
            f"{load}: processor",
            size.share,
            "% of a core",
            cost.share if cost else None,
            "blackbox_exporter, probes alone",
            MAX_SHARE_OF_PEER if has_goal else None,
            of_peer=True,
            note=answered or ("blackbox_exporter is not installed" if has_goal else ""),
            more={"checks": size.checks},
        ),
        Row(
            f"{load}: processor a check",
            size.microseconds,
            "us",
            cost.microseconds if cost else None,
            "blackbox_exporter, probes alone",
            more={"servers": size.servers},
        ),
        Row(f"{load}: memory", size.rss_kib * 1024 / 1e6, "MB", at_most=MAX_MEMORY_MB if has_goal else None),
        Row(
            f"{load}: lag p99",
            lag_quantile(size.before, size.after, 0.99),
            "ms",
            at_most=MAX_LAG_MS if has_goal else None,
            note=f"p50 {lag_quantile(size.before, size.after, 0.5):.0f} ms",
        ),
        Row(f"{load}: slots missed", missed, "slots", at_most=0 if has_goal else None),
        Row(
            f"{load}: longest that the loop was held up",
            size.health.longest,
            "ms",
            at_most=MAX_BLOCKED_MS if has_goal else None,
            note=f"p99 {size.health.p99:.1f} ms of {size.health.asked} looks",
        ),
    ]


def growth_rows(sizes: Sequence[SizeResult]) -> list[Row]:
    """Return rows that compare the cost of a check at each size with the previous size: it must not grow."""
    return [
        Row(
            f"growth: a check at {large.servers:,} servers beside one at {small.servers:,}",
            large.microseconds,
            "us",
            small.microseconds,
            f"{small.servers:,} servers",
            1.0,
            of_peer=True,
        )
        for small, large in pairwise(sizes)
    ]


@click.command()
@click.option(
    "--servers",
    "sizes",
    multiple=True,
    default=(1_000, GOAL_SERVERS, 50_000),
    show_default=True,
    type=click.IntRange(1),
)
@click.option("--seconds", default=60, show_default=True, type=click.IntRange(1))
@click.option("--interval", default=60, show_default=True, type=click.IntRange(4), help="Seconds between sweeps.")
def main(sizes: tuple[int, ...], seconds: int, interval: int) -> list[Row]:
    """Measure the whole daemon, probing, storing, accounting and serving, at growing sizes.

    Each size takes two intervals, and the seconds in which the delay of the loop is measured.
    """
    found: list[Row] = []
    seen: list[SizeResult] = []
    with run_website(WEBSITE_PORT):
        for servers in sorted(sizes):
            seen.append(measure(servers, seconds, interval))
            cost = measure_peer(servers, seconds, interval) if servers == GOAL_SERVERS else None
            found += rows(seen[-1], cost, interval)
    return [*found, *growth_rows(seen)]
