"""CSV files that a command imports: opening them, reading rows, and reporting bad lines."""

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
"""Characters of one CSV row, quoted line breaks included; bounds the memory that a row can take."""
_ROW_TOO_LONG = (
    f"longer than {MAX_ROW_LENGTH} characters, reading stopped: end every line with a line break and close every quote"
)


class _RowTooLongError(Exception):
    """A row longer than ``MAX_ROW_LENGTH``."""


class _BoundedLines:
    """Lines of a file for the CSV reader, which by itself does not bound the length of a row."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._remaining = MAX_ROW_LENGTH

    def start_row(self) -> None:
        """Begin a row, with the whole length available."""
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
    """Open a CSV file; - is standard input. Raises InputError if it cannot be read.

    Bytes that are not UTF-8 are decoded as surrogates, so that the error can name their line.
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
    """Yield each row below the header with its line number; add rows that are not valid to ``bad_lines``.

    A file may have the ``optional`` columns at the end: all of them or none. The number of a row with quoted line
    breaks is that of its first line. Reading stops at a row that is too long. Raises InputError for another header.
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
    """Return a bad value for a message: quoted, escaped, shortened."""
    return repr(text if len(text) <= MAX_QUOTED_LENGTH else f"{text[:MAX_QUOTED_LENGTH]}...")


class BadLines:
    """The first bad lines with their reasons, and the number of all."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, str]] = []
        self.count = 0

    def add(self, number: int, text: str) -> None:
        """Add one, by its number."""
        self.count += 1
        if len(self.lines) < MAX_REPORTED_LINES:
            self.lines.append((number, text))

    def add_all(self, found: Iterable[tuple[int, str]], count: int) -> None:
        """Add ``count`` lines, of which ``found`` are the first. Lines are reported in their order."""
        self.lines = sorted([*self.lines, *found])[:MAX_REPORTED_LINES]
        self.count += count

    def raise_any(self) -> None:
        """Raise InputError that names them, if there are any."""
        messages = [f"line {number}: {text}" for number, text in self.lines]
        if self.count > len(messages):
            messages.append(f"and {pluralize(self.count - len(messages), 'more bad line')}")
        if messages:
            raise InputError("\n".join([*messages, "nothing was imported"]))
