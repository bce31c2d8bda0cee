"""Which answer belongs to which ping: by address, sequence and number; what comes again or too late is counted."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model import Outcome
from monitor.probes.icmp.echo_socket import SEQUENCES, IcmpErrorReport, pack_address
from monitor.probes.icmp.in_flight import PingCounts, PingSocket
from monitor.probes.net.resolver import parse_ip
from tests.fakes import FakeClock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.probes.icmp.echo_socket import EchoReply, EchoRequest
    from monitor.probes.icmp.in_flight import PendingPing
    from monitor.probes.net.address import Address
    from monitor.probes.probe import Attempt


def at(host: str) -> Address:
    address = parse_ip(host)
    assert address is not None
    return address


HERE, THERE = at("198.18.1.1"), at("198.18.1.2")


class FakeEcho:
    """Keeps what is sent, and refuses what it is asked to."""

    drained = True
    dropped = 0

    def __init__(self) -> None:
        self.sent: list[EchoRequest] = []
        self.sizes: list[int] = []
        self.refusing: dict[bytes, int] = {}
        """Error numbers, by address."""

    def send(self, requests: Sequence[EchoRequest]) -> dict[int, OSError]:
        self.sent += requests
        return {number: OSError(self.refusing[host], "") for host, _, number in requests if host in self.refusing}

    def send_sized(self, request: EchoRequest, size: int) -> dict[int, OSError]:
        self.sizes.append(size)
        return self.send([request])

    def receive(self) -> tuple[list[EchoReply], list[IcmpErrorReport]]:
        return [], []

    def close(self) -> None: ...


class Scene:
    """A line of fakes."""

    def __init__(self) -> None:
        self.clock, self.echo, self.counts = FakeClock(), FakeEcho(), PingCounts()
        self.line = PingSocket(self.echo, 0.0, self.counts)
        self.told: list[Attempt] = []

    def fly(self, address: Address = HERE, timeout: float = 1.0, after: int | None = None) -> EchoReply:
        """Send a request, by the number ``after`` another one, and give its answer."""
        if after is not None:
            self.line._last_number = after
        assert self.line.send([(address, timeout, self.told.append, 56)], self.clock) == []
        host, _, number = self.echo.sent[-1]
        return host, number % SEQUENCES, number, 0

    def take(self, answer: EchoReply) -> PendingPing | None:
        """Let an answer come, and give the flight that it ends."""
        return next((flight for flight, _ in self.line.match_replies([answer])), None)

    def give_up(self) -> int:
        """Let every deadline pass, and say how many were missed."""
        self.clock.advance(60)
        return len(self.line.pop_expired(self.clock.monotonic()))


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_an_answer_counts_once_and_then_as_a_duplicate(scene: Scene) -> None:
    answer = scene.fly()
    assert scene.take(answer) is not None
    assert scene.take(answer) is None
    assert scene.take(answer) is None
    assert scene.counts == PingCounts(duplicate=2)


def test_an_answer_to_a_ping_that_was_given_up_is_late(scene: Scene) -> None:
    answer = scene.fly()
    assert scene.give_up() == 1
    assert scene.take(answer) is None
    assert scene.counts == PingCounts(late=1)


def test_an_answer_is_late_too_when_its_sequence_is_in_flight_again(scene: Scene) -> None:
    answer = scene.fly(after=6)
    scene.give_up()
    again = scene.fly(after=6 + SEQUENCES)
    assert again[1] == answer[1]
    assert scene.take(answer) is None
    assert scene.counts == PingCounts(late=1)
    assert scene.take(again) is not None


@pytest.mark.parametrize("wrong", ["host", "sequence", "number"])
def test_what_answers_another_request_is_not_taken(scene: Scene, wrong: str) -> None:
    host, sequence, number, stamp = scene.fly()
    assert number is not None
    forged = {
        "host": (pack_address(THERE)[0], sequence, number, stamp),
        "sequence": (host, sequence + 1, number, stamp),
        "number": (host, sequence, number + SEQUENCES, stamp),
    }[wrong]
    assert scene.take(forged) is None
    assert scene.counts == PingCounts()
    assert scene.line.pending


def test_an_answer_with_a_payload_of_another_shape_counts_by_its_sequence(scene: Scene) -> None:
    host, sequence, _, stamp = scene.fly()
    assert scene.take((pack_address(THERE)[0], sequence, None, stamp)) is None
    assert scene.take((host, sequence, None, stamp)) is not None
    assert scene.take((host, sequence, None, stamp)) is None
    assert scene.counts == PingCounts(duplicate=1)


def test_a_ping_with_a_size_of_its_own_leaves_with_that_size(scene: Scene) -> None:
    pings = [(HERE, 1.0, scene.told.append, size) for size in (56, 1_400, 0, 56)]
    assert scene.line.send(pings, scene.clock) == []
    assert scene.echo.sizes == [1_400, 0]
    assert len(scene.line.pending) == 4


def test_a_sequence_that_is_in_flight_is_not_given_again(scene: Scene) -> None:
    assert [scene.fly(after=6)[1], scene.fly(after=6 + SEQUENCES)[1]] == [7, 8]
    assert len(scene.line.pending) == 2


def test_the_last_free_sequences_are_given_once_each_to_what_leaves_together(scene: Scene) -> None:
    for _ in range(SEQUENCES - 3):
        scene.fly(timeout=3600)
    pings = [(THERE, 1.0, scene.told.append, 56)] * 5
    refused = scene.line.send(pings, scene.clock)
    assert [(cause.outcome, cause.reason) for _, _, cause in refused] == [
        (Outcome.UNKNOWN, "too many pings in flight")
    ] * 2
    assert len(scene.line.pending) == SEQUENCES
    assert len({number % SEQUENCES for _, _, number in scene.echo.sent}) == SEQUENCES


def test_what_is_not_taken_is_told_of_that_ping_alone_with_its_own_reason(scene: Scene) -> None:
    third = at("198.18.1.3")
    scene.echo.refusing = {pack_address(THERE)[0]: errno.ENOBUFS, pack_address(third)[0]: errno.EPERM}
    hosts = [HERE, THERE, HERE, third] * 10
    refused = scene.line.send([(host, 1.0, scene.told.append, 56) for host in hosts], scene.clock)
    assert [(ping[0], cause.outcome, cause.reason) for ping, _, cause in refused] == [
        (THERE, Outcome.UNKNOWN, "no buffer space"),
        (third, Outcome.UNKNOWN, "not permitted"),
    ] * 10
    assert {flight.address for flight in scene.line.pending.values()} == {HERE}
    assert scene.give_up() == 20


def test_the_error_of_a_request_ends_it_by_its_sequence_alone(scene: Scene) -> None:
    host, sequence, _, _ = scene.fly()
    error = IcmpErrorReport(host, sequence, "host unreachable", 0, "198.18.0.1")
    assert scene.line.match_error(error._replace(packed_address=pack_address(THERE)[0])) is None
    assert scene.line.match_error(error) is not None
    assert scene.line.match_error(error) is None
    assert scene.counts == PingCounts()


def test_sequences_wrap_around_sixty_thousand_in_flight(scene: Scene) -> None:
    held = [scene.fly(timeout=3600) for _ in range(60_000)]
    for _ in range(40_000):  # through the few sequences that are left, many times over
        flown = scene.fly(THERE)
        assert scene.take(flown) is not None
    lost = [scene.fly(THERE) for _ in range(5_000)]
    assert scene.give_up() == 5_000
    assert len({sequence for _, sequence, _, _ in (*held, *lost)}) == 65_000
    flights = [scene.take(each) for each in held]
    assert [flight and flight.number for flight in flights] == [number for _, _, number, _ in held]
    assert scene.line.pending == {}
    assert scene.counts == PingCounts()


@given(st.lists(st.tuples(st.sampled_from("saoa"), st.integers(0, 30)), max_size=60))
def test_every_ping_ends_once_whatever_is_answered_when(acts: list[tuple[str, int]]) -> None:
    scene, ended = Scene(), list[int]()
    answers: list[EchoReply] = []
    for act, choice in acts:
        if act == "s":
            answers.append(scene.fly(timeout=1 + choice % 3))
        elif act == "a" and answers:
            flight = scene.take(answers[choice % len(answers)])
            ended += [flight.number] if flight else []
        elif act == "o":
            scene.clock.advance(choice % 3 / 2)
            ended += [flight.number for flight in scene.line.pop_expired(scene.clock.monotonic())]
    ended += [flight.number for flight in scene.line.pending.values()]
    assert sorted(ended) == sorted(number for _, _, number in scene.echo.sent)


def test_a_ping_is_given_up_within_a_tick_of_its_deadline_and_never_before(scene: Scene) -> None:
    scene.clock.advance(0.123)
    scene.fly(timeout=0.5)
    deadline = scene.clock.monotonic() + 0.5
    assert scene.line.pop_expired(deadline - 0.001) == []
    assert len(scene.line.pop_expired(deadline + 0.051)) == 1
