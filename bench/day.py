"""A day, compressed: 100 servers on loopback at an interval of 1 s, each with a ping and a TCP check.

Reports slots missed, memory at the start and at the end, and the processor time of the daemon.
"""

from __future__ import annotations

import re
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.processes import cpu_seconds, resident_kib
from bench.report import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

PORT = 19_870
PAGE_PORT = 19_871
WARMUP = 10
"""Seconds until the memory at the start is read: the first sweeps are recorded by then."""


def configuration(servers: int) -> str:
    """Return the configuration: one customer, a subscription on each server."""
    parts = [
        "[monitor]\ninterval = 1\ntimeout = 0.25\nretries = 2\nretry_wait = 0.1\n",
        f'[web]\nlisten = "127.0.0.1:{PAGE_PORT}"\n',
        '[[customer]]\nid = "c"\nname = "C"\nemails = ["c@example.com"]\n',
    ]
    parts += [
        f'[[server]]\nid = "s{number}"\naddress = "127.0.1.{number}"\nlevel = 4\n'
        f'[[server.service]]\nname = "port"\ntype = "tcp"\nport = {PORT}\n'
        f'[[subscription]]\nid = "s{number}"\ncustomer = "c"\nserver = "s{number}"\nproduct = "server"\n'
        for number in range(1, servers + 1)
    ]
    return "\n".join(parts)


def read_metrics() -> dict[str, float]:
    """Return the metrics without labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{PAGE_PORT}/metrics", timeout=10) as page:
        text = page.read().decode()
    return {name: float(value) for name, value in re.findall(r"^([a-z_]+) (\S+)$", text, re.MULTILINE)}


class _AcceptOnly(socketserver.BaseRequestHandler):
    """Accepts a connection and does nothing."""


@contextmanager
def accept_connections() -> Iterator[None]:
    """Accept connections on every loopback address."""
    with socketserver.ThreadingTCPServer(("0.0.0.0", PORT), _AcceptOnly) as server:  # noqa: S104 - 127.0.1.x are probed
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()


def measure(servers: int, seconds: int) -> dict[str, float]:
    """Run the daemon for some seconds; return the measured values."""
    with accept_connections(), tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "config.toml")
        config.write_text(configuration(servers))
        command = [sys.executable, "-m", "monitor", "--config", str(config), "run"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as daemon:  # noqa: S603 - our own program
            try:
                time.sleep(WARMUP)
                began, spent, memory = time.monotonic(), cpu_seconds(daemon.pid), resident_kib(daemon.pid)
                time.sleep(seconds)
                seen = read_metrics()
                passed = time.monotonic() - began
                used = cpu_seconds(daemon.pid) - spent
                at_end = resident_kib(daemon.pid)
            finally:
                daemon.terminate()
    return {
        "servers": servers,
        "checks": 2 * servers,
        "seconds": round(passed, 1),
        "probes_left": seen["monitor_probe_lag_seconds_count"],
        "slots_missed": seen["monitor_slots_missed_total"],
        "mean_lag_ms": round(1000 * seen["monitor_probe_lag_seconds_sum"] / seen["monitor_probe_lag_seconds_count"], 2),
        "memory_at_start_kib": memory,
        "memory_at_end_kib": at_end,
        "cpu_percent_of_a_core": round(100 * used / passed, 1),
        "cpu_us_per_probe": round(1e6 * used / (2 * servers * passed)),
        "database_errors": seen["monitor_database_errors_total"],
    }


@click.command()
@click.option("--servers", default=100, show_default=True, type=click.IntRange(1, 250))
@click.option("--seconds", default=300, show_default=True, type=click.IntRange(1))
def main(servers: int, seconds: int) -> list[Row]:
    """Measure a compressed day: a ping and a TCP check of every server each second."""
    seen = measure(servers, seconds)
    load = f"{servers} servers each second for {seconds} s"
    grown = seen["memory_at_end_kib"] - seen["memory_at_start_kib"]
    return [
        Row(f"{load}: processor time", seen["cpu_us_per_probe"], "us/probe", more=seen),
        Row(f"{load}: slots missed", seen["slots_missed"], "slots", at_most=0),
        Row(f"{load}: memory grown", round(grown / 1024, 1), "MiB"),
    ]
