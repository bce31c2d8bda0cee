"""Limits how many checks run at once, in all and per endpoint, so that hanging servers do not delay the others.

A check without a permit waits; the check that has been due for longest is admitted first. Checks whose last result was
not ok may hold only a part of the permits: the others stay free for servers that answer.
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
"""Check runs at once, if there are enough descriptors: 15,000 checks a minute that all time out need so many."""
MAX_PER_ENDPOINT = 100
"""Check runs at once at one endpoint: a host and port."""
MIN_CONCURRENT = 8
RESERVED_DESCRIPTORS = 256
"""File descriptors that are reserved for everything else, among it the connections of the web server; at most half."""
RECENTLY_FAILED_SHARE = 3 / 4
"""The part of the permits that checks whose last result was not ok may hold together."""


def raise_descriptor_limit() -> int:
    """Raise this process's limit of file descriptors to the hard limit; return the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard:
        return hard
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):  # a sandbox forbids it
        return soft
    return hard


def max_concurrent_checks(descriptors: int) -> int:
    """Return how many checks may run at once with so many descriptors; a name with two addresses may take two."""
    if descriptors == resource.RLIM_INFINITY:
        return MAX_CONCURRENT
    reserved = min(RESERVED_DESCRIPTORS, descriptors // 2)
    return max(MIN_CONCURRENT, min(MAX_CONCURRENT, (descriptors - reserved) * 3 // 4))


@dataclass(slots=True, eq=False)
class Permit:
    """The permission to run one check; ``on_granted`` is called when it is granted."""

    endpoint: str
    due: Millis
    recently_failed: bool
    on_granted: Callable[[Permit], None]
    cancelled: bool = False
    """True if the check was removed while it waited."""


@dataclass(slots=True)
class _EndpointQueue:
    admitted: int = 0
    """Permits that are held, or that wait in the global queue."""
    waiting: deque[Permit] = field(default_factory=deque)


class ConcurrencyLimiter:
    """Grants and takes back permits. A permit waits in the queue of its endpoint first, then in the global queue."""

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
        """Permits that are held."""

    def acquire(self, permit: Permit) -> None:
        """Request a permit; it is granted before this returns if one is free."""
        endpoint = self._endpoints.get(permit.endpoint)
        if endpoint is None:
            endpoint = self._endpoints[permit.endpoint] = _EndpointQueue()
        if endpoint.admitted >= self._max_per_endpoint:
            endpoint.waiting.append(permit)
            return
        endpoint.admitted += 1
        self._enqueue_globally(permit)
        self._admit()

    def release(self, permit: Permit) -> None:
        """Return a permit."""
        self.held -= 1
        self._held_by_recently_failed -= permit.recently_failed
        self._release_endpoint(permit)
        self._admit()

    def _enqueue_globally(self, permit: Permit) -> None:
        self._sequence += 1
        heapq.heappush(self._global_queues[permit.recently_failed], (permit.due, self._sequence, permit))

    def _release_endpoint(self, permit: Permit) -> None:
        """Move the endpoint's next permit to the global queue; delete the endpoint if it is idle."""
        endpoint = self._endpoints[permit.endpoint]
        endpoint.admitted -= 1
        while endpoint.waiting:
            next_permit = endpoint.waiting.popleft()
            if not next_permit.cancelled:
                endpoint.admitted += 1
                self._enqueue_globally(next_permit)
                return
        if not endpoint.admitted:
            del self._endpoints[permit.endpoint]

    def _admit(self) -> None:
        if self._admitting:  # a check that is admitted may finish at once and release its permit
            return
        self._admitting = True
        try:
            while self.held < self._max_concurrent and (permit := self._pop_next()) is not None:
                if permit.cancelled:
                    self._release_endpoint(permit)
                    continue
                self.held += 1
                self._held_by_recently_failed += permit.recently_failed
                permit.on_granted(permit)
        finally:
            self._admitting = False

    def _pop_next(self) -> Permit | None:
        """Take the permit that has been due for longest from the global queues, if it may be granted."""
        normal_queue, failed_queue = self._global_queues
        if (
            failed_queue
            and self._held_by_recently_failed < self._max_recently_failed
            and (not normal_queue or failed_queue[0] < normal_queue[0])
        ):
            return heapq.heappop(failed_queue)[2]
        return heapq.heappop(normal_queue)[2] if normal_queue else None


# --- checks that wait for a permit: each waits once, with its newest slot; a slot that ends meanwhile is missed -------


class AdmissionListener(Protocol):
    """Receives exactly one call for each slot that was submitted."""

    def on_admitted(self, check: ScheduledCheck, slot: Slot, late: Millis, permit: Permit) -> None:
        """Run the check now, ``late`` milliseconds after the slot was due; release the permit at the end."""

    def on_superseded(self, check: ScheduledCheck, slot: Slot) -> None:
        """Record that the slot is over and that the check did not run in it."""

    def on_removed(self, slot: Slot) -> None:
        """Discard the slot of a check that was removed from the configuration."""


@dataclass(slots=True)
class _Waiter:
    """A check that waits; it keeps its place in the queue when its slot is superseded."""

    check: ScheduledCheck
    slot: Slot
    permit: Permit
    superseded: bool = False


class AdmissionQueue:
    """Requests permits from the limiter and starts checks when they are granted."""

    def __init__(self, limiter: ConcurrencyLimiter, clock: Clock, listener: AdmissionListener) -> None:
        self._limiter = limiter
        self._clock = clock
        self._listener = listener
        self._waiters: dict[CheckKey, _Waiter] = {}
        self.interval: Millis = 0
        """Milliseconds after its due time at which a slot is missed."""

    @property
    def checks(self) -> list[CheckKey]:
        """The checks that wait."""
        return [*self._waiters]

    def submit(self, check: ScheduledCheck, slot: Slot, endpoint: str, *, recently_failed: bool) -> None:
        """Start a check when there is a permit, mostly now; a check that waits already keeps its place in the queue."""
        waiter = self._waiters.get(check.key)
        if waiter is not None:
            self._supersede(waiter)
            waiter.check, waiter.slot, waiter.superseded = check, slot, False
            return
        permit = Permit(endpoint, slot.due, recently_failed, partial(self._on_granted, check.key))
        self._waiters[check.key] = _Waiter(check, slot, permit)
        self._limiter.acquire(permit)

    def supersede(self, key: CheckKey) -> None:
        """End the slot that a check waits for, if it waits."""
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
        """Remove waiting checks that were removed from the configuration."""
        for key in keys:
            waiter = self._waiters.pop(key)
            waiter.permit.cancelled = True
            if not waiter.superseded:
                self._listener.on_removed(waiter.slot)

    def clear(self) -> None:
        """Remove all waiting checks without calling the listener."""
        for waiter in self._waiters.values():
            waiter.permit.cancelled = True
        self._waiters.clear()
