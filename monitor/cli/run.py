"""``monitor run``: the daemon."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from monitor.cli.app import App


@click.command()
@click.pass_obj
def run(app: App) -> None:
    """Run the daemon until SIGTERM; SIGHUP reloads the configuration."""
    config = app.config
    from monitor import daemon  # noqa: PLC0415 - a fault in the configuration is told sooner without it

    daemon.run(config, os.environ)
