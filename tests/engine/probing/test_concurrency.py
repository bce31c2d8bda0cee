from __future__ import annotations

import resource
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.engine.probing.concurrency import (
    MAX_CONCURRENT,
    MIN_CONCURRENT,
    ConcurrencyLimiter,
    Permit,
    max_concurrent_checks,
    raise_descriptor_limit,
)


class Yard:
    """Those who ask at a gate, by their names, in the order in which they enter."""

    def __init__(self, most: int, most_of_one: int = 100) -> None:
        self.gate = ConcurrencyLimiter(most, most_of_one)
        self.entered: list[str] = []
        self.places: dict[str, Permit] = {}

    def ask(self, name: str, due: int = 0, door: str | None = None, *, suspect: bool = False) -> Permit:
        place = Permit(door or name, due, suspect, lambda _: self.entered.append(name))
        self.places[name] = place
        self.gate.acquire(place)
        return place

    def leave(self, *names: str) -> None:
        for name in names:
            self.gate.release(self.places[name])


def test_whoever_finds_a_place_enters_at_once() -> None:
    yard = Yard(2)
    yard.ask("a")
    yard.ask("b")
    yard.ask("c")
    assert yard.entered == ["a", "b"]


def test_whoever_has_been_due_for_longest_enters_first() -> None:
    yard = Yard(1)
    for name, due in (("a", 0), ("b", 30), ("c", 10), ("d", 20)):
        yard.ask(name, due)
    yard.leave("a", "c", "d")
    assert yard.entered == ["a", "c", "d", "b"]


def test_one_door_that_is_full_holds_nobody_else_back() -> None:
    yard = Yard(10, most_of_one=2)
    for number in range(5):
        yard.ask(f"hangs{number}", number, "slow:80")
    yard.ask("well", 9)
    assert yard.entered == ["hangs0", "hangs1", "well"]
    yard.leave("hangs0", "well")
    assert yard.entered[3:] == ["hangs2"]


def test_those_that_were_not_ok_leave_places_to_the_others() -> None:
    yard = Yard(4)
    for number in range(6):
        yard.ask(f"suspect{number}", number, suspect=True)
    assert yard.gate.held == 3
    yard.ask("well", 9)
    assert yard.entered[-1] == "well"
    yard.leave("well")
    assert yard.gate.held == 3
    yard.leave("suspect0")
    assert yard.entered[-1] == "suspect3"


def test_one_that_gave_up_while_waiting_is_passed_over() -> None:
    yard = Yard(1, most_of_one=1)
    yard.ask("a", 0, "door")
    yard.ask("b", 1, "door").cancelled = True
    yard.ask("c", 2).cancelled = True
    yard.ask("d", 3, "door")
    yard.leave("a")
    assert yard.entered == ["a", "d"]
    yard.leave("d")
    assert (yard.gate.held, yard.gate._endpoints) == (0, {})


def test_thousands_who_leave_as_soon_as_they_enter_are_no_burden() -> None:
    gate = ConcurrencyLimiter(1)
    holder = Permit("door", 0, recently_failed=False, on_granted=lambda _: None)
    gate.acquire(holder)
    passed = []

    def enter(place: Permit) -> None:
        passed.append(place.due)
        gate.release(place)

    for number in range(5_000):
        gate.acquire(Permit(f"{number}", number, recently_failed=False, on_granted=enter))
    gate.release(holder)
    assert passed == list(range(5_000))


@given(st.integers(1, 5), st.integers(1, 3), st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.booleans())))
def test_never_too_many_are_inside_and_nobody_is_forgotten(
    most: int, most_of_one: int, acts: list[tuple[int, bool, bool]]
) -> None:
    gate = ConcurrencyLimiter(most, most_of_one)
    inside: list[Permit] = []
    entered = 0

    def enter(place: Permit) -> None:
        nonlocal entered
        entered += 1
        inside.append(place)

    for number, (door, suspect, leaves) in enumerate(acts):
        if leaves and inside:
            gate.release(inside.pop(0))
        gate.acquire(Permit(f"{door}", number, suspect, enter))
        assert len(inside) == gate.held <= most
        assert max(Counter(each.endpoint for each in inside).values(), default=0) <= most_of_one
        assert sum(each.recently_failed for each in inside) <= max(1, most * 3 // 4)
    while inside:
        gate.release(inside.pop(0))
    assert entered == len(acts)
    assert (gate.held, gate._endpoints) == (0, {})


@pytest.mark.parametrize(
    ("descriptors", "most"),
    [
        (1_024, 576),
        (20_000, MAX_CONCURRENT),
        (524_288, MAX_CONCURRENT),
        (resource.RLIM_INFINITY, MAX_CONCURRENT),
        (300, 112),
        (64, 24),
        (12, MIN_CONCURRENT),
    ],
)
def test_the_places_respect_the_file_descriptors(descriptors: int, most: int) -> None:
    assert max_concurrent_checks(descriptors) == most


def test_the_soft_limit_of_descriptors_is_raised_to_the_hard_one() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 512), hard))
    try:
        assert raise_descriptor_limit() == hard
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
