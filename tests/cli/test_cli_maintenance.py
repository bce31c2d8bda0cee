from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Installation


def from_now(**length: float) -> str:
    return (dt.datetime.now(dt.UTC) + dt.timedelta(**length)).isoformat()


def announce(site: Installation, start: str, end: str, *more: str) -> str:
    answer = site.run(
        "maintenance", "announce", "--server", "web-01", "--start", start, "--end", end, "--reason", "Disks", *more
    )
    assert answer.status == 0, answer.err
    return answer.out.strip()


def listed(site: Installation) -> dict[str, object]:
    window: dict[str, object] = site.run("maintenance", "list", "--json").json["windows"][-1]
    return window


def test_a_window_announced_in_time_prints_its_id_and_qualifies(site: Installation) -> None:
    assert announce(site, from_now(days=5), from_now(days=5, hours=2)) == "1"
    window = listed(site)
    assert (window["qualifies"], window["short_by_seconds"], window["state"]) == (True, 0, "upcoming")
    assert window["kind"] == "planned"
    assert window["servers"] == ["web-01"]


def test_a_window_announced_too_late_is_recorded_with_a_warning(site: Installation) -> None:
    answer = site.run(
        *("maintenance", "announce", "--server", "web-01", "--reason", "Disks"),
        *("--start", from_now(days=3), "--end", from_now(days=3, hours=1)),
    )
    assert (answer.status, answer.out) == (0, "1\n")
    assert "warning" in answer.err
    window = listed(site)
    assert window["qualifies"] is False
    assert 86_400 <= window["short_by_seconds"] <= 86_460  # type: ignore[operator]


def test_an_emergency_needs_no_notice(site: Installation) -> None:
    announce(site, from_now(minutes=-5), from_now(hours=1), "--emergency", "Security hole")
    window = listed(site)
    assert (window["kind"], window["qualifies"], window["state"]) == ("emergency", True, "active")


def test_the_customer_is_told_in_the_transaction_of_the_announcement(site: Installation) -> None:
    announce(site, from_now(days=5), from_now(days=5, hours=2))
    mail = site.run("mail", "list", "--json").json["mails"][0]
    assert (mail["to"], mail["bcc"], mail["state"]) == (["it@acme.example"], ["noc@example.com"], "pending")
    assert "web-01" in mail["subject"]


def test_an_extension_is_an_announcement_of_its_own(site: Installation) -> None:
    announce(site, from_now(days=5), from_now(days=5, hours=2))
    later = site.run("maintenance", "extend", "1", "--end", from_now(days=5, hours=4), "--json")
    assert [part["qualifies"] for part in later.json["parts"]] == [True, True]
    mails = site.run("mail", "list", "--json").json["mails"]
    assert mails[1]["references"] == [mails[0]["message_id"]]


def test_a_past_window_is_extended_only_by_what_was_announced_elsewhere(
    site: Installation,
) -> None:
    told = ("--announced-at", "2026-09-20T00:00Z", "--reference", "status page 12")
    announce(site, "2026-10-01T00:00Z", "2026-10-01T02:00Z", *told)
    overran = site.run("maintenance", "extend", "1", "--end", "2026-10-01T03:00Z")
    assert (overran.status, overran.out) == (0, "1\n")
    assert "excludes nothing" in overran.err
    in_time = ("--announced-at", "2026-09-27T03:00Z", "--reference", "status page 13")
    known = site.run("maintenance", "extend", "1", "--end", "2026-10-01T04:00Z", *in_time, "--json").json
    assert [part["qualifies"] for part in known["parts"]] == [True, False, True]
    assert site.run("maintenance", "extend", "1", "--end", "2026-10-01T01:00Z").status == 2


def test_a_cancelled_window_is_kept_and_shown_as_cancelled(site: Installation) -> None:
    announce(site, from_now(days=5), from_now(days=5, hours=2))
    assert site.run("maintenance", "cancel", "1").status == 0
    assert listed(site)["state"] == "cancelled"
    again = site.run("maintenance", "cancel", "1")
    assert (again.status, "cancelled" in again.err) == (2, True)


def test_an_announcement_made_elsewhere_counts_from_its_own_time(site: Installation) -> None:
    elsewhere = ("--announced-at", from_now(days=-6), "--reference", "status page 12")
    announce(site, from_now(days=1), from_now(days=1, hours=2), *elsewhere)
    assert listed(site)["qualifies"] is True


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--start", "2026-10-02", "--end", "2026-10-01"), "--end"),
        (("--start", "2026-10-02", "--end", "2026-10-02"), "--end"),
        (("--start", "soon", "--end", "2026-10-02"), "--start"),
        (("--start", "2026-10-01", "--end", "2026-10-02", "--server", "nobody"), "nobody"),
        (("--start", "2026-10-01", "--end", "2026-10-02", "--announced-at", "2026-01-01"), "--reference"),
        (("--start", "2026-10-01", "--end", "2026-10-02", "--reference", "x"), "--announced-at"),
        (
            ("--start", "2026-10-01", "--end", "2026-10-02", "--announced-at", "2999-01-01", "--reference", "x"),
            "--announced-at",
        ),
        (("--start", "2026-10-01", "--end", "2026-10-02", "--emergency", " "), "--emergency"),
    ],
)
def test_a_faulty_announcement_records_nothing(site: Installation, words: tuple[str, ...], named: str) -> None:
    answer = site.run("maintenance", "announce", "--server", "web-01", "--reason", "x", *words)
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert named in answer.err
    assert site.run("maintenance", "list", "--json").json == {"windows": []}
    assert site.run("mail", "list", "--json").json == {"mails": []}


@pytest.mark.parametrize("words", [("extend", "9", "--end", "2030-01-01"), ("cancel", "9")])
def test_a_window_that_is_not_there_is_named(site: Installation, words: tuple[str, ...]) -> None:
    answer = site.run("maintenance", *words)
    assert (answer.status, "window 9" in answer.err) == (2, True)
