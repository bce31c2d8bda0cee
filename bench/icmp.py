"""``python -m bench icmp``: the cost of a ping, by the pinger alone, by the whole daemon, and by other programs.

All of them ping the same loopback addresses at the same rate, one after the other in one run. The cost is user and
system time of the pinging process, measured by the kernel, divided by its pings.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.loopback import addresses
from bench.ping_peers import (
    MAX_BLACKBOX_RATE,
    PingCost,
    measure_blackbox,
    measure_fping,
    measure_pinger,
    microseconds_per_ping,
)
from bench.processes import cpu_seconds
from bench.report import Row

if TYPE_CHECKING:
    from collections.abc import Iterable

PAGE_PORT = 19_873
GOAL_RATE = 833
"""The pings a second of the goals: 50,000 a minute."""
ROUNDS = 3
"""Rounds at that rate: on a machine that sleeps in between, a single round is not reliable."""
MAX_SHARE_OF_FPING = {"pinger alone": 0.5, "whole daemon": 1.0}
"""The goals, as a ratio to fping."""
FIRST_SWEEP_TIMEOUT = 120.0
"""The longest wait for the first sweep, in seconds."""
MAX_STALLED_SECONDS = 8
"""The longest measurement with a stalled loop, in seconds: 4,000 pings."""
FIRST_VERIFICATION = 5.0
"""Seconds after its start at which the daemon verifies its journal and its months for the first time."""
MONTH_CHECK_DELAY = 2.0
"""Seconds from the verification of the journal to the end of that of the months."""


def configuration(servers: int, interval: int) -> str:
    """Return the configuration of the daemon: one customer, a ping for each server."""
    parts = [
        f"[monitor]\ninterval = {interval}\ntimeout = 0.5\nretries = 2\nretry_wait = 0.1\n",
        f'[web]\nlisten = "127.0.0.1:{PAGE_PORT}"\n',
        '[[customer]]\nid = "c"\nname = "C"\nemails = ["c@example.com"]\n',
    ]
    parts += [
        f'[[server]]\nid = "s{number}"\naddress = "{address}"\nlevel = 2\n'
        f'[[subscription]]\nid = "s{number}"\ncustomer = "c"\nserver = "s{number}"\nproduct = "server"\n'
        for number, address in enumerate(addresses(servers))
    ]
    return "\n".join(parts)


def read_metrics() -> dict[str, float]:
    """Return the daemon's metrics that have no server label."""
    with urllib.request.urlopen(f"http://127.0.0.1:{PAGE_PORT}/metrics", timeout=30) as page:
        text = page.read().decode()
    wanted = r'^(monitor_[a-z_]+(?:\{(?:prober="icmp"|le="[^"]+")\})?) (\S+)$'
    return {name: float(value) for name, value in re.findall(wanted, text, re.MULTILINE)}


