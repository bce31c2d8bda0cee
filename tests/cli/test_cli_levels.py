from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.sla.support_levels import SUPPORT_LEVELS, SUPPORT_TABLE

if TYPE_CHECKING:
    from tests.cli.conftest import Installation

WIDTH = 100


def test_the_catalogue_is_readable_in_a_hundred_columns(site: Installation) -> None:
    answer = site.run("levels")
    lines = answer.out.splitlines()
    assert answer.status == 0
    assert len(lines) == len(SUPPORT_TABLE) + 2
    assert max(map(len, lines)) <= WIDTH


@pytest.mark.parametrize(
    "row",
    [
        ["Reinstallation", "of", "the", "system,", "a", "year", "1", "2", "2", "4"],
        ["Periodic", "updates", "-", "-", "-", "yes"],
        ["Firewall", "abroad", "optional", "optional", "optional", "yes"],
        ["Monthly", "fee,", "USD", "free", "9.99", "49.99", "99.99"],
    ],
)
def test_a_row_of_8_1_is_printed_as_the_agreement_has_it(site: Installation, row: list[str]) -> None:
    assert row in [line.split() for line in site.run("levels").out.splitlines()]


def test_as_json_each_level_has_what_the_program_uses_and_every_row(site: Installation) -> None:
    found = site.run("levels", "--json").json["levels"]
    assert [each["level"] for each in found] == list(SUPPORT_LEVELS)
    assert {name: found[2][name] for name in ("monitoring", "services", "ticket_hours", "phone", "fee")} == {
        "monitoring": "ping",
        "services": 0,
        "ticket_hours": 4,
        "phone": "09-18",
        "fee": "49.99",
    }
    assert [len(each["rows"]) for each in found] == [len(SUPPORT_TABLE)] * len(SUPPORT_LEVELS)
    setup = {"key": "initial_setup", "tr": "İlk Kurulum ve ayarlar", "en": "First installation and settings"}
    assert found[0]["rows"][0] == {**setup, "unit": "", "value": True}
    assert found[3]["rows"][-1]["value"] == "99.99"


def test_the_catalogue_needs_no_configuration(site: Installation) -> None:
    site.config.unlink()
    assert site.run("levels").status == 0
