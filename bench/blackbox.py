"""prometheus-blackbox-exporter as a peer: it probes at a given rate, and its processor time is measured."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from bench.http_load import LoadGenerator
from bench.processes import cpu_seconds, resident_kib

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PORT = 19_872
CONNECTIONS = 64
"""Connections, as of Prometheus; enough that no request waits for another."""
SUCCESS_LINE = "probe_success 1"
"""The line of a successful probe; failed probes have status 200 too."""
MODULES = """\
modules:
  icmp: {prober: icmp, timeout: 1s, icmp: {preferred_ip_protocol: ip4}}
  tcp: {prober: tcp, timeout: 1s, tcp: {preferred_ip_protocol: ip4}}
  http: {prober: http, timeout: 1s, http: {preferred_ip_protocol: ip4}}
  https: {prober: http, timeout: 1s, http: {preferred_ip_protocol: ip4, tls_config: {insecure_skip_verify: true}}}
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of probes."""

    probes: int
    answered: int
    cpu: float
    """Seconds of processor time, user and system."""
    seconds: float
    rss_kib: int

    @property
    def microseconds(self) -> float:
        """Return the cost of one probe."""
        return 1e6 * self.cpu / max(1, self.probes)

    @property
    def share(self) -> float:
        """Return the share of one core, in percent."""
        return 100 * self.cpu / self.seconds


class Blackbox:
    """A running exporter."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def run_paced(self, probes: Sequence[tuple[str, str]], rate: float, seconds: float) -> Cost:
        """Run probes (module and target) in turn, at ``rate`` a second."""
        paths = [f"/probe?{urlencode({'module': module, 'target': target})}" for module, target in probes]
        cpu, began = cpu_seconds(self._pid), time.monotonic()
        asked = LoadGenerator(PORT, paths, rate, seconds, CONNECTIONS, holding=SUCCESS_LINE).result()
        passed, cpu = time.monotonic() - began, cpu_seconds(self._pid) - cpu
        return Cost(asked.asked, asked.answered, cpu, passed, resident_kib(self._pid))


@contextmanager
def blackbox(configuration: str = MODULES) -> Iterator[Blackbox | None]:
    """Run the exporter on loopback, with these modules; None if it is not installed."""
    program = shutil.which("prometheus-blackbox-exporter") or shutil.which("blackbox_exporter")
    if program is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        modules = Path(folder, "modules.yml")
        modules.write_text(configuration)
        command = [program, f"--config.file={modules}", f"--web.listen-address=127.0.0.1:{PORT}", "--log.level=error"]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:  # noqa: S603 - the program that was found
            try:
                _wait_until_ready()
                yield Blackbox(process.pid)
            finally:
                process.terminate()


def _wait_until_ready() -> None:
    for _ in range(200):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{PORT}/-/healthy", timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError("blackbox_exporter does not answer")
