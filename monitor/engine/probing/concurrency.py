"""How many cycles are under way at once, in all and at one door, so that servers that hang do not hold back the rest.

A cycle that finds no place waits, and whoever has been due for longest enters first. Checks that were not ok last time
are let in up to a part of the places only: the others stay for those that answer.
"""

from __future__ import annotations

import heapq
import resource
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.model import Millis

MOST = 10_000
"""Cycles at once, where the descriptors last: hanging through all attempts, 15,000 checks a minute need so many."""
MOST_OF_ONE = 100
"""Cycles at once at one door: a host and port."""
FEWEST = 64
RESERVED = 256
"""File descriptors that are kept for everything else."""
SUSPECTS = 3 / 4
"""The part of the places that checks which were not ok may hold together."""


def raise_descriptors() -> int:
    """Take as many file descriptors as the system grants this process; gives how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard:
        return hard
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):  # a sandbox forbids it
        return soft
    return hard


def places(descriptors: int) -> int:
    """Give how many cycles may be under way with so many descriptors; a name with two addresses may take two."""
    if descriptors == resource.RLIM_INFINITY:
        return MOST
    return max(FEWEST, min(MOST, (descriptors - RESERVED) * 3 // 4))


@dataclass(slots=True, eq=False)
class Place:
    """What one cycle asks for: ``enter`` is called when it is there."""

    door: str
    due: Millis
    suspect: bool
    enter: Callable[[Place], None]
    given_up: bool = False
    """Set where it is not wanted any more, while waiting."""


@dataclass(slots=True)
class _Door:
    inside: int = 0
    """Places held, or asked for in the hall."""
    waiting: deque[Place] = field(default_factory=deque)


class Gate:
    """Gives places out and takes them back; at the door first, then in the hall that all doors lead to."""

    def __init__(self, most: int = MOST, most_of_one: int = MOST_OF_ONE) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._most_suspects = max(1, int(most * SUSPECTS))
        self._doors: dict[str, _Door] = {}
        self._hall: tuple[list[tuple[Millis, int, Place]], ...] = ([], [])
        self._number = 0
        self._suspects = 0
        self._admitting = False
        self.inside = 0
        """Places that are held."""

    def ask(self, place: Place) -> None:
        """Ask for a place; it is entered before this returns, where there is one."""
        door = self._doors.get(place.door)
        if door is None:
            door = self._doors[place.door] = _Door()
        if door.inside >= self._most_of_one:
            door.waiting.append(place)
            return
        door.inside += 1
        self._to_the_hall(place)
        self._admit()

    def leave(self, place: Place) -> None:
        """Give a place back."""
        self.inside -= 1
        self._suspects -= place.suspect
        self._step_back(place)
        self._admit()

    def _to_the_hall(self, place: Place) -> None:
        self._number += 1
        heapq.heappush(self._hall[place.suspect], (place.due, self._number, place))

    def _step_back(self, place: Place) -> None:
        """Let the next one at a door into the hall; forget a door where nobody is."""
        door = self._doors[place.door]
        door.inside -= 1
        while door.waiting:
            following = door.waiting.popleft()
            if not following.given_up:
                door.inside += 1
                self._to_the_hall(following)
                return
        if not door.inside:
            del self._doors[place.door]

    def _admit(self) -> None:
        if self._admitting:  # somebody who enters may leave at once
            return
        self._admitting = True
        try:
            while self.inside < self._most and (place := self._next()) is not None:
                if place.given_up:
                    self._step_back(place)
                    continue
                self.inside += 1
                self._suspects += place.suspect
                place.enter(place)
        finally:
            self._admitting = False

    def _next(self) -> Place | None:
        """Take out of the hall who has been due for longest, among those who may enter."""
        trusted, suspects = self._hall
        if suspects and self._suspects < self._most_suspects and (not trusted or suspects[0] < trusted[0]):
            return heapq.heappop(suspects)[2]
        return heapq.heappop(trusted)[2] if trusted else None
