"""The output never ends in a traceback, whatever the encoding of the terminal is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.fakes import START

if TYPE_CHECKING:
    from tests.cli.conftest import Installation

NAME = "Şişli Ağ 'Ürünleri' 株式会社"
ENCODINGS = ["ascii", "latin-1", "iso-8859-9", "cp437", "utf-8", "ascii:strict"]


@pytest.fixture
def turkish(site: Installation) -> Installation:
    """An installation with an exclusion whose reason most encodings do not have."""
    site.record("ping", START, "oxxo")
    site.run("exclude", "add", "--outage", "1", "--clause", "4.3", "--reason", NAME)
    return site


def run(site: Installation, encoding: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    words = [sys.executable, "-m", "monitor", "--config", str(site.config), *arguments]
    return subprocess.run(words, capture_output=True, env=environment, check=False)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_tables_and_errors_are_printed_in_any_encoding(turkish: Installation, encoding: str) -> None:
    listed = run(turkish, encoding, "exclude", "list")
    assert (listed.returncode, listed.stderr) == (0, b"")
    assert b"4.3" in listed.stdout
    refused = run(turkish, encoding, "outages", "list", "--server", NAME)
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_json_is_json_in_any_encoding(turkish: Installation, encoding: str) -> None:
    listed = run(turkish, encoding, "exclude", "list", "--json")
    assert listed.returncode == 0
    body = json.loads(listed.stdout.decode(encoding.partition(":")[0]))
    assert body["exclusions"][0]["reason"] == NAME
