"""The programs to compare with the daemon: our pinger alone, fping, and blackbox_exporter."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from resource import RUSAGE_CHILDREN, getrusage

from bench.blackbox import blackbox
from bench.loopback import addresses

MAX_BLACKBOX_RATE = 1_000
"""The highest rate of blackbox_exporter in pings a second; a ping takes it a millisecond."""


@dataclass(frozen=True, slots=True)
class PingCost:
    """The cost of a ping by one program at one rate."""

    road: str
    rate: int
    """The requested pings a second."""
    pings: int
    answered: int
    seconds: float
    microseconds_per_ping: float
    """User and system time."""
    note: str = ""


def measure_pinger(rate: int, seconds: int) -> PingCost:
    """Measure the pinger in a process that does nothing else, see ``bench.ping_load``."""
    command = [sys.executable, "-m", "bench.ping_load", str(rate), str(seconds)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own program
    seen = json.loads(done.stdout)
    return PingCost(
        "pinger alone",
        rate,
        seen["pings"],
        seen["answered"],
        seconds,
        microseconds_per_ping(seen["cpu"], seen["pings"]),
    )


def microseconds_per_ping(cpu: float, pings: int) -> float:
    """Return the cost of a ping in microseconds."""
    return round(1e6 * cpu / max(1, pings), 1)


def measure_fping(rate: int, seconds: int) -> PingCost | None:
    """Measure fping, which requires root; None if it is not installed."""
    program = shutil.which("fping")
    if program is None:
        return None
    period = 1 + seconds // 3
    targets, rounds = rate * period, max(1, seconds // period)
    command = [program, "-q", "-c", str(rounds), "-p", str(1000 * period), "-i", f"{1000 / rate:.3f}", "-t", "500"]
    began, start = getrusage(RUSAGE_CHILDREN), time.monotonic()
    try:
        done = subprocess.run(  # noqa: S603 - the program that was found
            command, input="\n".join(addresses(targets)), check=False, capture_output=True, text=True
        )
    except PermissionError:  # its file capability is not permitted here
        return PingCost("fping", rate, 0, 0, 0, 0)
    passed, ended = time.monotonic() - start, getrusage(RUSAGE_CHILDREN)
    cpu = ended.ru_utime - began.ru_utime + ended.ru_stime - began.ru_stime
    received = sum(map(int, re.findall(r"xmt/rcv/%loss = \d+/(\d+)/", done.stderr)))
    pings = targets * rounds
    return PingCost("fping", rate, pings, received, round(passed, 1), microseconds_per_ping(cpu, pings))


def measure_blackbox(rate: int, seconds: int) -> PingCost | None:
    """Measure blackbox_exporter, which needs root or CAP_NET_RAW; None if it is not installed or too slow."""
    if rate > MAX_BLACKBOX_RATE:
        return None
    with blackbox() as exporter:
        if exporter is None:
            return None
        seen = exporter.run_paced([("icmp", address) for address in addresses(rate * 3)], rate, seconds)
    cost = round(seen.microseconds, 1)
    return PingCost("blackbox_exporter", rate, seen.probes, seen.answered, round(seen.seconds, 1), cost)
