"""The ``--help`` of every verb, as docs/cli.md shows it; ``make docs`` writes the blocks there again.

The page is written by hand but for the blocks that begin with ``$ monitor ... --help``. A verb without a block gets a
heading and a block at the end of the page, for somebody to put in its place and say what it is for.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTH = 100
_BLOCK = re.compile(r"^```console\n\$ (?P<verb>monitor[a-z0-9 -]*?) --help\n.*?^```$", re.MULTILINE | re.DOTALL)


def command_helps() -> dict[str, str]:
    """Every verb in full (``monitor maintenance announce``) with its help, groups before what is in them."""
    return dict(_walk(cli, click.Context(cli, info_name="monitor", terminal_width=WIDTH, **cli.context_settings)))


def _walk(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None and not inner.hidden:
                yield from _walk(inner, click.Context(inner, info_name=name, parent=context, terminal_width=WIDTH))


def refresh_page(page: str) -> str:
    """Give the page with every block as the program says it now; blocks of verbs that are no more are left alone."""
    helps = command_helps()
    shown = {match["verb"] for match in _BLOCK.finditer(page)}
    page = _BLOCK.sub(
        lambda match: _help_block(match["verb"], helps[match["verb"]]) if match["verb"] in helps else match[0], page
    )
    for verb, text in helps.items():
        if verb not in shown:
            page += f"\n## `{verb}`\n\n{_help_block(verb, text)}\n"
    return page


def _help_block(verb: str, text: str) -> str:
    lines = "\n".join(line.rstrip() for line in text.splitlines())
    return f"```console\n$ {verb} --help\n{lines}\n```"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(refresh_page(path.read_text()))
