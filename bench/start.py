"""``python -m bench start``: from exec to the first probe, and what a reload holds up, at 10,000 servers.

The first probe is the first connection that a page of ours takes: every server is pinged and asked for a page each
interval, so with thousands of servers it comes within milliseconds of the first slot. The second start finds the
database of the first, and restores what it knew.
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

from bench.config_generator import write_world
from bench.daemon_process import LOG, PATIENCE, Running, await_answer, started
from bench.http_load import Asking
from bench.processes import resident
from bench.report import Row
from bench.website import ANSWER

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from bench.http_load import Asked

PAGE = 19_878
PORT = 19_879
INTERVAL = 60
BLOCKED = 50
"""Milliseconds."""
STARTED = 5
"""Seconds."""
LOOKS = 200
LINES = 20
"""Connections for the looks: none waits for the one before."""
WATCHED = 20
"""Seconds for which the loop is watched at a reload."""


class Door:
    """A page of http on every loopback address that notes when it was first asked."""

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

    def again(self) -> None:
        """Forget that anybody asked."""
        self._asked.clear()

    def first(self) -> float:
        """Give the monotonic time of the first connection."""
        if not self._asked.wait(PATIENCE):
            raise TimeoutError("nothing is probed")
        return self._first

    def close(self) -> None:
        """Let nobody in any more."""
        self._socket.close()


@dataclass(frozen=True, slots=True)
class Start:
    """One start; seconds from exec."""

    probed: float
    answered: float
    rss_kib: int


@contextmanager
def start(main: Path, door: Door) -> Iterator[tuple[Start, subprocess.Popen[bytes]]]:
    """Start the daemon, and give how long it took."""
    door.again()
    began = time.monotonic()
    with started(main) as process:
        answered = await_answer(main, PAGE, process) - began
        yield Start(door.first() - began, answered, resident(process.pid)), process


def reload(main: Path, daemon: Running) -> tuple[Asked, float]:
    """Change a fee, and with it the terms; gives how ``/healthz`` answered meanwhile, and the seconds it took."""
    first = min((main.parent / "servers").glob("*.toml"))
    first.write_text(first.read_text().replace("120.00", "130.00", 1))
    before = _reloads(main)
    health = Asking(PAGE, ["/healthz"], LOOKS, WATCHED, LINES)
    time.sleep(2)
    began = time.monotonic()
    daemon.signal(signal.SIGHUP)
    while _reloads(main) == before:
        time.sleep(0.01)
    took = time.monotonic() - began
    return health.result(), took


def _reloads(main: Path) -> int:
    said = (main.parent / LOG).read_text()
    if "refused" in said:
        raise RuntimeError(said)
    return said.count("reload:")


@click.command()
@click.option("--servers", default=10_000, show_default=True, type=click.IntRange(100))
def main(servers: int) -> list[Row]:
    """Measure the time from exec to the first probe, with and without a past, and a reload."""
    with tempfile.TemporaryDirectory() as folder:
        config = write_world(Path(folder), servers, PAGE, services=1, port=PORT, interval=INTERVAL)
        door = Door()
        try:
            with start(config, door) as (fresh, _):
                time.sleep(INTERVAL + 5)
            with start(config, door) as (again, process):
                time.sleep(10)
                health, took = reload(config, Running(process.pid, Path(folder), PAGE))
        finally:
            door.close()
    load = f"{servers:,} servers"
    return [
        Row(f"{load}: exec to first probe, no past", fresh.probed, "s", at_most=STARTED, more={"page": fresh.answered}),
        Row(f"{load}: exec to first probe, state restored", again.probed, "s", at_most=STARTED),
        Row(f"{load}: reload until in force", took, "s"),
        Row(
            f"{load}: reload, longest that the loop was held up",
            health.longest,
            "ms",
            at_most=BLOCKED,
            note=f"p99 {health.p99:.1f} ms of {health.asked} looks",
        ),
    ]
