"""Local times that do not exist, or exist twice, are refused with both offsets."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from monitor.cli.app import localize

if TYPE_CHECKING:
    from tests.cli.conftest import Installation

MISSING = [
    ("Europe/Berlin", "2026-03-29T02:30", ("+01:00", "+02:00")),
    ("Europe/Berlin", "2026-03-29T02:00", ("+01:00", "+02:00")),
    ("America/New_York", "2026-03-08T02:59:59", ("-05:00", "-04:00")),
    ("Australia/Lord_Howe", "2026-10-04T02:15", ("+10:30", "+11:00")),
    ("America/Santiago", "2026-09-06", ("-04:00", "-03:00")),
    ("Europe/Istanbul", "2016-03-27T03:30", ("+02:00", "+03:00")),
]
TWICE = [
    ("Europe/Berlin", "2026-10-25T02:30", ("+02:00", "+01:00")),
    ("Europe/Berlin", "2026-10-25T02:00", ("+02:00", "+01:00")),
    ("America/New_York", "2026-11-01T01:15", ("-04:00", "-05:00")),
    ("Australia/Lord_Howe", "2026-04-05T01:45", ("+11:00", "+10:30")),
    ("Africa/Casablanca", "2026-02-15T02:30", ("+01:00", "+00:00")),
]
ONCE = [
    ("Europe/Berlin", "2026-03-29T03:00"),
    ("Europe/Berlin", "2026-03-29T01:59:59"),
    ("Europe/Berlin", "2026-10-25T01:59:59"),
    ("Europe/Berlin", "2026-10-25T03:00"),
    ("Europe/Istanbul", "2026-03-29T02:30"),
    ("UTC", "2026-03-29T02:30"),
]


@pytest.mark.parametrize(("zone", "text", "offsets"), MISSING)
def test_a_time_that_does_not_exist_is_refused(zone: str, text: str, offsets: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="does not exist") as caught:
        localize(dt.datetime.fromisoformat(text), ZoneInfo(zone))
    assert f"from {offsets[0]} to {offsets[1]}" in str(caught.value)


@pytest.mark.parametrize(("zone", "text", "offsets"), TWICE)
def test_a_time_that_exists_twice_is_refused(zone: str, text: str, offsets: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="exists twice") as caught:
        localize(dt.datetime.fromisoformat(text), ZoneInfo(zone))
    assert str(caught.value).index(offsets[0]) < str(caught.value).index(offsets[1])


@pytest.mark.parametrize(("zone", "text"), ONCE)
def test_a_time_that_exists_once_is_that_time(zone: str, text: str) -> None:
    assert localize(dt.datetime.fromisoformat(text), ZoneInfo(zone)).replace(tzinfo=None).isoformat() in (
        text,
        f"{text}:00",
    )


def test_a_command_names_its_option_and_takes_the_time_with_an_offset(site: Installation) -> None:
    site.config.write_text(site.config.read_text().replace("[contract]", '[contract]\ntimezone = "Europe/Berlin"'))
    arguments = ["exclude", "add", "--server", "web-01", "--clause", "4.3", "--reason", "x"]
    refused = site.run(*arguments, "--start", "2026-10-25T02:30", "--end", "2026-10-25T04:00")
    assert refused.status == 2
    assert "--start 2026-10-25T02:30: exists twice in Europe/Berlin" in refused.err
    assert len(refused.err.splitlines()) == 1
    assert site.run(*arguments, "--start", "2026-10-25T02:30+01:00", "--end", "2026-10-25T04:00").status == 0
