"""Servers that misbehave, against every check type: each costs its own check a failure with a reason, in time."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, Any

import pytest

from monitor.model import Outcome, Reason
from monitor.probes.probe import Attempt, Target
from monitor.probes.table import CHECK_TYPES
from tests.probes.servers import Server, closed_port, full_backlog, page, redirect, resets

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.probes.instruments import Instruments
    from tests.probes.servers import Script

TIMEOUT = 0.4
LATE = 0.1
"""Seconds by which no attempt may outlive its deadline."""
MOST_SENT = 8 * 1024 * 1024
"""Bytes that a flood gets rid of at most: what is read, and what the kernel keeps on both sides."""
TYPES = sorted(set(CHECK_TYPES) - {"icmp"})
_KEYS: dict[str, dict[str, Any]] = {
    "tcp": {"script": ("expect ^never$",)},
    "dns": {"query": "www.example.com", "record": "A"},
    "ssh": {"fingerprints": ("SHA256:" + "A" * 43,)},
}


class Flood:
    """Says something again and again as fast as it is taken, and counts."""

    def __init__(self, what: bytes) -> None:
        self._what = what * (65536 // len(what))
        self.sent = 0

    async def __call__(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(self._what)
            await writer.drain()
            self.sent += len(self._what)


def says_at_once(what: bytes, *, stay: bool) -> Script:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(what)
        await writer.drain()
        if stay:
            await reader.read()
            await asyncio.Event().wait()

    return script


def drips_at_once(what: bytes) -> Script:
    async def script(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            for byte in what:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.01)

    return script


BEHAVIOURS: dict[str, Callable[[], Script]] = {
    "hangs": lambda: says_at_once(b"", stay=True),
    "hangs up": lambda: says_at_once(b"", stay=False),
    "resets": lambda: resets,
    "drips": lambda: drips_at_once(b"220 slow.example ESMTP ready"),
    "drips lines": lambda: drips_at_once(b"220-s\r\n"),
    "garbage": lambda: says_at_once(bytes(range(256)) * 16, stay=False),
    "garbage and hangs": lambda: says_at_once(bytes(range(256)) * 16, stay=True),
    "NULs": lambda: says_at_once(bytes(4096), stay=True),
    "half a line": lambda: says_at_once(b"220 mail.exam", stay=True),
    "half a line and hangs up": lambda: says_at_once(b"220 mail.exam", stay=False),
    "endless line": lambda: Flood(b"2"),
    "endless NULs": lambda: Flood(b"\0"),
    "endless reply": lambda: Flood(b"220-more\r\n"),
    "endless headers": lambda: Flood(b"X-More: more\r\n"),
    "endless untagged": lambda: Flood(b"* OK more\r\n"),
    "wrong encoding": lambda: says_at_once(b"\xff\xfe2\x002\x000\x00\r\n" * 8, stay=True),
    "an error of MySQL cut short": lambda: says_at_once(b"\x02\0\0\0\xff\x10", stay=True),
    "a packet of 16 MiB": lambda: says_at_once(b"\xff\xff\xff\0" + bytes(4096), stay=True),
    "a packet of SSH without a payload": lambda: says_at_once(b"SSH-2.0-x\r\n\0\0\0\x01\0", stay=True),
    "a KEXINIT of nothing": lambda: says_at_once(b"SSH-2.0-x\r\n\0\0\0\x0c\x0a\x14" + bytes(10), stay=True),
    "TLS alert": lambda: says_at_once(b"\x15\x03\x03\x00\x02\x02\x28", stay=True),
}


async def measured(tools: Instruments, kind: str, **keys: Any) -> tuple[Attempt, float]:
    check_type = CHECK_TYPES[kind]
    given = _KEYS.get(kind, {}) | keys
    probe = check_type.build(check_type.settings(**given), tools)
    loop = asyncio.get_running_loop()
    began = loop.time()
    attempt = await probe.attempt(Target("127.0.0.1"), TIMEOUT)
    return attempt, loop.time() - began


def where(kind: str, port: int) -> dict[str, Any]:
    return {"url": f"{kind}://127.0.0.1:{port}/"} if CHECK_TYPES[kind].needs_url else {"port": port}


def is_a_failure(attempt: Attempt) -> bool:
    return attempt.outcome is Outcome.FAIL and attempt.reason.partition(":")[0] in set(Reason)


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
@pytest.mark.parametrize("kind", [kind for kind in TYPES if kind != "dns"])
async def test_a_server_that_misbehaves_costs_a_failure_within_the_deadline(
    instruments: Instruments, kind: str, behaviour: str
) -> None:
    script = BEHAVIOURS[behaviour]()
    for _ in range(3):  # a machine that is busy with other things is late itself
        async with Server(script) as server:
            seen, took = await measured(instruments, kind, **where(kind, server.port))
        assert is_a_failure(seen), (seen.outcome, seen.reason, seen.steps)
        if took <= TIMEOUT + LATE:
            break
    assert took <= TIMEOUT + LATE
    if isinstance(script, Flood):
        assert script.sent <= 3 * MOST_SENT


@pytest.mark.parametrize("kind", [kind for kind in TYPES if kind != "dns"])
async def test_a_server_that_takes_no_connection_costs_a_failure(instruments: Instruments, kind: str) -> None:
    with full_backlog() as port:
        seen, _ = await measured(instruments, kind, **where(kind, port))
    assert (seen.outcome, seen.reason) == (Outcome.FAIL, "timeout")
    with closed_port() as port:
        seen, _ = await measured(instruments, kind, **where(kind, port))
    assert (seen.outcome, seen.reason) == (Outcome.FAIL, "refused")


class Datagrams(asyncio.DatagramProtocol):
    """Answers every datagram with what it is given, with the question's number in front or another one."""

    def __init__(self, answer: bytes, *, right: bool = True, times: int = 1) -> None:
        self._answer = answer
        self._right = right
        self._times = times
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        assert self._transport is not None
        number = data[:2] if self._right else struct.pack("!H", data[0] * 256 + data[1] ^ 1)
        for _ in range(self._times):
            self._transport.sendto(number + self._answer, address)


