"""``monitor check-config``: is the configuration right, and what would be watched by it."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import TYPE_CHECKING, Any, Protocol

import click

from monitor.config import config_document, config_summary, dump_toml, load
from monitor.config.passwords import password_warnings
from monitor.errors import ConfigError
from monitor.formatting import pluralize

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.config import Config

_BAD_INPUT = 2


class HasConfigPath(Protocol):
    """What the group of commands hands to each of them."""

    @property
    def config_path(self) -> Path:
        """The configuration that was asked for; raises an error of its own where there is none."""


@click.command("check-config")
@click.option("--show", "whole", is_flag=True, help="Print the whole configuration with every default filled in.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; faults too.")
@click.pass_obj
def check_config(source: HasConfigPath, *, whole: bool, as_json: bool) -> None:
    """Check the configuration and count what would be watched.

    Every fault of every file is printed at once; exit status 2 then. Password files that are open to others, or not
    there, get a warning.
    """
    try:
        config = load(source.config_path)
    except ConfigError as error:
        if as_json:
            click.echo(_dump_json({"valid": False, "faults": [dataclasses.asdict(fault) for fault in error.faults]}))
        click.echo(str(error), err=True)
        click.get_current_context().exit(_BAD_INPUT)
    warnings = password_warnings(config, os.environ)
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


def _summary_table(config: Config) -> str:
    # only this output needs it, and it costs as much start-up as all of the rest
    from tabulate import tabulate  # noqa: PLC0415

    counts = config_summary(config)
    rows: list[tuple[str, object]] = [(name, counts[name]) for name in ("customers", "servers", "subscriptions")]
    rows += [
        ("checks", counts["checks"]),
        *((f"of type {name}", count) for name, count in counts["checks_by_type"].items()),
    ]
    table = tabulate(rows, headers=("what would be watched", ""), disable_numparse=True, colalign=("left", "right"))
    files = pluralize(len(config.files), "file")
    return f"{config.path} is valid ({files}).\n\n{table}"


def _dump_json(value: Any) -> str:
    # seconds that are not whole are Decimals: numbers of at most three decimals, which a float tells exactly enough
    return json.dumps(value, indent=2, ensure_ascii=False, default=_json_default)


def _json_default(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else float(value)
