"""Checks the monitor's own connectivity before a failure counts (docs/contract.md#whose-fault-it-is).

A failure counts only if a canary answered after it and no round of canaries failed completely since the check run
began. So no server is blamed when the monitor's own connection goes down or comes back.
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
    """Receives the results of canaries."""

    def on_canary_result(self, address: str, outcome: Outcome) -> None:
        """Handle the result of one canary."""

    def on_connectivity_change(self, *, offline: bool) -> None:
        """Handle a change: the monitor went offline or is online again."""


class ConnectivityCheck:
    """Probes the canaries and stores until when the monitor was offline."""

    def __init__(
        self, clock: Clock, canaries: Mapping[str, Callable[[], Awaitable[Outcome]]], listener: ConnectivityListener
    ) -> None:
        """``canaries`` maps each address to its probe, which has a time-out of its own; empty: no self-check."""
        self._clock = clock
        self._canaries = canaries
        self._listener = listener
        self._round_lock = asyncio.Lock()
        self._pending: set[asyncio.Future[Outcome]] = set()
        """Probes of canaries that run, also those of earlier rounds."""
        self._last_round_start = -math.inf
        self._offline_until = -math.inf
        """Start of the first successful round after the last offline time (monotonic); infinite while offline."""

    @property
    def is_offline(self) -> bool:
        """Whether no canary answered in the last round."""
        return self._offline_until == math.inf

    def set_canaries(self, canaries: Mapping[str, Callable[[], Awaitable[Outcome]]]) -> None:
        """Replace the canaries and keep the connectivity state. Without canaries the monitor counts as online."""
        self._canaries = canaries
        if not canaries and self.is_offline:
            self._offline_until = self._clock.monotonic()
            self._listener.on_connectivity_change(offline=False)

    async def check(self) -> None:
        """Probe all canaries, or wait for the round that another caller starts after this call."""
        requested_at = self._clock.monotonic()
        async with self._round_lock:
            while self._canaries and self._last_round_start < requested_at:
                canaries, round_start = self._canaries, self._clock.monotonic()
                outcomes = await self._probe_canaries(canaries)
                if canaries is self._canaries:  # else the canaries were replaced meanwhile: probe the new ones
                    self._last_round_start = round_start
                    self._update_connectivity(outcomes)

    async def _probe_canaries(self, canaries: Mapping[str, Callable[[], Awaitable[Outcome]]]) -> set[Outcome]:
        """Probe all at once. The first answer decides, so no failure waits for the time-out of a dead canary."""
        pending: set[asyncio.Future[Outcome]] = set()
        for address, probe_canary in canaries.items():
            probe = asyncio.ensure_future(probe_canary())
            probe.add_done_callback(partial(self._canary_done, address))
            pending.add(probe)
        self._pending |= pending
        outcomes: set[Outcome] = set()
        while pending and Outcome.OK not in outcomes:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            outcomes |= {probe.result() for probe in done}
        return outcomes

    def _canary_done(self, address: str, probe: asyncio.Future[Outcome]) -> None:
        """Report the result of one canary, which may come after the end of its round."""
        self._pending.discard(probe)
        if not probe.cancelled() and probe.exception() is None and address in self._canaries:
            self._listener.on_canary_result(address, probe.result())

    def _update_connectivity(self, outcomes: set[Outcome]) -> None:
        """Set the state: offline if every canary failed. If no canary could be probed, the state stays."""
        if outcomes == {Outcome.UNKNOWN}:
            return
        online = Outcome.OK in outcomes
        if online == self.is_offline:
            self._offline_until = self._last_round_start if online else math.inf
            self._listener.on_connectivity_change(offline=not online)

    async def confirms_failure(self, run_start: float) -> bool:
        """Return whether a failure may count whose check run began at ``run_start`` (monotonic seconds)."""
        if not self._canaries:
            return True
        await self.check()
        return run_start >= self._offline_until


class ConnectivityRequests:
    """Runs connectivity checks in the background; requests at the same time share one."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._check_requested = False

    def request_check(self, connectivity: ConnectivityCheck) -> None:
        """Start a check soon."""
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
        """Cancel the checks that run."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
