"""Wires it all: files, threads, sockets, signals; and says what is going on, to people and to the service manager."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from contextlib import AsyncExitStack, suppress
from importlib import import_module
from typing import TYPE_CHECKING, cast

from monitor.clock import SystemClock
from monitor.config import summary
from monitor.config.ledger_context import context_of
from monitor.config.loader_process import load_apart
from monitor.config.mail_transport import transport_of
from monitor.config.passwords import password_warnings
from monitor.engine.cooperative import gently, let_go
from monitor.engine.engine import Engine, Threads
from monitor.engine.gc_control import settle_in, undisturbed
from monitor.engine.jobs.compaction import Packer
from monitor.engine.jobs.housekeeping import Housekeeping
from monitor.engine.jobs.icmp_permission import PermissionKeeper
from monitor.engine.jobs.minute_jobs import looks
from monitor.engine.probing.concurrency import places, raise_descriptors
from monitor.engine.reload import Orders
from monitor.engine.systemd import Notifier
from monitor.errors import ConfigError, Fault, MonitorError
from monitor.mail.content import OperatorNews
from monitor.mail.text import counted
from monitor.probes.cycle import Plan
from monitor.probes.resources import open_instruments
from monitor.store import database, threads
from monitor.store.daemon_lock import DaemonLock
from monitor.store.reader_process import Apart
from monitor.web.server import Site, start

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from monitor.config import Config

log = logging.getLogger(__name__)

MOST_FAULTS = 20
"""Faults of a refused configuration that a mail names."""
SWITCH = 0.00005
"""Seconds after which a thread that computes lets the event loop go on: Python's own 5 ms are long for a probe, which
gives way at each packet that it sends or reads, and then waits for its turn again. With 0.5 ms a tick of fifty packets
still took 25 ms beside one thread that computes, and 50 ms beside two."""
STATUS = 5.0
"""Seconds between two status lines for the service manager."""


def run(config: Config, environ: Mapping[str, str] = os.environ, *, started: Callable[[], None] = lambda: None) -> None:
    """Run until SIGTERM or SIGINT; ``started`` is called before the greeting. Raises MonitorError where it cannot."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    sys.setswitchinterval(SWITCH)
    with asyncio.Runner(loop_factory=event_loop()) as runner:
        runner.run(Daemon(config, environ, started).run())


def event_loop() -> Callable[[], asyncio.AbstractEventLoop]:
    """Choose uvloop where it is installed, which spares a tenth of a service check; all works without it too."""
    try:
        return cast("Callable[[], asyncio.AbstractEventLoop]", import_module("uvloop").new_event_loop)
    except ImportError:
        return asyncio.new_event_loop


def orders_of(config: Config, environ: Mapping[str, str], now: int) -> Orders:
    """Give what a configuration asks of the engine, as of now."""
    settings = config.monitor
    return Orders(
        context=context_of(config, now),
        servers=config.servers,
        canaries=config.canaries,
        plan=Plan(settings.timeout / 1000, settings.retries, settings.retry_wait / 1000),
        transport=transport_of(config, environ),
    )


