"""Files of lines that a command takes in: how they are opened, and how their bad lines are told."""

from __future__ import annotations

import csv
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from monitor.errors import InputError
from monitor.mail.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MOST_FAULTS = 20
LONGEST_QUOTED = 120
"""Characters of a bad value that are shown."""
LONGEST_LINE = 1_000_000
"""Characters of one line of CSV, line breaks in its quotes too: far more than any has, and no more than memory has."""
_ENDLESS = (
    f"longer than {LONGEST_LINE} characters, read no further: end every line with a line break, and close every quote"
)


class _EndlessError(Exception):
    """A line that does not end."""


class _Source:
    """The lines of a file for the CSV reader, which would take any number of characters for one row."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._left = LONGEST_LINE

    def begin(self) -> None:
        """Begin a row: it may be as long as any other."""
        self._left = LONGEST_LINE

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._stream.readline(self._left + 1)
        self._left -= len(line)
        if self._left < 0:
            raise _EndlessError
        if not line:
            raise StopIteration
        return line


@contextmanager
def opened(file: str) -> Iterator[TextIO]:
    """Open a file as CSV is to be read; - is standard input. Raises InputError where it cannot be.

    What is no UTF-8 comes through as surrogates, so that it can be told of which line it is.
    """
    if file == "-":
        sys.stdin.reconfigure(encoding="utf-8-sig", errors="surrogateescape", newline="")  # type: ignore[union-attr]
        yield sys.stdin
        return
    try:
        stream = open(file, encoding="utf-8-sig", errors="surrogateescape", newline="")  # noqa: PTH123, SIM115 - below
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from None
    with stream:
        yield stream


def rows(
    stream: TextIO, header: list[str], bad: BadLines, *, more: tuple[str, ...] = ()
) -> Iterator[tuple[int, list[str]]]:
    """Give each line below the header with its number; one that is no CSV or has other columns is a bad one.

    A file may have ``more`` columns at the end: all of them or none.

    What is quoted may hold line breaks: then the number is that of the first of its lines. A line that does not end is
    a bad one, and the last that is read. Raises InputError where the header is another.
    """
    source = _Source(stream)
    lines = csv.reader(source, strict=True)
    header = _header(lines, header, more)
    while True:
        number = lines.line_num + 1
        source.begin()
        try:
            row = next(lines)
        except StopIteration:
            return
        except csv.Error as error:
            bad.add(number, f"not CSV: {error}")
            continue
        except _EndlessError:
            bad.add(number, _ENDLESS)
            return
        text = "".join(row)
        if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
            bad.add(number, f"not UTF-8 text: {quoted(','.join(row))}")
        elif len(row) == len(header):
            yield number, row
        elif row:
            bad.add(number, f"{counted(len(row), 'column')} instead of {len(header)}: {quoted(','.join(row))}")


def _header(lines: Iterator[list[str]], header: list[str], more: tuple[str, ...]) -> list[str]:
    try:
        first = next(lines, None)
    except csv.Error as error:
        raise InputError(f"line 1: not CSV: {error}") from None
    except _EndlessError:
        raise InputError(f"line 1: {_ENDLESS}") from None
    if first is not None and first in (header, [*header, *more]):
        return first
    found = "the file is empty" if first is None else f"is {quoted(','.join(first))}"
    also = f" or {','.join([*header, *more])}" if more else ""
    raise InputError(f"line 1: the header must be {','.join(header)}{also}, and {found}")


def quoted(text: str) -> str:
    """Show a bad value in a message: in quotes, escaped, the beginning of a long one."""
    return repr(text if len(text) <= LONGEST_QUOTED else f"{text[:LONGEST_QUOTED]}...")


class BadLines:
    """The bad lines: the first of them with their reasons, and how many there are."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, str]] = []
        self.count = 0

    def add(self, number: int, text: str) -> None:
        """Note one, by its number."""
        self.count += 1
        if len(self.lines) < MOST_FAULTS:
            self.lines.append((number, text))

    def add_all(self, found: Iterable[tuple[int, str]], count: int) -> None:
        """Note the first of some that were found by other means, of ``count``; lines are told in their order."""
        self.lines = sorted([*self.lines, *found])[:MOST_FAULTS]
        self.count += count

    def raise_any(self) -> None:
        """Raise InputError that names them, where there is any."""
        told = [f"line {number}: {text}" for number, text in self.lines]
        if self.count > len(told):
            told.append(f"and {counted(self.count - len(told), 'more bad line')}")
        if told:
            raise InputError("\n".join([*told, "nothing was imported"]))
