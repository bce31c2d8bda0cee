"""``monitor run``: the daemon."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from monitor.cli.progress import Line
from monitor.errors import MonitorError

if TYPE_CHECKING:
    from monitor.cli.app import App


@click.command()
@click.pass_obj
def run(app: App) -> None:
    """Run the daemon until SIGTERM; SIGHUP reloads the configuration."""
    line = Line()
    try:
        line.say(f"reading {app.config_path} ...")
        config = app.config
        line.say(f"starting with {len(config.servers)} servers ...")
        from monitor import daemon  # noqa: PLC0415 - a fault in the configuration is told sooner without it

        daemon.run(config, os.environ, started=line.clear)
    except MonitorError:
        line.clear()
        raise
