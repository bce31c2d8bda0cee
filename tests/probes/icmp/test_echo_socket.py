"""The socket of pings: many packets in one call or one by one, the same is sent and the same is heard."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
import time
from typing import TYPE_CHECKING

import pytest

from monitor.probes.icmp import probe as icmp_probe
from monitor.probes.icmp.batch_io import MAX_RECEIVE_BATCH, MAX_SEND_BATCH, ReceiveBatch, SendBatch
from monitor.probes.icmp.echo_socket import EchoSocket, pack_address
from monitor.probes.net.address import Address
from monitor.probes.net.resolver import parse_ip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.probes.icmp.echo_socket import EchoReply

PATIENCE = 20.0
permitted = pytest.mark.skipif(icmp_probe.icmp_permission_hint() is not None, reason="ICMP is not permitted here")
both = pytest.mark.parametrize("one_by_one", [False, True], ids=["many", "one by one"])


@pytest.fixture(params=["127.3.2.1", "::1"])
def address(request: pytest.FixtureRequest) -> Address:
    found = parse_ip(request.param)
    assert found is not None
    if found.family == socket.AF_INET6 and not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    return found


async def heard(echo: EchoSocket, count: int) -> list[EchoReply]:
    replies: list[EchoReply] = []
    async with asyncio.timeout(PATIENCE):
        while len(replies) < count:
            replies += echo.receive()[0]
            await asyncio.sleep(0.001)  # it is only ever polled
    return replies


@permitted
@both
async def test_every_request_is_answered_with_its_number_and_the_kernels_stamp(
    address: Address, *, one_by_one: bool
) -> None:
    echo = EchoSocket(address.family, one_by_one=one_by_one)
    await asyncio.sleep(0.1)  # the kernel begins to stamp a moment after it was asked
    numbers = range(
        65_530, 65_530 + 3 * MAX_RECEIVE_BATCH
    )  # more than one call takes, and around the end of the sequences
    before = time.time_ns()
    for first in range(0, len(numbers), MAX_SEND_BATCH):
        assert echo.send([(*pack_address(address), number) for number in numbers[first : first + MAX_SEND_BATCH]]) == {}
    replies = await heard(echo, len(numbers))
    echo.close()
    assert [(source, number) for source, number, _ in replies] == [
        (pack_address(address)[0], number) for number in numbers
    ]
    stamps = [stamp for _, _, stamp in replies]
    assert stamps == sorted(stamps)
    assert before - 1_000_000 <= stamps[0] <= stamps[-1] <= time.time_ns() + 1_000_000


@permitted
@both
async def test_all_is_taken_and_that_is_known(*, one_by_one: bool) -> None:
    echo = EchoSocket(socket.AF_INET, one_by_one=one_by_one)
    here = pack_address(Address(socket.AF_INET, "127.0.0.1"))
    for number in range(1, MAX_RECEIVE_BATCH + 1):
        echo.send([(*here, number)])
    assert len(await heard(echo, MAX_RECEIVE_BATCH)) == MAX_RECEIVE_BATCH
    assert echo.receive() == ([], [])
    assert echo.drained
    echo.close()


@permitted
@both
async def test_one_that_cannot_leave_keeps_none_of_the_others(*, one_by_one: bool) -> None:
    echo = EchoSocket(socket.AF_INET, one_by_one=one_by_one)
    here, broadcast = (pack_address(Address(socket.AF_INET, host)) for host in ("127.0.0.1", "127.255.255.255"))
    order = [here, broadcast, here, here, broadcast, broadcast, here]
    refused = echo.send([(*host, number) for number, host in enumerate(order, 1)])
    assert {number: error.errno for number, error in refused.items()} == dict.fromkeys((2, 5, 6), errno.EACCES)
    assert [number for _, number, _ in await heard(echo, 4)] == [1, 3, 4, 7]
    echo.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as theirs,
    ):
        for each in (ours, theirs):
            each.bind(("127.0.0.1", 0))
            each.settimeout(0)
        yield ours, theirs


@both
def test_a_packet_without_a_stamp_does_not_show_that_of_an_earlier_one(
    pair: tuple[socket.socket, socket.socket], *, one_by_one: bool
) -> None:
    ours, theirs = pair
    catch = ReceiveBatch(ours, one_by_one=one_by_one)
    ours.setsockopt(socket.SOL_SOCKET, 35, 1)
    theirs.sendto(b"a" * 84, ours.getsockname())
    while not (stamped := taken(catch)):
        theirs.sendto(b"a" * 84, ours.getsockname())
    ours.setsockopt(socket.SOL_SOCKET, 35, 0)
    theirs.sendto(b"b" * 10, ours.getsockname())
    assert stamped[0][0] == 84
    assert taken(catch) == [(10, 0, 0)]


def taken(catch: ReceiveBatch) -> list[tuple[int, int, int]]:
    """Take what is there, all but what came before the kernel began to stamp."""
    count = catch.receive()
    rows = list(catch.lengths_and_timestamps(count))
    return rows if rows[0][0] != 84 or rows[0][1] else []


@both
def test_a_packet_that_is_longer_than_its_room_is_cut(
    pair: tuple[socket.socket, socket.socket], *, one_by_one: bool
) -> None:
    ours, theirs = pair
    catch = ReceiveBatch(ours, one_by_one=one_by_one)
    theirs.sendto(bytes(range(256)) * 4, ours.getsockname())
    theirs.sendto(b"next", ours.getsockname())
    packets: list[bytes] = []
    while len(packets) < 2:
        count = catch.receive()
        for place, (length, _, _) in enumerate(catch.lengths_and_timestamps(count)):
            begin = place * ReceiveBatch.slot_size + ReceiveBatch.packet_offset
            packets.append(bytes(catch.received_slots(count)[begin : begin + length]))
    with pytest.raises(BlockingIOError):
        catch.receive()
    assert packets == [bytes(range(192)), b"next"]


def test_a_part_of_a_volley_leaves_in_its_order(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    volley = SendBatch(ours, 16, b"....")
    host, port = theirs.getsockname()
    for number, slot in enumerate(volley.slot_offsets):
        struct.pack_into("!H4s8s4s", volley.memory, slot + 2, port, socket.inet_aton(host), bytes(8), b"%04d" % number)
    left = 0
    while left < 4:
        left += volley.send(3 + left, 7)
    assert [theirs.recv(100) for _ in range(4)] == [b"0003", b"0004", b"0005", b"0006"]


PACKET = struct.Struct("!BBHHH8sQ40s")
FORGERIES = ("as it is", "kind", "id", "sequence", "token", "padding", "shorter", "longer")


@permitted
@pytest.mark.parametrize("forgery", FORGERIES)
async def test_an_answer_counts_only_where_type_id_sequence_and_payload_are_ours(forgery: str) -> None:
    echo = EchoSocket(socket.AF_INET)
    if not echo.raw:
        echo.close()
        pytest.skip("needs a raw socket to forge by")
    ident, token, number = echo.id, echo._token, 70_000
    packet = {
        "as it is": (0, 0, 0, ident, number % 65536, token, number, bytes(40)),
        "kind": (14, 0, 0, ident, number % 65536, token, number, bytes(40)),
        "id": (0, 0, 0, ident ^ 1, number % 65536, token, number, bytes(40)),
        "sequence": (0, 0, 0, ident, number % 65536 + 1, token, number, bytes(40)),
        "token": (0, 0, 0, ident, number % 65536, bytes(8), number, bytes(40)),
        "padding": (0, 0, 0, ident, number % 65536, token, number, b"\1" + bytes(39)),
    }.get(forgery, (0, 0, 0, ident, number % 65536, token, number, bytes(40)))
    data = PACKET.pack(*packet)
    data = {"shorter": data[:-1], "longer": data + b"\0"}.get(forgery, data)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as forger:
        forger.sendto(data, ("127.0.0.1", 0))
    echo.send([(*pack_address(Address(socket.AF_INET, "127.0.0.1")), 1)])
    forged = [number for _, number, _ in await heard(echo, 1)]
    echo.close()
    assert forged == ([70_000, 1] if forgery == "as it is" else [1])