class Daemon:
    """One process on one data folder."""

    def __init__(self, config: Config, environ: Mapping[str, str], started: Callable[[], None] = lambda: None) -> None:
        self._config = config
        self._started = started
        self._environ = environ
        self._clock = SystemClock()
        self._notifier = Notifier(environ)
        self._stop = asyncio.Event()
        self._reload = asyncio.Event()

    async def run(self) -> None:
        """Start, work, and end in good order."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload.set)
        async with AsyncExitStack() as stack:
            engine = await self._open(stack)
            self._started()
            self._greet()
            settle_in()
            await self._work(engine)
            self._notifier.stopping()
            await engine.drain()

    async def _open(self, stack: AsyncExitStack) -> Engine:
        config = self._config
        await self._warn(config)
        stack.callback(DaemonLock(config.data_dir).release)
        file = config.data_dir / database.FILE
        writer = threads.Writer(file)
        stack.push_async_callback(writer.close)
        readers = [threads.Reader(file) for _ in range(4)]
        for reader in readers:
            stack.push_async_callback(reader.close)
        instruments = await stack.enter_async_context(open_instruments(self._clock))
        orders = orders_of(config, self._environ, self._clock.now())
        engine = Engine(orders, self._clock, instruments, Threads(writer, *readers[:2]), places(raise_descriptors()))
        await engine.prepare()
        self._permission = PermissionKeeper(
            engine.board, engine.recorder.write, now=engine.timescale.now, context=lambda: engine.recording.context
        )
        await self._look_for_permission()
        engine.live.over(OperatorNews.RELOAD)
        site = Site(engine.board, engine.telemetry, self._clock)
        await stack.enter_async_context(start(site, config.web.listen, config.web.public_url))
        keeping = Housekeeping(
            *(Apart(file), writer, file, engine.board, engine.telemetry, engine.live),
            now=engine.timescale.now,
            context=lambda: engine.recording.context,
        )
        keeping.start()
        for look in looks(engine, readers[2]):
            keeping.each_minute(look)
        keeping.each_minute(self._look_for_permission)
        keeping.each_day(engine.figures.check)
        stack.push_async_callback(keeping.stop)
        self._packer = Packer(readers[3], writer, engine.timescale.now)
        return engine

    async def _warn(self, config: Config) -> None:
        """Say which password files somebody should look at."""
        for warning in await asyncio.to_thread(password_warnings, config, self._environ):
            log.warning("%s", warning)

    async def _look_for_permission(self) -> None:
        config = self._config
        pings = any(check.type == "icmp" for server in config.servers for check in server.checks)
        await self._permission.look(pings=pings or bool(config.canaries))

    async def _work(self, engine: Engine) -> None:
        """Let the engine run until somebody asks to stop, or a part of it fails."""
        tasks = [
            asyncio.create_task(engine.run(), name="engine"),
            asyncio.create_task(self._packer.run(), name="packing"),
            asyncio.create_task(self._tell(engine), name="service manager"),
            asyncio.create_task(self._obey_reloads(engine), name="reloads"),
            asyncio.create_task(self._stop.wait(), name="stop"),
        ]
        self._notifier.ready(self._status(engine))
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()

    async def _tell(self, engine: Engine) -> None:
        """Feed the watchdog while there is progress, and keep the status line current."""
        pause = self._notifier.watchdog_interval() or STATUS
        while True:
            self._notifier.status(self._status(engine))
            if engine.progresses:
                self._notifier.watchdog()
            await asyncio.sleep(min(pause, STATUS))

    def _status(self, engine: Engine) -> str:
        board = engine.board
        parts = [f"watching {counted(len(board.servers), 'server')}, {counted(len(board.checks), 'check')}"]
        parts.append(f"{counted(len(board.outages), 'outage')} open")
        if board.mails_pending:
            parts.append(counted(board.mails_pending, "mail waits", "mails wait"))
        parts += [f"PROBLEM: {name}" for name in board.problems]
        return ", ".join(parts)

    async def _obey_reloads(self, engine: Engine) -> None:
        while True:
            await self._reload.wait()
            self._reload.clear()
            self._notifier.reloading()
            await self._reload_once(engine)
            self._notifier.ready(self._status(engine))

    async def _reload_once(self, engine: Engine) -> None:
        """Read the configuration again: staged whole, then swapped; with faults the old one runs on."""
        now = engine.timescale.now()
        try:
            with undisturbed():
                config = await load_apart(self._config.path, self._config)
                self._check_unmoved(config)
                await engine.give(await asyncio.to_thread(orders_of, config, self._environ, now))
        except MonitorError as error:
            for line in str(error).splitlines():
                log.error("reload: %s", line)  # noqa: TRY400 - no traceback for users
            log.error("reload: refused, the running configuration stays in force")  # noqa: TRY400
            engine.board.problem("reload", f"The last reload was refused: {str(error).splitlines()[0]}", ready=True)
            engine.telemetry.reloaded(ok=False, at=now)
            engine.live.trouble(OperatorNews.RELOAD, str(error).splitlines()[:MOST_FAULTS])
            return
        left = let_go(self._config.customers, self._config.servers, self._config.subscriptions)
        self._config = config
        await self._warn(config)
        engine.board.solved("reload")
        engine.live.over(OperatorNews.RELOAD)
        engine.telemetry.reloaded(ok=True, at=now)
        await self._look_for_permission()
        log.info("reload: %s", "; ".join(self._watched()))
        await gently(left)

    def _check_unmoved(self, config: Config) -> None:
        """Two things cannot change under a running daemon: where its data is, and where it listens."""
        moved = []
        name, remedy = str(config.path), "cannot change while the daemon runs: restart it"
        if config.data_dir != self._config.data_dir:
            moved.append(Fault(name, "monitor", "data_dir", f'"{config.data_dir}"', remedy))
        if config.web.listen != self._config.web.listen:
            moved.append(Fault(name, "web", "listen", f'"{config.web.listen}"', remedy))
        if moved:
            raise ConfigError(tuple(moved))

    def _watched(self) -> list[str]:
        counts = summary(self._config)
        return [counted(counts[f"{name}s"], name) for name in ("customer", "server", "subscription", "check")]

    def _greet(self) -> None:
        """Say what is watched, where the page is, where data and mails go."""
        config, email = self._config, self._config.email
        mail = str(config.data_dir / "mail") if email.transport == "file" else f"{email.host}:{email.port}"
        with suppress(BrokenPipeError):
            print(f"watching  {', '.join(self._watched())}")  # noqa: T201 - the greeting is the daemon's output
            print(f"page      http://{config.web.listen.reachable}/")  # noqa: T201
            print(f"data      {config.data_dir}")  # noqa: T201
            print(f"mail      {mail}", flush=True)  # noqa: T201
