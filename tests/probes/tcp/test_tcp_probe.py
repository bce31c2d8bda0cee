from __future__ import annotations

import resource
import socket
import time
from typing import TYPE_CHECKING

from monitor.clock import SystemClock
from monitor.model import Outcome
from monitor.probes.check_types import CHECK_TYPES
from monitor.probes.net.address import Address
from monitor.probes.net.resolver import Resolver
from monitor.probes.probe import Target
from monitor.probes.resources import ProbeResources
from tests.probes.scripted_server import ScriptedServer, closed_port, full_backlog, resets, sends_and_hangs

if TYPE_CHECKING:
    from tests.probes.conftest import AttemptFunction


async def test_a_port_that_takes_a_connection_is_ok(attempt: AttemptFunction) -> None:
    async with ScriptedServer(sends_and_hangs(b"")) as server:
        before = time.monotonic()
        seen = await attempt("tcp", port=server.port)
        after = time.monotonic()
    assert (seen.outcome, seen.reason) == (Outcome.OK, "")
    assert before <= seen.at <= after
    assert seen.latency_us is not None
    assert 0 <= seen.latency_us <= (after - before) * 1_000_000
    assert [step.name for step in seen.steps] == ["resolve", "connect"]


async def test_a_port_where_nobody_listens_is_a_fail(attempt: AttemptFunction) -> None:
    with closed_port() as port:
        seen = await attempt("tcp", port=port)
    assert (seen.outcome, seen.reason, seen.latency_us) == (Outcome.FAIL, "refused", None)


async def test_a_server_that_takes_no_more_connections_is_a_fail(attempt: AttemptFunction) -> None:
    with full_backlog() as port:
        seen = await attempt("tcp", 0.1, port=port)
    assert (seen.outcome, seen.reason) == (Outcome.FAIL, "timeout")
    assert seen.steps[-1].name == "connect"


async def test_a_connection_that_is_reset_after_it_was_taken_is_ok(attempt: AttemptFunction) -> None:
    async with ScriptedServer(resets) as server:
        assert (await attempt("tcp", port=server.port)).outcome is Outcome.OK


async def test_the_key_host_goes_before_the_servers_address(attempt: AttemptFunction) -> None:
    async with ScriptedServer(sends_and_hangs(b"")) as server:
        elsewhere = await attempt("tcp", server="127.0.0.1", host="127.0.0.2", port=server.port)
        there = await attempt("tcp", server="127.0.0.2", host="127.0.0.1", port=server.port)
    assert (elsewhere.reason, there.outcome) == ("refused", Outcome.OK)


async def test_having_no_file_descriptor_left_is_the_monitors_fault(attempt: AttemptFunction) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with closed_port() as port, socket.socket() as last:
        resource.setrlimit(resource.RLIMIT_NOFILE, (last.fileno() + 1, hard))
        try:
            seen = await attempt("tcp", port=port)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (seen.outcome, seen.reason) == (Outcome.UNKNOWN, "no file descriptor")


def two_addresses(_host: str) -> tuple[Address, ...]:
    return (Address(socket.AF_INET, "127.0.0.2"), Address(socket.AF_INET, "127.0.0.1"))


async def test_a_name_is_up_where_any_of_its_addresses_takes_the_connection(instruments: ProbeResources) -> None:
    async with ScriptedServer(sends_and_hangs(b"")) as server:
        tools = ProbeResources(
            instruments.clock, instruments.pinger, Resolver(SystemClock(), two_addresses), instruments.http
        )
        check_type = CHECK_TYPES["tcp"]
        probe = check_type.build(check_type.settings(port=server.port), tools)
        seen = await probe.attempt(Target("both.example"), 5.0)
    assert seen.outcome is Outcome.OK
    assert [(step.name, step.text) for step in seen.steps[1:]] == [
        ("connect", f"127.0.0.2 port {server.port}: refused"),
        ("connect", f"127.0.0.1 port {server.port}"),
    ]
