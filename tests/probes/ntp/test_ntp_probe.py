"""Time servers: what they answered, recorded, and what others could."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from monitor.model import Outcome
from tests.probes.nameserver import UdpNameServer

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from tests.probes.conftest import AttemptFunction

CHRONY = bytes.fromhex(
    "24 02 06 e7 00 00 08 f2 00 00 05 27 c0 00 02 01 e9 a2 5f 5b 5a 3c 1f 00 11 11 11 11 11 11 11 11"
    "e9 a2 5f 79 00 12 e3 b8 e9 a2 5f 79 00 14 28 10"
)
"""A server of stratum 2 in version 4; the request's timestamp is put in its place."""


def answers(reply: bytes, *, token: Callable[[bytes], bytes] = bytes) -> Callable[[socket.socket, bytes, Any], None]:
    """Send ``reply`` with what ``token`` makes of the request's timestamp as the one that it answers."""

    def answer(sock: socket.socket, request: bytes, address: Any) -> None:
        sock.sendto(reply[:24] + token(request[40:48]) + reply[32:], address)

    return answer


def changed(position: int, data: bytes) -> bytes:
    return CHRONY[:position] + data + CHRONY[position + len(data) :]


@pytest.mark.parametrize(
    ("reply", "outcome", "reason"),
    [
        (CHRONY, Outcome.OK, ""),
        (CHRONY + bytes(20), Outcome.OK, ""),  # with a key id and a digest
        (changed(0, b"\x1c"), Outcome.OK, ""),  # version 3
        (changed(0, b"\x64"), Outcome.OK, ""),  # a leap second is announced
        (changed(1, b"\x0f"), Outcome.OK, ""),
        (changed(0, b"\xe4"), Outcome.FAIL, "status: not synchronised"),
        (changed(0, b"\xe4\0")[:12] + bytes(4) + CHRONY[16:], Outcome.FAIL, "status: not synchronised"),  # chrony
        (changed(1, b"\x10"), Outcome.FAIL, "status: not synchronised"),
        (changed(1, b"\0")[:12] + b"RATE" + CHRONY[16:], Outcome.FAIL, "status: RATE"),
        (changed(1, b"\0")[:12] + b"DENY" + CHRONY[16:], Outcome.FAIL, "status: DENY"),
        (changed(1, b"\0")[:12] + b"<b>!" + CHRONY[16:], Outcome.FAIL, "status: not synchronised"),
        (changed(40, bytes(8)), Outcome.FAIL, "protocol"),
    ],
)
async def test_an_answer_is_judged(attempt: AttemptFunction, reply: bytes, outcome: Outcome, reason: str) -> None:
    with UdpNameServer(answers(reply)) as server:
        seen = await attempt("ntp", port=server.port)
    assert (seen.outcome, seen.reason) == (outcome, reason)
    assert (seen.latency_us is not None) == (outcome is Outcome.OK)


@pytest.mark.parametrize(("highest", "reason"), [(1, "status: stratum 2"), (2, "")])
async def test_a_server_can_be_too_far_from_a_reference_clock(
    attempt: AttemptFunction, highest: int, reason: str
) -> None:
    with UdpNameServer(answers(CHRONY)) as server:
        assert (await attempt("ntp", port=server.port, highest_stratum=highest)).reason == reason


@pytest.mark.parametrize(
    "answer",
    [
        answers(CHRONY, token=lambda sent: bytes(len(sent))),  # to another request
        answers(changed(0, b"\x23")),  # a client's request
        answers(changed(0, b"\x25")),  # a broadcast
        answers(CHRONY[:47]),
    ],
)
async def test_what_answers_another_request_is_not_heard(
    attempt: AttemptFunction, answer: Callable[[socket.socket, bytes, Any], None]
) -> None:
    with UdpNameServer(answer) as server:
        seen = await attempt("ntp", 0.2, port=server.port)
    assert (seen.outcome, seen.reason) == (Outcome.FAIL, "timeout")


async def test_a_flood_of_stray_datagrams_ends_the_attempt(attempt: AttemptFunction) -> None:
    def flood(sock: socket.socket, _request: bytes, address: Any) -> None:
        for _ in range(30):
            sock.sendto(CHRONY, address)

    with UdpNameServer(flood) as server:
        assert (await attempt("ntp", port=server.port)).reason == "protocol"


async def test_the_request_holds_no_time_and_no_two_are_alike(attempt: AttemptFunction) -> None:
    requests: list[bytes] = []

    def answer(_sock: socket.socket, request: bytes, _address: Any) -> None:
        requests.append(request)

    with UdpNameServer(answer) as server:
        for _ in range(2):
            await attempt("ntp", 0.1, port=server.port)
    first, second = requests
    assert first[:40] == second[:40] == b"\x23" + bytes(39)
    assert first[40:] != second[40:]


async def test_a_port_where_nobody_listens_is_refused(attempt: AttemptFunction) -> None:
    with UdpNameServer(answers(CHRONY)) as server:
        port = server.port
    seen = await attempt("ntp", port=port)
    assert (seen.outcome, seen.reason) == (Outcome.FAIL, "refused")


async def test_a_source_that_is_not_local_is_the_monitors_fault(attempt: AttemptFunction) -> None:
    seen = await attempt("ntp", source="192.0.2.77")
    assert (seen.outcome, seen.reason) == (Outcome.UNKNOWN, "source address not local")
