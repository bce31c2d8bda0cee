"""Connects the parts of the daemon: scheduling, probing, recording, mail. Applies new configurations."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from monitor.clock import is_synchronised
from monitor.engine.clock_guard import ClockGuard
from monitor.engine.cooperative import free_in_steps, run_in_steps
from monitor.engine.gc_control import freeze_periodically
from monitor.engine.live.figures import LiveFiguresUpdater
from monitor.engine.live.state import LiveState
from monitor.engine.live.telemetry import Telemetry
from monitor.engine.live.updates import LiveStateUpdater
from monitor.engine.mail_dispatcher import MailDispatcher
from monitor.engine.probing.concurrency import MAX_CONCURRENT, ConcurrencyLimiter
from monitor.engine.probing.connectivity import ConnectivityCheck
from monitor.engine.probing.runner import CheckRunner, LastObservations
from monitor.engine.probing.scheduler import Scheduler
from monitor.engine.recorded_time import RecordedTime
from monitor.engine.recorder import Recorder
from monitor.engine.reload import prepare_config
from monitor.errors import StoreError
from monitor.ledger.clock import LEAP_MS, read_clock_records
from monitor.ledger.months.corrections import DAEMON, apply_terms
from monitor.ledger.results.recording import Recording
from monitor.probes.check_types import CHECK_TYPES
from monitor.probes.probe import RetryPolicy, Target, run_check
from monitor.store import daemon_state, journal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from sqlite_utils import Database

    from monitor.clock import Clock
    from monitor.engine.probing.running_checks import ScheduledCheck
    from monitor.engine.reload import EngineConfig, PreparedConfig
    from monitor.model import CheckKey, Millis, Outcome, Result
    from monitor.probes.resources import ProbeResources
    from monitor.store.database_thread import DatabaseThread

log = logging.getLogger(__name__)

DRAIN_TIMEOUT = 4.0
"""Seconds that running checks get to end when the daemon stops."""
FLUSH_TIMEOUT = 3.0
"""Seconds that the write of the last results may take."""
PERIODIC_FREEZE_MIN_CHECKS = 60_000
"""Number of checks above which garbage collections would block the event loop for too long."""
TICK_INTERVAL = 1.0
OFFLINE_RETRY_INTERVAL = 1.0
"""Seconds between connectivity checks while no canary answers, so that the recovery is noticed at once."""
MAX_SCHEDULE_LAG_MS = 10_000
"""Milliseconds by which a slot may be late before the scheduler counts as stuck."""


@dataclass(frozen=True, slots=True)
class DatabaseThreads:
    """The threads that do the database work."""

    writer: DatabaseThread
    figures_reader: DatabaseThread
    outbox_reader: DatabaseThread


class Engine:
    """Probes, records and sends mail; ``live_state`` and ``telemetry`` show the state to pages and metrics."""

    def __init__(
        self,
        config: EngineConfig,
        clock: Clock,
        resources: ProbeResources,
        threads: DatabaseThreads,
        max_concurrent: int = MAX_CONCURRENT,
        save_unrecorded: Callable[[list[Result]], None] | None = None,
    ) -> None:
        """``max_concurrent`` limits how many checks of services run at once."""
        self.live_state = LiveState()
        self.telemetry = Telemetry()
        self.telemetry.pings = resources.pinger.counts
        self.recording = Recording(config.context)
        self._config = config
        self._clock = clock
        self._resources = resources
        self._threads = threads
        self._max_concurrent = max_concurrent
        self._save_unrecorded = save_unrecorded
        self._background_writes: set[asyncio.Task[None]] = set()
        self._stored_problems: dict[str, str] | None = None
        self._scheduled_checks: dict[str, tuple[ScheduledCheck, ...]] = {}
        self.clock_rejected = asyncio.Event()
        """Set when an operator took back what was recorded by a wrong clock: the daemon has to start again."""
        self.warn_days: dict[CheckKey, tuple[int, ...]] = {}
        """Days before the expiry of a certificate at which mails are sent, by TLS check."""

    async def prepare(self) -> None:
        """Recover the records of an earlier process and apply the configuration."""
        records = await self._threads.writer.run(read_clock_records)
        clock, config = self._clock, self._config
        self.recorded_time = RecordedTime(clock, records.newest)
        self.clock_guard = ClockGuard(clock, self.recorded_time, records, is_synchronised=is_synchronised)
        self.figures_updater = LiveFiguresUpdater(
            self._threads.figures_reader,
            self.live_state,
            self.telemetry,
            clock,
            now=self.recorded_time.now,
            terms=lambda: self.recording.context.terms,
            on_mismatches=lambda mismatches: self.live_updater.on_figure_mismatches(mismatches),  # noqa: PLW0108 - live_updater is created below
        )
        observations = LastObservations()
        self.live_updater = LiveStateUpdater(
            self.live_state,
            self.telemetry,
            self.recording,
            read_clocks=lambda: (self.recorded_time.now(), clock.monotonic()),
            wall_time=clock.now,
            certificate=observations.certificate,
            phases=observations.phases,
            write_in_background=self._write_in_background,
            on_sweep_written=self.figures_updater.on_sweep_written,
            on_new_runs=self.figures_updater.on_new_runs,
        )
        self.recorder = Recorder(
            *(self._threads.writer, self.recording, clock, self.recorded_time, self.telemetry, self.live_updater),
            save_unrecorded=self._save_unrecorded,
        )
        self.recorder.before_write = self.clock_guard.before_write
        self.connectivity = ConnectivityCheck(clock, self._canary_probes(config), self.live_updater)
        limiter = ConcurrencyLimiter(self._max_concurrent)
        self.runner = CheckRunner(
            clock, self.recorded_time, self.connectivity, self.recorder, self.telemetry, limiter, observations
        )
        self.scheduler = Scheduler(clock, config.interval, self.runner)
        self.mail_dispatcher = MailDispatcher(
            self._threads.outbox_reader,
            self.recorder,
            config.transport,
            config.context.sender,
            self.telemetry,
            now=self.recorded_time.now,
            listener=self.live_updater,
            holds=lambda: self.clock_guard.holds,
        )
        await self._threads.writer.run(self._record_start)
        await self._apply(config, await prepare_config(config, self._resources))
        self.live_updater.restore(self.recording.check_states())
        self.telemetry.reloaded(ok=True, at=self.recorded_time.now())
        self._show_clock()

    def _record_start(self, db: Database) -> None:
        at = self.recorded_time.now()
        self.clock_guard.record_start(db, at)
        self.recording.recover(db, at)
        apply_terms(db, self._config.context.terms, at, DAEMON)
        journal.append(db, at, "daemon-started", {})

    async def reload(self, config: EngineConfig) -> None:
        """Replace the configuration; servers that stay keep state and slots. After a StoreError nothing has changed."""
        prepared = await prepare_config(config, self._resources)
        at = self.recorded_time.now()
        await self.recorder.write(lambda db: apply_terms(db, config.context.terms, at, DAEMON))
        self.recording.context = config.context
        self._config = config
        self.connectivity.set_canaries(self._canary_probes(config))
        self.mail_dispatcher.transport, self.mail_dispatcher.sender = config.transport, config.context.sender
        await self._apply(config, prepared)
        self.figures_updater.on_sweep_written()

    async def _apply(self, config: EngineConfig, prepared: PreparedConfig) -> None:
        """Replace the live state, then the checks of the slots, then the slots; free the old objects last."""
        self.warn_days = prepared.warn_days
        released: list[Iterator[None]] = []
        await run_in_steps(self.live_updater.replace_config_steps(prepared.check_entries, config.canaries, released))
        released.append(self.runner.configure(prepared.scheduled_checks, config.retry_policy, config.interval))
        released.append(free_in_steps(self._scheduled_checks.values()))
        self._scheduled_checks = prepared.scheduled_checks
        await run_in_steps(self.scheduler.set_servers_steps(prepared.scheduled_checks, config.interval))
        for steps in released:
            await run_in_steps(steps)

    def _canary_probes(self, config: EngineConfig) -> dict[str, Callable[[], Awaitable[Outcome]]]:
        """Return a probe for each canary: a ping with one retry, so that one lost packet has no effect."""
        icmp = CHECK_TYPES["icmp"]
        probe = icmp.build(icmp.settings(), self._resources)
        retry_policy = RetryPolicy(config.retry_policy.timeout, retries=1, retry_wait=0)

        async def probe_canary(address: str) -> Outcome:
            return (await run_check(probe, Target(address), retry_policy, self._clock)).outcome

        return {address: partial(probe_canary, address) for address in config.canaries}

    async def run(self) -> None:
        """Work until cancelled; if one part fails, all stop, and the service manager restarts the daemon."""
        async with asyncio.TaskGroup() as group:
            for work in (self.recorder.run, self.scheduler.run, self.mail_dispatcher.run, self.figures_updater.run):
                group.create_task(work(), name=work.__qualname__)
            group.create_task(self._tick_periodically(), name="tick")
            group.create_task(self._check_connectivity(), name="canaries")
            group.create_task(
                freeze_periodically(lambda: len(self.live_state.checks) > PERIODIC_FREEZE_MIN_CHECKS), name="gc"
            )

    async def _tick_periodically(self) -> None:
        """Update what changes with time alone."""
        while True:
            await asyncio.sleep(TICK_INTERVAL)
            self.live_updater.refresh_maintenance()
            await self._watch_clock()
            texts = {name: problem.text for name, problem in self.live_state.problems.items()}
            if texts != self._stored_problems:
                self._stored_problems = texts
                self._write_in_background(partial(daemon_state.put, key="problems", body=texts))

    async def _watch_clock(self) -> None:
        """Follow the wall clock if that is safe, and report one that cannot be trusted."""
        guard = self.clock_guard
        max_forward = None if guard.may_leap else LEAP_MS
        if step := self.recorded_time.follow_wall_clock(self._config.interval, max_forward=max_forward):
            log.warning("the wall clock was stepped by %d ms; probing continues on schedule", step)
            self._write_in_background(partial(self._record_clock_step, step))
        if guard.in_doubt:
            try:
                guard.refresh(await self._threads.outbox_reader.run(read_clock_records))
            except StoreError as error:
                log.warning("the records of the clock: %s", error)
        if work := guard.check():
            self._write_in_background(work)
        self._show_clock()
        if guard.rejected:
            self.clock_rejected.set()

    def _show_clock(self) -> None:
        zone = ZoneInfo(self._config.context.zone)
        self.clock_guard.show(self.live_state, self.telemetry, self.live_updater, zone)

    def _record_clock_step(self, step: Millis, db: Database) -> None:
        journal.append(db, self.recorded_time.now(), "clock-stepped", {"step": step})

    async def _check_connectivity(self) -> None:
        """Probe the canaries once an interval, and every second while none answers."""
        while True:
            await self.connectivity.check()
            await asyncio.sleep(
                min(OFFLINE_RETRY_INTERVAL, self._interval_seconds())
                if self.connectivity.is_offline
                else self._interval_seconds()
            )

    def _interval_seconds(self) -> float:
        return self._config.interval / 1000

    def _write_in_background(self, work: Callable[[Database], object]) -> None:
        """Write without waiting for it; if the database refuses, this is logged and the write is lost."""

        async def write() -> None:
            try:
                await self.recorder.write(work)
            except StoreError as error:
                log.warning("%s", error)

        task = asyncio.create_task(write())
        self._background_writes.add(task)
        task.add_done_callback(self._background_writes.discard)

    @property
    def is_making_progress(self) -> bool:
        """Whether slots start on time and results are written; the watchdog depends on it."""
        return self.scheduler.lag < MAX_SCHEDULE_LAG_MS and self.recorder.is_making_progress

    async def drain(self) -> None:
        """Stop within ten seconds: finish or cancel running checks, write the queued results, close the sweeps."""
        await self.runner.drain(DRAIN_TIMEOUT)
        try:
            async with asyncio.timeout(FLUSH_TIMEOUT):
                await asyncio.gather(*self._background_writes, return_exceptions=True)
                await self.recorder.flush()
                await self._threads.writer.run(self._record_stop)
        except (TimeoutError, StoreError) as error:
            log.error("not everything could be written before the stop: %s", str(error) or "the database is slow")  # noqa: TRY400 - no traceback for users

    def _record_stop(self, db: Database) -> None:
        at = self.recorded_time.now()
        self.recording.recover(db, at)
        daemon_state.put(db, "problems", {})
        journal.append(db, at, "daemon-stopped", {})
