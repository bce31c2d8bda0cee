"""Mails, problems and alerts that were changed behind the program's back are found: nobody is muted unseen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.engine.jobs.operator_mail import clear_problem, notify_operators, raise_problem
from monitor.ledger.verify import verify
from monitor.mail.content import OperatorNews
from monitor.store import outbox
from tests.fakes import HOUR, MINUTE, START
from tests.ledger.tampering import lived, wrong

if TYPE_CHECKING:
    from tests.ledger.ledger_fixture import LedgerFixture

REPLY = "250 2.0.0 Ok: queued as 4XyZ"


def mailed() -> LedgerFixture:
    """A ledger with mails in every state: sent, sent in part, dead, queued again, waiting, gathering."""
    desk = lived()
    notify_operators(desk.db, desk.context, OperatorNews.STORE, ("disk full",), START + HOUR)
    raise_problem(desk.db, desk.context, OperatorNews.RELOAD, ("line 3",), START + HOUR)
    raise_problem(desk.db, desk.context, OperatorNews.ICMP, ("ping",), START + HOUR)
    clear_problem(desk.db, OperatorNews.ICMP, START + HOUR)
    for number in range(4):
        notify_operators(desk.db, desk.context, OperatorNews.STORE, (f"disk {number}",), START + HOUR)
    mails = [mail for mail in outbox.list_mails(desk.db) if mail.sweep is None and mail.state == "pending"]
    assert len(mails) > 6
    now = START + 2 * HOUR
    outbox.mark_sent(desk.db, mails[0].id, now, REPLY)
    outbox.dead_letter(desk.db, mails[1].id, remaining=["x@acme.example"], error="550 no such user", at=now)
    outbox.schedule_retry(
        desk.db, mails[2].id, remaining=["noc@example.com"], next_try=now + MINUTE, error="450", at=now, reply=REPLY
    )
    outbox.mark_sent(desk.db, mails[3].id, now, REPLY)
    again = outbox.get(desk.db, mails[3].id)
    assert again is not None
    outbox.requeue(desk.db, again, now + MINUTE)
    outbox.schedule_retry(
        desk.db, mails[4].id, remaining=mails[4].remaining, next_try=now + MINUTE, error="refused", at=now
    )
    desk.record(999, [], START + 3 * HOUR)
    return desk


def test_mails_in_every_state_pass() -> None:
    desk = mailed()
    assert verify(desk.db).error is None
    kinds = [row[0] for row in desk.db.execute("SELECT DISTINCT kind FROM journal WHERE kind LIKE 'mail-%'")]
    assert sorted(kinds) == ["mail-dead", "mail-partly-sent", "mail-queued", "mail-requeued", "mail-sent"]
    assert desk.journal_bodies("mail-sent")[-1]["reply"] == REPLY


FIRST, DEAD, WAITING = "id = 1", "state = 'dead'", "error = 'refused'"


@pytest.mark.parametrize(
    "tampering",
    [
        f"UPDATE mail SET text = text || '.' WHERE {FIRST}",
        f"UPDATE mail SET html = '' WHERE {FIRST}",
        f"UPDATE mail SET subject = 'UP' WHERE {FIRST}",
        f"UPDATE mail SET recipients = '[\"thief@example.com\"]' WHERE {FIRST}",
        f"UPDATE mail SET copies = '[\"a@b\"]' WHERE {FIRST}",
        f"UPDATE mail SET kind = 'test' WHERE {FIRST}",
        f"UPDATE mail SET body = '{{}}' WHERE {FIRST}",
        f"UPDATE mail SET language = 'xx' WHERE {FIRST}",
        f"UPDATE mail SET message_id = '<a@b>' WHERE {FIRST}",
        f"UPDATE mail SET refers = '[\"<a@b>\"]' WHERE {FIRST}",
        f"UPDATE mail SET customer = 'bolt' WHERE {FIRST}",
        f"UPDATE mail SET queued_at = queued_at + 1 WHERE {FIRST}",
        f"UPDATE mail SET sent_at = sent_at - 60000 WHERE {FIRST}",
        f"UPDATE mail SET reply = '250 queued as FORGED' WHERE {FIRST}",
        f"UPDATE mail SET state = 'dead' WHERE {FIRST}",
        f"UPDATE mail SET deliveries = '{{}}' WHERE {FIRST}",
        f"UPDATE mail SET deliveries = replace(deliveries, '250', '550') WHERE {FIRST}",
        f"UPDATE mail SET error = '' WHERE {DEAD}",
        f"UPDATE mail SET remaining = '[]' WHERE {DEAD}",
        f"UPDATE mail SET state = 'sent', sent_at = {START} WHERE {DEAD}",
        f"UPDATE mail SET remaining = '[]' WHERE {WAITING}",
        f"UPDATE mail SET state = 'sent', remaining = '[]', sent_at = {START} WHERE {WAITING}",
        f"UPDATE mail SET state = 'sent', remaining = '[]', sent_at = {START} WHERE id = (SELECT max(id) FROM mail)",
        f"UPDATE mail SET next_try = 1 << 60 WHERE {WAITING}",
        f"UPDATE mail SET sweep = 999999 WHERE {WAITING}",
        f"DELETE FROM mail WHERE {FIRST}",
        "DELETE FROM mail",
        (
            "INSERT INTO mail SELECT 900, kind, customer, recipients, copies, remaining, body, sweep, subject, text,"
            " html, language, 'new', refers, state, queued_at, since, next_try, sent_at, attempts, error, reply,"
            " deliveries FROM mail WHERE id = 1"
        ),
    ],
)
def test_a_changed_mail_is_found_out(tampering: str) -> None:
    assert "mail" in wrong(mailed(), tampering)


@pytest.mark.parametrize(
    "tampering",
    [
        'INSERT OR REPLACE INTO note VALUES (\'told\', \'{"journal": ["x"], "reload": ["line 3"]}\')',
        "INSERT OR REPLACE INTO note VALUES ('told', '{\"reload\": [\"line 4\"]}')",
        "DELETE FROM note WHERE key = 'told'",
    ],
)
def test_a_problem_noted_as_told_that_nobody_was_told_is_found_out(tampering: str) -> None:
    assert "the problem" in wrong(mailed(), tampering)


def test_a_problem_noted_as_told_is_found_out_where_none_ever_was() -> None:
    assert "the problem store" in wrong(lived(), "INSERT INTO note VALUES ('told', '{\"store\": [\"x\"]}')")


@pytest.mark.parametrize(
    "change",
    [
        "'$.told', json('true')",
        "'$.changed', 9000000000000",
        "'$.flapping', 5",
        "'$.starts', json('[1, 2, 3]')",
    ],
)
def test_alerts_of_a_check_that_are_muted_are_found_out(change: str) -> None:
    found = wrong(mailed(), f"UPDATE alerting SET body = json_set(body, {change}) WHERE probed = 3")
    assert found.startswith("db-01/ping: ")


@pytest.mark.parametrize(
    "tampering",
    ["DELETE FROM told", "UPDATE told SET outage = 6 WHERE outage = 1", "INSERT INTO told VALUES (3, 1)"],
)
def test_who_was_told_of_which_outage_cannot_be_changed(tampering: str) -> None:
    assert "mail" in wrong(mailed(), tampering)


def test_the_mails_of_an_earlier_version_are_recorded_with_the_first_of_this_one() -> None:
    desk = mailed()
    before = len(outbox.list_mails(desk.db))
    desk.db.execute("DROP TRIGGER journal_is_never_shortened")
    desk.db.execute("DELETE FROM journal WHERE kind LIKE 'mail-%'")
    notify_operators(desk.db, desk.context, OperatorNews.STORE, ("again",), START + 4 * HOUR)
    [adopted] = desk.journal_bodies("mails-adopted")
    assert len(adopted["mails"]) == before
    assert len(desk.journal_bodies("mail-queued")) == 1