def measure_daemon(rate: int, seconds: int, interval: int) -> PingCost:
    """Measure the daemon on ``rate * interval`` servers: storage, journal, accounts and page included."""
    servers = rate * interval
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "config.toml")
        config.write_text(configuration(servers, interval))
        command = [sys.executable, "-m", "monitor", "--config", str(config), "run"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as daemon:  # noqa: S603 - our own program
            try:
                before = _wait_until_settled(servers)
                cpu, start = cpu_seconds(daemon.pid), time.monotonic()
                time.sleep(seconds)
                cpu, passed = cpu_seconds(daemon.pid) - cpu, time.monotonic() - start
                after = read_metrics()
            finally:
                daemon.terminate()
    results = 'monitor_results_total{prober="icmp"}'
    pings = round(after[results] - before[results])
    bad = sum(after[f'monitor_results_{what}_total{{prober="icmp"}}'] for what in ("failed", "unknown"))
    return PingCost(
        "whole daemon",
        rate,
        pings,
        round(pings - bad),
        round(passed, 1),
        microseconds_per_ping(cpu, pings),
        _format_lags(before, after),
    )


def _wait_until_settled(servers: int) -> dict[str, float]:
    """Wait until the daily work and that of the start is done, which is not part of the cost of a ping.

    This is the first sweeps, and the first verification of the journal and of closed months.
    """
    until = time.monotonic() + FIRST_SWEEP_TIMEOUT
    time.sleep(FIRST_VERIFICATION)
    while time.monotonic() < until:
        time.sleep(1)
        try:
            seen = read_metrics()
        except OSError:
            continue
        swept = seen.get('monitor_results_total{prober="icmp"}', 0) >= 2 * servers
        if swept and "monitor_journal_verified_timestamp_seconds" in seen:
            time.sleep(MONTH_CHECK_DELAY)
            return read_metrics()
    raise click.ClickException("the daemon did not settle in time")


def _format_lags(before: dict[str, float], after: dict[str, float]) -> str:
    """Return a note with the lag: the bucket bound of its 99th percentile, and slots missed since the start."""
    seen = {name: value - before.get(name, 0) for name, value in after.items()}
    count = seen["monitor_probe_lag_seconds_count"]
    bounds = {
        float(name.split('"')[1]): value
        for name, value in seen.items()
        if name.startswith("monitor_probe_lag_seconds_bucket") and "Inf" not in name
    }
    p99 = next((bound for bound in sorted(bounds) if bounds[bound] >= 0.99 * count), None)
    return f"lag p99 <= {p99} s, {after['monitor_slots_missed_total']:.0f} slots missed"


def measure(rates: tuple[int, ...], seconds: int, interval: int) -> list[PingCost]:
    """Measure all programs at every rate, in turn."""
    costs: list[PingCost | None] = []
    for rate in rates:
        rounds = [_round(rate, seconds, interval) for _ in range(ROUNDS if rate == GOAL_RATE else 1)]
        costs += [_median_cost(repeated) for repeated in zip(*rounds, strict=True)]
    return [cost for cost in costs if cost is not None]


def _round(rate: int, seconds: int, interval: int) -> tuple[PingCost | None, ...]:
    ours = measure_pinger(rate, seconds), measure_daemon(rate, seconds, interval)
    return measure_fping(rate, seconds), *ours, measure_blackbox(rate, seconds)


def _median_cost(costs: Iterable[PingCost | None]) -> PingCost | None:
    """Return the median cost of one program, with the lowest and the highest in its note."""
    found = sorted(filter(None, costs), key=lambda cost: cost.microseconds_per_ping)
    if len(found) <= 1:
        return found[0] if found else None
    low, high = found[0].microseconds_per_ping, found[-1].microseconds_per_ping
    middle = found[len(found) // 2]
    return replace(middle, note="; ".join(filter(None, (middle.note, f"{low} to {high} us in {len(found)} rounds"))))


def rows(costs: list[PingCost]) -> list[Row]:
    """Return rows that compare ours with the peers at the same rate; the goals are against fping at 833 a second."""
    ours = [cost for cost in costs if cost.road in MAX_SHARE_OF_FPING]
    found = [
        _row_beside_peer(cost, costs, "fping", MAX_SHARE_OF_FPING[cost.road] if cost.rate == GOAL_RATE else None)
        for cost in ours
    ]
    slow = [cost for cost in ours if cost.rate <= MAX_BLACKBOX_RATE]
    return [*found, *(_row_beside_peer(cost, costs, "blackbox_exporter", None) for cost in slow)]


def _row_beside_peer(cost: PingCost, costs: list[PingCost], name: str, goal: float | None) -> Row:
    """Return the row of ours and a peer; its note says why a peer is missing."""
    peer = next((other for other in costs if (other.road, other.rate) == (name, cost.rate)), None)
    if peer is None:
        missing = f"{name} is not installed"
    elif not peer.answered:
        missing = f"{name} has no permission to ping"
    else:
        missing = ""
    peer_note = f"peer: {peer.note}" if peer is not None and peer.note else ""
    return Row(
        f"ICMP, {cost.road}, {cost.rate}/s",
        cost.microseconds_per_ping,
        "us/ping",
        peer.microseconds_per_ping if peer is not None and not missing else None,
        name,
        goal,
        of_peer=True,
        note="; ".join(
            filter(None, (missing, cost.note, peer_note, "" if cost.answered else "no permission for us either"))
        ),
        more=asdict(cost),
    )


def measure_stalled(seconds: int) -> Row:
    """Measure round trips while the loop is blocked half of the time, see ``bench.stalled_loop``."""
    command = [sys.executable, "-m", "bench.stalled_loop", str(seconds)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own program
    seen = json.loads(done.stdout)
    note = f"the loop read the reply {seen['p99_by_the_loop_ms']} ms later"
    what = "ICMP, round trip p99 on loopback, loop stalled half of the time"
    return Row(what, seen["p99_ms"], "ms", at_most=1.0, note=note, more=seen)


@click.command()
@click.option(
    "--rate", "rates", multiple=True, default=(167, 833, 5000), show_default=True, type=click.IntRange(1, 20_000)
)
@click.option("--seconds", default=20, show_default=True, type=click.IntRange(3))
@click.option("--interval", default=3, show_default=True, type=click.IntRange(1), help="Seconds between sweeps.")
def main(rates: tuple[int, ...], seconds: int, interval: int) -> list[Row]:
    """Measure the cost of a ping by the pinger alone, the whole daemon, fping and blackbox_exporter."""
    return [*rows(measure(rates, seconds, interval)), measure_stalled(min(seconds, MAX_STALLED_SECONDS))]
