"""The key ``source``: from which address of this machine a check connects."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import pytest

from monitor.model import Outcome
from monitor.probes.check_types import CHECK_TYPES
from monitor.probes.failures import connection_failure
from monitor.probes.net.address import Address
from monitor.probes.net.tcp_connect import SOURCE_NOT_LOCAL, usable_family
from monitor.probes.settings import settings_fields
from tests.probes.nameserver import UdpNameServer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.probes.conftest import AttemptFunction

NOT_LOCAL = "192.0.2.77"


class PeerServer:
    """Remembers from which addresses it was connected to, and says one thing to everyone."""

    def __init__(self, said: bytes) -> None:
        self._said = said
        self.peers: list[str] = []
        self._reached = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.peers.append(writer.get_extra_info("peername")[0])
        self._reached.set()
        writer.write(self._said)
        await reader.read(100)
        writer.close()

    async def run(self, work: Callable[[int], Awaitable[Any]]) -> None:
        """Run ``work`` with the port that it listens on, and wait until it was connected to."""
        async with await asyncio.start_server(self.serve, "127.0.0.1", 0) as server:
            await work(server.sockets[0].getsockname()[1])
            await self._reached.wait()
            self._reached.clear()


def keys_of(kind: str, port: int) -> dict[str, Any]:
    return {"url": f"http://127.0.0.1:{port}/"} if kind == "http" else {"port": port}


@pytest.mark.parametrize(
    ("kind", "said", "more"),
    [
        ("tcp", b"", {}),
        ("tcp", b"ready\r\n", {"script": ("expect ready",)}),
        ("http", b"HTTP/1.1 204 No Content\r\n\r\n", {}),
        ("ssh", b"no ssh\r\n", {}),
    ],
)
async def test_a_server_sees_the_source_address(
    attempt: AttemptFunction, kind: str, said: bytes, more: dict[str, Any]
) -> None:
    server = PeerServer(said)
    await server.run(lambda port: attempt(kind, source="127.0.0.9", **keys_of(kind, port), **more))
    await server.run(lambda port: attempt(kind, **keys_of(kind, port), **more))
    assert server.peers == ["127.0.0.9", "127.0.0.1"]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_name_server_sees_the_source_address(attempt: AttemptFunction, transport: str) -> None:
    peers: list[str] = []

    def answer(_sock: socket.socket, _question: bytes, address: Any) -> None:
        peers.append(address[0])

    keys = {"query": "a.example", "source": "127.0.0.9", "transport": transport}
    if transport == "udp":
        with UdpNameServer(answer) as name_server:
            await attempt("dns", 0.2, port=name_server.port, **keys)
    else:
        tcp_server = PeerServer(b"\0\0")
        await tcp_server.run(lambda port: attempt("dns", port=port, **keys))
        peers = tcp_server.peers
    assert set(peers) == {"127.0.0.9"}


@pytest.mark.parametrize("kind", ["tcp", "http", "smtp", "mysql", "redis"])
async def test_an_address_that_this_machine_does_not_have_is_the_monitors_fault(
    attempt: AttemptFunction, kind: str
) -> None:
    seen = await attempt(kind, source=NOT_LOCAL, **keys_of(kind, 9))
    assert (seen.outcome, seen.reason) == (Outcome.UNKNOWN, SOURCE_NOT_LOCAL)


async def test_a_question_from_an_address_that_is_not_local_is_not_sent(attempt: AttemptFunction) -> None:
    seen = await attempt("dns", query="a.example", source=NOT_LOCAL, port=9)
    assert (seen.outcome, seen.reason) == (Outcome.UNKNOWN, SOURCE_NOT_LOCAL)


@pytest.mark.parametrize("kind", ["tcp", "http", "dns"])
async def test_a_server_of_another_family_cannot_be_reached_from_it(attempt: AttemptFunction, kind: str) -> None:
    keys = {"query": "a.example", "port": 9} if kind == "dns" else keys_of(kind, 9)
    seen = await attempt(kind, source="::1", **keys)
    assert (seen.outcome, seen.reason) == (Outcome.UNKNOWN, "no address of that family")


def test_the_family_of_the_source_decides_which_addresses_are_tried() -> None:
    assert [usable_family("any", each) for each in (None, "192.0.2.1", "2001:db8::1", "fe80::1%1")] == [
        "any",
        "4",
        "6",
        "6",
    ]


def test_routes_are_judged_by_the_source() -> None:
    there, own = Address(socket.AF_INET, "127.0.0.1"), Address(socket.AF_INET, NOT_LOCAL)
    unreachable = OSError(101, "Network is unreachable")
    assert connection_failure(unreachable, there).outcome is Outcome.FAIL
    assert connection_failure(unreachable, there, own).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("kind", sorted(set(CHECK_TYPES) - {"icmp"}))
def test_every_type_over_a_connection_has_the_key(kind: str) -> None:
    assert "source" in {field.name for field in settings_fields(CHECK_TYPES[kind].settings)}
