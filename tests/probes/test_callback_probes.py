"""Attempts that are begun without a task give what attempts with one give."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
from typing import TYPE_CHECKING, Any

import pytest

from monitor.clock import SystemClock
from monitor.model import Outcome
from monitor.probes.check_types import CHECK_TYPES
from monitor.probes.http.client import HttpClient
from monitor.probes.net.address import Address
from monitor.probes.net.resolver import Resolver
from monitor.probes.probe import Attempt, CallbackProbe, Target
from monitor.probes.resources import ProbeResources, open_resources
from tests.probes.scripted_server import (
    PageServer,
    ScriptedServer,
    closed_port,
    full_backlog,
    page,
    redirect,
    resets,
    sends_and_hangs,
)

if TYPE_CHECKING:
    from monitor.probes.probe import Probe

SHORT = 0.15


def built(kind: str, tools: ProbeResources, **keys: Any) -> Probe:
    check_type = CHECK_TYPES[kind]
    return check_type.build(check_type.settings(**keys), tools)


async def begun(probe: Probe, seconds: float = 5.0, server: str = "127.0.0.1") -> Attempt:
    assert isinstance(probe, CallbackProbe)
    told: asyncio.Queue[Attempt] = asyncio.Queue()
    assert probe.start(Target(server), seconds, told.put_nowait)
    attempt = await told.get()
    await asyncio.sleep(0)
    assert told.empty(), "the end was told twice"
    return attempt


def shape(attempt: Attempt) -> tuple[Outcome, str, list[str], bool]:
    steps = [step.name for step in attempt.steps]
    return (attempt.outcome, attempt.reason, steps, attempt.latency_us is None)


async def both(probe: Probe, seconds: float = 5.0) -> Attempt:
    """Make the attempt both ways; they must not differ."""
    seen = await begun(probe, seconds)
    assert shape(seen) == shape(await probe.attempt(Target("127.0.0.1"), seconds))
    return seen


async def test_a_page_and_a_port_that_are_there_are_ok(instruments: ProbeResources) -> None:
    async with ScriptedServer(PageServer({"/": redirect("/there"), "/there": page()})) as server:
        assert (await both(built("http", instruments, url=server.url()))).outcome is Outcome.OK
        assert (await both(built("tcp", instruments, port=server.port))).outcome is Outcome.OK


async def test_nobody_who_listens_is_a_fail(instruments: ProbeResources) -> None:
    with closed_port() as port:
        assert (await both(built("tcp", instruments, port=port))).reason == "refused"
        assert (await both(built("http", instruments, url=f"http://127.0.0.1:{port}/"))).reason == "refused"


async def test_a_connection_that_is_never_taken_is_a_fail_in_time(instruments: ProbeResources) -> None:
    with full_backlog() as port:
        assert (await both(built("tcp", instruments, port=port), SHORT)).reason == "timeout"
        assert (await both(built("http", instruments, url=f"http://127.0.0.1:{port}/"), SHORT)).reason == "timeout"


@pytest.mark.parametrize(("script", "reason"), [(resets, "reset"), (sends_and_hangs(b"HT"), "timeout")])
async def test_a_server_that_misbehaves_is_a_fail(instruments: ProbeResources, script: Any, reason: str) -> None:
    async with ScriptedServer(script) as server:
        assert (await both(built("http", instruments, url=server.url()), SHORT)).reason == reason


async def test_an_interface_that_is_missing_is_the_monitors_fault(instruments: ProbeResources) -> None:
    missing = "fe80::1%nothere9"
    assert (await begun(built("tcp", instruments, host=missing))).reason == "no such interface"
    assert (await begun(built("http", instruments, url=f"http://[{missing}]/"))).reason == "no such interface"


async def test_a_name_is_looked_up_for_a_page_and_left_to_a_task_for_a_port(instruments: ProbeResources) -> None:
    resolver = Resolver(SystemClock(), lambda _: (Address(socket.AF_INET, "127.0.0.1"),))
    tools = dataclasses.replace(instruments, resolver=resolver, http=HttpClient(resolver))
    async with ScriptedServer(PageServer({"/": page()})) as server:
        assert (await both(built("http", tools, url=server.url(host="www.acme.example")))).outcome is Outcome.OK
        port = built("tcp", tools, host="www.acme.example", port=server.port)
        assert isinstance(port, CallbackProbe)
        assert not port.start(Target("127.0.0.1"), 5.0, lambda _: pytest.fail("it was told"))
        assert (await port.attempt(Target("127.0.0.1"), 5.0)).outcome is Outcome.OK


async def test_a_name_of_two_addresses_is_up_where_either_answers(instruments: ProbeResources) -> None:
    found = (Address(socket.AF_INET, "127.0.0.2"), Address(socket.AF_INET, "127.0.0.1"))
    resolver = Resolver(SystemClock(), lambda _: found)
    tools = dataclasses.replace(instruments, resolver=resolver, http=HttpClient(resolver))
    async with ScriptedServer(PageServer({"/": page()})) as server:
        seen = await both(built("http", tools, url=server.url(host="both.example")))
    assert seen.outcome is Outcome.OK
    assert [(step.name, step.text) for step in seen.steps[1:3]] == [
        ("connect", f"127.0.0.2 port {server.port}: refused"),
        ("connect", f"127.0.0.1 port {server.port}"),
    ]


async def test_a_name_of_which_one_address_hangs_is_up_where_the_other_answers(instruments: ProbeResources) -> None:
    with full_backlog() as port, socket.create_server(("127.0.0.2", port)) as listener:
        listener.settimeout(0)
        found = (Address(socket.AF_INET, "127.0.0.1"), Address(socket.AF_INET, "127.0.0.2"))
        resolver = Resolver(SystemClock(), lambda _: found)
        tools = dataclasses.replace(instruments, resolver=resolver, http=HttpClient(resolver))
        probe = built("http", tools, url=f"http://both.example:{port}/")
        visit = asyncio.create_task(begun(probe))
        loop = asyncio.get_running_loop()
        taken, _ = await loop.sock_accept(listener)
        with taken:
            await loop.sock_recv(taken, 4096)
            await loop.sock_sendall(taken, page())
            assert (await visit).outcome is Outcome.OK


async def test_visits_under_way_are_told_as_unknown_when_the_monitor_stops() -> None:
    told: list[Attempt] = []
    async with ScriptedServer(sends_and_hangs(b"")) as server:
        async with open_resources(SystemClock()) as tools:
            probe = built("http", tools, url=server.url())
            assert isinstance(probe, CallbackProbe)
            probe.start(Target("127.0.0.1"), 5.0, told.append)
            await asyncio.sleep(0.05)  # it hangs from now on: nothing else is to be awaited
        assert [(each.outcome, each.reason) for each in told] == [(Outcome.UNKNOWN, "monitor stopped")]


async def test_a_visit_that_nobody_waits_for_any_more_ends(instruments: ProbeResources) -> None:
    async with ScriptedServer(sends_and_hangs(b"")) as server:
        probe = built("http", instruments, url=server.url())
        waiting = asyncio.create_task(probe.attempt(Target("127.0.0.1"), 5.0))
        await asyncio.sleep(0.05)  # it hangs from now on: nothing else is to be awaited
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert instruments.http._exchanges == {}
