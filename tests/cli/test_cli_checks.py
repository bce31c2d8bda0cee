from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

from click.testing import CliRunner

from monitor.cli import cli, run_command
from monitor.cli.checks import checks
from monitor.probes.check_types import CHECK_TYPES
from monitor.probes.presets import PRESETS
from monitor.probes.settings import CheckSettings

if TYPE_CHECKING:
    import pytest


def test_every_type_key_and_preset_is_in_the_tables() -> None:
    said = CliRunner().invoke(checks, **cli.context_settings)
    assert said.exit_code == 0
    rows = {tuple(line.split()[:2]) for line in said.output.splitlines() if line}
    common = {field.name for field in dataclasses.fields(CheckSettings)}
    keys = {(name, field.name) for name, each in CHECK_TYPES.items() for field in dataclasses.fields(each.settings)}
    assert {("all" if key in common else name, key) for name, key in keys} <= rows
    assert {preset.name for preset in PRESETS} <= {row[0] for row in rows}


def test_json_tells_which_keys_are_required_and_what_the_others_are_by_default() -> None:
    said = json.loads(CliRunner().invoke(checks, ["--json"], **cli.context_settings).output)
    assert [each["type"] for each in said["checks"]] == list(CHECK_TYPES)
    keys = {each["type"]: {key["key"]: key for key in each["keys"]} for each in said["checks"]}
    assert [key for key, each in keys["https"].items() if each["required"]] == ["url"]
    assert keys["tcp"]["port"]["default"] == 80
    assert keys["http"]["status"]["default"] == ["200-399"]
    assert keys["https"]["verify_certificate"]["default"] is True
    assert (keys["tls"]["warn_days"]["kind"], keys["tls"]["family"]["kind"]) == ("list of numbers", "text")
    assert (keys["https"]["ca_file"]["kind"], keys["tcp"]["port"]["kind"]) == ("file", "number")
    assert {"name": "mysql", "kind": "database", "type": "mysql", "keys": {"port": 3306}} in said["presets"]


def test_one_type_is_shown_alone_with_its_presets() -> None:
    said = json.loads(CliRunner().invoke(checks, ["mysql", "--json"], **cli.context_settings).output)
    assert [each["type"] for each in said["checks"]] == ["mysql"]
    assert {each["type"] for each in said["presets"]} == {"mysql"}
    table = CliRunner().invoke(checks, ["pop3"], **cli.context_settings).output
    assert "no presets of that type" in table
    assert "fingerprints" not in table


def test_a_type_that_is_none_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["checks", "gopher"]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert "gopher: no such check type; known: icmp, tcp" in said.err
