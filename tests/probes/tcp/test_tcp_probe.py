from __future__ import annotations

import asyncio
import resource
import socket
import time
from typing import TYPE_CHECKING

import pytest

from monitor.clock import SystemClock
from monitor.model import Outcome
from monitor.probes.check_types import CHECK_TYPES
from monitor.probes.net.address import Address
from monitor.probes.net.resolver import Resolver
from monitor.probes.probe import Target
from monitor.probes.resources import ProbeResources
from monitor.probes.tcp.settings import parse_script_step
from tests.probes.scripted_server import ScriptedServer, closed_port, full_backlog, resets, sends_and_hangs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

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


def echoes(*answers: bytes) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """Send what was sent, then each answer by itself."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read(100))
        for answer in answers:
            await writer.drain()
            await asyncio.sleep(0)
            writer.write(answer)
        await reader.read()

    return serve


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("send-hex 16 03 01", "16 03 01"),
        ("send-hex 160301", "16 03 01"),
        ("expect-hex fF 0a", "ff 0a"),
        ("expect-hex 00", "00"),
    ],
)
def test_bytes_are_written_in_hex(line: str, text: str) -> None:
    assert parse_script_step(line) == (line.split(" ", maxsplit=1)[0], text)


@pytest.mark.parametrize("line", ["send-hex", "send-hex ", "send-hex 1", "send-hex 0x16", "send-hex 16,03", "hex 16"])
def test_what_is_no_hex_is_no_step(line: str) -> None:
    with pytest.raises(ValueError, match=line):
        parse_script_step(line)


@pytest.mark.parametrize(
    "script",
    [
        ("send-hex 00 ff 0a 16", "expect-hex 00 ff 0a 16"),
        ("send-hex 00", "expect-hex 00", "expect-hex 02 03"),  # across two answers
        ("send-hex 00", "expect-hex 00 01", "expect-hex 03 04", "expect ^line$"),
        ("send-hex 6162 0d 0a", "expect ^ab$", "expect-hex 04"),
        ("send hello", "expect-hex 0d 0a 01", "expect-hex 04 6c 69"),
    ],
)
async def test_a_binary_dialogue_is_played(attempt: AttemptFunction, script: tuple[str, ...]) -> None:
    async with ScriptedServer(echoes(b"\x01\x02", b"\x03\x04", b"line\r\n")) as server:
        seen = await attempt("tcp", port=server.port, script=script)
    assert (seen.outcome, seen.reason) == (Outcome.OK, "")


async def test_bytes_are_shown_in_hex(attempt: AttemptFunction) -> None:
    async with ScriptedServer(echoes(b"\xfe\x01")) as server:
        seen = await attempt("tcp", port=server.port, script=("send-hex 00 ff", "expect-hex 01"))
    assert [(step.name, step.text) for step in seen.steps[2:]] == [("send", "00 ff"), ("first-byte", "00 ff fe 01")]


async def test_bytes_that_do_not_come_are_a_fail(attempt: AttemptFunction) -> None:
    async with ScriptedServer(echoes(b"\x01")) as server:
        seen = await attempt("tcp", 0.2, port=server.port, script=("send-hex 00", "expect-hex 02"))
    assert (seen.outcome, seen.reason) == (Outcome.FAIL, "timeout")
