"""A sweep: one turn of every server, each check of it one cycle, each cycle one result."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from monitor.engine.findings import Findings
from monitor.engine.probing.concurrency import Gate, Place
from monitor.engine.probing.connectivity import Glances
from monitor.engine.probing.running_checks import Cycles, wake
from monitor.engine.tally import Tally
from monitor.engine.turn import Turn, Watched
from monitor.engine.waiting import WaitingRoom
from monitor.model import CheckKey, Outcome, Result
from monitor.probes.cycle import cycle

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Iterator, Mapping

    from monitor.clock import Clock
    from monitor.engine.live.telemetry import Telemetry
    from monitor.engine.probing.connectivity import Sight
    from monitor.engine.probing.scheduler import Slot
    from monitor.engine.recorded_time import Timescale
    from monitor.engine.recorder import Recorder
    from monitor.model import Millis
    from monitor.probes.cycle import Plan
    from monitor.probes.probe import Attempt


log = logging.getLogger(__name__)

BLIND = "the monitor could not see out"
MISSED = "slot missed"


class Sweeper:
    """Does the work of every slot, and knows when a sweep is complete.

    A check that is ok at the first attempt of a swift probe costs a callback; whatever else happens is a task.
    """

    def __init__(
        self,
        clock: Clock,
        timescale: Timescale,
        sight: Sight,
        recorder: Recorder,
        telemetry: Telemetry,
        gate: Gate | None = None,
        findings: Findings | None = None,
    ) -> None:
        self._gate = gate or Gate()
        self._findings = findings or Findings()
        self._clock = clock
        self._timescale = timescale
        self._sight = sight
        self._recorder = recorder
        self._telemetry = telemetry
        self._turns: Mapping[str, tuple[Turn, ...]] = {}
        self._plan: Plan | None = None
        self._interval: Millis = 0
        self._cycles = Cycles()
        self._glances = Glances()
        self._waiting = WaitingRoom(self._gate, clock, self)
        self._tally = Tally(recorder.end_sweep)

    def watch(self, turns: Mapping[str, tuple[Turn, ...]], plan: Plan, interval: Millis) -> None:
        """Probe these from the next slot on; cycles under way are finished as they began."""
        for _ in self.watching(turns, plan, interval):
            pass

    def watching(self, turns: Mapping[str, tuple[Turn, ...]], plan: Plan, interval: Millis) -> Iterator[None]:
        """Do the same, at once; then forget by slices what is known of checks that left."""
        self._turns, self._plan, self._interval = turns, plan, interval

        def left(keys: Iterable[CheckKey]) -> list[CheckKey]:
            return [key for key in keys if not any(turn.key == key for turn in turns.get(key.server, ()))]

        self._waiting.interval = interval
        self._waiting.give_up(left(self._waiting.checks))
        yield from self._findings.forgetting(left)

    @property
    def under_way(self) -> int:
        """How many cycles have begun and not ended."""
        return len(self._cycles)

    def launch(self, slot: Slot, late: Millis) -> None:
        """Begin a cycle of every check of a server."""
        for turn in self._turns.get(slot.server, ()):
            if turn.door is None:
                self._start(turn, slot.sweep, late, None)
            else:
                self._tally.begun(slot.sweep)
                self._waiting.ask(turn, slot, turn.door, suspect=self._findings.suspect(turn.key))

    def entered(self, turn: Turn, slot: Slot, late: Millis, place: Place) -> None:
        """Begin the cycle of a turn that waited for a place."""
        self._tally.handed_on(slot.sweep)
        self._start(turn, slot.sweep, late, place)

    def overtaken(self, turn: Turn, slot: Slot) -> None:
        """Write down that the slot which a turn waits for is over."""
        self._miss(turn, slot, 1)
        self._done(slot.sweep)

    def gave_up(self, slot: Slot) -> None:
        """Wait no longer for a turn of a check that left."""
        self._done(slot.sweep)

    def _start(self, turn: Turn, sweep: int, late: Millis, place: Place | None) -> None:
        assert self._plan is not None
        self._telemetry.slot_left(late / 1000)
        if not self._fly(turn, sweep, self._plan, place):
            work = self._probe(turn, sweep, self._plan, self._cycles.before(turn.key))
            self._begin(turn.key, sweep, work, place)

    def _fly(self, turn: Turn, sweep: int, plan: Plan, place: Place | None) -> bool:
        """Begin a cycle without a task, if that can be: not while one of the same check is under way."""
        if turn.begin is None or not self._cycles.take_off(turn.key):
            return False
        self._tally.begun(sweep)
        try:
            flies = turn.begin(turn.target, plan.timeout, partial(self._landed, turn, sweep, plan, place))
        except Exception:  # a fault of ours must not end the pacing; the attempt that follows says what it is
            log.exception("the code of %s failed on %s", type(turn.probe).__name__, turn.target.host)
            flies = False
        if not flies:
            self._cycles.land(turn.key)
            self._tally.handed_on(sweep)
        return flies

    def _landed(self, turn: Turn, sweep: int, plan: Plan, place: Place | None, attempt: Attempt) -> None:
        """Take the first attempt of a cycle: ok ends it, anything else goes on in a task."""
        if self._cycles.dropped:
            return
        waiting = self._cycles.land(turn.key)
        if attempt.outcome is Outcome.OK:
            self._recorder.submit(sweep, self._result(turn, (attempt,), Outcome.OK, ""))
            if waiting is not None:
                wake(waiting)
            self._done(sweep, place)
            return
        if attempt.outcome is Outcome.FAIL:
            self._glance()
        self._tally.handed_on(sweep)
        self._begin(turn.key, sweep, self._probe(turn, sweep, plan, None, attempt), place, waiting)

    def _begin(
        self,
        key: CheckKey,
        sweep: int,
        work: Coroutine[Any, Any, None],
        place: Place | None = None,
        waiting: asyncio.Future[None] | None = None,
    ) -> None:
        self._tally.begun(sweep)
        self._cycles.begin(key, work, partial(self._done, sweep, place), waiting)

    def missed(self, slot: Slot, count: int) -> None:
        """Write missed slots down: the time from the first of them on is unknown, not the last result's."""
        for turn in self._turns.get(slot.server, ()):
            self._waiting.overtake(turn.key)
            self._miss(turn, slot, count)

    def _miss(self, turn: Turn, slot: Slot, count: int) -> None:
        self._telemetry.slot_missed(count)
        self._telemetry.result(turn.type, Outcome.UNKNOWN, None)
        result = Result(turn.key, self._timescale.at(slot.due / 1000), Outcome.UNKNOWN, 0, None, MISSED)
        before = self._cycles.before(turn.key)
        if before is None:
            self._recorder.submit(slot.sweep, result)
        else:
            work = self._submit_after(before, slot.sweep, result)
            self._begin(turn.key, slot.sweep, work)

    async def _submit_after(self, before: asyncio.Future[None] | None, sweep: int, result: Result) -> None:
        """Submit a result when that of the cycle ``before`` is: those of one check come in the order of their times.

        A cycle can outlast its interval by what it takes to ask the canaries, or by a stall.
        """
        if before is not None and not before.done():
            await asyncio.wait([before])
        self._recorder.submit(sweep, result)

    def sweep_over(self, sweep: int) -> None:
        """Close a sweep when its last cycle has ended, which may be now."""
        self._tally.over(sweep)

    def _done(self, sweep: int, place: Place | None = None) -> None:
        self._tally.ended(sweep)
        self._cycles.handed_on()
        if place is not None:
            self._gate.leave(place)

    async def _probe(
        self,
        turn: Turn,
        sweep: int,
        plan: Plan,
        before: asyncio.Future[None] | None,
        first: Attempt | None = None,
    ) -> None:
        """Make a cycle, or what is left of it after its ``first`` attempt, and submit what it gave."""
        began = self._clock.monotonic() if first is None else first.at
        cycled = await cycle(Watched(turn.probe, self._glance), turn.target, plan, self._clock, first)
        outcome, reason = cycled.outcome, cycled.attempts[-1].reason
        if outcome is Outcome.FAIL and not await self._sight.confirms(began):
            outcome, reason = Outcome.UNKNOWN, BLIND
        await self._submit_after(before, sweep, self._result(turn, cycled.attempts, outcome, reason))

    def _result(self, turn: Turn, attempts: tuple[Attempt, ...], outcome: Outcome, reason: str) -> Result:
        last = attempts[-1]
        ok = outcome is Outcome.OK
        self._findings.take(turn.key, last, ok=ok)
        latency = last.latency_us if ok else None
        self._telemetry.result(turn.type, outcome, latency)
        at = self._timescale.at(attempts[0].at)
        return Result(turn.key, at, outcome, len(attempts), latency, "" if ok else reason)

    def _glance(self) -> None:
        self._glances.throw(self._sight)

    async def drain(self, patience: float) -> None:
        """Let the cycles under way end for ``patience`` seconds, then drop the rest: their slots were never taken."""
        self._waiting.clear()
        await self._cycles.drain(patience)
        await self._glances.cancel()
