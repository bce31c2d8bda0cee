"""``monitor check-config``, as it is called."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from monitor.cli import cli
from monitor.cli.check_config import check_config
from monitor.config import load

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """
[monitor]
timeout = 5.5

[[customer]]
id = "acme"
name = "Müşteri"
emails = ["it@acme.example"]

[[server]]
id = "web-01"
address = "192.0.2.10"
level = 4

[[server.service]]
name = "site"
type = "https"
url = "https://www.acme.example/"

[[subscription]]
id = "acme-web-01"
customer = "acme"
server = "web-01"
product = "web-hosting"
fee = "49.90"
currency = "USD"
start = 2026-01-01
"""


@dataclass(frozen=True)
class Asked:
    """What the group of commands would hand over."""

    config_path: Path


def run(file: Path, *options: str) -> Result:
    return CliRunner().invoke(check_config, list(options), obj=Asked(file), **cli.context_settings)


@pytest.fixture
def right(tmp_path: Path) -> Path:
    (tmp_path / "config.toml").write_text(TEXT, encoding="utf-8")
    return tmp_path / "config.toml"


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    (tmp_path / "config.toml").write_text(TEXT.replace("= 4", "= 7").replace('"USD"', '"usd"'), encoding="utf-8")
    return tmp_path / "config.toml"


def test_a_right_configuration_is_counted(right: Path) -> None:
    result = run(right)
    assert result.exit_code == 0
    assert result.stderr == ""
    words = [line.split() for line in result.stdout.splitlines()]
    assert ["servers", "1"] in words
    assert ["checks", "2"] in words
    assert ["of", "type", "https", "1"] in words


def test_the_count_is_told_as_json_too(right: Path) -> None:
    result = run(right, "--json")
    assert json.loads(result.stdout) == {
        "valid": True,
        "warnings": [],
        "customers": 1,
        "servers": 1,
        "subscriptions": 1,
        "checks": 2,
        "checks_by_type": {"https": 1, "icmp": 1},
    }


def test_the_whole_configuration_is_shown_so_that_it_loads_again(right: Path, tmp_path: Path) -> None:
    (tmp_path / "again.toml").write_text(run(right, "--show").stdout, encoding="utf-8")
    assert load(tmp_path / "again.toml") == load(right)


def test_the_whole_configuration_is_shown_as_json(right: Path) -> None:
    shown = json.loads(run(right, "--show", "--json").stdout)
    assert shown["monitor"]["timeout"] == 5.5
    assert shown["monitor"]["interval"] == 60
    assert shown["email"]["username"] is None
    assert shown["customer"][0]["name"] == "Müşteri"
    assert shown["subscription"][0]["start"] == "2026-01-01"
    assert shown["subscription"][0]["fee"] == "49.90"


@pytest.mark.parametrize("options", [(), ("--show",)])
def test_every_fault_is_one_line_on_stderr(wrong: Path, options: tuple[str, ...]) -> None:
    result = run(wrong, *options)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        f"{wrong}: [server web-01] level = 7: a whole number from 1 to 4",
        (
            f'{wrong}: [subscription acme-web-01] currency = "usd": '
            'a currency of three capital letters (ISO 4217), such as "USD" or "TRY"'
        ),
    ]


def test_faults_are_told_as_json_too(wrong: Path) -> None:
    result = run(wrong, "--json")
    assert result.exit_code == 2
    told = json.loads(result.stdout)
    assert told["valid"] is False
    assert told["faults"][0] == {
        "file": str(wrong),
        "table": "server web-01",
        "key": "level",
        "value": "7",
        "allowed": "a whole number from 1 to 4",
    }
    assert len(result.stderr.splitlines()) == 2


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    result = run(tmp_path / "none.toml")
    assert (result.exit_code, result.stderr) == (
        2,
        f"{tmp_path / 'none.toml'}: missing: no such file; name another by --config or $MONITOR_CONFIG\n",
    )


def test_a_password_file_that_others_can_open_is_a_warning_and_no_fault(tmp_path: Path) -> None:
    login = 'user = "sla"\npassword_file = "login"\n'
    (tmp_path / "config.toml").write_text(
        TEXT.replace('acme.example/"\n', f'acme.example/"\n{login}'), encoding="utf-8"
    )
    (tmp_path / "login").write_text("gizli")
    (tmp_path / "login").chmod(0o644)
    result = run(tmp_path / "config.toml")
    assert result.exit_code == 0
    assert "warning: password_file" in result.stderr
    assert json.loads(run(tmp_path / "config.toml", "--json").stdout)["warnings"]
