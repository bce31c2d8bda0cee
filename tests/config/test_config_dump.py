"""A configuration told back loads to the same one."""

from __future__ import annotations

import datetime as dt
import tomllib
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config import Config, config_summary, dump_toml, load
from monitor.config.schema import ARRAY_TABLES, SINGLE_TABLES
from monitor.config.toml_writer import format_redacted, format_value
from tests.config.config_strategies import TEXTS, configurations
from tests.config.sample_config import COMPLETE_CONFIG, SERVER, load_text


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shown")


@given(config=configurations())
def test_what_is_shown_loads_to_the_same_configuration(folder: Path, config: Config) -> None:
    again = load_text(folder, dump_toml(config))
    assert again == config
    assert dump_toml(again) == dump_toml(config)


def test_paths_are_shown_so_that_they_hold_wherever_it_is_put(tmp_path: Path) -> None:
    text = '[monitor]\ndata_dir = "d"\n[email]\nusername = "sla"\npassword_file = "p"\n' + COMPLETE_CONFIG
    config = load_text(tmp_path / "here", text)
    moved = load_text(tmp_path / "there", dump_toml(config))
    assert moved == config
    assert moved.email.password_file == tmp_path / "here" / "p"


def test_every_key_is_shown_with_its_default(tmp_path: Path) -> None:
    text = dump_toml(load_text(tmp_path, ""))
    for name, keys in SINGLE_TABLES.items():
        assert f"[{name}]\n" in text
        for key in keys:
            assert f"\n{key.name} = " in text or f"\n# {key.name} is not set\n" in text


def test_every_key_that_is_given_is_shown(tmp_path: Path) -> None:
    parent = SERVER.replace("web-01", "switch-a")
    server = SERVER + 'parent = "switch-a"\nreach = "tcp:22"\n'
    more = 'fee = "49.90"\ncurrency = "USD"\nmonths = 3\nstart = 2026-01-01\nend = 2026-12-31\n'
    told = tomllib.loads(dump_toml(load_text(tmp_path, parent + COMPLETE_CONFIG.replace(SERVER, server) + more)))
    for name, keys in ARRAY_TABLES.items():
        assert {key.name for key in keys} <= set(told[name][-1])
    assert told["server"][-1]["service"][0]["url"] == "https://www.acme.example/"
    assert told["subscription"][0]["start"] == dt.date(2026, 1, 1)


def test_what_is_shown_of_many_files_is_one(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(SERVER)
    config = load_text(tmp_path, 'include = ["a.toml"]\n')
    (tmp_path / "alone").mkdir()
    assert load_text(tmp_path / "alone", dump_toml(config)).servers == config.servers


def test_a_password_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("s3cret\n")
    assert "s3cret" not in dump_toml(load_text(tmp_path, '[email]\nusername = "sla"\npassword_file = "p"\n'))


def test_a_summary_counts_what_is_watched(tmp_path: Path) -> None:
    more = '[[server]]\nid = "b"\naddress = "192.0.2.2"\nlevel = 2\nreach = "tcp:22"\n'
    unwatched = '[[server]]\nid = "c"\naddress = "192.0.2.3"\nlevel = 1\n'
    assert config_summary(load_text(tmp_path, COMPLETE_CONFIG + more + unwatched)) == {
        "customers": 1,
        "servers": 3,
        "subscriptions": 1,
        "checks": 3,
        "checks_by_type": {"https": 1, "icmp": 1, "tcp": 1},
    }


@given(text=TEXTS)
def test_any_text_is_written_so_that_toml_reads_it_back(text: str) -> None:
    written = format_value(text)
    assert tomllib.loads(f"a = {written}")["a"] == text
    assert written.isprintable()


def test_values_of_every_type_are_written_so_that_toml_reads_them_back() -> None:
    value = {"a b": [True, 1, 0.5, "x"], "day": dt.date(2026, 1, 2), "t": {"": dt.time(8)}}
    assert tomllib.loads(f"v = {format_value(value)}")["v"] == value
    assert format_value(Decimal("5.5")) == "5.5"
    with pytest.raises(TypeError):
        format_value(object())


@given(value=st.recursive(st.none() | TEXTS | st.integers() | st.floats(), lambda inner: st.lists(inner, max_size=3)))
def test_what_a_message_shows_is_one_short_line(value: object) -> None:
    if value is None or (isinstance(value, list) and None in value):
        return
    try:
        text = format_redacted(value)
    except TypeError:
        return
    assert text.isprintable()
    assert len(text) <= 80


@pytest.mark.parametrize("key", ["password", "smtp_passwd", "api_token", "Secret"])
def test_a_message_hides_what_looks_like_a_secret(key: str) -> None:
    assert format_redacted("hunter2", key) == '"***"'


def test_a_message_hides_the_login_in_a_url() -> None:
    assert format_redacted("https://u:hunter2@example.com/") == '"https://***@example.com/"'


def test_the_shipped_configuration_is_shown_whole() -> None:
    told = tomllib.loads(dump_toml(load(Path(__file__).parents[2] / "config.toml")))
    assert [server["id"] for server in told["server"]] == ["localhost"]
