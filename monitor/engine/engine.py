"""The moving parts, put together: pacing, probing, recording, telling; one object that can be given new orders."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from monitor.engine.cooperative import gently, let_go
from monitor.engine.findings import Findings
from monitor.engine.gc_control import settling
from monitor.engine.live.figures import FigureKeeper
from monitor.engine.live.state import Board
from monitor.engine.live.telemetry import Telemetry
from monitor.engine.live.updates import Live
from monitor.engine.mail_dispatcher import Dispatcher
from monitor.engine.probing.concurrency import MOST, Gate
from monitor.engine.probing.connectivity import Sight
from monitor.engine.probing.runner import Sweeper
from monitor.engine.probing.scheduler import Pacer
from monitor.engine.recorded_time import Timescale
from monitor.engine.recorder import Recorder
from monitor.engine.reload import staged
from monitor.errors import StoreError
from monitor.ledger.months.corrections import DAEMON, put_into_force
from monitor.ledger.results.recording import Recording
from monitor.probes.check_types import CHECK_TYPES
from monitor.probes.cycle import Plan, cycle
from monitor.probes.probe import Target
from monitor.store import daemon_state, journal, results

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlite_utils import Database

    from monitor.clock import Clock
    from monitor.engine.reload import Orders, Staged
    from monitor.engine.turn import Turn
    from monitor.model import CheckKey, Millis, Outcome
    from monitor.probes.resources import Instruments
    from monitor.store.threads import Thread

log = logging.getLogger(__name__)

DRAIN = 4.0
"""Seconds that cycles under way are given to end when the daemon stops."""
FLUSH = 3.0
"""Seconds that the last results are given to be written."""
MANY = 60_000
"""Checks from where on searches for garbage would take longer than the loop may be held up."""
PULSE = 1.0
BLIND_LOOK = 1.0
"""Seconds between looks while no canary answers, so that the return of sight is noticed at once."""
OVERDUE = 10_000
"""Milliseconds by which a slot may be late before the schedule counts as stuck."""


@dataclass(frozen=True, slots=True)
class Threads:
    """Where database work is done."""

    writer: Thread
    figures: Thread
    outbox: Thread


class Engine:
    """Probes, records and tells; ``board`` and ``telemetry`` show it to the rest."""

    def __init__(
        self, orders: Orders, clock: Clock, instruments: Instruments, threads: Threads, places: int = MOST
    ) -> None:
        """``places``: how many cycles of services may be under way at once."""
        self.board = Board()
        self.telemetry = Telemetry()
        self.telemetry.pings = instruments.pinger.counts
        self.recording = Recording(orders.context)
        self._orders = orders
        self._clock = clock
        self._instruments = instruments
        self._threads = threads
        self._places = places
        self._later: set[asyncio.Task[None]] = set()
        self._noted: dict[str, str] | None = None
        self._turns: dict[str, tuple[Turn, ...]] = {}
        self.warn_days: dict[CheckKey, tuple[int, ...]] = {}
        """How many days before a certificate expires its mails go out, of each check that speaks TLS."""

    async def prepare(self) -> None:
        """Take over what an earlier process left, and put the configuration into force."""
        newest = await self._threads.writer.run(results.newest)
        clock, orders = self._clock, self._orders
        self.timescale = Timescale(clock, newest)
        self.figures = FigureKeeper(
            self._threads.figures,
            self.board,
            self.telemetry,
            clock,
            now=self.timescale.now,
            terms=lambda: self.recording.context.terms,
            drifted=lambda lines: self.live.figures_drifted(lines),  # noqa: PLW0108 - it is made later
        )
        findings = Findings()
        self.live = Live(
            self.board,
            self.telemetry,
            self.recording,
            clock=lambda: (self.timescale.now(), clock.monotonic()),
            certificate=findings.certificate,
            phases=findings.phases,
            write_later=self._write_later,
            sweep_written=self.figures.sweep_written,
            runs_began=self.figures.runs_began,
        )
        self.recorder = Recorder(self._threads.writer, self.recording, clock, self.timescale, self.telemetry, self.live)
        self.sight = Sight(clock, self._canaries(orders), self.live)
        gate = Gate(self._places)
        self.sweeper = Sweeper(clock, self.timescale, self.sight, self.recorder, self.telemetry, gate, findings)
        self.pacer = Pacer(clock, orders.interval, self.sweeper)
        self.dispatcher = Dispatcher(
            self._threads.outbox,
            self.recorder,
            orders.transport,
            orders.context.sender,
            self.telemetry,
            now=self.timescale.now,
            post=self.live,
        )
        await self._threads.writer.run(self._begin)
        await self._obey(orders, await staged(orders, self._instruments))
        self.live.restore(self.recording.standings())
        self.telemetry.reloaded(ok=True, at=self.timescale.now())

    def _begin(self, db: Database) -> None:
        at = self.timescale.now()
        self.recording.take_over(db, at)
        put_into_force(db, self._orders.context.terms, at, DAEMON)
        journal.append(db, at, "daemon-started", {})

    async def give(self, orders: Orders) -> None:
        """Swap the configuration; servers that stay keep their state and slots. Raises StoreError: nothing changed."""
        at = self.timescale.now()
        await self.recorder.write(lambda db: put_into_force(db, orders.context.terms, at, DAEMON))
        prepared = await staged(orders, self._instruments)
        self.recording.context = orders.context
        self._orders = orders
        self.sight.watch(self._canaries(orders))
        self.dispatcher.transport, self.dispatcher.sender = orders.transport, orders.context.sender
        await self._obey(orders, prepared)
        self.figures.sweep_written()

    async def _obey(self, orders: Orders, prepared: Staged) -> None:
        """Swap what is watched: the picture first, then at once what each slot does, then who has slots."""
        self.warn_days = prepared.warn_days
        await gently(self.live.watch(prepared.entries, orders.canaries))
        left, self._turns = let_go(self._turns.values()), prepared.turns
        await gently(self.sweeper.watching(prepared.turns, orders.plan, orders.interval))
        await gently(self.pacer.watching(prepared.turns, orders.interval))
        await gently(left)

    def _canaries(self, orders: Orders) -> dict[str, Callable[[], Awaitable[Outcome]]]:
        """Canaries are pinged, twice if need be: one lost packet blinds nobody."""
        icmp = CHECK_TYPES["icmp"]
        probe = icmp.build(icmp.settings(), self._instruments)
        plan = Plan(orders.plan.timeout, retries=1, retry_wait=0)

        async def ask(address: str) -> Outcome:
            return (await cycle(probe, Target(address), plan, self._clock)).outcome

        return {address: partial(ask, address) for address in orders.canaries}

    async def run(self) -> None:
        """Work until cancelled; a part that fails brings the whole down, and the service manager starts it again."""
        async with asyncio.TaskGroup() as group:
            for work in (self.recorder.run, self.pacer.run, self.dispatcher.run, self.figures.run):
                group.create_task(work(), name=work.__qualname__)
            group.create_task(self._pulse(), name="pulse")
            group.create_task(self._look(), name="canaries")
            group.create_task(settling(lambda: len(self.board.checks) > MANY), name="collector")

    async def _pulse(self) -> None:
        """See to what changes by time alone."""
        while True:
            await asyncio.sleep(PULSE)
            self.live.pulse()
            if step := self.timescale.follow(self._orders.interval):
                log.warning("the wall clock was stepped by %d ms; probing goes on unmoved", step)
                self._write_later(partial(self._note_step, step))
            texts = {name: problem.text for name, problem in self.board.problems.items()}
            if texts != self._noted:
                self._noted = texts
                self._write_later(partial(daemon_state.put, key="problems", body=texts))

    def _note_step(self, step: Millis, db: Database) -> None:
        journal.append(db, self.timescale.now(), "clock-stepped", {"step": step})

    async def _look(self) -> None:
        """Ask the canaries once a sweep, and every second while none answers."""
        while True:
            await self.sight.look()
            await asyncio.sleep(min(BLIND_LOOK, self._pause()) if self.sight.is_blind else self._pause())

    def _pause(self) -> float:
        return self._orders.interval / 1000

    def _write_later(self, work: Callable[[Database], object]) -> None:
        """Write something that nobody waits for; where the database refuses it is logged and lost."""

        async def write() -> None:
            try:
                await self.recorder.write(work)
            except StoreError as error:
                log.warning("%s", error)

        task = asyncio.create_task(write())
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    @property
    def progresses(self) -> bool:
        """Whether slots leave on time and what they give gets written: what the watchdog is fed by."""
        return self.pacer.behind < OVERDUE and self.recorder.progresses

    async def drain(self) -> None:
        """End: finish or drop the cycles under way, write what there is, close the sweeps. Within ten seconds."""
        await self.sweeper.drain(DRAIN)
        try:
            async with asyncio.timeout(FLUSH):
                await asyncio.gather(*self._later, return_exceptions=True)
                await self.recorder.flush()
                await self._threads.writer.run(self._end)
        except (TimeoutError, StoreError) as error:
            log.error("not everything could be written before the end: %s", str(error) or "the database is slow")  # noqa: TRY400 - no traceback for users

    def _end(self, db: Database) -> None:
        at = self.timescale.now()
        self.recording.take_over(db, at)
        daemon_state.put(db, "problems", {})
        journal.append(db, at, "daemon-stopped", {})
