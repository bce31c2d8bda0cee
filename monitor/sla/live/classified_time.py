"""What every instant of a subscription counts as (reading.md 4.3), kept so that any window's sums are two look-ups.

An account asks what a window came to. But what an instant counts as does not hang on the window that is asked about: so
it is written down once, change by change, with the sums up to each change; what a window came to is the difference of
two sums. A result that repeats what is known changes nothing of it: it only makes sure for longer what was presumed.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monitor.model import Millis

FAR: Final[Millis] = 1 << 60
"""Later than anything: until then goes what is presumed to go on."""


class Share(IntEnum):
    """What an instant counts as."""

    OUTSIDE = 0
    """The subscription is not in force: no account has it."""
    EXCLUDED = 1
    UP = 2
    DOWN = 3
    UNKNOWN = 4


Sums: TypeAlias = tuple["Millis", "Millis", "Millis", "Millis", "Millis"]
"""Milliseconds of each ``Share``, in their order."""
NOTHING: Final[Sums] = (0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Course:
    """What every instant counts as, from ``starts[0]`` on and without an end; neighbours differ."""

    starts: tuple[Millis, ...]
    shares: tuple[Share, ...]
    """What counts from each of the starts to the next; the last one for ever."""
    sums: tuple[Sums, ...]
    """What there was before each of the starts."""

    @classmethod
    def of(cls, pieces: Iterable[tuple[Millis, Share]]) -> Course:
        """Take pieces in order, each to the start of the next; there must be one."""
        starts: list[Millis] = []
        shares: list[Share] = []
        sums: list[Sums] = []
        for start, share in pieces:
            if not starts:
                sums.append(NOTHING)
            elif share is shares[-1]:
                continue
            else:
                sums.append(_grown(sums[-1], shares[-1], start - starts[-1]))
            starts.append(start)
            shares.append(share)
        return cls(tuple(starts), tuple(shares), tuple(sums))

    def between(self, start: Millis, end: Millis) -> Sums:
        """Give what ``[start, end)`` came to; ``start`` must not be before the course's own."""
        i = bisect_right(self.starts, start) - 1
        if i < 0:
            raise ValueError(f"{start} is before {self.starts[0]}, where the course begins")
        j = bisect_right(self.starts, end, i) - 1
        first, last = self.sums[i], self.sums[j]
        came = [after - before for before, after in zip(first, last, strict=True)]
        came[self.shares[j]] += end - self.starts[j]
        came[self.shares[i]] -= start - self.starts[i]
        return came[0], came[1], came[2], came[3], came[4]

    def share(self, at: Millis) -> Share:
        """Give what an instant counts as."""
        return self.shares[bisect_right(self.starts, at) - 1]

    def change_after(self, at: Millis) -> Millis:
        """Give the first instant after ``at`` that counts otherwise than the one before it; ``FAR`` where none does."""
        i = bisect_right(self.starts, at)
        return self.starts[i] if i < len(self.starts) else FAR

    def followed_by(self, later: Course, since: Millis) -> Course:
        """Go by ``later`` from its start on, and by this before; what was before ``since`` may be forgotten."""
        cut = later.starts[0]
        head = max(bisect_right(self.starts, since) - 1, 0)
        kept = bisect_right(self.starts, cut - 1)
        if kept <= head:
            return later
        sums = _grown(self.sums[kept - 1], self.shares[kept - 1], cut - self.starts[kept - 1])
        # what goes on as before is no change
        same = later.shares[0] is self.shares[kept - 1]
        added = tuple(
            (own[0] + sums[0], own[1] + sums[1], own[2] + sums[2], own[3] + sums[3], own[4] + sums[4])
            for own in later.sums[same:]
        )
        return Course(
            self.starts[head:kept] + later.starts[same:],
            self.shares[head:kept] + later.shares[same:],
            self.sums[head:kept] + added,
        )


def _grown(sums: Sums, share: Share, length: Millis) -> Sums:
    grown = [*sums]
    grown[share] += length
    return grown[0], grown[1], grown[2], grown[3], grown[4]