@pytest.mark.parametrize(
    ("answers", "reasons"),
    [
        (lambda: Datagrams(bytes(range(256))), {"protocol"}),
        (lambda: Datagrams(b""), {"protocol"}),
        (lambda: Datagrams(bytes(10)), {"protocol"}),
        (lambda: Datagrams(b"\x81\x80" + bytes(8), right=False), {"timeout"}),
        (lambda: Datagrams(b"\x81\x80" + bytes(8), right=False, times=100), {"protocol"}),
        (lambda: Datagrams(b"\x81\x85" + bytes(8)), {"status: REFUSED"}),
        (lambda: Datagrams(b"\x81\x80" + bytes(8)), {"content: no answer"}),
        (lambda: Datagrams(b"\x83\x80" + bytes(8)), {"refused"}),  # truncated, and nobody listens on TCP
        (lambda: Datagrams(b"\x81\x80\0\1\0\1\0\0\0\0\xc0\x0c\0\1\0\1"), {"protocol"}),  # a name that points at itself
    ],
)
async def test_a_name_server_that_misbehaves_costs_a_failure(
    instruments: Instruments, answers: Callable[[], Datagrams], reasons: set[str]
) -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(answers, local_addr=("127.0.0.1", 0))
    try:
        seen, took = await measured(instruments, "dns", port=transport.get_extra_info("sockname")[1])
    finally:
        transport.close()
    assert seen.outcome is Outcome.FAIL
    assert seen.reason in reasons
    assert took <= TIMEOUT + 1


async def test_nobody_who_listens_for_datagrams_is_refused(instruments: Instruments) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    seen, _ = await measured(instruments, "dns", port=port)
    assert (seen.outcome, seen.reason) == (Outcome.FAIL, "refused")


async def test_an_endless_redirect_is_a_failure(instruments: Instruments) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(redirect("/again"))
        await writer.drain()

    async with Server(script) as server:
        seen, _ = await measured(instruments, "http", url=server.url())
    assert seen.reason in {"redirect: too many", "timeout"}


async def test_a_decompression_bomb_is_not_unpacked(instruments: Instruments) -> None:
    import gzip

    bomb = gzip.compress(bytes(256 * 1024 * 1024), 9)

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(page(bomb, headers="Content-Encoding: gzip\r\n"))
        await writer.drain()

    import tracemalloc

    async with Server(script) as server:
        tracemalloc.start()
        seen, _ = await measured(instruments, "http", url=server.url(), expect="never")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert seen.outcome is Outcome.FAIL
    assert peak < 32 * 1024 * 1024
