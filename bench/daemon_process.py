"""The daemon as a process, on loopback servers: its processor time, lag, memory and metrics."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.config_generator import write_config
from bench.processes import cpu_seconds, resident_kib

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE_PORT = 19_875
WEBSITE_PORT = 19_876
LOG_FILE = "log"
"""The name of the daemon's log file."""
WAIT_TIMEOUT = 300.0
"""The longest wait, in seconds."""
SETTLE_SECONDS = 10.0
"""Seconds after the first sweep, in which the daemon verifies its journal and its months."""
ACCEPT = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
_SAMPLE = re.compile(r'^(monitor_[a-z_]+(?:\{(?:prober="\w+"|le="[^"]+")\})?) (\S+)$', re.MULTILINE)
_LAG_BUCKETS = "monitor_probe_lag_seconds_bucket"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The daemon at one moment."""

    at: float
    """Monotonic seconds."""
    cpu: float
    """Seconds of processor time so far."""
    rss_kib: int
    metrics: dict[str, float]

    def total(self, name: str) -> float:
        """Return the sum of a counter over its labels."""
        return sum(value for series, value in self.metrics.items() if series.split("{")[0] == name)


class RunningDaemon:
    """A running daemon."""

    def __init__(self, pid: int, folder: Path, page: int) -> None:
        self.pid = pid
        self.folder = folder
        self._page = page

    def get(self, path: str) -> bytes:
        """Return a page, requested as by Prometheus or a browser."""
        headers = {"Accept": ACCEPT if path == "/metrics" else "text/html", "Accept-Encoding": "gzip"}
        request = urllib.request.Request(f"http://127.0.0.1:{self._page}{path}", headers=headers)
        with urllib.request.urlopen(request, timeout=WAIT_TIMEOUT) as answer:  # noqa: S310 - the same
            body: bytes = answer.read()
            return gzip.decompress(body) if answer.headers["Content-Encoding"] == "gzip" else body

    def snapshot(self) -> Snapshot:
        """Return its current state."""
        text = self.get("/metrics").decode()
        metrics = {name: float(value) for name, value in _SAMPLE.findall(text)}
        return Snapshot(time.monotonic(), cpu_seconds(self.pid), resident_kib(self.pid), metrics)

    def wait_for_sweeps(self, interval: float, settle_seconds: float = SETTLE_SECONDS) -> None:
        """Wait until every server was probed and a sweep is recorded, and for the work at the start."""
        began = time.monotonic()
        time.sleep(interval + settle_seconds)
        while time.monotonic() - began < WAIT_TIMEOUT + interval:
            if "monitor_last_sweep_timestamp_seconds" in self.snapshot().metrics:
                return
            time.sleep(1)
        raise TimeoutError("the daemon does not complete a sweep")

    def signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    @property
    def database_bytes(self) -> int:
        """The size of the database on disk in bytes, with its log."""
        return sum(file.stat().st_size for file in (self.folder / "data").glob("*.db*"))


def lag_quantile(before: Snapshot, after: Snapshot, share: float) -> float:
    """Return the lag of the ``share`` quantile in milliseconds, linear within a bucket."""
    bounds = sorted((float(name.split('"')[1]), name) for name in after.metrics if name.startswith(_LAG_BUCKETS))
    counts = [(bound, after.metrics[name] - before.metrics.get(name, 0)) for bound, name in bounds]
    wanted = share * counts[-1][1]
    low, below = 0.0, 0.0
    for bound, count in counts:
        if count >= wanted and count > below:
            reached = low if bound == float("inf") else low + (bound - low) * (wanted - below) / (count - below)
            return 1000 * reached
        low, below = bound, count
    return 0.0


@contextmanager
def run_daemon(
    servers: int,
    *,
    services: int = 0,
    interval: int = 60,
    timeout: int = 1,
    services_toml: Callable[[int, str], str] | None = None,
) -> Iterator[RunningDaemon]:
    """Run the daemon on so many servers, see ``write_config``, within the context."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        main = write_config(
            folder,
            servers,
            PAGE_PORT,
            services=services,
            port=WEBSITE_PORT,
            interval=interval,
            timeout=timeout,
            services_toml=services_toml,
        )
        with start_process(main) as process:
            daemon = RunningDaemon(process.pid, folder, PAGE_PORT)
            wait_for_page(main, PAGE_PORT, process)
            yield daemon


@contextmanager
def start_process(main: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the daemon with a configuration, within the context."""
    command = [sys.executable, "-m", "monitor", "--config", str(main), "run"]
    with (main.parent / LOG_FILE).open("ab") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:  # noqa: S603 - our own program
        try:
            yield process
        finally:
            process.terminate()


def wait_for_page(main: Path, page: int, process: subprocess.Popen[bytes]) -> float:
    """Wait until the page answers; return the monotonic time."""
    until = time.monotonic() + WAIT_TIMEOUT
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(
                f"the daemon ended with {process.returncode}: {(main.parent / LOG_FILE).read_text()[-1000:]}"
            )
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{page}/healthz", timeout=10).close()
        except (OSError, urllib.error.URLError):
            time.sleep(0.02)
        else:
            return time.monotonic()
    raise TimeoutError("the daemon does not answer")
