"""Schedules the probes: each server has a fixed offset within the interval for as long as it exists.

Slots lie on a grid of the monotonic clock, so a step of the wall clock neither stops nor repeats them, and they never
drift: the due time of a slot is computed from the grid, not from the previous slot. This module does not use
APScheduler, which drops late jobs and costs ten times as much (housekeeping uses it).
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
"""Milliseconds between ticks. Slots lie on ticks and start together, since a wake-up costs more than a ping."""
STEP_SIZE = 500
"""Servers that are added or removed between two turns of the event loop: a millisecond."""
_SWEEP_END = ""
"""Represents the end of a sweep on the timer wheel; no server has an empty id."""


def slot_offset(server: str, interval: Millis) -> Millis:
    """Return a server's offset within the interval, in whole ticks: the same after a restart, spread evenly."""
    fraction = int.from_bytes(hashlib.sha256(server.encode()).digest()[:8])
    return (fraction * interval >> 64) // TICK_MS * TICK_MS


class Slot(NamedTuple):
    """One scheduled run of all checks of one server."""

    server: str
    sweep: int
    due: Millis
    """On the monotonic clock."""


class SlotHandler(Protocol):
    """Does the work of due slots. No method may block or raise."""

    def start_checks(self, slot: Slot, late: Millis) -> None:
        """Start the checks of a server now, ``late`` milliseconds after its slot was due."""

    def on_missed(self, slot: Slot, count: int) -> None:
        """Record that ``count`` slots of a server passed without a probe; ``slot`` is the first of them."""

    def on_sweep_end(self, sweep: int) -> None:
        """Handle the end of a sweep: all its slots have started. Its checks may still run."""


class Scheduler:
    """Calls the handler at every slot of every server and at the end of every sweep."""

    def __init__(self, clock: Clock, interval: Millis, handler: SlotHandler) -> None:
        self._clock = clock
        self._handler = handler
        self._wake_future: asyncio.Future[None] | None = None
        self._next_due: dict[str, Millis] = {}
        """When each server is due next; an entry of the timer wheel at another time is obsolete."""
        self._timer_wheel: dict[Millis, list[tuple[int, str]]] = {}
        """The sweep and server of each slot, by due time."""
        self._due_heap: list[Millis] = []
        """A heap of the due times of the timer wheel."""
        self._start_grid(interval)

    def _start_grid(self, interval: Millis) -> None:
        """Start the grid at a whole interval of the wall clock's present time."""
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
        """Replace the scheduled servers, in steps; servers that stay keep their slots."""
        if interval != self._interval:
            self._dispatch_due(self._monotonic())
            sweep = self.sweep
            self._handler.on_sweep_end(sweep)
            self._start_grid(interval)
            self._timer_wheel = {due: [(sweep + 1, _SWEEP_END)] for due in self._timer_wheel}
            self._origin -= (sweep + 1) * interval
        for index, server in enumerate(self._next_due.keys() - set(servers)):
            del self._next_due[server]
            if index % STEP_SIZE == STEP_SIZE - 1:
                yield
        for index, server in enumerate(servers):
            if server not in self._next_due:
                offset = slot_offset(server, interval)
                sweep = -((self._origin + offset - self._monotonic()) // interval)
                self._add(self._origin + sweep * interval + offset, sweep, server)
            if index % STEP_SIZE == STEP_SIZE - 1:
                self._wake()
                yield
        self._wake()

    def _wake(self) -> None:
        if self._wake_future is not None:
            _resolve_wake(self._wake_future)

    @property
    def sweep(self) -> int:
        """The number of the current sweep; the grid starts with sweep 0."""
        return (self._monotonic() - self._origin) // self._interval

    @property
    def lag(self) -> Millis:
        """Milliseconds by which the next slot is overdue; 0 if the schedule is on time."""
        return max(0, self._monotonic() - self._due_heap[0])

    async def run(self) -> None:
        """Start slots when they are due, until cancelled; overdue slots leave the event loop time between due times."""
        while True:
            now = self._monotonic()
            for _ in self._dispatch_due_steps(now):
                await asyncio.sleep(0)
            elapsed = self._monotonic() - now
            await self._sleep(self._due_heap[0] - now - elapsed)

    async def _sleep(self, millis: Millis) -> None:
        """Sleep for ``millis``, or until the schedule changes."""
        loop = asyncio.get_running_loop()
        wake_future = self._wake_future = loop.create_future()
        timer = loop.call_later(max(0, millis) / 1000, _resolve_wake, wake_future)
        try:
            await wake_future
        finally:
            timer.cancel()

    def _dispatch_due(self, now: Millis) -> None:
        """Start the slots that are due, the oldest first."""
        for _ in self._dispatch_due_steps(now):
            pass

    def _dispatch_due_steps(self, now: Millis) -> Iterator[None]:
        """Start the slots that are due, one due time at each step."""
        while self._due_heap[0] <= now:
            due = heapq.heappop(self._due_heap)
            for sweep, server in self._timer_wheel.pop(due):
                if server == _SWEEP_END:
                    # one at a time, also after a stall: an overdue slot starts before the end of its sweep
                    self._handler.on_sweep_end(sweep)
                    self._add(due + self._interval, sweep + 1, _SWEEP_END)
                elif self._next_due.get(server) == due:
                    self._dispatch(now, due, sweep, server)
            yield

    def _dispatch(self, now: Millis, due: Millis, sweep: int, server: str) -> None:
        missed = (now - due) // self._interval
        if missed:
            self._handler.on_missed(Slot(server, sweep, due), missed)
            sweep, due = sweep + missed, due + missed * self._interval
        self._handler.start_checks(Slot(server, sweep, due), now - due)
        self._add(due + self._interval, sweep + 1, server)


def _resolve_wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
