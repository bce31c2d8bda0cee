"""``python -m bench start``: the time from exec to the first probe, and the delay of a reload, at 10,000 servers.

The first probe is the first connection to our page: each server has an http check each interval, so with thousands of
servers it follows the first slot within milliseconds. The second start restores the state from the database of the
first.
"""

from __future__ import annotations

import signal
import socket
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.config_generator import write_config
from bench.daemon_process import LOG_FILE, WAIT_TIMEOUT, RunningDaemon, start_process, wait_for_page
from bench.http_load import LoadGenerator
from bench.processes import resident_kib
from bench.report import Row
from bench.website import ANSWER

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from bench.http_load import LoadResult

PAGE_PORT = 19_878
PORT = 19_879
INTERVAL = 60
MAX_BLOCKED_MS = 50
"""Milliseconds."""
MAX_START_SECONDS = 5
"""Seconds."""
HEALTH_RATE = 200
CONNECTIONS = 20
"""Connections for these requests, so that none waits for another."""
RELOAD_WATCH = 20
"""Seconds for which the delay of the loop is measured at a reload."""


class FirstRequestServer:
    """An http page on every loopback address that stores the time of its first request."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("0.0.0.0", PORT), backlog=4096)  # noqa: S104 - 127.0.0.0/8
        self._asked = threading.Event()
        self._first = 0.0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            if not self._asked.is_set():
                self._first = time.monotonic()
                self._asked.set()
            with connection:
                try:
                    connection.settimeout(1)
                    connection.recv(4096)
                    connection.sendall(ANSWER)
                except OSError:
                    continue

    def reset(self) -> None:
        """Clear the time of the first request."""
        self._asked.clear()

    def first_request_at(self) -> float:
        """Return the monotonic time of the first connection."""
        if not self._asked.wait(WAIT_TIMEOUT):
            raise TimeoutError("nothing is probed")
        return self._first

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


@dataclass(frozen=True, slots=True)
class StartTimes:
    """One start; seconds from exec."""

    first_probe: float
    first_answer: float
    rss_kib: int


@contextmanager
def measure_start(main: Path, server: FirstRequestServer) -> Iterator[tuple[StartTimes, subprocess.Popen[bytes]]]:
    """Run the daemon within the context; return its start times."""
    server.reset()
    began = time.monotonic()
    with start_process(main) as process:
        answered = wait_for_page(main, PAGE_PORT, process) - began
        yield StartTimes(server.first_request_at() - began, answered, resident_kib(process.pid)), process


def measure_reload(main: Path, daemon: RunningDaemon) -> tuple[LoadResult, float]:
    """Change a fee, and so the terms, and reload; return the responses of ``/healthz`` and the seconds it took."""
    first = min((main.parent / "servers").glob("*.toml"))
    first.write_text(first.read_text().replace("120.00", "130.00", 1))
    before = _reload_count(main)
    health = LoadGenerator(PAGE_PORT, ["/healthz"], HEALTH_RATE, RELOAD_WATCH, CONNECTIONS)
    time.sleep(2)
    began = time.monotonic()
    daemon.signal(signal.SIGHUP)
    while _reload_count(main) == before:
        time.sleep(0.01)
    duration = time.monotonic() - began
    return health.result(), duration


def _reload_count(main: Path) -> int:
    text = (main.parent / LOG_FILE).read_text()
    if "refused" in text:
        raise RuntimeError(text)
    return text.count("reload:")


@click.command()
@click.option("--servers", default=10_000, show_default=True, type=click.IntRange(100))
def main(servers: int) -> list[Row]:
    """Measure the time from exec to the first probe, with and without history, and a reload."""
    with tempfile.TemporaryDirectory() as folder:
        config = write_config(Path(folder), servers, PAGE_PORT, services=1, port=PORT, interval=INTERVAL)
        server = FirstRequestServer()
        try:
            with measure_start(config, server) as (fresh, _):
                time.sleep(INTERVAL + 5)
            with measure_start(config, server) as (again, process):
                time.sleep(10)
                health, duration = measure_reload(config, RunningDaemon(process.pid, Path(folder), PAGE_PORT))
        finally:
            server.close()
    load = f"{servers:,} servers"
    return [
        Row(
            f"{load}: exec to first probe, no past",
            fresh.first_probe,
            "s",
            at_most=MAX_START_SECONDS,
            more={"page": fresh.first_answer},
        ),
        Row(f"{load}: exec to first probe, state restored", again.first_probe, "s", at_most=MAX_START_SECONDS),
        Row(f"{load}: reload until in force", duration, "s"),
        Row(
            f"{load}: reload, longest that the loop was held up",
            health.longest,
            "ms",
            at_most=MAX_BLOCKED_MS,
            note=f"p99 {health.p99:.1f} ms of {health.asked} looks",
        ),
    ]
