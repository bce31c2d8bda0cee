"""Pings at a rate from a separate process: ``python -m bench.ping_load RATE SECONDS`` prints what they cost."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING

from bench.loopback import addresses
from monitor.clock import SystemClock
from monitor.engine.probing.scheduler import TICK_MS
from monitor.model import Outcome
from monitor.probes.icmp.pinger import Pinger
from monitor.probes.net.resolver import parse_ip

if TYPE_CHECKING:
    from monitor.probes.probe import Attempt


async def send_pings(rate: int, seconds: float) -> dict[str, float]:
    """Send in batches of a tick, as the scheduler does."""
    pinger = Pinger(SystemClock())
    pinger.warm_up()
    await asyncio.sleep(0.1)
    targets = [parse_ip(address) for address in addresses(10_000)]
    outcomes = dict.fromkeys(Outcome, 0)

    def on_finished(attempt: Attempt) -> None:
        outcomes[attempt.outcome] += 1

    sent, start, cpu = 0, time.monotonic(), time.process_time()
    while (passed := time.monotonic() - start) < seconds:
        for number in range(sent, int(passed * rate)):
            address = targets[number % len(targets)]
            assert address is not None
            pinger.ping(address, 0.5, on_finished)
        sent = int(passed * rate)
        await asyncio.sleep(TICK_MS / 1000)
    await asyncio.sleep(1)
    cpu = time.process_time() - cpu
    pinger.close()
    return {"pings": sent, "answered": outcomes[Outcome.OK], "cpu": cpu}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(send_pings(int(sys.argv[1]), float(sys.argv[2])))))
