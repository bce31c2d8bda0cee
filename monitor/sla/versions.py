"""Versions of the terms, each read when it is first looked at: most questions hang on the newest few of many years."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.model import Millis
    from monitor.sla.terms import Terms

_IN_FORCE = attrgetter("in_force")


class Versions(Sequence["Terms"]):
    """All versions, oldest first; ``in_force`` says of each since when, without reading it."""

    def __init__(
        self, in_force: Sequence[Millis], read: Callable[[int], Terms], let_go: Callable[[], None] = lambda: None
    ) -> None:
        """``read`` gives a version by its place, and is asked once for each; ``let_go`` frees what it reads from."""
        self.in_force = in_force
        self._let_go = let_go
        self._read = read
        self._known: dict[int, Terms] = {}

    def close(self) -> None:
        """Free what was read, piece by piece: at once it would keep other threads from the interpreter for 0.1 s.

        Nothing can be read any more. Only what nobody else refers to is freed; ``Terms`` in others' hands stay whole.
        """
        pieces = [
            piece
            for terms in self._known.values()
            for piece in (*terms.servers.values(), *terms.subscriptions.values())
        ]
        self._known.clear()
        while pieces:
            pieces.pop()
        self._let_go()

    def __len__(self) -> int:
        return len(self.in_force)

    @overload
    def __getitem__(self, index: int) -> Terms: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Terms, ...]: ...
    def __getitem__(self, index: int | slice) -> Terms | tuple[Terms, ...]:
        places = range(len(self.in_force))[index]
        if isinstance(places, range):
            return tuple(self[place] for place in places)
        if places not in self._known:
            self._known[places] = self._read(places)
        return self._known[places]


def place_at(versions: Sequence[Terms], at: Millis) -> int:
    """Return the place of the version in force at an instant; the first extends back."""
    if isinstance(versions, Versions):
        return max(bisect_right(versions.in_force, at) - 1, 0)
    return max(bisect_right(versions, at, key=_IN_FORCE) - 1, 0)
