"""Wires it all: files, threads, sockets, signals; and says what is going on, to people and to the service manager."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from contextlib import AsyncExitStack, ExitStack, suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

from monitor.clock import SystemClock
from monitor.config import config_summary
from monitor.config.ledger_context import ledger_context
from monitor.config.loader_process import load_in_process
from monitor.config.mail_transport import make_transport
from monitor.config.passwords import password_warnings
from monitor.config.removals import (
    ACCEPTED_NOTE,
    CONFIRMATION_SECONDS,
    RemovalHold,
    find_removals,
    removals_since_recorded,
)
from monitor.engine.cooperative import free_in_steps, run_in_steps
from monitor.engine.direct_mail import send_direct
from monitor.engine.engine import DatabaseThreads, Engine
from monitor.engine.gc_control import freeze_startup, gc_paused
from monitor.engine.jobs.compaction import Compactor
from monitor.engine.jobs.database_watch import DatabaseWatch
from monitor.engine.jobs.housekeeping import Housekeeping
from monitor.engine.jobs.icmp_permission import IcmpPermissionCheck
from monitor.engine.jobs.minute_jobs import minute_jobs
from monitor.engine.probing.concurrency import max_concurrent_checks, raise_descriptor_limit
from monitor.engine.reload import EngineConfig
from monitor.engine.systemd import SystemdNotifier
from monitor.engine.unsaved_results import UnsavedResults, time_stamp
from monitor.errors import ConfigError, Fault, InputError, MonitorError, StoreError
from monitor.formatting import pluralize
from monitor.mail.content import OperatorNews
from monitor.probes.probe import RetryPolicy
from monitor.probes.resources import open_resources
from monitor.store import daemon_state, database, database_thread, head_mark
from monitor.store.daemon_lock import DaemonLock
from monitor.store.file_guard import FileGuard
from monitor.store.head_mark import HeadMark
from monitor.store.reader_process import ReaderProcess
from monitor.web.connections import connection_limits
from monitor.web.server import WebState, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlite_utils import Database

    from monitor.config import Config
    from monitor.config.removals import Removals
    from monitor.ledger.context import LedgerContext

log = logging.getLogger(__name__)

MAX_MAILED_FAULTS = 20
"""Faults of a refused configuration that a mail names."""
THREAD_SWITCH_INTERVAL = 0.00005
"""Seconds after which a thread that computes lets the event loop go on: Python's own 5 ms are long for a probe, which
gives way at each packet that it sends or reads, and then waits for its turn again. With 0.5 ms a tick of fifty packets
still took 25 ms beside one thread that computes, and 50 ms beside two."""
MAX_SET_ASIDE = 3
"""Databases that one process sets aside as damaged: a disk that damages each of them is no place to go on."""
DAMAGE_INTERVAL = 1.0
"""Seconds between two looks whether the database was found damaged."""
ACCEPTANCE_POLL_INTERVAL = 2.0
"""Seconds between two looks for the acceptance of a reload that is held."""
STATUS_INTERVAL = 5.0
"""Seconds between two status lines for the service manager."""


def run(
    config: Config, environ: Mapping[str, str] = os.environ, *, on_started: Callable[[], None] = lambda: None
) -> None:
    """Run until SIGTERM or SIGINT; call ``on_started`` before the greeting. Raises MonitorError if it cannot start."""
    # the system's journal keeps the time of each line by itself
    stamp = "" if "JOURNAL_STREAM" in environ else "%(asctime)s "
    logging.basicConfig(
        level=logging.INFO,
        format=f"{stamp}%(levelname)s %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S%z",
        stream=sys.stderr,
    )
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    sys.setswitchinterval(THREAD_SWITCH_INTERVAL)
    with asyncio.Runner(loop_factory=event_loop_factory()) as runner:
        runner.run(Daemon(config, environ, on_started).run())


def event_loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """Choose uvloop where it is installed, which spares a tenth of a service check; all works without it too."""
    try:
        return cast("Callable[[], asyncio.AbstractEventLoop]", import_module("uvloop").new_event_loop)
    except ImportError:
        return asyncio.new_event_loop


def engine_config(config: Config, environ: Mapping[str, str], now: int) -> EngineConfig:
    """Return what a configuration asks of the engine, as of now."""
    settings = config.monitor
    return EngineConfig(
        context=ledger_context(config, now),
        servers=config.servers,
        canaries=config.canaries,
        retry_policy=RetryPolicy(settings.timeout / 1000, settings.retries, settings.retry_wait / 1000),
        transport=make_transport(config, environ),
    )


class Daemon:
    """One process on one data folder."""

    def __init__(
        self, config: Config, environ: Mapping[str, str], on_started: Callable[[], None] = lambda: None
    ) -> None:
        self._config = config
        self._on_started = on_started
        self._environ = environ
        self._clock = SystemClock()
        self._notifier = SystemdNotifier(environ)
        self._stop = asyncio.Event()
        self._reload = asyncio.Event()
        self._removal_hold = RemovalHold()
        self._seen_acceptance = self._used_acceptance = 0
        """When the removals were accepted that were read last, and that were applied last: each counts once."""
        self._damaged: list[Path] = []
        """The databases that this process found damaged and set aside."""

    async def run(self) -> None:
        """Start, work, and end in good order."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload.set)
        await self._warn_about_passwords(self._config)
        with ExitStack() as stack:
            stack.callback(DaemonLock(self._config.data_dir).release)
            try:
                while await self._run_on_database():
                    pass
            except StoreError as error:
                await self._mail_failed_start(error)
                raise

    async def _run_on_database(self) -> bool:
        """Run until asked to stop; returns whether to go on, with a fresh database beside one that is damaged."""
        try:
            async with AsyncExitStack() as stack:
                engine = await self._open(stack)
                self._on_started()
                self._print_startup_banner()
                freeze_startup()
                await self._run_until_stopped(engine)
                if self._guard.damaged:
                    await engine.recorder.save_queue()
                else:
                    again = engine.clock_rejected.is_set() and not self._stop.is_set()
                    if again:
                        log.warning("records of a wrong clock were taken back: the daemon starts again")
                    else:
                        self._notifier.stopping()
                    await engine.drain()
                    await self._database_watch.mark()
            error = StoreError(self._guard.loss or "")
        except StoreError as refused:
            if not database.is_unusable(refused):
                raise
            error = refused
        else:
            if not self._guard.damaged:
                return again
        self._set_database_aside(error)
        return True

    def _set_database_aside(self, error: StoreError) -> None:
        """Rename a damaged database, so that the next start makes a fresh one. Raises the error where it cannot be."""
        if len(self._damaged) == MAX_SET_ASIDE:
            raise error
        file = self._config.data_dir / database.DATABASE_FILE
        try:
            if head_mark.read(file.parent) is None:  # it is deleted to accept the fresh one
                head_mark.write(file.parent, HeadMark(1, ""))
            self._damaged.append(database.move_aside(file, time_stamp(self._clock.now())))
        except OSError as refused:
            raise StoreError(f"{error}; it cannot be renamed: {refused.strerror}") from None
        log.error("%s; the damaged database is %s now, watching goes on with a fresh one", error, self._damaged[-1])

    async def _send_direct(self, context: LedgerContext, subject: str, lines: Sequence[str]) -> bool:
        """Mail the operators without the database."""
        config = self._config
        transport = make_transport(config, self._environ)
        return await send_direct(transport, context, config.data_dir, subject, lines, self._clock.now())

    async def _mail_failed_start(self, error: StoreError) -> None:
        """Tell the operators that nothing is watched, at most once in some hours."""
        lines = (str(error), "Nothing is watched until the monitor runs. See its log and docs/operations.md.")
        try:
            context = ledger_context(self._config, self._clock.now())
            await self._send_direct(context, "the monitor does not run: its database cannot be used", lines)
        except (MonitorError, OSError) as failed:
            log.warning("the operators could not be mailed: %s", failed)

    def _found_at_start(self, db: Database, mark: HeadMark | None) -> str | None:
        if self._damaged:
            return f"the database was damaged and is set aside as {self._damaged[-1]}; a fresh one was begun"
        return head_mark.find_loss(db, mark)

    async def _open(self, stack: AsyncExitStack) -> Engine:
        config = self._config
        file = config.data_dir / database.DATABASE_FILE
        mark = head_mark.read(config.data_dir)
        writer = database_thread.WriterThread(file)
        try:
            self._guard = writer.guard = FileGuard(file)
        except StoreError:
            await writer.close()
            raise
        stack.callback(self._guard.close)  # after every connection: see FileGuard
        stack.push_async_callback(writer.close)
        found_at_start = await writer.run(lambda db: self._found_at_start(db, mark))
        readers = [database_thread.ReaderThread(file) for _ in range(4)]
        for reader in readers:
            stack.push_async_callback(reader.close)
        instruments = await stack.enter_async_context(open_resources(self._clock))
        descriptors = raise_descriptor_limit()
        orders = engine_config(config, self._environ, self._clock.now())
        unsaved = UnsavedResults(config.data_dir, self._clock.now())
        engine = Engine(
            orders,
            self._clock,
            instruments,
            DatabaseThreads(writer, *readers[:2]),
            max_concurrent_checks(descriptors),
            unsaved.save,
        )
        self._reader = readers[3]
        removals = await self._reader.run(lambda db: removals_since_recorded(db, config))
        await engine.prepare()
        self._report_removals_at_start(engine, removals)
        self._database_watch = DatabaseWatch(
            *(self._guard, readers[3], file, engine.live_state, engine.telemetry, unsaved),
            now=self._clock.now,
            send=lambda subject, lines: self._send_direct(engine.recording.context, subject, lines),
            found_at_start=found_at_start,
            damaged=self._damaged[-1] if self._damaged else None,
        )
        self._icmp_permission = IcmpPermissionCheck(
            engine.live_state,
            engine.recorder.write,
            now=engine.recorded_time.now,
            context=lambda: engine.recording.context,
        )
        await self._check_icmp_permission()
        engine.live_updater.clear_problem(OperatorNews.RELOAD)
        site = WebState(engine.live_state, engine.telemetry, self._clock)
        limits = connection_limits(descriptors)
        on_shortage = engine.live_updater.blindness.on_descriptors_exhausted
        await stack.enter_async_context(serve(site, config.web.listen, config.web.public_url, limits, on_shortage))
        keeping = Housekeeping(
            *(ReaderProcess(file), writer, file, engine.live_state, engine.telemetry, engine.live_updater),
            now=engine.recorded_time.now,
            context=lambda: engine.recording.context,
            holds=lambda: engine.clock_guard.holds,
        )
        keeping.start()
        for look in minute_jobs(engine, readers[2]):
            keeping.run_every_minute(look)
        keeping.run_every_minute(self._check_icmp_permission)
        keeping.run_daily(engine.figures_updater.verify)
        stack.push_async_callback(keeping.stop)
        self._compactor = Compactor(readers[3], writer, engine.recorded_time.now)
        return engine

    async def _warn_about_passwords(self, config: Config) -> None:
        """Say which password files somebody should look at."""
        for warning in await asyncio.to_thread(password_warnings, config, self._environ):
            log.warning("%s", warning)

    async def _check_icmp_permission(self) -> None:
        config = self._config
        pings = any(check.type == "icmp" for server in config.servers for check in server.checks)
        await self._icmp_permission.run(pings_configured=pings or bool(config.canaries))

    async def _run_until_stopped(self, engine: Engine) -> None:
        """Let the engine run until somebody asks to stop, or a part of it fails."""
        tasks = [
            asyncio.create_task(engine.run(), name="engine"),
            asyncio.create_task(self._compactor.run(), name="packing"),
            asyncio.create_task(self._database_watch.run(), name="database watch"),
            asyncio.create_task(self._wait_for_damage(), name="damage"),
            asyncio.create_task(self._notify_service_manager(engine), name="service manager"),
            asyncio.create_task(self._handle_reloads(engine), name="reloads"),
            asyncio.create_task(self._stop.wait(), name="stop"),
            asyncio.create_task(engine.clock_rejected.wait(), name="clock"),
        ]
        self._notifier.ready(self._status(engine))
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()

    async def _wait_for_damage(self) -> None:
        """Return once the database is found damaged, and the operators were told."""
        while not self._guard.damaged:  # noqa: ASYNC110 - a thread sets it
            await asyncio.sleep(DAMAGE_INTERVAL)

    async def _notify_service_manager(self, engine: Engine) -> None:
        """Feed the watchdog while there is progress, and keep the status line current."""
        pause = self._notifier.watchdog_interval() or STATUS_INTERVAL
        while True:
            self._notifier.status(self._status(engine))
            if engine.is_making_progress:
                self._notifier.watchdog()
            await asyncio.sleep(min(pause, STATUS_INTERVAL))

    def _status(self, engine: Engine) -> str:
        board = engine.live_state
        parts = [f"watching {pluralize(len(board.servers), 'server')}, {pluralize(len(board.checks), 'check')}"]
        parts.append(f"{pluralize(len(board.outages), 'outage')} open")
        if board.mails_pending:
            parts.append(pluralize(board.mails_pending, "mail waits", "mails wait"))
        parts += [f"PROBLEM: {name}" for name in board.problems]
        return ", ".join(parts)

    async def _handle_reloads(self, engine: Engine) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(ACCEPTANCE_POLL_INTERVAL if self._removal_hold.is_holding else None):
                    await self._reload.wait()
            if not self._reload.is_set() and not self._removal_hold.is_accepted(await self._accepted_removals()):
                continue
            self._reload.clear()
            self._notifier.reloading()
            await self._reload_config(engine)
            self._notifier.ready(self._status(engine))

    async def _reload_config(self, engine: Engine) -> None:
        """Read the configuration again: staged whole, then swapped; with faults the old one runs on."""
        now = engine.recorded_time.now()
        try:
            with gc_paused():
                config = await load_in_process(self._config.path, self._config)
                self._check_fixed_settings(config)
                await self._check_removals(config)
                await engine.reload(await asyncio.to_thread(engine_config, config, self._environ, now))
        except MonitorError as error:
            for line in str(error).splitlines():
                log.error("reload: %s", line)  # noqa: TRY400 - no traceback for users
            log.error("reload: refused, the running configuration stays in force")  # noqa: TRY400
            engine.live_state.set_problem(
                "reload", f"The last reload was refused: {str(error).splitlines()[0]}", ready=True
            )
            engine.telemetry.reloaded(ok=False, at=now)
            engine.live_updater.raise_problem(OperatorNews.RELOAD, str(error).splitlines()[:MAX_MAILED_FAULTS])
            return
        left = free_in_steps(self._config.customers, self._config.servers, self._config.subscriptions)
        self._config = config
        await self._warn_about_passwords(config)
        engine.live_state.clear_problem("reload")
        engine.live_state.clear_problem("removals")
        engine.live_updater.clear_problem(OperatorNews.RELOAD)
        engine.telemetry.reloaded(ok=True, at=now)
        await self._check_icmp_permission()
        log.info("reload: %s", "; ".join(self._config_counts()))
        await run_in_steps(left)

    async def _accepted_removals(self) -> str | None:
        """Return the digest of the removals that somebody accepted within the last minutes."""
        try:
            note = await self._reader.run(lambda db: daemon_state.get(db, ACCEPTED_NOTE))
        except StoreError as error:
            log.warning("the accepted removals: %s", error)
            return None
        if note is None or note["at"] == self._used_acceptance:
            return None
        recent = 0 <= self._clock.now() - note["at"] <= 1000 * CONFIRMATION_SECONDS
        self._seen_acceptance = note["at"]
        return note["sha256"] if recent else None

    async def _check_removals(self, config: Config) -> None:
        """Raise InputError for a configuration that removes so much that somebody has to confirm it."""
        before = self._config
        removals = find_removals(before.servers_by_id.keys(), before.subscriptions_by_id.keys(), config)
        if not self._removal_hold.may_apply(removals, await self._accepted_removals(), self._clock.monotonic()):
            raise InputError(
                f"held, since it removes {removals.describe()}. If that is meant: monitor check-config"
                " --accept-removals, or reload once more within ten minutes"
            )
        self._used_acceptance = self._seen_acceptance

    def _report_removals_at_start(self, engine: Engine, removals: Removals) -> None:
        """Report what is gone since the terms that were in force before the start."""
        if not removals.need_confirmation:
            return
        text = f"since the last start the configuration has lost {removals.describe()}"
        log.warning("%s", text)
        engine.live_state.set_problem("removals", f"{text}. If that is not meant, correct it and reload.", ready=True)

    def _check_fixed_settings(self, config: Config) -> None:
        """Two things cannot change under a running daemon: where its data is, and where it listens."""
        moved = []
        name, remedy = str(config.path), "cannot change while the daemon runs: restart it"
        if config.data_dir != self._config.data_dir:
            moved.append(Fault(name, "monitor", "data_dir", f'"{config.data_dir}"', remedy))
        if config.web.listen != self._config.web.listen:
            moved.append(Fault(name, "web", "listen", f'"{config.web.listen}"', remedy))
        if moved:
            raise ConfigError(tuple(moved))

    def _config_counts(self) -> list[str]:
        counts = config_summary(self._config)
        return [pluralize(counts[f"{name}s"], name) for name in ("customer", "server", "subscription", "check")]

    def _print_startup_banner(self) -> None:
        """Print what is watched, where the page, the data and the mails are, and what to type next."""
        config, email = self._config, self._config.email
        mail = str(config.data_dir / "mail") if email.transport == "file" else f"{email.host}:{email.port}"
        with suppress(BrokenPipeError):
            print(f"watching  {', '.join(self._config_counts())}")  # noqa: T201 - the greeting is the daemon's output
            print(f"page      http://{config.web.listen.browser_address}/")  # noqa: T201
            print(f"data      {config.data_dir}")  # noqa: T201
            print(f"mail      {mail}")  # noqa: T201
            print(f"status    {_command_line(config.path)} status")  # noqa: T201
            print(  # noqa: T201
                f"The first whole sweep ends within {2 * config.monitor.interval // 1000} s; until then the page says "
                f"that it is running. To change the port, set [web] listen in {config.path}.",
                flush=True,
            )


def _command_line(config: Path) -> str:
    """Return what to type in this directory to run a command on the same configuration."""
    started = Path(sys.argv[0])
    program = f"{Path(sys.executable).name} -m monitor" if started.name == "__main__.py" else _from_here(started)
    return program if config.resolve() == Path("config.toml").resolve() else f"{program} --config {_from_here(config)}"


def _from_here(path: Path) -> str:
    here = Path.cwd()
    full = path if path.is_absolute() else here / path
    return str(full.relative_to(here)) if full.is_relative_to(here) else str(path)
