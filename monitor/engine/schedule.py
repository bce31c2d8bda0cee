"""When each server is probed: a fixed phase within the interval, for as long as the server exists.

Slots lie on a grid of the monotonic clock, so a step of the wall clock neither stops nor doubles them, and they never
drift: the due time of a slot is computed from the grid, not from the slot before. APScheduler is not used here: it
drops late jobs and costs ten times as much (housekeeping uses it).
"""

from __future__ import annotations

import asyncio
import hashlib
import heapq
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monitor.clock import Clock
    from monitor.model import Millis

BATCH = 50
"""Milliseconds from tick to tick: slots lie on ticks and leave together, since wake-ups cost more than pings."""
_BOUNDARY = ""
"""Stands in the heap for the end of a sweep; no server has an empty id."""


def phase(server: str, interval: Millis) -> Millis:
    """Give a server's place within the interval, a tick: the same after every restart, evenly spread over servers."""
    fraction = int.from_bytes(hashlib.sha256(server.encode()).digest()[:8])
    return (fraction * interval >> 64) // BATCH * BATCH


class Slot(NamedTuple):
    """One turn of one server."""

    server: str
    sweep: int
    due: Millis
    """On the monotonic clock."""


class Crew(Protocol):
    """Who does the work when a turn comes; none of these may block or raise."""

    def launch(self, slot: Slot, late: Millis) -> None:
        """Probe a server now, ``late`` milliseconds after its slot was due."""

    def missed(self, slot: Slot, count: int) -> None:
        """Say that ``count`` turns of a server, the first of them ``slot``, passed without a probe."""

    def sweep_over(self, sweep: int) -> None:
        """Say that every turn of a sweep has come; its probes may still be under way."""


class Pacer:
    """Calls the crew at every slot of every server, and at the end of every sweep."""

    def __init__(self, clock: Clock, interval: Millis, crew: Crew) -> None:
        self._clock = clock
        self._crew = crew
        self._waking: asyncio.Future[None] | None = None
        self._servers: set[str] = set()
        self._heap: list[tuple[Millis, int, str]] = []
        self._lay_grid(interval)

    def _lay_grid(self, interval: Millis) -> None:
        """Begin the grid at a whole interval of the wall clock, as far as that is known now."""
        now = self._monotonic()
        self._interval = interval
        self._origin = now - self._clock.now() % interval
        self._servers = set()
        self._heap = [(self._origin + interval, 0, _BOUNDARY)]

    def _monotonic(self) -> Millis:
        return int(self._clock.monotonic() * 1000)

    def watch(self, servers: Iterable[str], interval: Millis) -> None:
        """Watch these servers from now on; those that stay keep their slots."""
        servers = set(servers)
        if interval != self._interval:
            self._take_due(self._monotonic())
            sweep = self.sweep
            self._crew.sweep_over(sweep)
            self._lay_grid(interval)
            self._heap = [(self._origin + interval, sweep + 1, _BOUNDARY)]
            self._origin -= (sweep + 1) * interval
        self._heap = [item for item in self._heap if item[2] in servers or item[2] == _BOUNDARY]
        heapq.heapify(self._heap)
        now = self._monotonic()
        for server in servers - self._servers:
            own = phase(server, interval)
            sweep = -((self._origin + own - now) // interval)
            heapq.heappush(self._heap, (self._origin + sweep * interval + own, sweep, server))
        self._servers = servers
        if self._waking is not None:
            _wake(self._waking)

    @property
    def sweep(self) -> int:
        """The number of the sweep that is running: 0 is the one in which the grid was laid."""
        return (self._monotonic() - self._origin) // self._interval

    @property
    def behind(self) -> Millis:
        """By how much the next slot is overdue, in milliseconds; 0 while there is nothing to catch up with."""
        return max(0, self._monotonic() - self._heap[0][0]) if self._heap else 0

    async def run(self) -> None:
        """Pace until cancelled."""
        while True:
            now = self._monotonic()
            self._take_due(now)
            passed = self._monotonic() - now
            await self._nap(self._heap[0][0] - now - passed)

    async def _nap(self, millis: Millis) -> None:
        """Sleep, until something changes at most."""
        loop = asyncio.get_running_loop()
        waking = self._waking = loop.create_future()
        timer = loop.call_later(max(0, millis) / 1000, _wake, waking)
        try:
            await waking
        finally:
            timer.cancel()

    def _take_due(self, now: Millis) -> None:
        while self._heap and self._heap[0][0] <= now:
            self._take(now)

    def _take(self, now: Millis) -> None:
        due, sweep, server = self._heap[0]
        behind = (now - due) // self._interval
        if server == _BOUNDARY:
            # one at a time, also after a stall: a turn that is overdue still comes before the end of its sweep
            behind = 0
            self._crew.sweep_over(sweep)
        else:
            if behind:
                self._crew.missed(Slot(server, sweep, due), behind)
            turn = Slot(server, sweep + behind, due + behind * self._interval)
            self._crew.launch(turn, now - turn.due)
        following = behind + 1
        heapq.heapreplace(self._heap, (due + following * self._interval, sweep + following, server))


def _wake(waking: asyncio.Future[None]) -> None:
    if not waking.done():
        waking.set_result(None)
