from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Installation

WEB = ("--subscription", "acme-web-01")


def quota(site: Installation, kind: str, *words: str) -> dict[str, Any]:
    found = site.run("quota", "list", *WEB, *words, "--json").json["quota"]
    record: dict[str, Any] = next(each for each in found if each["kind"] == kind)
    return record


def test_a_use_prints_its_id_and_is_taken_from_what_is_left(site: Installation) -> None:
    answer = site.run("quota", "use", *WEB, "--kind", "kvm", "--amount", "1.5", "--reference", "T-12")
    assert (answer.status, answer.out, answer.err) == (0, "1\n", "")
    found = quota(site, "kvm")
    assert (found["level"], found["included"], found["used"], found["left"]) == (4, "24", "1.5", "22.5")
    assert found["unit"] == "hours"


def test_the_whole_record_is_printed_as_json(site: Installation) -> None:
    at = "2026-03-02T10:00:00Z"
    words = ("--kind", "reinstall", "--amount", "1", "--at", at, "--reference", "T-12", "--json")
    record = site.run("quota", "use", *WEB, *words).json
    assert {key: record[key] for key in ("id", "subscription", "kind", "amount", "at", "reference", "forced")} == {
        "id": 1,
        "subscription": "acme-web-01",
        "kind": "reinstall",
        "amount": "1",
        "at": at,
        "reference": "T-12",
        "forced": None,
    }
    assert record["quota"]["period"] == {
        "start": "2025-12-31T21:00:00Z",
        "end": "2026-12-31T21:00:00Z",
        "label": "2026",
    }
    assert record["quota"]["left"] == "3"


def test_an_overdraft_is_answered_with_no_and_records_nothing(site: Installation) -> None:
    answer = site.run("quota", "use", *WEB, "--kind", "reinstall", "--amount", "5")
    assert (answer.status, answer.out, answer.err.count("\n")) == (1, "", 1)
    assert "4 of 4 reinstallations remain" in answer.err
    assert quota(site, "reinstall")["used"] == "0"


def test_an_overdraft_is_recorded_with_its_reason(site: Installation) -> None:
    answer = site.run(
        "quota", "use", *WEB, "--kind", "reinstall", "--amount", "5", "--force", "our own fault", "--json"
    )
    assert (answer.status, answer.json["forced"]) == (0, "our own fault")
    assert quota(site, "reinstall")["left"] == "-1"


def test_each_month_has_its_own_hours(site: Installation) -> None:
    site.run("quota", "use", *WEB, "--kind", "kvm", "--amount", "24", "--at", "2026-03-31T23:59")
    assert quota(site, "kvm", "--at", "2026-03-31T23:59:30")["left"] == "0"
    assert quota(site, "kvm", "--at", "2026-03-31T23:00")["left"] == "24"
    assert quota(site, "kvm", "--at", "2026-04-01")["left"] == "24"


def test_the_table_has_two_lines_for_each_subscription(site: Installation) -> None:
    lines = site.run("quota", "list").out.splitlines()[2:]
    assert [line.split()[0] for line in lines] == ["acme-free"] * 2 + ["acme-web-01"] * 2


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--kind", "kvm", "--amount", "0.01"), "--amount 0.01"),
        (("--kind", "reinstall", "--amount", "1.5"), "--amount 1.5"),
        (("--kind", "reinstall", "--amount", "-1"), "--amount -1"),
        (("--kind", "coffee", "--amount", "1"), "'coffee'"),
        (("--kind", "kvm", "--amount", "1", "--at", "2999-01-01"), "--at"),
        (("--kind", "kvm", "--amount", "1", "--force", " "), "--force"),
        (("--kind", "kvm", "--amount", "1", "--subscription", "nobody"), "nobody"),
    ],
)
def test_a_faulty_use_records_nothing(site: Installation, words: tuple[str, ...], named: str) -> None:
    answer = site.run("quota", "use", *WEB, *words)
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert named in answer.err
    assert quota(site, "kvm")["used"] == "0"
