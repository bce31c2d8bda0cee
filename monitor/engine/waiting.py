"""Turns that wait for a place: each check once, with its newest slot; a slot that is over while it waits is missed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from monitor.engine.probing.concurrency import Place

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monitor.clock import Clock
    from monitor.engine.probing.concurrency import Gate
    from monitor.engine.probing.scheduler import Slot
    from monitor.engine.turn import Turn
    from monitor.model import CheckKey, Millis


class Host(Protocol):
    """Whose turns they are; of each slot that was asked for it hears once."""

    def entered(self, turn: Turn, slot: Slot, late: Millis, place: Place) -> None:
        """Probe now, ``late`` milliseconds after the slot was due, and give the place back in the end."""

    def overtaken(self, turn: Turn, slot: Slot) -> None:
        """Say that a slot is over, and that nothing left in it."""

    def gave_up(self, slot: Slot) -> None:
        """Say that a check is not watched any more, so that its slot counts for nothing."""


@dataclass(slots=True)
class _Waiter:
    """A turn that waits; an overtaken slot leaves it where it stands."""

    turn: Turn
    slot: Slot
    place: Place
    overtaken: bool = False


class WaitingRoom:
    """Asks the gate for places."""

    def __init__(self, gate: Gate, clock: Clock, host: Host) -> None:
        self._gate = gate
        self._clock = clock
        self._host = host
        self._waiting: dict[CheckKey, _Waiter] = {}
        self.interval: Millis = 0
        """Whoever enters so long after the slot was due is too late."""

    @property
    def checks(self) -> list[CheckKey]:
        """Those that wait."""
        return [*self._waiting]

    def ask(self, turn: Turn, slot: Slot, door: str, *, suspect: bool) -> None:
        """Let a turn enter when there is a place, mostly now; a check that still waits keeps its turn to enter."""
        waiter = self._waiting.get(turn.key)
        if waiter is not None:
            self._overtake(waiter)
            waiter.turn, waiter.slot, waiter.overtaken = turn, slot, False
            return
        place = Place(door, slot.due, suspect, partial(self._enter, turn.key))
        self._waiting[turn.key] = _Waiter(turn, slot, place)
        self._gate.ask(place)

    def overtake(self, key: CheckKey) -> None:
        """Take that the slot which a check waits for, if it does, is over."""
        if (waiter := self._waiting.get(key)) is not None:
            self._overtake(waiter)

    def _overtake(self, waiter: _Waiter) -> None:
        if not waiter.overtaken:
            waiter.overtaken = True
            self._host.overtaken(waiter.turn, waiter.slot)

    def _enter(self, key: CheckKey, place: Place) -> None:
        waiter = self._waiting.pop(key)
        late = int(self._clock.monotonic() * 1000) - waiter.slot.due
        if waiter.overtaken or late >= self.interval:
            self._overtake(waiter)
            self._gate.leave(place)
            return
        self._host.entered(waiter.turn, waiter.slot, late, place)

    def give_up(self, keys: Iterable[CheckKey]) -> None:
        """Let some checks wait no longer: they are not watched any more."""
        for key in keys:
            waiter = self._waiting.pop(key)
            waiter.place.given_up = True
            if not waiter.overtaken:
                self._host.gave_up(waiter.slot)

    def clear(self) -> None:
        """Let nobody wait any longer; nobody hears of it."""
        for waiter in self._waiting.values():
            waiter.place.given_up = True
        self._waiting.clear()
