from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.probes.failures import ProbeError
from monitor.probes.http.json_expectation import parse_document, parse_json_expectation

DOCUMENT = b"""{"n": 3.0, "big": 12345678901234567890, "third": 0.1, "e": 3e0, "neg": -0.0, "huge": 1e400,
"odd": 1e99999999999999999999,
"t": true, "none": null, "text": "3", "empty": "", "list": [1, 2.50, true], "o": {"a.b": {"c d": 1}, "x-y": 2},
"app.version": "2.1", "q\\"q": 5, "\\u015f": 6, "2": 7, "": 8}"""


@pytest.mark.parametrize(
    ("expectation", "is_met"),
    [
        ("n = 3", True),
        ("n = 3.0", True),
        ("n = 3e0", True),
        ("n = 30e-1", True),
        ("n = 3.0000000000000000000000001", False),
        ("e = 3", True),
        ("n != 3", False),
        ("n != 4", True),
        ('n = "3"', False),
        ('n != "3"', True),
        ("text = 3", False),
        ('text = "3"', True),
        ("big = 12345678901234567890", True),
        ("big = 12345678901234567891", False),
        ("big = 1.234567890123456789e19", True),
        ("third = 0.1", True),
        ("third = 0.10000000000000000001", False),
        ("neg = 0", True),
        ("huge > 1e399", True),
        ("odd = 1", False),
        ("t = true", True),
        ("t = 1", False),
        ("t != 1", True),
        ("t > 0", False),
        ("none = null", True),
        ("none = 0", False),
        ("list = [1, 2.5, true]", True),
        ("list = [1, 2.5, 1]", False),
        ("list = [1.0, 2.5]", False),
        ('o."a.b" = {"c d": 1.0}', True),
        ('o."a.b"."c d" = 1', True),
        ('o["a.b"]["c d"] = 1', True),
        ("o.x-y = 2", True),
        ('"app.version" = 2.1', False),
        ('"app.version" = "2.1"', True),
        ('$."app.version" = "2.1"', True),
        ('"q\\"q" = 5', True),
        ('"\\u015f" = 6', True),
        ("ş = 6", True),
        ('"" = 8', True),
        ("2 = 7", True),
        ("list[1] >= 2.5", True),
        ("list[1] <= 2.5", True),
        ("list[1] > 2.5", False),
        ("list[1] < 2.5", False),
        ("list[1]<2.500000001", True),
        ("n>-1", True),
        ("text < 4", False),
        ("missing != 1", False),
        ("missing < 1", False),
        ("list[9] != 1", False),
        ("n.x != 1", False),
    ],
)
def test_a_value_is_compared_by_its_value_and_its_type(expectation: str, *, is_met: bool) -> None:
    assert parse_json_expectation(expectation).is_met(parse_document(DOCUMENT)) is is_met


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a =",
        "= 1",
        "a < ok",
        'a > "3"',
        "a < true",
        "a ! 1",
        "a. = 1",
        'a"b" = 1',
        '"a = 1',
        "a[x] = 1",
        "a b = 1",
    ],
)
def test_what_is_no_expectation_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\A[\s\S]*\Z"):
        parse_json_expectation(text)


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers())
def test_a_number_equals_itself_however_it_is_written(number: float) -> None:
    document = parse_document(json.dumps({"n": number}).encode())
    exact = Decimal(json.dumps(number))
    for text in (json.dumps(number), f"{exact:e}", f"{exact:f}", f"{exact:E}"):
        assert parse_json_expectation(f"n = {text}").is_met(document)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[" * 100_000, b"1e", b"\xff\xfe\x00", b"[1,]"])
def test_what_is_no_json_is_a_failure(body: bytes) -> None:
    with pytest.raises(ProbeError, match="content: no JSON"):
        parse_document(body)


@pytest.mark.parametrize("number", [b"9" * 200_000, b"0." + b"1" * 200_000, b"1e" + b"9" * 200_000])
def test_a_number_of_countless_digits_is_compared_like_any_other(number: bytes) -> None:
    document = parse_document(b'{"n": ' + number + b"}")
    assert parse_json_expectation("n != 1").is_met(document)
