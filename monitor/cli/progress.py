"""Progress of what takes long: on a terminal only, on stderr."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def progress(label: str, length: int) -> Iterator[Callable[[int], None]]:
    """Give a function that hears how far the work is, of ``length``."""
    if not sys.stderr.isatty() or length == 0:
        yield lambda _: None
        return
    with click.progressbar(length=length, label=label, file=sys.stderr, update_min_steps=max(1, length // 200)) as bar:
        yield lambda done: bar.update(done - bar.pos)


class StatusLine:
    """One line that says what is done now, and is gone afterwards."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()

    def show(self, text: str) -> None:
        """Say something else."""
        if self._is_terminal:
            click.echo(f"\r\x1b[K{text}", nl=False, err=True)

    def clear(self) -> None:
        """Say nothing any more."""
        self.show("")
