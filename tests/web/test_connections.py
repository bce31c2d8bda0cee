"""The limits of the web server, with clients that open connections and send nothing, or half of a request."""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
from contextlib import ExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from monitor.web.connections import MAX_CONNECTIONS, ConnectionGuard, ConnectionLimits, address_group, connection_limits
from monitor.web.server import WebState, serve
from tests.fakes import FakeClock
from tests.web.page_fixtures import populated_state

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
HALF_REQUESTS = (
    b"",
    b"G",
    b"GET /metrics HTTP/1.1\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n",
)


@asynccontextmanager
async def server(limits: ConnectionLimits, shortages: list[str] | None = None) -> AsyncIterator[tuple[str, int]]:
    """Run a web server and return its address."""
    board, telemetry = populated_state()
    told = [] if shortages is None else shortages
    state = WebState(board, telemetry, FakeClock())
    async with serve(state, ("127.0.0.1", 0), "", limits, told.append) as url:
        parts = urlsplit(url)
        yield str(parts.hostname), int(parts.port or 0)


async def connect(address: tuple[str, int], data: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(data)
    await writer.drain()
    return reader, writer


async def ask(address: tuple[str, int]) -> bytes:
    """Return the status line of a whole request."""
    reader, writer = await connect(address, REQUEST)
    try:
        return await asyncio.wait_for(reader.readline(), 10)
    finally:
        writer.close()


@pytest.mark.parametrize("half", HALF_REQUESTS)
async def test_half_requests_keep_nobody_out(half: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async with server(ConnectionLimits(total=8, per_address=4)) as address:
        clients = [await connect(address, half) for _ in range(40)]
        assert await ask(address) == b"HTTP/1.1 200 OK\r\n"
        for _, writer in clients:
            writer.close()
    assert [record.message[:11] for record in caplog.records if record.levelno == logging.WARNING] == ["web server:"]


async def test_the_connection_that_waited_longest_makes_room() -> None:
    async with server(ConnectionLimits(total=8, per_address=2)) as address:
        clients = [await connect(address, b"GET ") for _ in range(3)]
        assert await asyncio.wait_for(_end(clients[0][0]), 10) == b""
        for reader, writer in clients[1:]:
            writer.write(b"/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        for _, writer in clients:
            writer.close()


async def _end(reader: asyncio.StreamReader) -> bytes:
    """Return what is left to read; nothing if the server reset the connection."""
    try:
        return await reader.read()
    except ConnectionError:
        return b""


async def test_a_kept_connection_stays_while_half_requests_go() -> None:
    async with server(ConnectionLimits(total=8, per_address=4)) as address:
        reader, writer = await connect(address, REQUEST)
        await reader.readuntil(b"alive\n")
        halves = [await connect(address, b"GET / HTTP/1.1\r\n") for _ in range(20)]
        writer.write(REQUEST)
        assert await asyncio.wait_for(reader.readline(), 10) == b"HTTP/1.1 200 OK\r\n"
        for _, other in [(reader, writer), *halves]:
            other.close()


@pytest.mark.parametrize("half", HALF_REQUESTS[:4])
async def test_a_request_that_is_never_complete_is_closed_after_its_time(half: bytes) -> None:
    async with server(ConnectionLimits(request_timeout=0.1, deadline_interval=0.05)) as address:
        reader, writer = await connect(address, half)
        assert await asyncio.wait_for(_end(reader), 10) == b""
        writer.close()


async def test_a_response_that_nobody_reads_is_closed_after_its_time() -> None:
    limits = ConnectionLimits(response_timeout=0.1, deadline_interval=0.05)
    guard = ConnectionGuard(limits, lambda _: None)
    aborted = asyncio.Event()

    class Protocol:
        class transport:  # noqa: N801
            is_closing = staticmethod(lambda: False)
            abort = staticmethod(aborted.set)

    async def never(_: Any) -> Any:
        await asyncio.Event().wait()

    protocol: Any = Protocol()
    guard.add(protocol, "192.0.2.1")
    request: Any = type("Request", (), {"protocol": protocol})
    tasks = [asyncio.ensure_future(guard.middleware(request, never)), asyncio.create_task(guard.enforce_deadlines())]
    await asyncio.wait_for(aborted.wait(), 10)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_descriptors_that_run_out_are_told_and_serving_goes_on() -> None:
    shortages: list[str] = []
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with server(ConnectionLimits(), shortages) as address:
        with ExitStack() as stack, socket.socket() as client:
            client.settimeout(0)
            highest = client.fileno()
            stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, limits[1]))
            for holder in _use_up_descriptors():
                stack.callback(holder.close)
            await asyncio.get_running_loop().sock_connect(client, address)
            while not shortages:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert shortages[0] == "web server: Too many open files"
        assert await ask(address) == b"HTTP/1.1 200 OK\r\n"


def _use_up_descriptors() -> list[socket.socket]:
    holders: list[socket.socket] = []
    try:
        while True:
            holders.append(socket.socket())
    except OSError:
        return holders


@pytest.mark.parametrize(
    ("descriptors", "total"),
    [(64, 8), (256, 16), (1024, 64), (65_536, MAX_CONNECTIONS), (resource.RLIM_INFINITY, MAX_CONNECTIONS)],
)
def test_the_limit_of_connections_leaves_descriptors_for_checks(descriptors: int, total: int) -> None:
    limits = connection_limits(descriptors)
    assert (limits.total, limits.per_address) == (total, total // 2)


@pytest.mark.parametrize(
    ("address", "group"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
    ],
)
def test_an_ipv6_network_counts_as_one_address(address: str, group: str) -> None:
    assert address_group(address) == group
