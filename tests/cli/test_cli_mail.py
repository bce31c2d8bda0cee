"""``monitor mail``: dead mails are sent again, one or all, or withdrawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.store import outbox
from tests.fakes import HOUR, START, open_read_write

if TYPE_CHECKING:
    from tests.cli.conftest import Installation


@pytest.fixture
def outbox_site(site: Installation) -> Installation:
    """An installation with three dead mails, an hour apart, and one that was sent."""
    site.record("ping", START, "o")
    db = open_read_write(site.database_path)
    for number in range(4):
        at = START + number * HOUR
        mail = outbox.enqueue(
            db,
            "outages",
            at=at,
            customer="acme",
            recipients=["it@acme.example"],
            copies=[],
            language="en",
            message_id=f"<{number}@example.com>",
            body={"news": []},
            subject=f"DOWN {number}",
        )
        if number < 3:
            outbox.dead_letter(db, mail, remaining=["it@acme.example"], error="550 no such user", at=at)
        else:
            outbox.mark_sent(db, mail, at)
    db.close()
    return site


def states(site: Installation) -> list[str]:
    return [mail["state"] for mail in site.run("mail", "list", "--json").json["mails"]]


def test_all_dead_mails_are_sent_again_oldest_first(outbox_site: Installation) -> None:
    assert outbox_site.run("status", "--json").json["daemon"]["mails_dead"] == 3
    done = outbox_site.run("mail", "resend", "--dead")
    assert (done.status, done.out.split()) == (0, ["1", "2", "3"])
    assert states(outbox_site) == ["pending", "pending", "pending", "sent"]
    assert outbox_site.run("verify").status == 0


def test_dead_mails_since_a_moment_are_sent_again(outbox_site: Installation) -> None:
    done = outbox_site.run("mail", "resend", "--dead", "--since", "2026-10-02T14:00", "--json")
    assert [mail["id"] for mail in done.json["mails"]] == [2, 3]
    assert states(outbox_site) == ["dead", "pending", "pending", "sent"]


def test_one_mail_is_sent_again_by_its_number(outbox_site: Installation) -> None:
    assert outbox_site.run("mail", "resend", "2").out == "2\n"
    assert outbox_site.run("mail", "resend", "4", "--json").json["state"] == "pending"
    assert states(outbox_site) == ["dead", "pending", "dead", "pending"]


@pytest.mark.parametrize(
    "arguments", [(), ("1", "--dead"), ("1", "--since", "2026-10-02"), ("--dead", "--since", "soon"), ("99",)]
)
def test_what_to_send_again_must_be_said(outbox_site: Installation, arguments: tuple[str, ...]) -> None:
    refused = outbox_site.run("mail", "resend", *arguments)
    assert refused.status == 2
    assert len(refused.err.splitlines()) == 1


def test_a_dead_mail_is_withdrawn_and_counts_no_longer(outbox_site: Installation) -> None:
    assert outbox_site.run("mail", "withdraw", "1", "--reason", "left the company").out == "1\n"
    shown = outbox_site.run("mail", "list", "--state", "dead", "--json").json["mails"][0]
    assert shown["error"].startswith("withdrawn: left the company (")
    assert shown["error"].endswith("550 no such user")
    assert outbox_site.run("mail", "withdraw", "1", "--reason", "again").status == 2
    assert outbox_site.run("mail", "resend", "1").status == 2
    assert outbox_site.run("mail", "withdraw", "--dead", "--reason", "old").out.split() == ["2", "3"]
    assert outbox_site.run("status", "--json").json["daemon"]["mails_dead"] == 0
    assert outbox_site.run("mail", "resend", "--dead").out == ""
    assert outbox_site.run("verify").status == 0


def test_a_mail_is_shown_by_recipient_and_a_failed_copy_makes_it_not_dead(site: Installation) -> None:
    site.record("ping", START, "o")
    db = open_read_write(site.database_path)
    number = outbox.enqueue(
        db,
        "outages",
        at=START,
        customer="acme",
        recipients=["it@acme.example"],
        copies=["noc@example.com"],
        language="en",
        message_id="<0@example.com>",
        body={"news": []},
        subject="DOWN web-01",
    )
    outbox.dead_letter(db, number, remaining=["noc@example.com"], error="550 full", at=START, reply="250 queued as 4F1")
    db.close()
    mail = site.run("mail", "list", "--json").json["mails"][0]
    assert (mail["state"], mail["sent_at"]) == ("sent", "2026-10-02T10:00:00Z")
    assert [(each["address"], each["copy"], each["state"], each["reply"]) for each in mail["deliveries"]] == [
        ("it@acme.example", False, "sent", "250 queued as 4F1"),
        ("noc@example.com", True, "dead", "550 full"),
    ]
    assert "sent, copy failed" in site.run("mail", "list").out
    shown = site.run("mail", "show", str(number)).out
    assert "Delivery: it@acme.example: sent 2026-10-02 13:00:00+03:00 250 queued as 4F1\n" in shown
    assert "Delivery: noc@example.com: dead 2026-10-02 13:00:00+03:00 550 full\n" in shown
    assert site.run("status", "--json").json["daemon"]["mails_dead"] == 1
    assert site.run("verify").status == 0
    assert site.run("mail", "resend", "--dead").out.split() == [str(number)]
    again = site.run("mail", "list", "--json").json["mails"][0]
    assert [each["state"] for each in again["deliveries"]] == ["sent", "pending"]
    assert site.run("verify").status == 0
