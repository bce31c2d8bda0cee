"""A faulty ``config.toml`` takes nothing away from those who read, and lets nobody record."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from monitor.config import load
from monitor.config.recorded import config_from_terms, find_data_dir
from monitor.sla.terms import terms_body
from tests.fakes import START

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Installation

FAULTS = {
    "no TOML": lambda text: text + "\n[[server",
    "an unknown key": lambda text: text.replace("level = 4", 'level = 4\ncolour = "red"'),
    "a missing server": lambda text: text.replace('server = "web-01"', 'server = "gone"'),
    "not UTF-8": lambda text: text + "# \udcff",
    "two faults": lambda text: text.replace("level = 4", "level = 9").replace('language = "tr"', 'language = "xx"'),
}
READING = [
    ("status",),
    ("outages", "list"),
    ("outages", "show", "1"),
    ("verify",),
    ("mail", "list"),
    ("availability", "--month", "2026-10"),
    ("exclude", "list"),
    ("clock", "show"),
]
RECORDING = [
    ("exclude", "add", "--outage", "1", "--clause", "4.3", "--reason", "x"),
    ("close", "--month", "2026-09"),
    ("mail", "resend", "--dead"),
    ("mail", "test", "x@example.com"),
    ("check-config",),
    ("probe", "web-01"),
    ("run",),
]


@pytest.fixture
def lived(site: Installation) -> Installation:
    """An installation with an outage, whose data directory is not the default one."""
    site.config.write_text('[monitor]\ndata_dir = "books"\n' + site.config.read_text())
    site.database_path = site.config.parent / "books" / site.database_path.name
    site.record("ping", START, "ooxxoo")
    return site


def break_config(site: Installation, fault: str) -> None:
    site.config.write_bytes(FAULTS[fault](site.config.read_text()).encode(errors="surrogateescape"))


@pytest.mark.parametrize("fault", FAULTS)
def test_reading_goes_on_with_the_recorded_terms_and_one_line_of_warning(lived: Installation, fault: str) -> None:
    before = [lived.run(*arguments, "--json").out for arguments in READING[:6]]
    break_config(lived, fault)
    for arguments, told in zip(READING[:6], before, strict=True):
        now = lived.run(*arguments, "--json")
        assert now.status == 0, arguments
        assert _without_time(now.out) == _without_time(told)
        assert len(now.err.splitlines()) == 1
        assert "the terms in force are used" in now.err


def _without_time(text: str) -> object:
    body: dict[str, Any] = json.loads(text)
    body.pop("at", None)
    body.get("servers", []).sort(key=lambda server: server["id"])  # the terms have them by id
    return body


@pytest.mark.parametrize("arguments", READING)
def test_every_reading_command_works_as_a_table(lived: Installation, arguments: tuple[str, ...]) -> None:
    break_config(lived, "no TOML")
    assert lived.run(*arguments).status == 0


@pytest.mark.parametrize("arguments", RECORDING)
def test_what_records_or_probes_is_refused_with_all_faults(lived: Installation, arguments: tuple[str, ...]) -> None:
    break_config(lived, "two faults")
    refused = lived.run(*arguments)
    assert refused.status == 2
    assert "level = 9" in refused.err + refused.out
    assert "xx" in refused.err + refused.out


def test_without_records_the_faults_are_reported(site: Installation) -> None:
    break_config(site, "an unknown key")
    assert site.run("status").status == 2
    assert "colour" in site.run("status").err


def test_a_missing_file_is_an_error(lived: Installation) -> None:
    lived.config.unlink()
    assert lived.run("status").status == 2


def test_the_recorded_configuration_has_the_same_terms(site: Installation) -> None:
    config = load(site.config)
    made = config_from_terms(site.config, config.data_dir, config.terms(START))
    assert terms_body(made.terms(START)) == terms_body(config.terms(START))


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ('[monitor]\ndata_dir = "/srv/books"', "/srv/books"),
        ("[monitor]\n  data_dir='/srv/books' # here\n[[", "/srv/books"),
        ("[monitor]\ninterval = 60\n", "data"),
        ("[monitor\n", "data"),
        ("monitor = 3\n", "data"),
        ("[monitor]\ndata_dir = 3\n", "data"),
    ],
)
def test_the_data_directory_is_found_in_a_faulty_file(tmp_path: Path, text: str, folder: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    assert find_data_dir(path) == (tmp_path / folder).resolve()
