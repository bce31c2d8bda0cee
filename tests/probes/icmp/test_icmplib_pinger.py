"""Pings by icmplib, the reference: what the engine says of a target, it says too."""

from __future__ import annotations

import asyncio
import socket
import statistics

import pytest

from monitor.clock import SystemClock
from monitor.model import Outcome
from monitor.probes.check_types import CHECK_TYPES
from monitor.probes.icmp import probe as icmp_probe
from monitor.probes.icmp.settings import IcmpSettings
from monitor.probes.probe import Attempt, Target
from monitor.probes.resources import open_resources

permitted = pytest.mark.skipif(icmp_probe.icmp_permission_hint() is not None, reason="ICMP is not permitted here")

TRIES = 20


async def tried(host: str, *, portable: bool, timeout: float = 5.0) -> list[Attempt]:  # noqa: ASYNC109 - the attempt's
    async with open_resources(SystemClock(), use_icmplib=portable) as instruments:
        probe = CHECK_TYPES["icmp"].build(IcmpSettings(), instruments)
        return await asyncio.gather(*(probe.attempt(Target(host), timeout) for _ in range(TRIES)))


@permitted
@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
async def test_both_roads_agree_on_a_target_that_answers(host: str) -> None:
    if host == "::1" and not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    by_engine, by_icmplib = [await tried(host, portable=portable) for portable in (False, True)]
    for seen in (by_engine, by_icmplib):
        assert {(each.outcome, each.reason) for each in seen} == {(Outcome.OK, "")}
        assert {tuple(step.name for step in each.steps) for each in seen} == {("resolve", "first-byte")}
    medians = [statistics.median(each.latency_us or 0 for each in seen) for seen in (by_engine, by_icmplib)]
    assert all(0 <= median < 1_000_000 for median in medians)


@permitted
async def test_closing_tells_nothing_more() -> None:
    seen: list[Attempt] = []
    async with open_resources(SystemClock(), use_icmplib=True) as instruments:
        address = await instruments.resolver.resolve_routable("127.0.0.1")
        instruments.pinger.ping(address[0], 5.0, seen.append)
    await asyncio.sleep(0)
    assert seen == []
