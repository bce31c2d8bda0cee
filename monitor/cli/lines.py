"""Files of lines that a command takes in: how they are opened, and how their bad lines are told."""

from __future__ import annotations

import csv
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from monitor.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_FAULTS = 20


@contextmanager
def opened(file: str) -> Iterator[TextIO]:
    """Open a file as CSV is to be read; - is standard input. Raises InputError where it cannot be."""
    if file == "-":
        sys.stdin.reconfigure(encoding="utf-8-sig", newline="")  # type: ignore[union-attr]
        yield sys.stdin
        return
    try:
        stream = open(file, encoding="utf-8-sig", newline="")  # noqa: PTH123, SIM115 - closed below
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from None
    with stream:
        yield stream


def rows(stream: TextIO, header: list[str], bad: BadLines) -> Iterator[tuple[int, list[str]]]:
    """Give each line below the header with its number; one that is no CSV or has other columns is a bad one.

    Raises InputError where the header is another.
    """
    lines = csv.reader(stream, strict=True)
    try:
        first = next(lines, None)
        if first != header:
            shown = "nothing" if first is None else ",".join(first)
            raise InputError(f"line 1: the header must be {','.join(header)}, and is {shown[:120]!r}")
        for row in lines:
            if len(row) == len(header):
                yield lines.line_num, row
            elif row:
                bad.add(lines.line_num, f"{len(row)} columns instead of {len(header)}: {','.join(row)[:120]!r}")
    except csv.Error as error:
        bad.add(lines.line_num, f"not CSV: {error}")
    except UnicodeDecodeError:
        bad.add(lines.line_num + 1, "not UTF-8 text from here on")


class BadLines:
    """The bad lines: the first of them with their reasons, and how many there are."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.count = 0

    def add(self, number: int, text: str) -> None:
        """Note one, by its number."""
        self.count += 1
        if len(self.lines) < MOST_FAULTS:
            self.lines.append(f"line {number}: {text}")

    def raise_any(self) -> None:
        """Raise InputError that names them, where there is any."""
        if self.count > len(self.lines):
            self.lines.append(f"and {self.count - len(self.lines)} more bad lines")
        if self.lines:
            raise InputError("\n".join([*self.lines, "nothing was imported"]))
