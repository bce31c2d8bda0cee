"""Probe in a process of its own, for tests that need one with fewer privileges, another clock or another resolver.

    python -m tests.integration.probe_process '{"attempts": [["icmp", "198.18.1.1", {}]], "timeout": 1.0, "rounds": 2}'

prints a line of JSON for what is permitted, then one for each round of attempts.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from typing import Any

from monitor.clock import SystemClock
from monitor.probes.check_types import CHECK_TYPES
from monitor.probes.icmp.echo_socket import EchoSocket
from monitor.probes.icmp.probe import icmp_permission_hint
from monitor.probes.probe import Target
from monitor.probes.resources import ProbeResources, open_resources


async def run_attempt(
    instruments: ProbeResources,
    timeout: float,  # noqa: ASYNC109 - the attempt's own
    kind: str,
    host: str,
    keys: dict[str, Any],
) -> dict[str, Any]:
    check_type = CHECK_TYPES[kind]
    probe = check_type.build(check_type.settings(**keys), instruments)
    began = time.monotonic()
    seen = await probe.attempt(Target(host), timeout)
    took = (time.monotonic() - began) * 1_000_000
    return {"outcome": seen.outcome.name, "reason": seen.reason, "latency_us": seen.latency_us, "took_us": took}


async def run_request(request: dict[str, Any]) -> None:
    async with open_resources(SystemClock()) as instruments:
        for _ in range(request.get("rounds", 1)):
            attempts = await asyncio.gather(
                *(run_attempt(instruments, request["timeout"], *each) for each in request["attempts"])
            )
            write_line({"now": time.time(), "attempts": attempts})
            if request.get("rounds", 1) > 1:
                # the next round is asked for, so that the test can change the world between two of them
                await asyncio.to_thread(sys.stdin.readline)


def write_line(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def socket_kind() -> str:
    try:
        echo = EchoSocket(socket.AF_INET)
    except PermissionError:
        return "none"
    echo.close()
    return "raw" if echo.raw else "datagram"


if __name__ == "__main__":
    write_line({"permission": icmp_permission_hint(), "socket": socket_kind()})
    asyncio.run(run_request(json.loads(sys.argv[1])))
