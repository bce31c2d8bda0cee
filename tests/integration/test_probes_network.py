"""Probes in a network that is broken on purpose: every fault on the right side, by ICMP and TCP, IPv4 and IPv6."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from monitor.clock import SystemClock
from monitor.model import Outcome
from monitor.probes.check_types import CHECK_TYPES
from monitor.probes.icmp.echo_socket import SEQUENCES, EchoSocket, pack_address
from monitor.probes.net.resolver import parse_ip
from monitor.probes.probe import Attempt, CheckRun, RetryPolicy, Target, run_check
from monitor.probes.resources import ProbeResources, open_resources
from tests.integration.network_lab import MONITOR_V4, WAIT_TIMEOUT, NetworkLab, lab, prober, run_program, skip_reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.probes.net.address import Address

pytestmark = [pytest.mark.integration, pytest.mark.skipif(bool(skip_reason()), reason=skip_reason() or "can run")]

PORT = 9
"""Nobody listens on it, so a server that is there refuses."""
STRANGER = "198.51.100.1"
STRANGER6 = "2001:db8::1"

Job = tuple[str, str, dict[str, Any]]


@pytest.fixture(scope="module", params=["raw", "datagram"])
def net(request: pytest.FixtureRequest) -> Iterator[NetworkLab]:
    with lab(servers=40) as built:
        built.permit_pings(to_all=request.param == "datagram")
        yield built


def attempts(net: NetworkLab, *jobs: Job, timeout: float = 1.0, portable: bool = False) -> list[tuple[Outcome, str]]:
    async def one(instruments: ProbeResources, kind: str, host: str, keys: dict[str, Any]) -> Attempt:
        check_type = CHECK_TYPES[kind]
        return await check_type.build(check_type.settings(**keys), instruments).attempt(Target(host), timeout)

    async def all_of_them() -> list[Attempt]:
        async with open_resources(SystemClock(), use_icmplib=portable) as instruments:
            return await asyncio.gather(*(one(instruments, *job) for job in jobs))

    return [(seen.outcome, seen.reason) for seen in net.run_in_namespace(all_of_them())]


def numeric(host: str) -> Address:
    address = parse_ip(host)
    assert address is not None
    return address


def ping(host: str) -> Job:
    return ("icmp", host, {})


def tcp(host: str) -> Job:
    return ("tcp", host, {"port": PORT})


def page(host: str) -> Job:
    return ("http", host, {"url": f"http://[{host}]/" if ":" in host else f"http://{host}/"})


def test_servers_that_are_there_answer(net: NetworkLab) -> None:
    seen = attempts(net, *(ping(each(n)) for each in (net.address, net.address6) for n in range(net.count)))
    assert set(seen) == {(Outcome.OK, "")}


def test_a_silent_server_fails_by_every_probe(net: NetworkLab) -> None:
    a, b = net.address(1), net.address6(1)
    net.take_down(a, b)
    seen = attempts(net, ping(a), ping(b), tcp(a), tcp(b), page(a), page(b), timeout=0.5)
    net.bring_up(a, b)
    assert set(seen) == {(Outcome.FAIL, "timeout")}
    assert attempts(net, ping(a), ping(b)) == [(Outcome.OK, "")] * 2


def test_a_server_that_the_network_calls_unreachable_fails_at_once(net: NetworkLab) -> None:
    a, b = net.address(2), net.address6(2)
    net.take_down(a, b, kind="reject")
    seen = attempts(net, ping(a), ping(b), tcp(a), page(a), timeout=30.0)
    net.bring_up(a, b, kind="reject")
    assert set(seen) == {(Outcome.FAIL, "unreachable: host")}


def test_a_server_behind_a_filter_that_says_so_fails_at_once(net: NetworkLab) -> None:
    a, b = net.address(3), net.address6(3)
    net.take_down(a, b, kind="prohibit")
    seen = attempts(net, ping(a), ping(b), timeout=30.0)
    net.bring_up(a, b, kind="prohibit")
    assert set(seen) == {(Outcome.FAIL, "unreachable: prohibited")}


def test_what_one_server_meets_is_not_told_of_another_that_shares_the_socket(net: NetworkLab) -> None:
    broken = [net.address(n) for n in range(10, 20)] + [net.address6(n) for n in range(10, 20)]
    healthy = [net.address(n) for n in range(20, 40)] + [net.address6(n) for n in range(20, 40)]
    net.take_down(*broken, kind="reject")
    order = [host for pair in zip(broken, healthy[::2], healthy[1::2], strict=True) for host in pair]
    seen = dict(zip(order * 3, attempts(net, *map(ping, order * 3), timeout=10.0), strict=True))
    net.bring_up(*broken, kind="reject")
    assert {seen[host] for host in broken} == {(Outcome.FAIL, "unreachable: host")}
    assert {seen[host] for host in healthy} == {(Outcome.OK, "")}


def test_an_address_of_this_network_that_nobody_has_is_the_servers_fault(net: NetworkLab) -> None:
    nobody = "198.18.200.200"
    seen = attempts(net, ping(nobody), tcp(nobody), page(nobody), timeout=30.0)
    by_us = f"unreachable: host (from {MONITOR_V4})"  # nobody answers to the question who has the address
    assert set(seen) == {(Outcome.FAIL, by_us), (Outcome.FAIL, "unreachable: host")}


def test_the_router_that_says_so_is_named(net: NetworkLab) -> None:
    router, router6 = net.address(0), net.address6(0)
    for target, by in (("198.19.0.0/16", router), ("fd78::/64", router6)):
        run_program("ip", "-n", net.monitor, "route", "add", target, "via", by)
        run_program("ip", "-n", net.servers, "route", "add", "unreachable", target)
    run_program(*net.server_command("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"))
    seen = attempts(net, ping("198.19.1.1"), ping("fd78::1"), timeout=30.0)
    for target in ("198.19.0.0/16", "fd78::/64"):
        run_program("ip", "-n", net.monitor, "route", "delete", target)
        run_program("ip", "-n", net.servers, "route", "delete", "unreachable", target)
    assert {outcome for outcome, _ in seen} == {Outcome.FAIL}
    (_, said), (_, said6) = seen
    assert said == f"unreachable: host (from {router})"
    # a router of IPv6 speaks from whichever of its addresses it likes
    assert said6 in {f"unreachable: network (from {net.address6(n)})" for n in range(net.count)}


def test_icmplib_says_the_same_of_every_server(net: NetworkLab) -> None:
    silent, rejected, prohibited = (tuple(each(n) for each in (net.address, net.address6)) for n in (6, 7, 8))
    net.take_down(*silent)
    net.take_down(*rejected, kind="reject")
    net.take_down(*prohibited, kind="prohibit")
    hosts = (net.address(5), net.address6(5), *silent, *rejected, *prohibited, STRANGER, STRANGER6)
    said = [attempts(net, *map(ping, hosts), timeout=1.0, portable=portable) for portable in (False, True)]
    net.bring_up(*silent)
    net.bring_up(*rejected, kind="reject")
    net.bring_up(*prohibited, kind="prohibit")
    by_engine, by_icmplib = (dict(zip(hosts, each, strict=True)) for each in said)
    if net.pings_by_datagram:  # icmplib does not ask such a socket for what routers report
        for host in (*rejected, *prohibited):
            assert by_icmplib.pop(host) == (Outcome.FAIL, "timeout")
            assert by_engine.pop(host)[0] is Outcome.FAIL
    assert by_engine == by_icmplib


def test_having_no_route_is_the_monitors_fault(net: NetworkLab) -> None:
    seen = attempts(net, *(probe(host) for probe in (ping, tcp, page) for host in (STRANGER, STRANGER6)))
    assert set(seen) == {(Outcome.UNKNOWN, "no route")}


def test_what_this_machine_refuses_is_told_of_that_ping_alone(net: NetworkLab) -> None:
    good, filtered = net.address(5), net.address(9)
    nft = net.command("nft", "-f", "-")
    run_program(
        *nft,
        text=f"table inet own {{ chain out {{ type filter hook output priority 0; ip daddr {filtered} drop; }}\n}}",
    )
    order = [good, STRANGER, good, good, filtered, STRANGER] * 8  # through several calls for many packets
    seen = attempts(net, *map(ping, order), timeout=5.0)
    run_program(*nft, text="delete table inet own")
    expected = {
        good: (Outcome.OK, ""),
        STRANGER: (Outcome.UNKNOWN, "no route"),
        filtered: (Outcome.UNKNOWN, "not permitted"),
    }
    assert seen == [expected[host] for host in order]


def test_a_cable_that_was_pulled_is_the_monitors_fault(net: NetworkLab) -> None:
    net.link_down()
    seen = attempts(net, *(probe(each(0)) for probe in (ping, tcp, page) for each in (net.address, net.address6)))
    net.link_up()
    assert set(seen) == {(Outcome.UNKNOWN, "no route")}
    assert attempts(net, ping(net.address(0)), ping(net.address6(0))) == [(Outcome.OK, "")] * 2


def test_retries_ride_out_a_line_that_loses_packets(net: NetworkLab) -> None:
    hosts = [net.address(n) for n in range(20)]

    async def cycles() -> list[CheckRun]:
        clock = SystemClock()
        async with open_resources(clock) as instruments:
            probe = CHECK_TYPES["icmp"].build(CHECK_TYPES["icmp"].settings(), instruments)
            plan = RetryPolicy(timeout=0.2, retries=20, retry_wait=0.0)
            return await asyncio.gather(*(run_check(probe, Target(host), plan, clock) for host in hosts * 3))

    net.take_down(*hosts, kind="lossy")
    made = net.run_in_namespace(cycles())
    net.bring_up(*hosts, kind="lossy")
    assert {each.outcome for each in made} == {Outcome.OK}
    assert max(len(each.attempts) for each in made) > 1


def test_more_pings_than_there_are_sequences_are_the_monitors_fault(net: NetworkLab) -> None:
    silent = numeric(net.address(4))

    async def flood() -> list[Attempt]:
        async with open_resources(SystemClock()) as instruments:
            seen: list[Attempt] = []
            for _ in range(SEQUENCES + 2):
                instruments.pinger.ping(silent, 60.0, seen.append)
            await asyncio.sleep(0)  # they leave when the loop turns
            return list(seen)  # closing ends the others too

    net.take_down(str(silent))
    seen = net.run_in_namespace(flood())
    net.bring_up(str(silent))
    assert [(each.outcome, each.reason) for each in seen] == [(Outcome.UNKNOWN, "too many pings in flight")] * 2


def test_a_raw_socket_hears_its_own_answers_only(net: NetworkLab) -> None:
    async def heard_by_two(address: Address) -> tuple[set[int | None], set[int | None]]:
        first, second = EchoSocket(address.family), EchoSocket(address.family)
        first.send([(*pack_address(address), 1)])
        second.send([(*pack_address(address), 2)])
        heard: tuple[set[int | None], set[int | None]] = (set(), set())
        async with asyncio.timeout(WAIT_TIMEOUT):
            while not (1 in heard[0] and 2 in heard[1]):
                await asyncio.sleep(0.01)  # both are only ever polled
                heard[0].update(number for _, _, number, _ in first.receive()[0])
                heard[1].update(number for _, _, number, _ in second.receive()[0])
        first.close()
        second.close()
        return heard

    for host in (net.address(5), net.address6(5)):
        assert net.run_in_namespace(heard_by_two(numeric(host))) == ({1}, {2})


def test_names_whose_server_is_silent_delay_nobody_else(net: NetworkLab) -> None:
    silent = [("tcp", f"silent{n}.acme.example", {"port": PORT}) for n in range(20)]
    with prober(net, *silent, ("icmp", "localhost", {}), ("icmp", net.address(0), {}), timeout=1.0) as asked:
        seen = [(each["outcome"], each["reason"]) for each in asked.read()["attempts"]]
        assert set(seen[:20]) == {("UNKNOWN", "name not resolved in time")}
        assert seen[20:] == [("OK", "")] * 2
        assert asked.wait() == 0
