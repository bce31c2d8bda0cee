"""The command line: ``monitor``.

Exit status: 0 done, 1 the answer is no, 2 bad input, with one clear line on stderr and no traceback. Each command is a
module of its own and is loaded on demand: most commands start in a fifth of a second.

``main`` is the entry point, ``run_command`` the same without the exit. ``app.py`` holds what commands share
(configuration, database, times, tables). The rest is one file for each command.

Looking to add a command? A module here, a line in ``COMMANDS``, a heading in docs/cli.md.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.app import App
from monitor.errors import InputError, MonitorError, shortage

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = {
    "availability": "monitor.cli.availability:availability",
    "check-config": "monitor.cli.check_config:check_config",
    "checks": "monitor.cli.checks:checks",
    "claim": "monitor.cli.claim:claim",
    "clock": "monitor.cli.clock:clock",
    "close": "monitor.cli.close:close",
    "completion": "monitor.cli.completion:completion",
    "credits": "monitor.cli.credits:credits_",
    "exclude": "monitor.cli.exclude:exclude",
    "explain": "monitor.cli.explain:explain",
    "hardware": "monitor.cli.hardware:hardware",
    "import": "monitor.cli.importing:import_",
    "levels": "monitor.cli.levels:levels",
    "mail": "monitor.cli.mail:mail",
    "maintenance": "monitor.cli.maintenance:maintenance",
    "outages": "monitor.cli.outages:outages",
    "probe": "monitor.cli.probe:probe",
    "quota": "monitor.cli.quota:quota",
    "results": "monitor.cli.results:results",
    "run": "monitor.cli.run:run",
    "salvage": "monitor.cli.salvage:salvage",
    "status": "monitor.cli.status:status",
    "ticket": "monitor.cli.ticket:ticket",
    "verify": "monitor.cli.verify:verify",
}
OUTPUT_ERRNOS = frozenset({errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""Errors of an output that accepts no more data; any other OSError is a bug of this program."""
MAX_QUOTED_LENGTH = 120
"""Characters of an argument that a message repeats."""
DEFAULT_CONFIG_PATHS = ("config.toml", "/etc/monitor/config.toml")


class _Commands(click.Group):
    """Loads a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's own signature
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name].split(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. Handles a closed pipe itself: click would exit with 1."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            return _handle_output_error(error)


def find_config(given: Path | None) -> Path:
    """Return the configuration's path: the one given, else the environment's, else the first that exists."""
    if given is not None:
        return given
    if named := os.environ.get("MONITOR_CONFIG"):
        return Path(named)
    return next((Path(place) for place in DEFAULT_CONFIG_PATHS if Path(place).exists()), Path(DEFAULT_CONFIG_PATHS[0]))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The configuration; else $MONITOR_CONFIG, ./config.toml, /etc/monitor/config.toml.",
)
@click.version_option(package_name="sla-monitor")
@click.pass_context
def cli(ctx: click.Context, config: Path | None) -> None:
    """Monitor servers and account for a service level agreement.

    Listings print tables, or JSON with --json. Times are ISO 8601; without an offset they are in the contract's zone.
    """
    ctx.obj = App(find_config(config))


def main(args: list[str] | None = None) -> None:
    """Run a command and exit with its status."""
    sys.exit(run_command(args))


def run_command(args: list[str] | None = None) -> int:
    """Run a command and return its exit status. Errors go to stderr."""
    try:
        return _run_command(args)
    except (MemoryError, RuntimeError, ImportError, OSError, BaseExceptionGroup) as error:
        if (said := shortage(error)) is None:
            raise
        click.echo(f"monitor: {said}", err=True)
        return 2


def _run_command(args: list[str] | None) -> int:
    given = sys.argv[1:] if args is None else args
    _escape_unencodable()
    try:
        _reject_non_utf8(given)
        result: Any = cli.main(args, prog_name="monitor", standalone_mode=False)
    except MonitorError as error:
        click.echo(f"monitor: {_shorten_quoted(str(error), given)}", err=True)
        return 2
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 2
    except click.ClickException as error:
        said = " ".join(_shorten_quoted(error.format_message(), given).split()).rstrip(".")
        click.echo(f"monitor: {said}{_help_hint(error)}", err=True)
        return 2
    except (click.Abort, KeyboardInterrupt):
        return 130
    except OSError as error:
        if error.errno not in OUTPUT_ERRNOS:
            raise
        return _handle_output_error(error)
    return result if isinstance(result, int) else 0


def _escape_unencodable() -> None:
    """Let the output escape characters that its encoding does not have, instead of failing on the first one."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _handle_output_error(error: OSError) -> int:
    """Return the exit status for an output that cannot be written: 0 for a pipe that its reader closed."""
    # Python would report the error again when it flushes at exit
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        return 0
    click.echo(f"monitor: the output: {error.strerror}", err=True)
    return 2


def _reject_non_utf8(arguments: Sequence[str]) -> None:
    """Raise InputError for an argument that is not UTF-8: it could be neither stored nor printed."""
    for word in arguments:
        try:
            word.encode()
        except UnicodeEncodeError:
            raise InputError(f"{word!a} is not UTF-8 text") from None


def _shorten_quoted(message: str, arguments: Sequence[str]) -> str:
    """Shorten and escape the arguments that a message quotes, so that it stays one readable line."""
    for word in arguments:
        short = word if len(word) <= MAX_QUOTED_LENGTH else f"{word[:MAX_QUOTED_LENGTH]}..."
        if not short.isprintable():
            short = ascii(short)[1:-1]
        if short != word:
            message = message.replace(word, short)
    return message


def _help_hint(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f"; see `{context.command_path} --help`" if context else ""
