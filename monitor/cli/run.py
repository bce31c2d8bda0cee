"""``monitor run``: the daemon."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import click

from monitor.cli.progress import StatusLine
from monitor.config.loader_process import load_in_process
from monitor.errors import MonitorError
from monitor.formatting import pluralize

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from monitor.cli.app import App
    from monitor.config import Config


@click.command()
@click.pass_obj
def run(app: App) -> None:
    """Run the daemon until SIGTERM; SIGHUP reloads the configuration."""
    line = StatusLine()
    try:
        line.show(f"reading {app.config_path} ...")
        config = asyncio.run(_load_config(app.config_path))
        line.show(f"starting with {pluralize(len(config.servers), 'server')} ...")
        from monitor import daemon  # noqa: PLC0415 - imported while the configuration was read

        daemon.run(config, os.environ, on_started=line.clear)
    except MonitorError:
        line.clear()
        raise


async def _load_config(path: Path) -> Config:
    """Read the configuration in another process while this one imports the daemon's modules."""
    config, _ = await asyncio.gather(load_in_process(path), asyncio.to_thread(_load_daemon))
    return config


def _load_daemon() -> ModuleType:
    from monitor import daemon  # noqa: PLC0415 - `monitor --help` does not need it

    return daemon
