"""Files of lines that a command takes in: how they are opened, and how their bad lines are told."""

from __future__ import annotations

import csv
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from monitor.errors import InputError
from monitor.formatting import pluralize

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_REPORTED_LINES = 20
MAX_QUOTED_LENGTH = 120
"""Characters of a bad value that are shown."""
MAX_ROW_LENGTH = 1_000_000
"""Characters of one line of CSV, line breaks in its quotes too: far more than any has, and no more than memory has."""
_ROW_TOO_LONG = (
    f"longer than {MAX_ROW_LENGTH} characters, read no further: end every line with a line break, and close every quote"
)


class _RowTooLongError(Exception):
    """A line that does not end."""


class _BoundedLines:
    """The lines of a file for the CSV reader, which would take any number of characters for one row."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._remaining = MAX_ROW_LENGTH

    def start_row(self) -> None:
        """Begin a row: it may be as long as any other."""
        self._remaining = MAX_ROW_LENGTH

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._stream.readline(self._remaining + 1)
        self._remaining -= len(line)
        if self._remaining < 0:
            raise _RowTooLongError
        if not line:
            raise StopIteration
        return line


@contextmanager
def open_csv(file: str) -> Iterator[TextIO]:
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


def read_rows(
    stream: TextIO, header: list[str], bad_lines: BadLines, *, optional: tuple[str, ...] = ()
) -> Iterator[tuple[int, list[str]]]:
    """Give each line below the header with its number; one that is no CSV or has other columns is a bad one.

    A file may have ``optional`` columns at the end: all of them or none.

    What is quoted may hold line breaks: then the number is that of the first of its lines. A line that does not end is
    a bad one, and the last that is read. Raises InputError where the header is another.
    """
    source = _BoundedLines(stream)
    lines = csv.reader(source, strict=True)
    header = _read_header(lines, header, optional)
    while True:
        number = lines.line_num + 1
        source.start_row()
        try:
            row = next(lines)
        except StopIteration:
            return
        except csv.Error as error:
            bad_lines.add(number, f"not CSV: {error}")
            continue
        except _RowTooLongError:
            bad_lines.add(number, _ROW_TOO_LONG)
            return
        text = "".join(row)
        if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
            bad_lines.add(number, f"not UTF-8 text: {quote_value(','.join(row))}")
        elif len(row) == len(header):
            yield number, row
        elif row:
            bad_lines.add(
                number, f"{pluralize(len(row), 'column')} instead of {len(header)}: {quote_value(','.join(row))}"
            )


def _read_header(lines: Iterator[list[str]], header: list[str], optional: tuple[str, ...]) -> list[str]:
    try:
        first = next(lines, None)
    except csv.Error as error:
        raise InputError(f"line 1: not CSV: {error}") from None
    except _RowTooLongError:
        raise InputError(f"line 1: {_ROW_TOO_LONG}") from None
    if first is not None and first in (header, [*header, *optional]):
        return first
    found = "the file is empty" if first is None else f"is {quote_value(','.join(first))}"
    also = f" or {','.join([*header, *optional])}" if optional else ""
    raise InputError(f"line 1: the header must be {','.join(header)}{also}, and {found}")


def quote_value(text: str) -> str:
    """Show a bad value in a message: in quotes, escaped, the beginning of a long one."""
    return repr(text if len(text) <= MAX_QUOTED_LENGTH else f"{text[:MAX_QUOTED_LENGTH]}...")


class BadLines:
    """The bad lines: the first of them with their reasons, and how many there are."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, str]] = []
        self.count = 0

    def add(self, number: int, text: str) -> None:
        """Note one, by its number."""
        self.count += 1
        if len(self.lines) < MAX_REPORTED_LINES:
            self.lines.append((number, text))

    def add_all(self, found: Iterable[tuple[int, str]], count: int) -> None:
        """Note the first of some that were found by other means, of ``count``; lines are told in their order."""
        self.lines = sorted([*self.lines, *found])[:MAX_REPORTED_LINES]
        self.count += count

    def raise_any(self) -> None:
        """Raise InputError that names them, where there is any."""
        told = [f"line {number}: {text}" for number, text in self.lines]
        if self.count > len(told):
            told.append(f"and {pluralize(self.count - len(told), 'more bad line')}")
        if told:
            raise InputError("\n".join([*told, "nothing was imported"]))
