"""``python -m bench services``: the cost of an http check, compared with blackbox_exporter at the same rate.

Both request the same pages from the same loopback addresses, each time over a new connection, one after the other in
one run. The cost is user and system time of the probing process, divided by its probes.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import click

from bench.blackbox import blackbox
from bench.check_load import CheckLoad, measure_checks
from bench.daemon_process import WEBSITE_PORT, run_daemon
from bench.loopback import addresses
from bench.report import Row
from bench.website import run_website

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.blackbox import Cost
    from bench.check_load import CheckCost
    from bench.daemon_process import RunningDaemon, Snapshot

HTTPS_PORT = 19_880
PORTS_BY_KIND = {"http": WEBSITE_PORT, "https": HTTPS_PORT, "tcp": WEBSITE_PORT}
LOOPS = ("uvloop", "asyncio")
SERVICES = 2
MAX_SHARE_OF_PEER = 0.25
"""The goal for the whole daemon, as a ratio to the probes of blackbox_exporter alone."""
RESULTS_METRIC = "monitor_results_total"


def peer_target(kind: str, address: str) -> str:
    """Return the target for blackbox_exporter."""
    if kind == "icmp":
        return address
    port = PORTS_BY_KIND[kind]
    return f"{address}:{port}" if kind == "tcp" else f"{kind}://{address}:{port}/"


def measure_peer(kinds: Sequence[str], rate: float, seconds: int) -> Cost | None:
    """Measure blackbox_exporter, each kind in turn at every address."""
    with blackbox() as exporter:
        probes = [(kind, peer_target(kind, address)) for address in addresses(2_000) for kind in kinds]
        return exporter.run_paced(probes, rate, seconds) if exporter else None


def measure_probe(kind: str, loop: str, rate: int, seconds: int) -> CheckCost:
    """Measure the probe in a process that does nothing else, see ``bench.check_load``."""
    keys: dict[str, Any] = {"port": PORTS_BY_KIND[kind]} if kind == "tcp" else {"url": peer_target(kind, "ADDRESS")}
    if kind == "https":
        keys["verify_certificate"] = False
    (cost,) = measure_checks(CheckLoad(kind, keys, rate, seconds, loop))
    return cost


def measure_daemon(rate: int, seconds: int, interval: int) -> tuple[Snapshot, Snapshot]:
    """Run the daemon with ``rate`` http checks a second, and a ping for every two; return two snapshots."""
    with run_daemon(rate * interval // SERVICES, services=SERVICES, interval=interval) as daemon:
        daemon.wait_for_sweeps(interval)
        before = daemon.snapshot()
        _scrape_for(daemon, seconds)
        return before, daemon.snapshot()


def _scrape_for(daemon: RunningDaemon, seconds: int) -> None:
    command = [sys.executable, "-c", f"import time; time.sleep({seconds})"]
    subprocess.run(command, check=True)  # noqa: S603 - our own program
    daemon.get("/metrics")


def rows(kind: str, rate: int, seconds: int) -> list[Row]:
    """Return the rows of a kind."""
    cost = measure_peer([kind], rate, seconds)
    beside = cost.microseconds if cost else None
    missing = "" if cost else "blackbox_exporter is not installed"
    found = []
    for loop in LOOPS:
        if find_spec(loop):
            seen = measure_probe(kind, loop, rate, seconds)
            note = missing or f"{seen.answered} of {seen.checks} answered"
            what = f"{kind}, probe alone, {loop}, {rate}/s"
            found.append(Row(what, seen.microseconds, "us/check", beside, "blackbox_exporter", note=note))
    return found


def measure_whole(rate: int, seconds: int, interval: int) -> Row:
    """Compare the daemon with blackbox_exporter on the same checks: two of http and a ping for each server."""
    all_told = rate * (SERVICES + 1) / SERVICES
    cost = measure_peer(["icmp", *["http"] * SERVICES], all_told, seconds)
    before, after = measure_daemon(rate, seconds, interval)
    checks = after.total(RESULTS_METRIC) - before.total(RESULTS_METRIC)
    return Row(
        f"{SERVICES} http and a ping, whole daemon, {all_told:.0f}/s",
        1e6 * (after.cpu - before.cpu) / max(1.0, checks),
        "us/check",
        cost.microseconds if cost else None,
        "blackbox_exporter, probes alone",
        MAX_SHARE_OF_PEER,
        of_peer=True,
        note=f"a sweep every {interval} s" if cost else "blackbox_exporter is not installed",
        more={"checks": checks},
    )


@click.command()
@click.option("--rate", default=333, show_default=True, type=click.IntRange(1, 2_000))
@click.option("--seconds", default=15, show_default=True, type=click.IntRange(3))
@click.option("--interval", default=12, show_default=True, type=click.IntRange(4), help="Seconds between sweeps.")
@click.option(
    "--kind", "kinds", multiple=True, default=("http",), show_default=True, type=click.Choice([*PORTS_BY_KIND])
)
def main(rate: int, seconds: int, interval: int, kinds: tuple[str, ...]) -> list[Row]:
    """Measure the cost of an http check: the probe alone on each loop, the whole daemon, blackbox_exporter.

    `python -m bench checks` measures the other types; https and tcp are here to compare the loops.
    """
    with run_website(WEBSITE_PORT), run_website(HTTPS_PORT, secure=True):
        found = [row for kind in kinds for row in rows(kind, rate, seconds)]
        if "http" in kinds:
            found.append(measure_whole(rate, seconds, interval))
        return found
