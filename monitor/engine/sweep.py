"""A sweep: one turn of every server, each check of it one cycle, each cycle one result."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from monitor.engine.findings import Findings
from monitor.engine.gate import Gate, Place
from monitor.engine.turn import Turn, Watched
from monitor.engine.waiting import WaitingRoom
from monitor.model import CheckKey, Outcome, Result
from monitor.probes.cycle import cycle

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Iterator, Mapping

    from monitor.clock import Clock
    from monitor.engine.recorder import Recorder
    from monitor.engine.schedule import Slot
    from monitor.engine.sight import Sight
    from monitor.engine.telemetry import Telemetry
    from monitor.engine.timescale import Timescale
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
        self._flying: dict[CheckKey, asyncio.Future[None] | None] = {}
        """First attempts without a task, with what somebody waits by for the end of their cycle."""
        self._under_way: set[asyncio.Task[None]] = set()
        self._looks: set[asyncio.Task[None]] = set()
        self._about_to_look = False
        self._waiting = WaitingRoom(self._gate, clock, self)
        self._outstanding: Counter[int] = Counter()
        self._over: set[int] = set()
        self._newest: dict[CheckKey, asyncio.Task[None]] = {}
        """The cycle of each check that began last, while it is under way as a task."""
        self._drained: asyncio.Event | None = None
        self._stopped = False

    def watch(self, turns: Mapping[str, tuple[Turn, ...]], plan: Plan, interval: Millis, sight: Sight) -> None:
        """Probe these from the next slot on; cycles under way are finished as they began."""
        for _ in self.watching(turns, plan, interval, sight):
            pass

    def watching(
        self, turns: Mapping[str, tuple[Turn, ...]], plan: Plan, interval: Millis, sight: Sight
    ) -> Iterator[None]:
        """Do the same, at once; then forget by slices what is known of checks that left."""
        self._turns, self._plan, self._interval, self._sight = turns, plan, interval, sight

        def left(keys: Iterable[CheckKey]) -> list[CheckKey]:
            return [key for key in keys if not any(turn.key == key for turn in turns.get(key.server, ()))]

        self._waiting.interval = interval
        self._waiting.give_up(left(self._waiting.checks))
        yield from self._findings.forgetting(left)

    @property
    def under_way(self) -> int:
        """How many cycles have begun and not ended."""
        return len(self._under_way) + len(self._flying)

    def launch(self, slot: Slot, late: Millis) -> None:
        """Begin a cycle of every check of a server."""
        for turn in self._turns.get(slot.server, ()):
            if turn.door is None:
                self._start(turn, slot.sweep, late, None)
            else:
                self._outstanding[slot.sweep] += 1
                self._waiting.ask(turn, slot, turn.door, suspect=self._findings.suspect(turn.key))

    def entered(self, turn: Turn, slot: Slot, late: Millis, place: Place) -> None:
        """Begin the cycle of a turn that waited for a place."""
        self._outstanding[slot.sweep] -= 1
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
            work = self._probe(turn, sweep, self._plan, self._before(turn.key))
            self._newest[turn.key] = self._begin(turn.key, sweep, work, place)

    def _fly(self, turn: Turn, sweep: int, plan: Plan, place: Place | None) -> bool:
        """Begin a cycle without a task, if that can be: not while one of the same check is under way."""
        key = turn.key
        if turn.begin is None or key in self._flying or key in self._newest:
            return False
        self._flying[key] = None
        self._outstanding[sweep] += 1
        try:
            flies = turn.begin(turn.target, plan.timeout, partial(self._landed, turn, sweep, plan, place))
        except Exception:  # a fault of ours must not end the pacing; the attempt that follows says what it is
            log.exception("the code of %s failed on %s", type(turn.probe).__name__, turn.target.host)
            flies = False
        if not flies:
            del self._flying[key]
            self._outstanding[sweep] -= 1
        return flies

    def _landed(self, turn: Turn, sweep: int, plan: Plan, place: Place | None, attempt: Attempt) -> None:
        """Take the first attempt of a cycle: ok ends it, anything else goes on in a task."""
        if self._stopped:
            return
        waiting = self._flying.pop(turn.key)
        if attempt.outcome is Outcome.OK:
            self._recorder.submit(sweep, self._result(turn, (attempt,), Outcome.OK, ""))
            if waiting is not None:
                _wake(waiting)
            self._done(sweep, place)
            return
        if attempt.outcome is Outcome.FAIL:
            self._glance()
        self._outstanding[sweep] -= 1
        task = self._begin(turn.key, sweep, self._probe(turn, sweep, plan, None, attempt), place)
        if waiting is None:
            self._newest[turn.key] = task
        else:
            task.add_done_callback(lambda _: _wake(waiting))

    def _begin(
        self, key: CheckKey, sweep: int, work: Coroutine[Any, Any, None], place: Place | None = None
    ) -> asyncio.Task[None]:
        self._outstanding[sweep] += 1
        task = asyncio.create_task(work, name=f"probe {key}")
        self._under_way.add(task)
        task.add_done_callback(partial(self._ended, key, sweep, place))
        return task

    def _before(self, key: CheckKey) -> asyncio.Future[None] | None:
        """Give what ends with the cycle of a check that began last; None where none is under way."""
        if key in self._newest or key not in self._flying:
            return self._newest.get(key)
        waiting = self._flying[key] = self._flying[key] or asyncio.get_running_loop().create_future()
        return waiting

    def missed(self, slot: Slot, count: int) -> None:
        """Write missed slots down: the time from the first of them on is unknown, not the last result's."""
        for turn in self._turns.get(slot.server, ()):
            self._waiting.overtake(turn.key)
            self._miss(turn, slot, count)

    def _miss(self, turn: Turn, slot: Slot, count: int) -> None:
        self._telemetry.slot_missed(count)
        self._telemetry.result(turn.type, Outcome.UNKNOWN, None)
        result = Result(turn.key, self._timescale.at(slot.due / 1000), Outcome.UNKNOWN, 0, None, MISSED)
        before = self._before(turn.key)
        if before is None:
            self._recorder.submit(slot.sweep, result)
        else:
            work = self._submit_after(before, slot.sweep, result)
            self._newest[turn.key] = self._begin(turn.key, slot.sweep, work)

    async def _submit_after(self, before: asyncio.Future[None] | None, sweep: int, result: Result) -> None:
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

    def _ended(self, key: CheckKey, sweep: int, place: Place | None, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if self._newest.get(key) is task:
            del self._newest[key]
        if not task.cancelled() and task.exception():
            log.error("a probe was lost to a fault in the monitor", exc_info=task.exception())
        self._done(sweep, place)

    def _done(self, sweep: int, place: Place | None = None) -> None:
        self._outstanding[sweep] -= 1
        if self._over:
            self._close(sweep)
        if self._drained is not None and not self.under_way:
            self._drained.set()
        if place is not None:
            self._gate.leave(place)

    def _close(self, sweep: int) -> None:
        if sweep in self._over and self._outstanding[sweep] == 0:
            self._over.discard(sweep)
            del self._outstanding[sweep]
            self._recorder.end_sweep(sweep)

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
        """Look at the canaries without waiting for them; those who ask at once share a look."""
        if self._about_to_look:
            return
        self._about_to_look = True
        task = asyncio.create_task(self._look())
        self._looks.add(task)
        task.add_done_callback(self._looks.discard)

    async def _look(self) -> None:
        self._about_to_look = False
        await self._sight.look()

    async def drain(self, patience: float) -> None:
        """Let the cycles under way end for ``patience`` seconds, then drop the rest: their slots were never taken."""
        self._waiting.clear()
        self._drained = asyncio.Event()
        if self.under_way:
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._drained.wait()
        self._stopped = True
        self._flying.clear()
        for task in [*self._under_way, *self._looks]:
            task.cancel()
        await asyncio.gather(*self._under_way, *self._looks, return_exceptions=True)


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
