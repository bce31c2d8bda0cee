"""``monitor run``: the daemon."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import click

from monitor.cli.progress import Line
from monitor.config.loader_process import load_apart
from monitor.errors import MonitorError
from monitor.mail.text import counted

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from monitor.cli.app import App
    from monitor.config import Config


@click.command()
@click.pass_obj
def run(app: App) -> None:
    """Run the daemon until SIGTERM; SIGHUP reloads the configuration."""
    line = Line()
    try:
        line.say(f"reading {app.config_path} ...")
        config = asyncio.run(_read(app.config_path))
        line.say(f"starting with {counted(len(config.servers), 'server')} ...")
        from monitor import daemon  # noqa: PLC0415 - it was loaded while the configuration was read

        daemon.run(config, os.environ, started=line.clear)
    except MonitorError:
        line.clear()
        raise


async def _read(path: Path) -> Config:
    """Read the configuration in a process of its own, and load what the daemon is made of meanwhile."""
    config, _ = await asyncio.gather(load_apart(path), asyncio.to_thread(_load_daemon))
    return config


def _load_daemon() -> ModuleType:
    from monitor import daemon  # noqa: PLC0415 - a listing of commands needs none of it

    return daemon
