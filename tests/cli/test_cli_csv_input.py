"""Files of lines: what has no end is told by its place, and not read into memory."""

from __future__ import annotations

from io import BufferedReader, RawIOBase, StringIO, TextIOWrapper
from typing import TYPE_CHECKING

import pytest

from monitor.cli.csv_input import MAX_ROW_LENGTH, BadLines, read_rows
from monitor.errors import InputError

if TYPE_CHECKING:
    from typing_extensions import Buffer

HEADER = ["a", "b"]


class Endless(RawIOBase):
    """A beginning, and then the same piece for ever."""

    def __init__(self, piece: str, begin: str) -> None:
        self._rest = begin.encode()
        self._piece = piece.encode()
        self._taken = 0

    def readable(self) -> bool:
        return True

    def readinto(self, room: Buffer, /) -> int:
        with memoryview(room).cast("B") as view:
            assert self._taken < 2 * MAX_ROW_LENGTH, "the whole file would be read"
            self._taken += len(view)
            more = self._rest + self._piece * (len(view) // len(self._piece) + 1)
            view[:] = more[: len(view)]
            rest = more[len(view) :]
            self._rest = rest[: len(rest) % len(self._piece)]
            return len(view)


def a_file(piece: str, begin: str) -> TextIOWrapper:
    return TextIOWrapper(BufferedReader(Endless(piece, begin)), encoding="utf-8", newline="")


@pytest.mark.parametrize(("begin", "piece"), [("", "x"), ("", "x,"), ('"', "x"), ('"a\n', '","a\n')])
def test_a_line_without_an_end_is_told_by_its_number_and_is_the_last_that_is_read(begin: str, piece: str) -> None:
    bad = BadLines()
    assert list(read_rows(a_file(piece, f"a,b\n1,2\n{begin}"), HEADER, bad)) == [(2, ["1", "2"])]
    with pytest.raises(InputError, match=r"line 3: longer than 1000000 characters.*\nnothing was imported"):
        bad.raise_any()


def test_a_header_without_an_end_is_an_error_of_line_1() -> None:
    with pytest.raises(InputError, match="line 1: longer than 1000000 characters"):
        list(read_rows(a_file("x", ""), HEADER, BadLines()))


def test_lines_of_any_number_may_be_longer_together() -> None:
    bad = BadLines()
    found = list(read_rows(StringIO("a,b\n" + f"1,{'2' * 100_000}\n" * 30), HEADER, bad))
    assert (len(found), bad.count) == (30, 0)


def test_a_line_may_be_as_long_as_the_bound() -> None:
    bad = BadLines()
    line = ",".join("x" * 99_999 for _ in range(10))
    assert len(line) + 1 == MAX_ROW_LENGTH
    assert list(read_rows(StringIO(f"a,b\n{line}\n1,2\n"), HEADER, bad)) == [(3, ["1", "2"])]
    assert [text[:10] for _, text in bad.lines] == ["10 columns"]
