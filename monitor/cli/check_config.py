"""``monitor check-config``: validate the configuration and summarise what it monitors."""

from __future__ import annotations

import dataclasses
import json
import os
from contextlib import closing
from typing import TYPE_CHECKING, Any, Protocol

import click

from monitor.config import config_document, config_summary, dump_toml, load
from monitor.config.passwords import password_warnings
from monitor.errors import ConfigError, StoreError
from monitor.formatting import pluralize

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.config import Config

_BAD_INPUT = 2


class HasConfigPath(Protocol):
    """The object that the command group passes to each command."""

    @property
    def config_path(self) -> Path:
        """The path of the configuration."""


@click.command("check-config")
@click.option("--show", "whole", is_flag=True, help="Print the whole configuration with every default filled in.")
@click.option("--accept-removals", is_flag=True, help="Let a reload remove many servers or subscriptions at once.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, faults included.")
@click.pass_obj
def check_config(source: HasConfigPath, *, whole: bool, accept_removals: bool, as_json: bool) -> None:
    """Validate the configuration and count what it monitors.

    Prints all faults of all files at once and exits with 2 if there are any. Warns of password files that do not exist
    or that others can read, and if more than a tenth of the servers or subscriptions (and more than two) are gone: the
    daemon holds a reload that removes so many until they are accepted.
    """
    try:
        config = load(source.config_path)
    except ConfigError as error:
        if as_json:
            click.echo(_dump_json({"valid": False, "faults": [dataclasses.asdict(fault) for fault in error.faults]}))
        click.echo(str(error), err=True)
        click.get_current_context().exit(_BAD_INPUT)
    warnings = password_warnings(config, os.environ) + _handle_removals(config, accept=accept_removals)
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    if as_json:
        click.echo(
            _dump_json(
                config_document(config) if whole else {"valid": True, "warnings": warnings, **config_summary(config)}
            )
        )
    else:
        click.echo(dump_toml(config) if whole else _summary_table(config), nl=not whole)


def _handle_removals(config: Config, *, accept: bool) -> list[str]:
    """Compare with the terms in force; return a warning of many removals, unless they are accepted and so recorded."""
    # only a machine with a database needs these modules
    from monitor.clock import SystemClock  # noqa: PLC0415
    from monitor.config.removals import ACCEPTED_NOTE, removals_since_recorded  # noqa: PLC0415
    from monitor.store import daemon_state, database  # noqa: PLC0415

    path = config.data_dir / database.DATABASE_FILE
    if not path.exists():
        return []
    try:
        with closing(database.open_read_only(path)) as db:
            removals = removals_since_recorded(db, config)
    except StoreError as error:
        return [str(error)]
    if not removals.need_confirmation:
        return []
    if accept:
        with closing(database.open_read_write(path)) as db, database.translate_errors(path), database.transaction(db):
            daemon_state.put(db, ACCEPTED_NOTE, {"sha256": removals.digest, "at": SystemClock().now()})
        return []
    return [f"{removals.describe()} are gone; the daemon reloads this only after --accept-removals"]


def _summary_table(config: Config) -> str:
    # only this output needs it, and importing it doubles the start-up time
    from tabulate import tabulate  # noqa: PLC0415

    counts = config_summary(config)
    rows: list[tuple[str, object]] = [(name, counts[name]) for name in ("customers", "servers", "subscriptions")]
    rows += [
        ("checks", counts["checks"]),
        *((f"of type {name}", count) for name, count in counts["checks_by_type"].items()),
    ]
    table = tabulate(rows, headers=("what is monitored", ""), disable_numparse=True, colalign=("left", "right"))
    files = pluralize(len(config.files), "file")
    return f"{config.path} is valid ({files}).\n\n{table}"


def _dump_json(value: Any) -> str:
    # fractional seconds are Decimals of at most three places, which a float prints exactly
    return json.dumps(value, indent=2, ensure_ascii=False, default=_json_default)


def _json_default(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else float(value)
