"""Windows from their announcement to the accounts: what is recorded, who is told, what it excludes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from monitor.errors import InputError
from monitor.ledger import maintenance
from monitor.ledger.maintenance import ExternalAnnouncement
from monitor.ledger.maintenance_windows import known_windows
from monitor.ledger.verify import verify
from monitor.sla.maintenance import MaintenanceState, notice_shortfall, state_at
from monitor.store import database, journal, outbox
from tests.fakes import (
    DAY,
    HOUR,
    MINUTE,
    START,
    CrashError,
    make_context,
    make_customer,
    make_server,
    make_subscription,
    open_crashing,
    stored_rows,
)
from tests.ledger.ledger_fixture import LedgerFixture

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.sla.availability import Account
    from monitor.sla.maintenance import MaintenanceWindow
    from monitor.store.outbox import Mail

NOTICE = 96 * HOUR
CONTEXT = make_context(
    [make_server("web-00"), make_server("web-01"), make_server("db-01")],
    [make_subscription("acme", "web-00"), make_subscription("acme", "web-01"), make_subscription("bolt", "web-01")],
    [make_customer("acme", "tr"), make_customer("bolt", "en")],
)


@pytest.fixture
def desk() -> LedgerFixture:
    desk = LedgerFixture(CONTEXT)
    desk.apply_terms()
    return desk


def extend(
    desk: LedgerFixture, window: MaintenanceWindow, end: int, at: int, elsewhere: ExternalAnnouncement | None = None
) -> MaintenanceWindow:
    with database.transaction(desk.db):
        return maintenance.extend(desk.db, desk.context, window.id, end, elsewhere, at)


def cancel(desk: LedgerFixture, window: MaintenanceWindow, at: int) -> MaintenanceWindow:
    with database.transaction(desk.db):
        return maintenance.cancel(desk.db, desk.context, window.id, at)


def mails(desk: LedgerFixture, customer: str | None = "acme") -> list[Mail]:
    return [mail for mail in desk.mails("maintenance") if mail.customer == customer]


# --- the announcement ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("notice", "short_by"),
    [(NOTICE, 0), (NOTICE + 1, 0), (NOTICE - 1, 1), (NOTICE - HOUR, HOUR), (0, NOTICE), (-HOUR, NOTICE + HOUR)],
)
def test_a_planned_window_qualifies_from_exactly_96_hours_of_notice_on(
    desk: LedgerFixture, notice: int, short_by: int
) -> None:
    window = desk.announce("web-00", start=START + notice, end=START + notice + HOUR, at=START)
    assert window.qualifies is (short_by == 0)
    assert window.notice_shortfall == short_by


def test_an_emergency_qualifies_without_any_notice_and_says_how_late_it_was_recorded(desk: LedgerFixture) -> None:
    window = desk.announce("web-00", start=START - HOUR, end=START + HOUR, at=START, emergency="kernel hole")
    assert window.qualifies
    assert window.recorded_late_by == HOUR
    assert (window.kind, window.reason) == ("emergency", "new disks (kernel hole)")


def test_windows_are_numbered_from_one_on(desk: LedgerFixture) -> None:
    numbers = [desk.announce("web-00", start=START + DAY, end=START + 2 * DAY).id for _ in range(3)]
    assert numbers == [1, 2, 3]
    assert [window.id for window in known_windows(desk.db)] == [1, 2, 3]


def test_the_fact_says_who_recorded_it_and_when(desk: LedgerFixture) -> None:
    desk.announce("web-01", "web-00", "web-01", start=START + DAY, end=START + 2 * DAY)
    [body] = desk.journal_bodies("maintenance-announced")
    assert body.pop("recorded_by")
    assert body == {
        "window": 1,
        "servers": ["web-00", "web-01"],
        "start": START + DAY,
        "end": START + 2 * DAY,
        "reason": "new disks",
        "emergency": None,
        "announced_at": START,
        "reference": None,
    }


@pytest.mark.parametrize("change", [0, -1, -HOUR])
def test_a_window_must_end_after_it_starts(desk: LedgerFixture, change: int) -> None:
    with pytest.raises(InputError, match="must end after it starts"):
        desk.announce("web-00", start=START + DAY, end=START + DAY + change)
    assert known_windows(desk.db) == ()
    assert desk.mails("maintenance") == []


def test_an_unknown_server_is_named_and_nothing_is_recorded(desk: LedgerFixture) -> None:
    with pytest.raises(InputError, match="web-77"):
        desk.announce("web-00", "web-77", start=START + DAY, end=START + 2 * DAY)
    assert journal.length(desk.db) == 1


def test_an_announcement_made_elsewhere_counts_from_its_own_time(desk: LedgerFixture) -> None:
    window = desk.announce(
        "web-00",
        start=START + HOUR,
        end=START + 2 * HOUR,
        external=ExternalAnnouncement(START - NOTICE + HOUR, "Ticket 4711"),
    )
    assert window.qualifies
    assert window.recorded_at == START
    [body] = desk.journal_bodies("maintenance-announced")
    assert (body["announced_at"], body["reference"]) == (START - NOTICE + HOUR, "Ticket 4711")
    assert "Ticket 4711" in mails(desk)[0].text


def test_an_announcement_made_elsewhere_cannot_lie_in_the_future(desk: LedgerFixture) -> None:
    with pytest.raises(InputError, match="cannot be in the future"):
        desk.announce("web-00", start=START + DAY, end=START + 2 * DAY, external=ExternalAnnouncement(START + 1, "x"))
    desk.announce("web-00", start=START + DAY, end=START + 2 * DAY, external=ExternalAnnouncement(START, "x"))


def test_what_people_typed_is_kept_on_one_line(desk: LedgerFixture) -> None:
    with database.transaction(desk.db):
        asked = maintenance.MaintenanceRequest(
            ("web-00",),
            START + DAY,
            START + 2 * DAY,
            "new\r\ndisks\x00 ",
            "bad\n\nluck",
            ExternalAnnouncement(START, "a\nb"),
        )
        window = maintenance.announce(desk.db, CONTEXT, asked, START)
    assert window.reason == "new disks (bad luck)"
    assert desk.journal_bodies("maintenance-announced")[0]["reference"] == "a b"


# --- who is told -----------------------------------------------------------------------------------------------------


def test_each_customer_gets_a_mail_on_their_own_servers_and_the_operators_a_copy(
    desk: LedgerFixture,
) -> None:
    desk.announce("web-00", "web-01", "db-01", start=START + 5 * DAY, end=START + 5 * DAY + HOUR)
    [acme], [bolt] = mails(desk, "acme"), mails(desk, "bolt")
    assert (acme.language, bolt.language) == ("tr", "en")
    assert (acme.copies, bolt.copies) == (("noc@example.com",),) * 2
    assert "web-00" in acme.text
    assert "web-01" in acme.text
    assert "web-00" not in bolt.text
    assert "db-01" not in acme.text + bolt.text
    assert mails(desk, None) == []


def test_of_servers_without_a_customer_the_operators_are_told(desk: LedgerFixture) -> None:
    desk.announce("db-01", start=START + 5 * DAY, end=START + 5 * DAY + HOUR)
    [mail] = desk.mails("maintenance")
    assert (mail.customer, mail.recipients) == (None, ("noc@example.com",))


def test_where_there_is_nobody_to_be_told_a_window_is_recorded_without_a_mail() -> None:
    desk = LedgerFixture(replace(CONTEXT, operators=()))
    window = desk.announce("db-01", start=START + 5 * DAY, end=START + 5 * DAY + HOUR)
    assert window.qualifies
    assert desk.mails("maintenance") == []


def test_announcements_may_leave_at_once(desk: LedgerFixture) -> None:
    desk.announce("web-00", start=START + 5 * DAY, end=START + 5 * DAY + HOUR, at=START)
    assert [mail.id for mail in outbox.due_mails(desk.db, START)] == [1]


def test_every_change_of_a_window_goes_into_its_thread(desk: LedgerFixture) -> None:
    window = desk.announce("web-00", start=START + 5 * DAY, end=START + 6 * DAY)
    extend(desk, window, START + 7 * DAY, START + 1)
    extend(desk, window, START + 5 * DAY + HOUR, START + 2)
    cancel(desk, window, START + 3)
    told = mails(desk)
    assert [mail.body["change"] for mail in told] == ["announced", "extended", "shortened", "cancelled"]
    for place, mail in enumerate(told):
        assert mail.refers == tuple(before.message_id for before in told[:place])


def test_another_window_is_another_thread(desk: LedgerFixture) -> None:
    desk.announce("web-00", start=START + 5 * DAY, end=START + 6 * DAY)
    desk.announce("web-00", start=START + 7 * DAY, end=START + 8 * DAY)
    assert [mail.refers for mail in mails(desk)] == [(), ()]


def test_a_late_announcement_tells_the_customer_that_it_excludes_nothing(desk: LedgerFixture) -> None:
    desk.announce("web-01", start=START + 5 * DAY, end=START + 6 * DAY)
    desk.announce("web-01", start=START + 1 * DAY, end=START + 2 * DAY)
    in_time, late = mails(desk, "bolt")
    assert in_time.text != late.text
    assert "4.1" in in_time.text


# --- changes ---------------------------------------------------------------------------------------------------------


def test_the_added_part_of_an_extended_window_needs_96_hours_of_its_own(desk: LedgerFixture) -> None:
    window = desk.announce("web-00", start=START + NOTICE, end=START + NOTICE + HOUR, at=START)
    in_time = extend(desk, window, START + NOTICE + 2 * HOUR, START + HOUR)
    assert [part.end - part.start for part in in_time.parts] == [HOUR, HOUR]
    assert in_time.qualifies
    too_late = extend(desk, window, START + NOTICE + 3 * HOUR, START + 2 * HOUR + 1)
    assert too_late.notice_shortfall == 1
    assert not too_late.qualifies


def test_an_extension_announced_elsewhere_counts_from_its_own_time(desk: LedgerFixture) -> None:
    window = desk.announce("web-00", start=START + NOTICE, end=START + NOTICE + HOUR, at=START)
    extended = extend(
        desk, window, START + NOTICE + 2 * HOUR, START + 3 * HOUR, ExternalAnnouncement(START + HOUR, "Ticket 1")
    )
    assert extended.qualifies


def test_a_running_window_that_is_shortened_ends_now_at_the_earliest(desk: LedgerFixture) -> None:
    window = desk.announce("web-00", start=START, end=START + 5 * HOUR, emergency="fire")
    assert extend(desk, window, START + HOUR, START + 2 * HOUR).end == START + 2 * HOUR
    assert mails(desk)[-1].body["change"] == "shortened"


def test_a_running_window_that_is_cancelled_ends_now(desk: LedgerFixture) -> None:
    window = desk.announce("web-00", start=START, end=START + 5 * HOUR, emergency="fire")
    cancelled = cancel(desk, window, START + 2 * HOUR)
    assert (cancelled.end, cancelled.cancelled_before_start) == (START + 2 * HOUR, False)
    assert state_at(cancelled, START + 3 * HOUR) is MaintenanceState.CANCELLED


def test_a_window_that_is_cancelled_before_its_start_is_kept_as_announced(desk: LedgerFixture) -> None:
    window = desk.announce("web-00", start=START + DAY, end=START + 2 * DAY)
    cancelled = cancel(desk, window, START + DAY)
    assert cancelled.cancelled_before_start
    assert (cancelled.start, cancelled.end) == (START + DAY, START + 2 * DAY)


@pytest.mark.parametrize("at", [START + 2 * DAY, START + 3 * DAY])
def test_a_window_that_is_over_can_be_neither_shortened_nor_cancelled(desk: LedgerFixture, at: int) -> None:
    window = desk.announce("web-00", start=START + DAY, end=START + 2 * DAY)
    with pytest.raises(InputError, match="window 1 is over"):
        extend(desk, window, START + 2 * DAY - 1, at)
    with pytest.raises(InputError, match="window 1 is over"):
        cancel(desk, window, at)
    assert len(desk.mails("maintenance")) == 1


def test_the_extension_of_a_past_window_counts_by_its_own_announcement(
    desk: LedgerFixture,
) -> None:
    window = desk.announce("web-00", start=START + 6 * DAY, end=START + 7 * DAY)
    at, until = START + 9 * DAY, START + 7 * DAY + HOUR
    late = extend(desk, window, until, at)
    assert (late.start, late.end, len(late.parts)) == (window.start, until, 2)
    assert late.notice_shortfall == 96 * HOUR + 2 * DAY
    told = extend(desk, window, until + HOUR, at, ExternalAnnouncement(START + 3 * DAY, "ticket 7"))
    assert [notice_shortfall(part) for part in told.parts] == [0, late.notice_shortfall, 0]
    assert len(desk.mails("maintenance")) == 3


def test_a_cancelled_window_can_be_neither_changed_nor_cancelled(desk: LedgerFixture) -> None:
    window = desk.announce("web-00", start=START + DAY, end=START + 2 * DAY)
    cancel(desk, window, START)
    with pytest.raises(InputError, match="window 1 is cancelled"):
        cancel(desk, window, START)
    with pytest.raises(InputError, match="window 1 is cancelled"):
        extend(desk, window, START + 3 * DAY, START)


@pytest.mark.parametrize(
    ("end", "why"), [(2 * DAY, "ends at that time already"), (DAY, "cancel 1` cancels it"), (0, "cancel 1` cancels it")]
)
def test_a_change_that_is_none_or_leaves_nothing_is_refused(desk: LedgerFixture, end: int, why: str) -> None:
    window = desk.announce("web-00", start=START + DAY, end=START + 2 * DAY)
    with pytest.raises(InputError, match=why):
        extend(desk, window, START + end, START)


def test_a_window_that_is_not_there_is_named(desk: LedgerFixture) -> None:
    window = desk.announce("web-00", start=START + DAY, end=START + 2 * DAY)
    with pytest.raises(InputError, match="window 8 does not exist"):
        cancel(desk, replace(window, id=8), START)


@pytest.mark.parametrize("crash_at", range(1, 6))
def test_a_crash_leaves_no_window_without_mails_and_no_mails_without_a_window(tmp_path: Path, crash_at: int) -> None:
    db, connection = open_crashing(tmp_path / "monitor.db")
    desk = LedgerFixture(CONTEXT, db)
    before = stored_rows(db)
    connection.arm(crash_at)
    try:
        desk.announce("web-00", "web-01", start=START + 5 * DAY, end=START + 6 * DAY)
    except CrashError:
        assert stored_rows(db) == before
    else:
        assert crash_at > 4
        assert (len(known_windows(db)), len(desk.mails("maintenance"))) == (1, 2)
    connection.arm(0)
    db.close()


# --- the accounts ----------------------------------------------------------------------------------------------------


def account_of(desk: LedgerFixture, at: int, subscription: str = "acme-web-00") -> Account:
    [found] = desk.ledger(at).rolling(30, only=subscription).subscriptions
    return found.account


def down_for_an_hour(desk: LedgerFixture) -> None:
    """Up for an hour, down for an hour, up for an hour: from four days and an hour after START on."""
    begin = 4 * 24 * 60
    for minute in range(180):
        desk.record_sweep(begin + minute, web_00="x" if 60 <= minute < 120 else "o", web_01="o")


BEGIN = START + 4 * DAY
NOW = BEGIN + 3 * HOUR


def test_a_window_in_time_excludes_what_lies_in_it_by_clause_4_1(desk: LedgerFixture) -> None:
    desk.announce("web-00", start=BEGIN + HOUR, end=BEGIN + 2 * HOUR, at=START)
    down_for_an_hour(desk)
    account = account_of(desk, NOW)
    assert (account.down, account.excluded) == (0, HOUR)
    [charge] = account.exclusions
    assert (charge.clause, charge.reference, charge.length) == ("4.1", "maintenance 1", HOUR)
    assert account.experienced is not None
    assert account.experienced < 10_000
    assert account.availability == 10_000


def test_a_window_announced_too_late_excludes_nothing(desk: LedgerFixture) -> None:
    desk.announce("web-00", start=BEGIN + HOUR, end=BEGIN + 2 * HOUR, at=START + HOUR + 1)
    down_for_an_hour(desk)
    account = account_of(desk, NOW)
    assert (account.down, account.excluded, account.exclusions) == (HOUR, 0, ())


def test_an_emergency_recorded_afterwards_excludes_whole_by_clause_4_9(desk: LedgerFixture) -> None:
    down_for_an_hour(desk)
    desk.announce("web-00", start=BEGIN + HOUR, end=BEGIN + 2 * HOUR, at=NOW, emergency="kernel hole")
    account = account_of(desk, NOW)
    assert (account.down, account.excluded) == (0, HOUR)
    assert account.exclusions[0].clause == "4.9"


def test_downtime_after_the_end_of_the_window_counts_also_when_it_began_inside(desk: LedgerFixture) -> None:
    desk.announce("web-00", start=BEGIN + HOUR, end=BEGIN + HOUR + 20 * MINUTE, at=START)
    down_for_an_hour(desk)
    assert account_of(desk, NOW).down == 40 * MINUTE


def test_of_an_extended_window_only_the_parts_announced_in_time_exclude(desk: LedgerFixture) -> None:
    window = desk.announce("web-00", start=BEGIN + HOUR, end=BEGIN + HOUR + 20 * MINUTE, at=START)
    extend(desk, window, BEGIN + 2 * HOUR, BEGIN)
    down_for_an_hour(desk)
    assert account_of(desk, NOW).down == 40 * MINUTE


def test_a_window_shortened_while_it_runs_excludes_until_then(desk: LedgerFixture) -> None:
    window = desk.announce("web-00", start=BEGIN + HOUR, end=BEGIN + 2 * HOUR, at=START)
    extend(desk, window, BEGIN + HOUR + 1, BEGIN + HOUR + 30 * MINUTE)
    down_for_an_hour(desk)
    assert account_of(desk, NOW).down == 30 * MINUTE


def test_a_window_cancelled_before_its_start_excludes_nothing(desk: LedgerFixture) -> None:
    window = desk.announce("web-00", start=BEGIN + HOUR, end=BEGIN + 2 * HOUR, at=START)
    cancel(desk, window, BEGIN)
    down_for_an_hour(desk)
    assert account_of(desk, NOW).down == HOUR


def test_a_window_excludes_on_its_own_servers_only(desk: LedgerFixture) -> None:
    desk.announce("web-01", start=BEGIN + HOUR, end=BEGIN + 2 * HOUR, at=START)
    down_for_an_hour(desk)
    assert account_of(desk, NOW).down == HOUR
    assert account_of(desk, NOW, "bolt-web-01").excluded == HOUR


def test_the_books_before_a_record_do_not_know_of_it(desk: LedgerFixture) -> None:
    down_for_an_hour(desk)
    window = desk.announce("web-00", start=BEGIN + HOUR, end=BEGIN + 4 * HOUR, at=NOW + 5, emergency="kernel hole")
    extend(desk, window, BEGIN + 5 * HOUR, NOW + 10)
    assert account_of(desk, NOW + 4).down == HOUR
    assert account_of(desk, NOW + 5).down == 0
    assert known_windows(desk.db, NOW + 9)[0].end == BEGIN + 4 * HOUR
    assert known_windows(desk.db, NOW + 10)[0].end == BEGIN + 5 * HOUR


def test_windows_leave_a_journal_that_verifies(desk: LedgerFixture) -> None:
    window = desk.announce("web-00", start=BEGIN + HOUR, end=BEGIN + 2 * HOUR, at=START)
    extend(desk, window, BEGIN + 3 * HOUR, START + 1)
    cancel(desk, window, START + 2)
    down_for_an_hour(desk)
    assert verify(desk.db).error is None
