"""Whatever stands in the files, the answer is a configuration or a ConfigError."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.config import Config, dump_toml, load
from monitor.config.files import INCLUDE
from monitor.config.schema import ARRAY_TABLES, SINGLE_TABLES, TOP_LEVEL_NAMES
from monitor.config.toml_writer import format_value
from monitor.errors import ConfigError
from tests.config.config_strategies import ADDRESSES, EMAILS, IDS, configurations
from tests.config.sample_config import load_text

if TYPE_CHECKING:
    from pathlib import Path

KEYS = sorted({key.name for keys in (*SINGLE_TABLES.values(), *ARRAY_TABLES.values()) for key in keys})
SERVICE_KEYS = ["name", "type", "host", "port", "url", "status", "expect", "ca_file"]
PATTERNS = st.text("ab*?[].!/\\", max_size=6).filter(lambda text: not text.startswith(("/", "..")))
WORDS = st.sampled_from(
    [
        *("ping", "icmp", "tcp", "http", "https", "tcp:22", "tr", "server", "web-hosting", "smtp", "none", "down"),
        *(
            "http://[",
            "https://x:y@z:99999/",
            "[::1]:1",
            "0x7f.1",
            "fe80::1%",
            "@",
            "a@b",
            "Europe",
            "49.90",
            "USD",
            "",
        ),
    ]
)
SCALARS = st.one_of(
    st.booleans(),
    st.integers(),
    st.integers(-5, 100),
    st.floats().map(lambda x: x if x == x and abs(x) != float("inf") else 0.1),  # noqa: PLR0124 - is it a number
    st.text(st.characters(codec="utf-8"), max_size=8),
    WORDS,
    IDS,
    EMAILS,
    ADDRESSES,
    st.dates(),
    st.datetimes(),
    st.times(),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=4,
)


def tables(keys: list[str]) -> st.SearchStrategy[dict[str, object]]:
    return st.dictionaries(st.sampled_from(keys), VALUES, max_size=8)


SERVERS = st.builds(
    lambda table, services: {**table, "service": services} if services else table,
    tables(KEYS),
    VALUES | st.lists(tables(SERVICE_KEYS), max_size=3),
)
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        INCLUDE: st.lists(PATTERNS, max_size=2) | SCALARS,
        **{name: VALUES | tables([key.name for key in keys]) for name, keys in SINGLE_TABLES.items()},
        **{
            name: VALUES | st.lists(tables([key.name for key in keys]), max_size=3)
            for name, keys in ARRAY_TABLES.items()
        },
        "server": VALUES | st.lists(SERVERS, max_size=3),
        "other": VALUES,
    },
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("garbage")


@given(content=st.binary(max_size=200))
@example(content=b"\x00")
@example(content=b"[" * 100_000)
@example(content=b"a = " + b"[" * 5_000)
@example(content=b"a = 1e999999999999999999999")
@example(content=b"[monitor]\ntimeout = 1e308")
@example(content=b"[monitor]\ntimeout = 0x" + b"f" * 9_000)
@example(content=b"server = [[]]")
@example(content=b"server = {}")
def test_any_bytes_are_a_configuration_or_a_fault(folder: Path, content: bytes) -> None:
    file = folder / "config.toml"
    file.write_bytes(content)
    with contextlib.suppress(ConfigError):
        load(file)


@given(document=DOCUMENTS)
def test_any_toml_is_a_configuration_or_a_fault(folder: Path, document: dict[str, object]) -> None:
    text = "\n".join(f"{name} = {format_value(value)}" for name, value in document.items())
    try:
        config = load_text(folder, text)
    except ConfigError as error:
        for fault in error.faults:
            assert len(str(fault).splitlines()) == 1
    else:
        assert load_text(folder, dump_toml(config)) == config


@given(config=configurations(), data=st.data())
def test_one_spoilt_value_is_told_and_nothing_breaks(folder: Path, config: Config, data: st.DataObject) -> None:
    lines = dump_toml(config).splitlines()
    settings = [number for number, line in enumerate(lines) if " = " in line]
    number = data.draw(st.sampled_from(settings))
    name = lines[number].partition(" = ")[0]
    lines[number] = f"{name} = {format_value(data.draw(VALUES))}"
    with contextlib.suppress(ConfigError):
        load_text(folder, "\n".join(lines))


def test_the_garbage_reaches_every_table() -> None:
    assert {INCLUDE, *SINGLE_TABLES, *ARRAY_TABLES} == set(TOP_LEVEL_NAMES)
