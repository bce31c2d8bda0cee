"""A sweep: one turn of every server, each check of it one cycle, each cycle one result."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from monitor.model import CheckKey, Outcome, Result
from monitor.probes.cycle import cycle

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from monitor.clock import Clock
    from monitor.engine.recorder import Recorder
    from monitor.engine.schedule import Slot
    from monitor.engine.sight import Sight
    from monitor.engine.telemetry import Telemetry
    from monitor.engine.timescale import Timescale
    from monitor.model import Millis
    from monitor.probes.cycle import Cycle, Plan
    from monitor.probes.probe import Attempt, Probe, Target

log = logging.getLogger(__name__)

BLIND = "the monitor could not see out"
MISSED = "slot missed"


@dataclass(frozen=True, slots=True)
class Turn:
    """One check, ready to be probed."""

    key: CheckKey
    type: str
    probe: Probe
    target: Target


class _Watched:
    """A probe whose failed attempts make the monitor look at its canaries at once, not only when the cycle is over.

    So a blindness that is over before the last attempt is noticed too.
    """

    def __init__(self, probe: Probe, look: Callable[[], None]) -> None:
        self._probe = probe
        self._look = look

    async def attempt(self, target: Target, timeout: float) -> Attempt:  # noqa: ASYNC109 - the probe's own contract
        attempt = await self._probe.attempt(target, timeout)
        if attempt.outcome is Outcome.FAIL:
            self._look()
        return attempt


class Sweeper:
    """Does the work of every slot, and knows when a sweep is complete."""

    def __init__(
        self, clock: Clock, timescale: Timescale, sight: Sight, recorder: Recorder, telemetry: Telemetry
    ) -> None:
        self._clock = clock
        self._timescale = timescale
        self._sight = sight
        self._recorder = recorder
        self._telemetry = telemetry
        self._turns: Mapping[str, tuple[Turn, ...]] = {}
        self._plan: Plan | None = None
        self._interval: Millis = 0
        self._under_way: set[asyncio.Task[None]] = set()
        self._looks: set[asyncio.Task[None]] = set()
        self._outstanding: Counter[int] = Counter()
        self._over: set[int] = set()
        self._certificates: dict[CheckKey, int] = {}
        self._newest: dict[CheckKey, asyncio.Task[None]] = {}
        """The cycle of each check that began last, while it is under way."""

    def watch(self, turns: Mapping[str, tuple[Turn, ...]], plan: Plan, interval: Millis, sight: Sight) -> None:
        """Probe these from the next slot on; cycles under way are finished as they began."""
        self._turns, self._plan, self._interval, self._sight = turns, plan, interval, sight
        kept = {turn.key for server in turns.values() for turn in server}
        self._certificates = {key: expiry for key, expiry in self._certificates.items() if key in kept}

    @property
    def under_way(self) -> int:
        """How many cycles have begun and not ended."""
        return len(self._under_way)

    def certificate(self, key: CheckKey) -> int | None:
        """When the certificate that a check saw last expires, in Unix seconds; None where it never saw one."""
        return self._certificates.get(key)

    def launch(self, slot: Slot, late: Millis) -> None:
        """Begin a cycle of every check of a server."""
        for turn in self._turns.get(slot.server, ()):
            self._telemetry.slot_left(late / 1000)
            self._begin(turn.key, slot.sweep, self._probe(turn, slot.sweep, self._newest.get(turn.key)))

    def _begin(self, key: CheckKey, sweep: int, work: Coroutine[Any, Any, None]) -> None:
        self._outstanding[sweep] += 1
        task = asyncio.create_task(work, name=f"probe {key}")
        self._under_way.add(task)
        self._newest[key] = task
        task.add_done_callback(partial(self._ended, key, sweep))

    def missed(self, slot: Slot, count: int) -> None:
        """Write missed slots down: the time from the first of them on is unknown, not the last result's."""
        at = self._timescale.at(slot.due / 1000)
        for turn in self._turns.get(slot.server, ()):
            self._telemetry.slot_missed(count)
            self._telemetry.result(turn.type, Outcome.UNKNOWN, None)
            result = Result(turn.key, at, Outcome.UNKNOWN, 0, None, MISSED)
            before = self._newest.get(turn.key)
            if before is None:
                self._recorder.submit(slot.sweep, result)
            else:
                self._begin(turn.key, slot.sweep, self._submit_after(before, slot.sweep, result))

    async def _submit_after(self, before: asyncio.Task[None] | None, sweep: int, result: Result) -> None:
        """Submit a result when that of the cycle ``before`` is: those of one check come in the order of their times.

        A cycle can outlast its interval by what it takes to ask the canaries, or by a stall.
        """
        if before is not None and not before.done():
            await asyncio.wait([before])
        self._recorder.submit(sweep, result)

    def sweep_over(self, sweep: int) -> None:
        """Close a sweep when its last cycle has ended, which may be now."""
        self._over.add(sweep)
        self._close(sweep)

    def _ended(self, key: CheckKey, sweep: int, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if self._newest.get(key) is task:
            del self._newest[key]
        self._outstanding[sweep] -= 1
        if not task.cancelled() and task.exception():
            log.error("a probe was lost to a fault in the monitor", exc_info=task.exception())
        self._close(sweep)

    def _close(self, sweep: int) -> None:
        if sweep in self._over and self._outstanding[sweep] == 0:
            self._over.discard(sweep)
            del self._outstanding[sweep]
            self._recorder.end_sweep(sweep)

    async def _probe(self, turn: Turn, sweep: int, before: asyncio.Task[None] | None) -> None:
        assert self._plan is not None
        began = self._clock.monotonic()
        cycled = await cycle(_Watched(turn.probe, self._glance), turn.target, self._plan, self._clock)
        outcome, last = cycled.outcome, cycled.attempts[-1]
        reason, latency = last.reason, last.latency_us
        if outcome is Outcome.FAIL and not await self._sight.confirms(began):
            outcome, reason = Outcome.UNKNOWN, BLIND
        if outcome is not Outcome.OK:
            latency = None
        if last.cert_expiry is not None:
            self._certificates[turn.key] = last.cert_expiry
        self._telemetry.result(turn.type, outcome, latency)
        await self._submit_after(before, sweep, self._result(turn.key, cycled, outcome, latency, reason))

    def _result(self, key: CheckKey, cycled: Cycle, outcome: Outcome, latency: int | None, reason: str) -> Result:
        at = self._timescale.at(cycled.attempts[0].at)
        return Result(key, at, outcome, len(cycled.attempts), latency, "" if outcome is Outcome.OK else reason)

    def _glance(self) -> None:
        """Look at the canaries without waiting for them."""
        task = asyncio.create_task(self._sight.look())
        self._looks.add(task)
        task.add_done_callback(self._looks.discard)

    async def drain(self, patience: float) -> None:
        """Let the cycles under way end for ``patience`` seconds, then drop the rest: their slots were never taken."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=patience)
        for task in [*self._under_way, *self._looks]:
            task.cancel()
        await asyncio.gather(*self._under_way, *self._looks, return_exceptions=True)
