"""``python -m bench``: one part, or all of them in one run."""

from __future__ import annotations

import signal
import sys
import traceback
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.isolation import enter_own_network, occupied_ports
from bench.report import environment, environment_summary, table, write_json

if TYPE_CHECKING:
    from bench.report import Row

PARTS = (
    "icmp",
    "services",
    "checks",
    "libraries",
    "daemon",
    "storage",
    "accounts",
    "figures",
    "scrape",
    "start",
    "day",
    "soak",
)
"""The parts in the order in which ``all`` runs them."""
LONG_PARTS = ("day", "soak")
"""Parts that last long and have no peer: ``all`` omits them without ``--long``."""
RESULTS_FILE = Path("bench-results.json")


def load_part(name: str) -> click.Command:
    """Return the command of a part."""
    main: click.Command = import_module(f"bench.{name}").main
    return main


class _Parts(click.Group):
    """The parts, imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all parts."""
        own = super().list_commands(ctx)
        return [*own, *(name for name in PARTS if find_spec(f"bench.{name}"))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of a part."""
        if cmd_name in PARTS and find_spec(f"bench.{cmd_name}"):
            return load_part(cmd_name)
        return super().get_command(ctx, cmd_name)


@click.group(cls=_Parts, no_args_is_help=True)
@click.option(
    "--json",
    "file",
    type=click.Path(path_type=Path),
    help=f"Write the rows to this file; default of `all`: {RESULTS_FILE}.",
)
@click.pass_context
def main(ctx: click.Context, file: Path | None) -> None:
    """Measure the monitor and compare it with other programs; all traffic stays on 127.0.0.0/8.

    `python -m bench all` runs every part and prints one table; `python -m bench NAME` runs one, and
    `python -m bench NAME --help` describes it. fping and blackbox_exporter take part if they are installed; fping
    requires root.

    Run by root, it uses its own network; otherwise no other program may listen on its ports.
    """
    if not enter_own_network() and (ports := occupied_ports()):
        raise click.ClickException(
            f"port {ports[0]} is in use: is another bench running? As root each has its own network"
        )
    # SIGTERM ends the started processes too
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    ctx.obj = {"file": file, "where": environment(), "failed": []}


@main.command("all")
@click.option("--seconds", type=click.IntRange(1), help="Duration of each measurement; each part has its default.")
@click.option("--skip", multiple=True, type=click.Choice(PARTS), help="Omit a part; may be repeated.")
@click.option("--long", "lasting", is_flag=True, help="Run `day` and `soak` too.")
@click.pass_context
def run_all(ctx: click.Context, seconds: int | None, skip: tuple[str, ...], *, lasting: bool) -> dict[str, list[Row]]:
    """Run every part, without `--long` all but `day` and `soak`: they take 35 minutes more and have no peer."""
    found: dict[str, list[Row]] = {}
    for name in PARTS:
        if name in skip or (name in LONG_PARTS and not lasting) or not find_spec(f"bench.{name}"):
            continue
        click.echo(f"{name} ...", err=True)
        command = load_part(name)
        takes = {each.name for each in command.params}
        options: dict[str, Any] = {"seconds": seconds} if seconds and "seconds" in takes else {}
        try:
            found[name] = ctx.invoke(command, **options)
        except Exception:  # noqa: BLE001 - the rows of the other parts must not be lost
            click.echo(traceback.format_exc(), err=True)
            ctx.obj["failed"].append(name)
    return found


@main.result_callback()
@click.pass_obj
def write_results(obj: dict[str, Any], /, results: dict[str, list[Row]] | list[Row], **_: object) -> None:
    """Print the table, and write the JSON."""
    every = isinstance(results, dict)
    parts = results if isinstance(results, dict) else {str(click.get_current_context().invoked_subcommand): results}
    click.echo(environment_summary(obj["where"]) + "\n")
    click.echo(table(row for rows in parts.values() for row in rows))
    if file := obj["file"] or (RESULTS_FILE if every else None):
        write_json(file, obj["where"], parts)
        click.echo(f"\nwritten to {file}")
    if failed := obj["failed"]:
        raise click.ClickException(f"not measured, see above: {', '.join(failed)}")


if __name__ == "__main__":
    main(prog_name="python -m bench")
