"""The connection that conversations are held over."""

from __future__ import annotations

import asyncio
import re
import socket

import pytest

from monitor.clock import SystemClock
from monitor.model import Outcome
from monitor.probes.failures import ProbeError
from monitor.probes.net.address import Address
from monitor.probes.net.connection import Connection
from monitor.probes.trace import AttemptTrace

LINE = re.compile(rb"\d\d\d ")


def connected() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    ours.setblocking(False)  # noqa: FBT003 - as the standard library has it
    return ours, theirs


async def test_no_line_waits_for_the_one_before_to_be_acknowledged() -> None:
    ours, theirs = connected()
    with theirs:
        wire = Connection(ours, Address(socket.AF_INET, "127.0.0.1"), AttemptTrace(SystemClock()))
        assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        wire.close()


async def test_a_reply_that_does_not_end_is_shown_as_far_as_it_came_with_the_reason() -> None:
    ours, theirs = connected()
    trail = AttemptTrace(SystemClock())
    wire = Connection(ours, Address(socket.AF_INET, "127.0.0.1"), trail)
    with theirs:
        theirs.sendall(b"220 one\r\n220-tw")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await wire.read_reply(LINE, re.compile(rb""), re.compile(rb"220-end"))
        wire.close()
    (step,) = trail.attempt(Outcome.FAIL, "timeout").steps
    assert (step.name, step.text) == ("first-byte", "timeout\n220 one\n220-tw")


async def test_a_reply_that_does_not_fit_is_shown_whole() -> None:
    ours, theirs = connected()
    trail = AttemptTrace(SystemClock())
    wire = Connection(ours, Address(socket.AF_INET, "127.0.0.1"), trail)
    with theirs:
        theirs.sendall(b"HTTP/1.1 400\r\nmore\0\r\n")
        with pytest.raises(ProbeError, match="protocol"):
            await wire.read_reply(LINE, LINE, LINE)
        wire.close()
    (step,) = trail.attempt(Outcome.FAIL, "protocol").steps
    assert step.text == "protocol\nHTTP/1.1 400\nmore\N{REPLACEMENT CHARACTER}"
