"""How many checks run at once, in all and at one endpoint, so that hanging servers do not hold back the rest.

A check that gets no permit waits, and the one that has been due for longest is admitted first. Checks that were not ok
last time get a part of the permits only: the others stay for those that answer.
"""

from __future__ import annotations

import heapq
import resource
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from monitor.clock import Clock
    from monitor.engine.probing.running_checks import ScheduledCheck
    from monitor.engine.probing.scheduler import Slot
    from monitor.model import CheckKey, Millis

MAX_CONCURRENT = 10_000
"""Cycles at once, where the descriptors last: hanging through all attempts, 15,000 checks a minute need so many."""
MAX_PER_ENDPOINT = 100
"""Cycles at once at one door: a host and port."""
MIN_CONCURRENT = 64
RESERVED_DESCRIPTORS = 256
"""File descriptors that are kept for everything else."""
RECENTLY_FAILED_SHARE = 3 / 4
"""The part of the places that checks which were not ok may hold together."""


def raise_descriptor_limit() -> int:
    """Take as many file descriptors as the system grants this process; gives how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard:
        return hard
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):  # a sandbox forbids it
        return soft
    return hard


def max_concurrent_checks(descriptors: int) -> int:
    """Return how many cycles may be under way with so many descriptors; a name with two addresses may take two."""
    if descriptors == resource.RLIM_INFINITY:
        return MAX_CONCURRENT
    return max(MIN_CONCURRENT, min(MAX_CONCURRENT, (descriptors - RESERVED_DESCRIPTORS) * 3 // 4))


@dataclass(slots=True, eq=False)
class Permit:
    """What one cycle asks for: ``on_granted`` is called when it is there."""

    endpoint: str
    due: Millis
    recently_failed: bool
    on_granted: Callable[[Permit], None]
    cancelled: bool = False
    """Set where it is not wanted any more, while waiting."""


@dataclass(slots=True)
class _EndpointQueue:
    admitted: int = 0
    """Places held, or asked for in the hall."""
    waiting: deque[Permit] = field(default_factory=deque)


class ConcurrencyLimiter:
    """Gives places out and takes them back; at the door first, then in the hall that all doors lead to."""

    def __init__(self, max_concurrent: int = MAX_CONCURRENT, max_per_endpoint: int = MAX_PER_ENDPOINT) -> None:
        self._max_concurrent = max_concurrent
        self._max_per_endpoint = max_per_endpoint
        self._max_recently_failed = max(1, int(max_concurrent * RECENTLY_FAILED_SHARE))
        self._endpoints: dict[str, _EndpointQueue] = {}
        self._global_queues: tuple[list[tuple[Millis, int, Permit]], ...] = ([], [])
        self._sequence = 0
        self._held_by_recently_failed = 0
        self._admitting = False
        self.held = 0
        """Places that are held."""

    def acquire(self, permit: Permit) -> None:
        """Ask for a place; it is entered before this returns, where there is one."""
        door = self._endpoints.get(permit.endpoint)
        if door is None:
            door = self._endpoints[permit.endpoint] = _EndpointQueue()
        if door.admitted >= self._max_per_endpoint:
            door.waiting.append(permit)
            return
        door.admitted += 1
        self._enqueue_globally(permit)
        self._admit()

    def release(self, permit: Permit) -> None:
        """Return a place back."""
        self.held -= 1
        self._held_by_recently_failed -= permit.recently_failed
        self._release_endpoint(permit)
        self._admit()

    def _enqueue_globally(self, permit: Permit) -> None:
        self._sequence += 1
        heapq.heappush(self._global_queues[permit.recently_failed], (permit.due, self._sequence, permit))

    def _release_endpoint(self, permit: Permit) -> None:
        """Let the next one at a door into the hall; forget a door where nobody is."""
        door = self._endpoints[permit.endpoint]
        door.admitted -= 1
        while door.waiting:
            following = door.waiting.popleft()
            if not following.cancelled:
                door.admitted += 1
                self._enqueue_globally(following)
                return
        if not door.admitted:
            del self._endpoints[permit.endpoint]

    def _admit(self) -> None:
        if self._admitting:  # somebody who enters may leave at once
            return
        self._admitting = True
        try:
            while self.held < self._max_concurrent and (place := self._pop_next()) is not None:
                if place.cancelled:
                    self._release_endpoint(place)
                    continue
                self.held += 1
                self._held_by_recently_failed += place.recently_failed
                place.on_granted(place)
        finally:
            self._admitting = False

    def _pop_next(self) -> Permit | None:
        """Take out of the hall who has been due for longest, among those who may enter."""
        trusted, suspects = self._global_queues
        if (
            suspects
            and self._held_by_recently_failed < self._max_recently_failed
            and (not trusted or suspects[0] < trusted[0])
        ):
            return heapq.heappop(suspects)[2]
        return heapq.heappop(trusted)[2] if trusted else None


# --- checks that wait for a permit: each once, with its newest slot; a slot that ends while it waits is missed --------


class AdmissionListener(Protocol):
    """Whose turns they are; of each slot that was asked for it hears once."""

    def on_admitted(self, check: ScheduledCheck, slot: Slot, late: Millis, permit: Permit) -> None:
        """Probe now, ``late`` milliseconds after the slot was due, and give the place back in the end."""

    def on_superseded(self, check: ScheduledCheck, slot: Slot) -> None:
        """Say that a slot is over, and that nothing left in it."""

    def on_removed(self, slot: Slot) -> None:
        """Say that a check is not watched any more, so that its slot counts for nothing."""


@dataclass(slots=True)
class _Waiter:
    """A turn that waits; an overtaken slot leaves it where it stands."""

    check: ScheduledCheck
    slot: Slot
    permit: Permit
    superseded: bool = False


class AdmissionQueue:
    """Asks the gate for places."""

    def __init__(self, limiter: ConcurrencyLimiter, clock: Clock, listener: AdmissionListener) -> None:
        self._limiter = limiter
        self._clock = clock
        self._listener = listener
        self._waiters: dict[CheckKey, _Waiter] = {}
        self.interval: Millis = 0
        """A check that is admitted so long after its slot was due is too late."""

    @property
    def checks(self) -> list[CheckKey]:
        """Those that wait."""
        return [*self._waiters]

    def submit(self, check: ScheduledCheck, slot: Slot, endpoint: str, *, recently_failed: bool) -> None:
        """Let a turn enter when there is a place, mostly now; a check that still waits keeps its turn to enter."""
        waiter = self._waiters.get(check.key)
        if waiter is not None:
            self._supersede(waiter)
            waiter.check, waiter.slot, waiter.superseded = check, slot, False
            return
        place = Permit(endpoint, slot.due, recently_failed, partial(self._on_granted, check.key))
        self._waiters[check.key] = _Waiter(check, slot, place)
        self._limiter.acquire(place)

    def supersede(self, key: CheckKey) -> None:
        """Take that the slot which a check waits for, if it does, is over."""
        if (waiter := self._waiters.get(key)) is not None:
            self._supersede(waiter)

    def _supersede(self, waiter: _Waiter) -> None:
        if not waiter.superseded:
            waiter.superseded = True
            self._listener.on_superseded(waiter.check, waiter.slot)

    def _on_granted(self, key: CheckKey, permit: Permit) -> None:
        waiter = self._waiters.pop(key)
        late = int(self._clock.monotonic() * 1000) - waiter.slot.due
        if waiter.superseded or late >= self.interval:
            self._supersede(waiter)
            self._limiter.release(permit)
            return
        self._listener.on_admitted(waiter.check, waiter.slot, late, permit)

    def remove(self, keys: Iterable[CheckKey]) -> None:
        """Let some checks wait no longer: they are not watched any more."""
        for key in keys:
            waiter = self._waiters.pop(key)
            waiter.permit.cancelled = True
            if not waiter.superseded:
                self._listener.on_removed(waiter.slot)

    def clear(self) -> None:
        """Let nobody wait any longer; nobody hears of it."""
        for waiter in self._waiters.values():
            waiter.permit.cancelled = True
        self._waiters.clear()
