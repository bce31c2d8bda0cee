"""Can the monitor see out? Before it accuses a server, it asks its canaries (docs/contract.md#whose-fault-it-is).

A failure counts only if a canary answered after it, and if no round of canaries failed whole since its cycle began. So
neither the moment at which the monitor's own line is cut nor the moment at which it returns accuses anybody.
"""

from __future__ import annotations

import asyncio
import math
from functools import partial
from typing import TYPE_CHECKING, Protocol

from monitor.model import Outcome

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from monitor.clock import Clock


class ConnectivityListener(Protocol):
    """Who hears of the canaries."""

    def on_canary_result(self, address: str, outcome: Outcome) -> None:
        """Take note of one canary's answer."""

    def on_connectivity_change(self, *, offline: bool) -> None:
        """Take note that the monitor has gone blind, or sees again; told once each time."""


class ConnectivityCheck:
    """Asks the canaries, and remembers since when and until when none answered."""

    def __init__(
        self, clock: Clock, canaries: Mapping[str, Callable[[], Awaitable[Outcome]]], listener: ConnectivityListener
    ) -> None:
        """``canaries`` asks each address once, with its own time-out; none at all switches the self-check off."""
        self._clock = clock
        self._canaries = canaries
        self._listener = listener
        self._round_lock = asyncio.Lock()
        self._pending: set[asyncio.Future[Outcome]] = set()
        """Canaries that have not answered yet, also those of rounds that are over."""
        self._last_round_start = -math.inf
        self._offline_until = -math.inf
        """When the first round that saw again after the last blindness began; infinite while blind."""

    @property
    def is_offline(self) -> bool:
        """No canary answered in the last round."""
        return self._offline_until == math.inf

    def set_canaries(self, canaries: Mapping[str, Callable[[], Awaitable[Outcome]]]) -> None:
        """Ask these from now on; what is known of sight stays. Without canaries nothing can be said of it: it sees."""
        self._canaries = canaries
        if not canaries and self.is_offline:
            self._offline_until = self._clock.monotonic()
            self._listener.on_connectivity_change(offline=False)

    async def check(self) -> None:
        """Ask all canaries, or share the round that somebody began after this call."""
        asked = self._clock.monotonic()
        async with self._round_lock:
            while self._canaries and self._last_round_start < asked:
                canaries, began = self._canaries, self._clock.monotonic()
                outcomes = await self._probe_canaries(canaries)
                if canaries is self._canaries:  # else others were configured meanwhile: they are asked
                    self._last_round_start = began
                    self._update_connectivity(outcomes)

    async def _probe_canaries(self, canaries: Mapping[str, Callable[[], Awaitable[Outcome]]]) -> set[Outcome]:
        """Ask all at once. The first that answers decides: no failure waits for the time-out of a dead canary."""
        waiting: set[asyncio.Future[Outcome]] = set()
        for address, ask in canaries.items():
            asked = asyncio.ensure_future(ask())
            asked.add_done_callback(partial(self._canary_done, address))
            waiting.add(asked)
        self._pending |= waiting
        outcomes: set[Outcome] = set()
        while waiting and Outcome.OK not in outcomes:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            outcomes |= {each.result() for each in done}
        return outcomes

    def _canary_done(self, address: str, probe: asyncio.Future[Outcome]) -> None:
        """Tell of one canary, which may answer when its round is over."""
        self._pending.discard(probe)
        if not probe.cancelled() and probe.exception() is None and address in self._canaries:
            self._listener.on_canary_result(address, probe.result())

    def _update_connectivity(self, outcomes: set[Outcome]) -> None:
        """Blind when every canary failed; canaries that could not be asked at all prove nothing either way."""
        if outcomes == {Outcome.UNKNOWN}:
            return
        sees = Outcome.OK in outcomes
        if sees == self.is_offline:
            self._offline_until = self._last_round_start if sees else math.inf
            self._listener.on_connectivity_change(offline=not sees)

    async def confirms_failure(self, cycle_start: float) -> bool:
        """Say whether a failure of a cycle that began at ``cycle_start`` (monotonic seconds) may count."""
        if not self._canaries:
            return True
        await self.check()
        return cycle_start >= self._offline_until


class ConnectivityRequests:
    """Looks at the canaries that nobody waits for; those who ask at once share one."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._check_requested = False

    def request_check(self, connectivity: ConnectivityCheck) -> None:
        """Look soon."""
        if self._check_requested:
            return
        self._check_requested = True
        task = asyncio.create_task(self._run_check(connectivity))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run_check(self, connectivity: ConnectivityCheck) -> None:
        self._check_requested = False
        await connectivity.check()

    async def cancel(self) -> None:
        """End those under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
