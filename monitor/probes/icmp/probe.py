"""ICMP echo: does the address answer a ping."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from typing import TYPE_CHECKING

from monitor.model import Outcome
from monitor.probes.failures import ProbeError
from monitor.probes.icmp.echo_socket import EchoSocket
from monitor.probes.net.address import AddressRotation
from monitor.probes.net.resolver import parse_ip
from monitor.probes.net.tcp_connect import interleave_families, is_of_family
from monitor.probes.probe import FIRST_BYTE, RESOLVE, Step
from monitor.probes.trace import run_with_deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.probes.icmp.settings import IcmpSettings
    from monitor.probes.net.address import Address
    from monitor.probes.probe import Attempt, Target
    from monitor.probes.resources import ProbeResources
    from monitor.probes.trace import AttemptTrace


class IcmpProbe:
    """Sends one echo request and waits for the answer."""

    __slots__ = ("_addresses", "_clock", "_family", "_host", "_pinger", "_resolver", "_size")

    def __init__(self, settings: IcmpSettings, resources: ProbeResources) -> None:
        self._host = settings.host
        self._family = settings.family
        self._size = settings.size
        self._addresses = AddressRotation()
        self._clock = resources.clock
        self._pinger = resources.pinger
        self._resolver = resources.resolver

    def start(self, target: Target, timeout: float, on_done: Callable[[Attempt], None]) -> bool:
        """Try once without a task; False, and nothing done, where the host must be looked up first."""
        try:
            address = parse_ip(self._host or target.host)
        except ProbeError:
            return False
        if address is None or not is_of_family(address, self._family):
            return False
        self._pinger.ping(address, timeout, on_done, self._size)
        return True

    async def attempt(self, target: Target, timeout: float) -> Attempt:  # noqa: ASYNC109 - see Probe
        """Try once: the answer, the network's error, or nothing within ``timeout`` seconds."""
        found: list[Address] = []

        async def resolve(trail: AttemptTrace) -> None:
            trail.begin(RESOLVE)
            addresses = await self._resolver.resolve_routable(self._host or target.host)
            found.append(self._addresses.choose(interleave_families(addresses, self._family)))
            trail.end(str(found[0]))

        started = self._clock.monotonic()
        resolved = await run_with_deadline(self._clock, timeout, resolve)
        if not found:
            return resolved
        landed: asyncio.Future[Attempt] = asyncio.get_running_loop().create_future()
        left = timeout - (self._clock.monotonic() - started)
        self._pinger.ping(
            found[0], left, lambda attempt: None if landed.done() else landed.set_result(attempt), self._size
        )
        attempt = await landed
        self._addresses.note(found[0], failed=attempt.outcome is Outcome.FAIL)
        steps = attempt.steps or (Step(FIRST_BYTE, attempt.latency_us or 0, str(found[0])),)
        return attempt._replace(steps=(*resolved.steps, *steps))


def icmp_permission_hint() -> str | None:
    """Say in one line what would permit ICMP to this process; None where it is permitted."""
    try:
        EchoSocket(socket.AF_INET).close()
    except PermissionError:
        return (
            'ICMP is not permitted: allow it with `sysctl -w net.ipv4.ping_group_range="0 2147483647"`, or give the '
            "monitor CAP_NET_RAW (AmbientCapabilities=CAP_NET_RAW in its unit, or "
            f"`setcap cap_net_raw+ep {os.path.realpath(sys.executable)}`)"
        )
    except OSError:  # out of descriptors, no IPv4: not a matter of permission
        return None
    return None
