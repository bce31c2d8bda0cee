"""Cells of CSV files: no text runs as a formula, numbers stay numbers, and what is read is what was written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.formatting import csv_cell, read_csv_cell


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1+1",
        "-1+1",
        "@SUM(1)",
        "\t=1",
        "\r=1",
        "\n=1",
        '=HYPERLINK("http://evil.example")',
        "-2+3+cmd|' /C calc'!A0",
        "\uff1d1+1",
        "-",
        "'=1",
    ],
)
def test_text_that_a_spreadsheet_would_run_begins_with_an_apostrophe(text: str) -> None:
    assert csv_cell(text) == f"'{text}"


@pytest.mark.parametrize(
    "cell", ["-5", "+3", "-4.99", "-4,99", "0", 7, -7, None, True, "", "a=1", "timeout", "'quoted'"]
)
def test_numbers_and_other_text_stay_as_they_are(cell: object) -> None:
    assert csv_cell(cell) == cell


@given(st.text() | st.text("'=+-@\t1.", max_size=6))
def test_what_is_read_is_what_was_written(text: str) -> None:
    cell = csv_cell(text)
    assert isinstance(cell, str)
    assert read_csv_cell(cell) == text
    assert cell[:1] not in tuple("=+-@\t\r") or cell.lstrip("+-").replace(".", "").isdigit()
