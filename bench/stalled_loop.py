"""Round trips while the loop stalls half of the time: ``python -m bench.stalled_loop SECONDS`` prints the result.

A round trip on loopback takes some 50 us; the rest is an error of the monitor. Timestamps taken by the loop would be
up to 50 ms late.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING

from bench.loopback import addresses
from monitor.clock import SystemClock
from monitor.probes.icmp.pinger import Pinger
from monitor.probes.net.resolver import parse_ip

if TYPE_CHECKING:
    from monitor.probes.probe import Attempt

STALL_SECONDS = 0.05
"""Seconds for which the loop is blocked, and then runs."""


async def measure_round_trips(seconds: float) -> dict[str, float]:
    """Send pings just before each stall; return the median and the 99th percentile of round trips in milliseconds."""
    clock = SystemClock()
    pinger = Pinger(clock)
    pinger.warm_up()
    await asyncio.sleep(0.1)
    trips: list[float] = []
    waits: list[float] = []
    targets = [address for host in addresses(50) if (address := parse_ip(host))]

    def on_finished(attempt: Attempt) -> None:
        trips.append((attempt.latency_us or 1_000_000) / 1000)
        waits.append((clock.monotonic() - attempt.at) * 1000)

    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for address in targets:
            pinger.ping(address, 1.0, on_finished)
        await asyncio.sleep(0)  # the loop sends them
        time.sleep(STALL_SECONDS)  # noqa: ASYNC251 - blocks the loop on purpose
        await asyncio.sleep(STALL_SECONDS)
    await asyncio.sleep(0.2)
    pinger.close()
    trips.sort()
    waits.sort()
    return {
        "pings": len(trips),
        "p50_ms": round(trips[len(trips) // 2], 3),
        "p99_ms": round(trips[len(trips) * 99 // 100], 3),
        "p99_by_the_loop_ms": round(waits[len(waits) * 99 // 100], 1),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(measure_round_trips(float(sys.argv[1])))))
