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
    assert [(source, number) for source, _, number, _ in replies] == [
        (pack_address(address)[0], number) for number in numbers
    ]
    stamps = [stamp for _, _, _, stamp in replies]
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
    assert [number for _, _, number, _ in await heard(echo, 4)] == [1, 3, 4, 7]
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
async def test_an_answer_is_taken_by_its_type_and_id_and_tells_its_number_by_its_payload(forgery: str) -> None:
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
    replies = await heard(echo, 2 if forgery not in ("kind", "id") else 1)
    echo.close()
    *forged, own = [(sequence, number) for _, sequence, number, _ in replies]
    assert own == (1, 1)
    of_payload = {"as it is": number, "padding": number, "longer": number, "shorter": number, "token": None}
    expected = {**{name: (number % 65536, echoed) for name, echoed in of_payload.items()}}
    expected["sequence"] = (number % 65536 + 1, number)
    assert forged == ([expected[forgery]] if forgery in expected else [])


# --- an answer counts, whatever its payload and its IP options are ----------------------------------------------------


def send_reply(
    echo: EchoSocket, payload: bytes, *, sequence: int = 7, ident: int | None = None, options: bytes = b""
) -> None:
    """Send an echo reply to a socket from 127.0.0.1, as a raw socket writes it."""
    ident = (echo.id if echo.raw else echo._sock.getsockname()[1]) if ident is None else ident
    unsummed = struct.pack("!BBHHH", 0, 0, 0, ident, sequence) + payload
    total = int.from_bytes(unsummed + bytes(len(unsummed) % 2)) % 0xFFFF
    icmp = struct.pack("!BBHHH", 0, 0, ~total & 0xFFFF, ident, sequence) + payload
    header = struct.pack(
        "!BBHHHBBH4s4s",
        0x40 | (20 + len(options)) // 4,
        0,
        20 + len(options) + len(icmp),
        0,
        0,
        64,
        socket.IPPROTO_ICMP,
        0,
        socket.inet_aton("127.0.0.1"),
        socket.inet_aton("127.0.0.1"),
    )
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.sendto(header + options + icmp, ("127.0.0.1", 0))


def may_send_raw() -> bool:
    try:
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW).close()
    except PermissionError:
        return False
    return True


raw_permitted = pytest.mark.skipif(not may_send_raw(), reason="needs CAP_NET_RAW")
RECORD_ROUTE = bytes([7, 7, 4, 0, 0, 0, 0, 1])


@pytest.fixture
def echo_socket() -> Iterator[EchoSocket]:
    echo = EchoSocket(socket.AF_INET)
    yield echo
    echo.close()


def payload_of(echo: EchoSocket, number: int) -> bytes:
    return echo._token + number.to_bytes(8) + bytes(40)


@permitted
@raw_permitted
@pytest.mark.parametrize(
    ("cut", "extra", "options"),
    [
        (slice(0), b"", b""),
        (slice(0), b"another payload", b""),
        (slice(8), b"", b""),
        (slice(16), b"", b""),
        (slice(None), bytes(100), b""),
        (slice(None), b"", RECORD_ROUTE),
        (slice(0), b"odd", RECORD_ROUTE),
        (slice(0), bytes(1400), RECORD_ROUTE),
    ],
)
async def test_an_answer_counts_whatever_its_payload_and_its_ip_options_are(
    echo_socket: EchoSocket, cut: slice, extra: bytes, options: bytes
) -> None:
    payload = payload_of(echo_socket, 7)[cut] + extra
    send_reply(echo_socket, payload, options=options)
    [(source, sequence, number, _)] = await heard(echo_socket, 1)
    assert (source, sequence) == (socket.inet_aton("127.0.0.1"), 7)
    assert number in ((7,) if len(payload) >= 16 and payload.startswith(echo_socket._token) else (None,))


@permitted
@raw_permitted
async def test_an_answer_with_another_id_is_not_ours(echo_socket: EchoSocket) -> None:
    own = echo_socket.id if echo_socket.raw else echo_socket._sock.getsockname()[1]
    send_reply(echo_socket, b"", ident=own ^ 1)
    send_reply(echo_socket, b"", sequence=8)
    assert [sequence for _, sequence, _, _ in await heard(echo_socket, 1)] == [8]


@permitted
@pytest.mark.parametrize("size", [0, 1, 8, 15, 16, 56, 57, 1_400, 20_000])
async def test_a_request_of_any_size_is_answered(address: Address, size: int) -> None:
    echo = EchoSocket(address.family)
    assert echo.send_sized((*pack_address(address), 3), size) == {}
    [(source, sequence, number, _)] = await heard(echo, 1)
    assert (source, sequence) == (pack_address(address)[0], 3)
    assert number == (3 if size >= 16 else None)
    echo.close()


@permitted
async def test_a_request_that_is_too_large_is_refused(echo_socket: EchoSocket) -> None:
    here = pack_address(Address(socket.AF_INET, "127.0.0.1"))
    refused = echo_socket.send_sized((*here, 3), 70_000)
    assert refused[3].errno == errno.EMSGSIZE
