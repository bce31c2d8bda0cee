"""Which answer belongs to which ping: by address, sequence and number; what comes again or too late is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.probes.echo import SEQUENCES, Heard
from monitor.probes.flights import Line, PingCounts
from monitor.probes.resolve import literal
from tests.fakes import FakeClock

if TYPE_CHECKING:
    from monitor.probes.address import Address
    from monitor.probes.probe import Attempt


def at(host: str) -> Address:
    address = literal(host)
    assert address is not None
    return address


HERE, THERE = at("198.18.1.1"), at("198.18.1.2")


class FakeEcho:
    """Keeps what is sent, and answers what it is asked to."""

    emptied = True
    dropped = 0

    def __init__(self) -> None:
        self.sent: list[tuple[Address, int]] = []

    def send(self, address: Address, number: int) -> None:
        self.sent.append((address, number))

    def receive(self) -> list[Heard]:
        return []

    def close(self) -> None: ...


class Scene:
    """A line of fakes."""

    def __init__(self) -> None:
        self.clock, self.echo, self.counts = FakeClock(), FakeEcho(), PingCounts()
        self.line = Line(self.echo, 0.0, self.counts)
        self.told: list[Attempt] = []

    def fly(self, address: Address = HERE, timeout: float = 1.0, after: int | None = None) -> Heard:
        """Send a request, by the number ``after`` another one, and give its answer."""
        if after is not None:
            self.line._number = after
        self.line.send(address, self.clock, timeout, self.told.append)
        _, number = self.echo.sent[-1]
        return Heard(address.host, number % SEQUENCES, number, "", None)

    def give_up(self) -> int:
        """Let every deadline pass, and say how many were missed."""
        self.clock.advance(60)
        return len(self.line.overdue(self.clock.monotonic()))


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_an_answer_counts_once_and_then_as_a_duplicate(scene: Scene) -> None:
    answer = scene.fly()
    assert scene.line.take(answer) is not None
    assert scene.line.take(answer) is None
    assert scene.line.take(answer) is None
    assert scene.counts == PingCounts(duplicate=2)


def test_an_answer_to_a_ping_that_was_given_up_is_late(scene: Scene) -> None:
    answer = scene.fly()
    assert scene.give_up() == 1
    assert scene.line.take(answer) is None
    assert scene.counts == PingCounts(late=1)


def test_an_answer_is_late_too_when_its_sequence_is_in_flight_again(scene: Scene) -> None:
    answer = scene.fly(after=6)
    scene.give_up()
    again = scene.fly(after=6 + SEQUENCES)
    assert again.sequence == answer.sequence
    assert scene.line.take(answer) is None
    assert scene.counts == PingCounts(late=1)
    assert scene.line.take(again) is not None


@pytest.mark.parametrize("wrong", ["host", "sequence", "number"])
def test_what_answers_another_request_is_not_taken(scene: Scene, wrong: str) -> None:
    answer = scene.fly()
    assert answer.number is not None
    forged = {
        "host": answer._replace(host=THERE.host),
        "sequence": answer._replace(sequence=answer.sequence + 1),
        "number": answer._replace(number=answer.number + SEQUENCES),
    }[wrong]
    assert scene.line.take(forged) is None
    assert scene.counts == PingCounts()
    assert scene.line.flights


def test_a_sequence_that_is_in_flight_is_not_given_again(scene: Scene) -> None:
    assert [scene.fly(after=6).sequence, scene.fly(after=6 + SEQUENCES).sequence] == [7, 8]
    assert len(scene.line.flights) == 2


def test_the_error_of_a_request_ends_it_by_its_sequence_alone(scene: Scene) -> None:
    answer = scene.fly()
    error = Heard(HERE.host, answer.sequence, None, "host unreachable", None, "198.18.0.1")
    assert scene.line.take(error._replace(host=THERE.host)) is None
    assert scene.line.take(error) is not None
    assert scene.line.take(error) is None
    assert scene.counts == PingCounts()


def test_sequences_wrap_around_sixty_thousand_in_flight(scene: Scene) -> None:
    held = [scene.fly(timeout=3600) for _ in range(60_000)]
    for _ in range(40_000):  # through the few sequences that are left, many times over
        flown = scene.fly(THERE)
        assert scene.line.take(flown) is not None
    lost = [scene.fly(THERE) for _ in range(5_000)]
    assert scene.give_up() == 5_000
    assert len({each.sequence for each in (*held, *lost)}) == 65_000
    flights = [scene.line.take(each) for each in held]
    assert [flight and flight.number for flight in flights] == [each.number for each in held]
    assert scene.line.flights == {}
    assert scene.counts == PingCounts()


@given(st.lists(st.tuples(st.sampled_from("saoa"), st.integers(0, 30)), max_size=60))
def test_every_ping_ends_once_whatever_is_answered_when(acts: list[tuple[str, int]]) -> None:
    scene, answers, ended = Scene(), list[Heard](), list[int]()
    for act, choice in acts:
        if act == "s":
            answers.append(scene.fly(timeout=1 + choice % 3))
        elif act == "a" and answers:
            flight = scene.line.take(answers[choice % len(answers)])
            ended += [flight.number] if flight else []
        elif act == "o":
            scene.clock.advance(choice % 3 / 2)
            ended += [flight.number for flight in scene.line.overdue(scene.clock.monotonic())]
    ended += [flight.number for flight in scene.line.flights.values()]
    assert sorted(ended) == sorted(number for _, number in scene.echo.sent)


def test_a_ping_is_given_up_within_a_tick_of_its_deadline_and_never_before(scene: Scene) -> None:
    scene.clock.advance(0.123)
    scene.fly(timeout=0.5)
    deadline = scene.clock.monotonic() + 0.5
    assert scene.line.overdue(deadline - 0.001) == []
    assert len(scene.line.overdue(deadline + 0.051)) == 1
