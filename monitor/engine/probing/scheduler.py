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
    from collections.abc import Collection, Iterator

    from monitor.clock import Clock
    from monitor.model import Millis

TICK_MS = 100
"""Milliseconds from tick to tick: slots lie on ticks and leave together, since wake-ups cost more than pings."""
STEP_SIZE = 500
"""Servers that come or leave before the loop may turn again: a millisecond."""
_SWEEP_END = ""
"""Stands in the heap for the end of a sweep; no server has an empty id."""


def slot_offset(server: str, interval: Millis) -> Millis:
    """Return a server's place within the interval, a tick: the same after every restart, evenly spread over servers."""
    fraction = int.from_bytes(hashlib.sha256(server.encode()).digest()[:8])
    return (fraction * interval >> 64) // TICK_MS * TICK_MS


class Slot(NamedTuple):
    """One turn of one server."""

    server: str
    sweep: int
    due: Millis
    """On the monotonic clock."""


class SlotHandler(Protocol):
    """Who does the work when a turn comes; none of these may block or raise."""

    def start_checks(self, slot: Slot, late: Millis) -> None:
        """Probe a server now, ``late`` milliseconds after its slot was due."""

    def on_missed(self, slot: Slot, count: int) -> None:
        """Say that ``count`` turns of a server, the first of them ``slot``, passed without a probe."""

    def on_sweep_end(self, sweep: int) -> None:
        """Say that every turn of a sweep has come; its probes may still be under way."""


class Scheduler:
    """Calls the crew at every slot of every server, and at the end of every sweep."""

    def __init__(self, clock: Clock, interval: Millis, handler: SlotHandler) -> None:
        self._clock = clock
        self._handler = handler
        self._wake_future: asyncio.Future[None] | None = None
        self._next_due: dict[str, Millis] = {}
        """When each server is due next; a turn on the wheel at any other moment is one that was given up."""
        self._timer_wheel: dict[Millis, list[tuple[int, str]]] = {}
        """Who is due when, with the sweep that it is a turn of."""
        self._due_heap: list[Millis] = []
        """A heap of the moments at which somebody is due."""
        self._start_grid(interval)

    def _start_grid(self, interval: Millis) -> None:
        """Begin the grid at a whole interval of the wall clock, as far as that is known now."""
        now = self._monotonic()
        self._interval = interval
        self._origin = now - self._clock.now() % interval
        self._next_due = {}
        self._timer_wheel, self._due_heap = {}, []
        self._add(self._origin + interval, 0, _SWEEP_END)

    def _add(self, due: Millis, sweep: int, server: str) -> None:
        if server != _SWEEP_END:
            self._next_due[server] = due
        if due in self._timer_wheel:
            self._timer_wheel[due].append((sweep, server))
        else:
            self._timer_wheel[due] = [(sweep, server)]
            heapq.heappush(self._due_heap, due)

    def _monotonic(self) -> Millis:
        return int(self._clock.monotonic() * 1000)

    def set_servers_steps(self, servers: Collection[str], interval: Millis) -> Iterator[None]:
        """Schedule these servers from now on, in steps; servers that stay keep their slots."""
        if interval != self._interval:
            self._dispatch_due(self._monotonic())
            sweep = self.sweep
            self._handler.on_sweep_end(sweep)
            self._start_grid(interval)
            self._timer_wheel = {due: [(sweep + 1, _SWEEP_END)] for due in self._timer_wheel}
            self._origin -= (sweep + 1) * interval
        for number, server in enumerate(self._next_due.keys() - set(servers)):
            del self._next_due[server]
            if number % STEP_SIZE == STEP_SIZE - 1:
                yield
        for number, server in enumerate(servers):
            if server not in self._next_due:
                own = slot_offset(server, interval)
                sweep = -((self._origin + own - self._monotonic()) // interval)
                self._add(self._origin + sweep * interval + own, sweep, server)
            if number % STEP_SIZE == STEP_SIZE - 1:
                self._wake()
                yield
        self._wake()

    def _wake(self) -> None:
        if self._wake_future is not None:
            _resolve_wake(self._wake_future)

    @property
    def sweep(self) -> int:
        """The number of the sweep that is running: 0 is the one in which the grid was laid."""
        return (self._monotonic() - self._origin) // self._interval

    @property
    def lag(self) -> Millis:
        """By how much the next slot is overdue, in milliseconds; 0 while there is nothing to catch up with."""
        return max(0, self._monotonic() - self._due_heap[0])

    async def run(self) -> None:
        """Pace until cancelled; with much to catch up with, the loop turns between the moments of it."""
        while True:
            now = self._monotonic()
            for _ in self._dispatch_due_steps(now):
                await asyncio.sleep(0)
            passed = self._monotonic() - now
            await self._sleep(self._due_heap[0] - now - passed)

    async def _sleep(self, millis: Millis) -> None:
        """Sleep, until something changes at most."""
        loop = asyncio.get_running_loop()
        waking = self._wake_future = loop.create_future()
        timer = loop.call_later(max(0, millis) / 1000, _resolve_wake, waking)
        try:
            await waking
        finally:
            timer.cancel()

    def _dispatch_due(self, now: Millis) -> None:
        """Take the turns that have come, the oldest first."""
        for _ in self._dispatch_due_steps(now):
            pass

    def _dispatch_due_steps(self, now: Millis) -> Iterator[None]:
        """Do the same, moment by moment."""
        while self._due_heap[0] <= now:
            due = heapq.heappop(self._due_heap)
            for sweep, server in self._timer_wheel.pop(due):
                if server == _SWEEP_END:
                    # one at a time, also after a stall: a turn that is overdue still comes before the end of its sweep
                    self._handler.on_sweep_end(sweep)
                    self._add(due + self._interval, sweep + 1, _SWEEP_END)
                elif self._next_due.get(server) == due:
                    self._dispatch(now, due, sweep, server)
            yield

    def _dispatch(self, now: Millis, due: Millis, sweep: int, server: str) -> None:
        behind = (now - due) // self._interval
        if behind:
            self._handler.on_missed(Slot(server, sweep, due), behind)
            sweep, due = sweep + behind, due + behind * self._interval
        self._handler.start_checks(Slot(server, sweep, due), now - due)
        self._add(due + self._interval, sweep + 1, server)


def _resolve_wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
