"""Who is told what, and when: one mail for each customer and sweep, in one thread from the fall to the end."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.ledger import maintenance
from monitor.ledger.notifications.outages import outage_mail_content
from monitor.ledger.verify import verify
from monitor.mail.content import FlappingEnded, FlappingStarted, OutageEnded, OutageStarted, ServerEvents
from monitor.model import State
from monitor.outage import FLAP_END_AFTER
from monitor.store import outbox
from tests.fakes import (
    DAY,
    FAIL,
    HOUR,
    MINUTE,
    OK,
    START,
    make_context,
    make_customer,
    make_result,
    make_server,
    make_subscription,
    results_from,
)
from tests.ledger.ledger_fixture import LedgerFixture

if TYPE_CHECKING:
    from monitor.ledger.context import LedgerContext
    from monitor.store.outbox import Mail


def desk_of(*servers: object, subscriptions: tuple[object, ...] = (), **more: object) -> LedgerFixture:
    desk = LedgerFixture(make_context(servers, subscriptions, **more))  # type: ignore[arg-type]
    desk.apply_terms()
    return desk


def shape(news: tuple[ServerEvents, ...]) -> list[object]:
    """The servers of a letter, each with what hangs on it."""
    return [each.server if not each.children else (each.server, shape(each.children)) for each in news]


def letter_of(desk: LedgerFixture, mail: Mail, at: int = START + DAY) -> tuple[ServerEvents, ...]:
    return outage_mail_content(desk.db, desk.context, mail, at).servers


# --- who -------------------------------------------------------------------------------------------------------------


def test_a_customer_is_told_of_the_outage_of_a_server_and_the_operators_get_a_copy() -> None:
    desk = desk_of(make_server("web-01"), subscriptions=(make_subscription("acme", "web-01"),))
    desk.record_sweeps(web_01="ox")
    [mail] = desk.mails()
    assert mail.customer == "acme"
    assert mail.recipients == ("it@acme.example",)
    assert mail.copies == ("noc@example.com",)
    assert mail.remaining == ("it@acme.example", "noc@example.com")


def test_every_customer_of_a_shared_server_gets_a_mail_of_his_own() -> None:
    subscriptions = tuple(make_subscription(name, "web-01") for name in ("acme", "bolt", "core"))
    desk = desk_of(make_server("web-01"), subscriptions=subscriptions)
    desk.record_sweeps(web_01="ox")
    assert sorted(mail.customer or "" for mail in desk.mails()) == ["acme", "bolt", "core"]
    assert len({mail.message_id for mail in desk.mails()}) == 3


def test_a_customer_with_two_subscriptions_on_a_server_gets_one_mail() -> None:
    second = replace(make_subscription("acme", "web-01"), id="again")
    desk = desk_of(make_server("web-01"), subscriptions=(make_subscription("acme", "web-01"), second))
    desk.record_sweeps(web_01="ox")
    assert len(desk.mails()) == 1


def test_of_a_server_without_a_subscription_the_operators_are_told() -> None:
    desk = desk_of(make_server("web-01"))
    desk.record_sweeps(web_01="ox")
    [mail] = desk.mails()
    assert (mail.customer, mail.recipients, mail.copies) == (None, ("noc@example.com",), ())


def test_where_there_is_nobody_to_be_told_no_mail_is_queued() -> None:
    """A mail to nobody would never leave."""
    desk = desk_of(make_server("web-01"), operators=())
    desk.record_sweeps(web_01="oxo")
    assert desk.mails() == []
    assert len(desk.outages()) == 1


def test_without_operators_a_customer_is_told_all_the_same() -> None:
    desk = desk_of(make_server("web-01"), subscriptions=(make_subscription("acme", "web-01"),), operators=())
    desk.record_sweeps(web_01="ox")
    [mail] = desk.mails()
    assert mail.remaining == ("it@acme.example",)


def test_web_hosting_is_told_of_its_services_and_not_of_ping() -> None:
    """A server that does not answer ping while its web checks do is up."""
    subscriptions = (make_subscription("acme", "web-01", "web-hosting"), make_subscription("bolt", "web-01", "server"))
    desk = desk_of(make_server("web-01", "site"), subscriptions=subscriptions)
    desk.record_sweeps(web_01="ox", web_01__site="oo")
    assert desk.mailed_news("acme") == []
    assert desk.mailed_news("bolt") == [[("down", "web-01", "ping")]]
    desk.record_sweep(2, web_01="x", web_01__site="x")
    assert desk.mailed_news("acme") == [[("down", "web-01", "site")]]


def test_of_a_ping_that_matters_to_no_customer_the_operators_are_told() -> None:
    desk = desk_of(make_server("web-01", "site"), subscriptions=(make_subscription("acme", "web-01", "web-hosting"),))
    desk.record_sweeps(web_01="ox", web_01__site="oo")
    assert desk.mailed_news(None) == [[("down", "web-01", "ping")]]


@pytest.mark.parametrize(
    ("start", "end", "is_told"), [(2, None, True), (3, None, False), (None, 1, False), (None, 2, True)]
)
def test_only_a_subscription_that_runs_on_that_day_is_told(
    start: int | None, end: int | None, *, is_told: bool
) -> None:
    """It is the 2nd of October in Istanbul."""
    subscription = make_subscription(
        "acme",
        "web-01",
        start=dt.date(2026, 10, start) if start else None,
        end=dt.date(2026, 10, end) if end else None,
    )
    desk = desk_of(make_server("web-01"), subscriptions=(subscription,))
    desk.record_sweeps(web_01="ox")
    assert (len(desk.mailed_news("acme")) == 1) is is_told
    assert (len(desk.mailed_news(None)) == 1) is not is_told


def test_the_end_goes_to_who_got_the_beginning_also_after_the_subscription_ended() -> None:
    last_day = make_subscription("acme", "web-01", end=dt.date(2026, 10, 2))
    next_one = make_subscription("bolt", "web-01", start=dt.date(2026, 10, 3))
    desk = desk_of(make_server("web-01"), subscriptions=(last_day, next_one))
    desk.record_sweeps(web_01="ox")
    desk.record_sweep(24 * 60, web_01="o")
    assert desk.mailed_news("acme") == [[("down", "web-01", "ping")], [("up", "web-01", "ping")]]
    assert desk.mailed_news("bolt") == []


def test_a_customer_who_left_the_configuration_is_not_written_to_any_more() -> None:
    desk = desk_of(make_server("web-01"), subscriptions=(make_subscription("acme", "web-01"),))
    desk.record_sweeps(web_01="ox")
    desk.reconfigure(make_context([make_server("web-01")]), START + 2 * MINUTE)
    desk.record_sweep(2, web_01="o")
    assert [mail.recipients for mail in desk.mails()] == [("it@acme.example",), ("noc@example.com",)]


# --- one mail --------------------------------------------------------------------------------------------------------


def many(count: int, customer: str = "acme") -> LedgerFixture:
    names = [f"web-{number:02d}" for number in range(count)]
    return desk_of(*map(make_server, names), subscriptions=tuple(make_subscription(customer, name) for name in names))


def test_however_many_servers_fall_in_a_sweep_a_customer_gets_one_mail() -> None:
    desk = many(50)
    names = [f"web_{number:02d}" for number in range(50)]
    desk.record_sweep(0, **dict.fromkeys(names, "o"))
    desk.record_sweep(1, **dict.fromkeys(names, "x"))
    [told] = desk.mailed_news("acme")
    assert len(told) == 50
    desk.record_sweep(2, **dict.fromkeys(names, "o"))
    assert len(desk.mails()) == 2


def test_what_falls_and_what_rises_in_one_sweep_is_one_mail() -> None:
    desk = many(3)
    desk.record_sweeps(web_00="oxo", web_01="oox", web_02="ooo")
    assert desk.mailed_news("acme") == [
        [("down", "web-00", "ping")],
        [("up", "web-00", "ping"), ("down", "web-01", "ping")],
    ]


def test_a_mail_may_not_leave_before_its_sweep_is_over() -> None:
    desk = many(2)

    desk.record(1, [make_result(desk.context.servers["web-00"].checks[0].key, START, FAIL)], START)
    assert outbox.due_mails(desk.db, START + DAY) == []
    desk.record(1, [make_result(desk.context.servers["web-01"].checks[0].key, START + 1, FAIL)], START + 1)
    assert outbox.due_mails(desk.db, START + DAY) == []
    desk.end_sweep(1, START + MINUTE)
    [mail] = outbox.due_mails(desk.db, START + MINUTE)
    assert mail.subject
    assert "web-00" in mail.text
    assert "web-01" in mail.text


def test_two_customers_gather_apart() -> None:
    desk = desk_of(
        make_server("web-00"),
        make_server("web-01"),
        subscriptions=(make_subscription("acme", "web-00"), make_subscription("bolt", "web-01")),
    )
    desk.record_sweeps(web_00="ox", web_01="ox")
    assert desk.mailed_news("acme") == [[("down", "web-00", "ping")]]
    assert desk.mailed_news("bolt") == [[("down", "web-01", "ping")]]
    assert "web-01" not in next(mail.text for mail in desk.mails() if mail.customer == "acme")


def test_news_of_a_later_sweep_is_another_mail() -> None:
    desk = many(2)
    desk.record_sweeps(web_00="oxx", web_01="oox")
    assert [len(told) for told in desk.mailed_news("acme")] == [1, 1]


def test_sweeps_that_overlap_keep_a_mail_each_whichever_is_written_first() -> None:
    """A cycle that fails to its last attempt is slower than one of the next sweep that succeeds at once."""
    desk = many(4)
    keys = [desk.context.servers[f"web-{number:02d}"].checks[0].key for number in range(4)]

    desk.record(1, [make_result(keys[0], START, FAIL)], START)
    desk.record(
        2, [make_result(keys[0], START + MINUTE, OK), make_result(keys[1], START + MINUTE, FAIL)], START + MINUTE
    )
    desk.record(1, [make_result(keys[2], START + 50_000, FAIL)], START + MINUTE + 9_000)
    desk.end_sweep(1, START + MINUTE + 10_000)
    desk.record(2, [make_result(keys[3], START + MINUTE, FAIL)], START + MINUTE + 11_000)
    desk.end_sweep(2, START + 2 * MINUTE)
    assert desk.mailed_news("acme") == [
        [("down", "web-00", "ping"), ("down", "web-02", "ping")],
        [("up", "web-00", "ping"), ("down", "web-01", "ping"), ("down", "web-03", "ping")],
    ]


def test_an_outage_that_begins_and_ends_in_the_same_mail_is_told_once_as_over() -> None:
    """A restart in between: both results come before the first sweep is over."""
    desk = many(1)
    key = desk.context.servers["web-00"].checks[0].key

    desk.record(1, results_from(key, "oxxo"), START + 3 * MINUTE)
    desk.end_sweep(1, START + 4 * MINUTE)
    [mail] = desk.mails()
    [news] = letter_of(desk, mail)
    assert [type(event) for event in news.events] == [OutageEnded]


# --- parents and children --------------------------------------------------------------------------------------------


def tree(*subscribed: str) -> LedgerFixture:
    return desk_of(
        make_server("core"),
        make_server("rack", parent="core"),
        make_server("web-00", parent="rack"),
        make_server("web-01", parent="rack"),
        subscriptions=tuple(
            make_subscription("acme", name) for name in subscribed or ("core", "rack", "web-00", "web-01")
        ),
    )


def test_children_that_fall_with_their_parent_are_named_under_it() -> None:
    desk = tree()
    desk.record_sweeps(core="oo", rack="ox", web_00="ox", web_01="ox")
    desk.record_sweep(2, core="o", rack="x", web_00="x", web_01="x")
    [mail] = desk.mails()
    assert shape(letter_of(desk, mail)) == [("rack", ["web-00", "web-01"])]


def test_three_generations_stand_under_each_other() -> None:
    desk = tree()
    desk.record_sweeps(core="oxx", rack="oxx", web_00="oxx", web_01="oxx")
    [mail] = desk.mails()
    assert shape(letter_of(desk, mail)) == [("core", [("rack", ["web-00", "web-01"])])]


def test_a_child_waits_one_sweep_for_the_word_of_its_parent() -> None:
    desk = tree()
    desk.record_sweeps(core="oo", rack="oo", web_00="ox", web_01="oo")
    assert outbox.due_mails(desk.db, START + DAY) == []
    desk.record_sweep(2, core="o", rack="x", web_00="x", web_01="o")
    [mail] = outbox.due_mails(desk.db, START + DAY)
    assert shape(letter_of(desk, mail)) == [("rack", ["web-00"])]


def test_children_that_fail_one_by_one_delay_no_mail_by_more_than_a_sweep() -> None:
    names = [f"web-{number:02d}" for number in range(9)]
    desk = desk_of(
        make_server("rack"),
        *(make_server(name, parent="rack") for name in names),
        subscriptions=tuple(make_subscription("acme", name) for name in names),
    )
    desk.record_sweeps(rack="o" * 10, **{f"web_{number:02d}": "o" * number + "x" * 9 for number in range(9)})
    assert [len(told) for told in desk.mailed_news("acme")] == [2, 2, 2, 2, 1]
    assert [mail.next_try - START for mail in desk.mails()[:4]] == [2 * MINUTE, 4 * MINUTE, 6 * MINUTE, 8 * MINUTE]


def test_a_child_whose_parent_stays_up_is_told_alone_after_that_sweep() -> None:
    desk = tree()
    desk.record_sweeps(core="oo", rack="oo", web_00="ox", web_01="oo")
    desk.record_sweep(2, core="o", rack="o", web_00="x", web_01="o")
    [mail] = outbox.due_mails(desk.db, START + DAY)
    assert shape(letter_of(desk, mail)) == ["web-00"]


def test_a_child_does_not_wait_for_a_parent_that_is_down_already() -> None:
    desk = tree()
    desk.record_sweeps(core="oo", rack="ox", web_00="oo", web_01="oo")
    desk.record_sweep(2, core="o", rack="x", web_00="o", web_01="o")
    desk.record_sweep(3, core="o", rack="x", web_00="x", web_01="o")
    *_, mail = outbox.due_mails(desk.db, START + DAY)
    assert shape(letter_of(desk, mail)) == [("rack", ["web-00"])]


def test_a_parent_that_fell_is_named_above_its_children_also_for_whom_it_is_not() -> None:
    """The customer rents the servers, not the switch."""
    desk = tree("web-00", "web-01")
    desk.record_sweeps(core="oo", rack="ox", web_00="ox", web_01="ox")
    desk.record_sweep(2, core="o", rack="x", web_00="x", web_01="x")
    [mail] = [mail for mail in desk.mails() if mail.customer == "acme"]
    [rack] = letter_of(desk, mail)
    assert (rack.server, rack.events) == ("rack", ())
    assert shape(rack.children) == ["web-00", "web-01"]


def test_the_end_of_a_childs_outage_does_not_wait() -> None:
    desk = tree()
    desk.record_sweeps(core="oooo", rack="oooo", web_00="oxxo", web_01="oooo")
    assert len(desk.mails()) == 2
    assert len(outbox.due_mails(desk.db, START + DAY)) == 1


def test_a_child_of_a_parent_without_any_check_does_not_wait() -> None:
    desk = desk_of(make_server("free", level=1), make_server("web-00", parent="free"))
    desk.record_sweeps(web_00="ox")
    assert len(outbox.due_mails(desk.db, START + DAY)) == 1


def test_a_child_of_a_parent_in_maintenance_is_named_under_it() -> None:
    desk = tree()
    desk.announce("rack", start=START, end=START + HOUR, emergency="fire")
    desk.record_sweeps(core="oo", rack="ox", web_00="oo", web_01="oo")
    desk.record_sweep(2, core="o", rack="x", web_00="x", web_01="o")
    desk.record_sweep(3, core="o", rack="x", web_00="x", web_01="o")
    [mail] = desk.mails()
    [rack] = letter_of(desk, mail, START + 4 * MINUTE)
    assert (rack.server, rack.events, shape(rack.children)) == ("rack", (), ["web-00"])


# --- maintenance -----------------------------------------------------------------------------------------------------


def test_inside_a_window_nothing_is_told_and_after_it_what_is_still_down_is() -> None:
    desk = many(2)
    desk.announce("web-00", start=START + MINUTE, end=START + 4 * MINUTE, emergency="security")
    desk.record_sweeps(web_00="oxxxx", web_01="ooooo")
    assert desk.mailed_news("acme") == [[("down", "web-00", "ping")]]
    [mail] = desk.mails()
    assert mail.queued_at >= START + 4 * MINUTE
    [news] = letter_of(desk, mail)
    assert news.events == (OutageStarted("ping", START + MINUTE, "timeout"),)


def test_a_window_of_another_server_keeps_nobody_quiet() -> None:
    desk = many(2)
    desk.announce("web-01", start=START, end=START + HOUR, emergency="security")
    desk.record_sweeps(web_00="ox", web_01="ox")
    assert desk.mailed_news("acme") == [[("down", "web-00", "ping")]]


def test_a_window_that_was_announced_too_late_is_silent_nevertheless() -> None:
    desk = many(1)
    window = desk.announce("web-00", start=START, end=START + HOUR)
    assert not window.qualifies
    desk.record_sweeps(web_00="ox")
    assert desk.mails() == []


def test_a_window_that_was_cancelled_before_its_start_keeps_nobody_quiet() -> None:

    desk = many(1)
    window = desk.announce("web-00", start=START + MINUTE, end=START + HOUR)
    maintenance.cancel(desk.db, desk.context, window.id, START)
    desk.record_sweeps(web_00="oxx")
    assert desk.mailed_news("acme") == [[("down", "web-00", "ping")]]


# --- threads and ids -------------------------------------------------------------------------------------------------


def test_the_end_of_an_outage_goes_into_the_thread_of_its_beginning() -> None:
    desk = many(1)
    desk.record_sweeps(web_00="oxxo")
    down, up = desk.mails()
    assert down.refers == ()
    assert up.refers == (down.message_id,)


def test_the_end_of_several_outages_refers_to_every_mail_that_told_of_them() -> None:
    desk = many(3)
    desk.record_sweeps(web_00="oxxxo", web_01="ooxxo", web_02="ooooo")
    first, second, up = desk.mails()
    assert up.refers == (first.message_id, second.message_id)


def overlapping() -> tuple[LedgerFixture, str]:
    """A server falls at the end of one sweep and rises early in the next, before the one is closed: another is slow.

    Before the fall is sure, a quick result of the next sweep has begun the mail of that.
    """
    desk = many(3)
    early, late, slow = (desk.context.servers[f"web-{number:02d}"].checks[0].key for number in range(3))
    desk.record(0, [make_result(early, START, FAIL)], START + 10_000)
    desk.end_sweep(0, START + MINUTE)
    desk.record(2, [make_result(early, START + 2 * MINUTE, OK)], START + 2 * MINUTE + 100)
    desk.record(1, [make_result(late, START + 2 * MINUTE - 100, FAIL)], START + 2 * MINUTE + 5_000)
    desk.record(2, [make_result(late, START + 2 * MINUTE + 6_000, OK)], START + 2 * MINUTE + 6_000)
    desk.record(1, [make_result(slow, START + 2 * MINUTE - 200, FAIL)], START + 2 * MINUTE + 8_000)
    return desk, late.server


def about(desk: LedgerFixture, server: str) -> dict[str, Mail]:
    """The mail of each notice about a server."""
    return {news["notice"]: mail for mail in desk.mails() for news in mail.body["news"] if news["server"] == server}


def test_a_beginning_is_reported_before_its_end_also_where_sweeps_overlap() -> None:
    desk, server = overlapping()
    desk.end_sweep(1, START + 2 * MINUTE + 9_000)
    desk.end_sweep(2, START + 3 * MINUTE)
    mails = about(desk, server)
    assert mails["down"].refers == ()
    assert mails["down"].message_id in mails["up"].refers
    assert mails["down"].queued_at == START + 2 * MINUTE + 9_000 < mails["up"].queued_at


def test_a_beginning_is_joined_with_its_end_where_both_may_leave_at_once() -> None:
    """The process ended before either sweep did."""
    desk, server = overlapping()
    desk.restart(START + HOUR)
    [mail] = [
        mail
        for mail in desk.mails()
        if mail.state == "pending" and server in {news["server"] for news in mail.body["news"]}
    ]
    [events] = [each.events for each in letter_of(desk, mail) if each.server == server]
    assert [type(event) for event in events] == [OutageEnded]


def test_a_beginning_that_nobody_has_got_is_joined_with_its_end() -> None:
    desk = many(2)
    desk.relay_accepts = False
    desk.record_sweeps(web_00="oxxx", web_01="oxxx")
    [down] = desk.mails()
    outbox.schedule_retry(desk.db, down.id, remaining=down.remaining, next_try=START + HOUR, error="451", at=START)
    desk.record_sweep(4, web_00="o", web_01="x")
    joined, mail = desk.mails()
    assert (joined.state, joined.error) == ("dead", f"withdrawn: joined with mail {mail.id}")
    assert outbox.summary(desk.db).dead == 0
    events = {each.server: [type(event) for event in each.events] for each in letter_of(desk, mail)}
    assert events == {"web-00": [OutageEnded], "web-01": [OutageStarted]}
    assert mail.refers == ()
    assert verify(desk.db).error is None


def test_a_beginning_that_may_be_on_its_way_is_not_joined_with_its_end() -> None:
    desk = many(1)
    desk.relay_accepts = False
    desk.record_sweeps(web_00="oxxo")
    assert [mail.state for mail in desk.mails()] == ["pending", "pending"]
    assert desk.mails()[1].refers == (desk.mails()[0].message_id,)


def test_a_beginning_that_somebody_has_got_is_not_joined_with_its_end() -> None:
    desk = many(1)
    desk.relay_accepts = False
    desk.record_sweeps(web_00="oxx")
    [down] = desk.mails()
    outbox.schedule_retry(desk.db, down.id, remaining=["noc@example.com"], next_try=START + HOUR, error="451", at=START)
    desk.record_sweep(3, web_00="o")
    assert [mail.state for mail in desk.mails()] == ["pending", "pending"]
    assert desk.mails()[1].refers == (down.message_id,)


def test_an_outage_of_a_dead_mail_is_ended_by_a_mail_of_its_own() -> None:
    desk = many(1)
    desk.relay_accepts = False
    desk.record_sweeps(web_00="oxx")
    outbox.dead_letter(desk.db, 1, remaining=["it@acme.example"], error="550", at=START)
    desk.record_sweep(3, web_00="o")
    assert [mail.state for mail in desk.mails()] == ["dead", "pending"]
    assert outbox.summary(desk.db).dead == 1


def test_a_thread_is_the_customers_own() -> None:
    subscriptions = (make_subscription("acme", "web-00"), make_subscription("bolt", "web-00"))
    desk = desk_of(make_server("web-00"), subscriptions=subscriptions)
    desk.record_sweeps(web_00="oxo")
    by_customer = {
        customer: [mail for mail in desk.mails() if mail.customer == customer] for customer in ("acme", "bolt")
    }
    for down, up in by_customer.values():
        assert up.refers == (down.message_id,)


def test_another_outage_begins_another_thread() -> None:
    desk = many(1)
    desk.record_sweeps(web_00="oxo" + "o" * 40 + "x")
    assert desk.mails()[-1].refers == ()


def test_flapping_is_told_once_and_its_end_goes_into_the_same_thread() -> None:
    desk = many(1)
    desk.record_sweeps(web_00="oxoxoxoxo" + "o" * (FLAP_END_AFTER + 2))
    assert [told for [(told, _, _)] in desk.mailed_news("acme")] == ["down", "up", "down", "up", "flapping", "settled"]
    flapping, settled = desk.mails()[-2:]
    assert flapping.message_id in settled.refers


def test_what_settled_tells_since_when_it_flapped_and_since_when_it_is_calm() -> None:
    desk = many(1)
    desk.record_sweeps(web_00="oxoxoxoxo" + "o" * (FLAP_END_AFTER + 2))
    [news] = letter_of(desk, desk.mails()[-1])
    assert news.events == (FlappingEnded("ping", State.UP, START + 8 * MINUTE, START + MINUTE),)
    [news] = letter_of(desk, desk.mails()[-2])
    assert news.events == (FlappingStarted("ping", START + MINUTE, 5),)


def test_what_settles_down_is_told_so_and_its_end_is_told_in_the_thread() -> None:
    desk = many(1)
    desk.record_sweeps(web_00="oxoxox" + "x" * FLAP_END_AFTER + "o")
    flapping, settled, up = desk.mails()[-3:]
    [news] = letter_of(desk, settled)
    assert news.events == (FlappingEnded("ping", State.DOWN, START + 5 * MINUTE, START + MINUTE),)
    assert settled.refers[-1] == flapping.message_id
    assert up.refers[-1] == settled.message_id


def test_a_message_id_is_given_when_the_first_news_is_gathered_and_never_changes() -> None:
    desk = many(2)
    desk.record_sweeps(web_00="ox", web_01="oo")
    [before] = desk.mails()
    desk.restart(START + 3 * MINUTE)
    [mail] = desk.mails()
    assert mail.message_id == before.message_id
    assert before.message_id.endswith("@example.com>")


def test_a_mail_that_was_gathered_before_a_crash_leaves_after_the_next_start() -> None:

    desk = many(1)
    desk.record(4, [make_result(desk.context.servers["web-00"].checks[0].key, START, FAIL)], START)
    [before] = desk.mails()
    desk.restart(START + MINUTE)
    [mail] = outbox.due_mails(desk.db, START + MINUTE)
    assert mail.message_id == before.message_id
    assert mail.sweep is None
    assert "web-00" in mail.subject


# --- the words -------------------------------------------------------------------------------------------------------


def test_each_customer_is_written_to_in_his_language() -> None:
    subscriptions = (make_subscription("acme", "web-00"), make_subscription("bolt", "web-00"))
    customers = [make_customer("acme", "tr"), make_customer("bolt", "en")]
    desk = desk_of(make_server("web-00"), subscriptions=subscriptions, customers=customers)
    desk.record_sweeps(web_00="ox")
    turkish, english = sorted(desk.mails(), key=lambda mail: mail.customer or "")
    assert (turkish.language, english.language) == ("tr", "en")
    assert turkish.subject != english.subject
    assert 'lang="tr"' in turkish.html
    assert 'lang="en"' in english.html


def test_the_operators_are_written_to_in_english() -> None:
    desk = desk_of(make_server("web-00"))
    desk.record_sweeps(web_00="ox")
    assert desk.mails()[0].language == "en"


def test_an_end_is_told_with_its_length_and_its_bounds_and_the_deadline_of_a_claim() -> None:
    desk = many(1)
    desk.record_sweeps(web_00="ooxxxoo")
    [news] = letter_of(desk, desk.mails()[-1])
    [event] = news.events
    assert isinstance(event, OutageEnded)
    assert (event.start, event.end) == (START + 2 * MINUTE, START + 5 * MINUTE)
    assert (event.counted, event.least, event.most) == (3 * MINUTE, 2 * MINUTE, 4 * MINUTE)
    assert event.excluded == 0
    # Friday the 2nd; the second business day after is Tuesday the 6th, to its end in Istanbul
    assert event.claim_deadline == int(dt.datetime(2026, 10, 6, 21, tzinfo=dt.UTC).timestamp()) * 1000


def test_an_end_tells_what_of_it_maintenance_excludes() -> None:
    desk = many(1)
    desk.record_sweeps(web_00="oxx")
    desk.announce("web-00", start=START + 3 * MINUTE, end=START + 5 * MINUTE, at=START + 2 * MINUTE, emergency="disk")
    for minute, letter in enumerate("xxxo", 3):
        desk.record_sweep(minute, web_00=letter)
    [news] = letter_of(desk, desk.mails()[-1])
    [event] = news.events
    assert isinstance(event, OutageEnded)
    assert (event.counted, event.excluded) == (5 * MINUTE, 2 * MINUTE)


def test_the_operators_are_told_of_no_claim() -> None:
    desk = desk_of(make_server("web-00"))
    desk.record_sweeps(web_00="oxo")
    [news] = letter_of(desk, desk.mails()[-1])
    [event] = news.events
    assert isinstance(event, OutageEnded)
    assert event.claim_deadline is None


def test_an_end_is_told_with_the_month_so_far_of_the_readers_own_subscriptions() -> None:
    subscriptions = (make_subscription("acme", "web-00"), make_subscription("bolt", "web-00"))
    desk = desk_of(make_server("web-00"), subscriptions=subscriptions)
    desk.record_sweeps(web_00="o" * 8 + "xx" + "o" * 10)
    mail = next(mail for mail in reversed(desk.mails()) if mail.customer == "bolt")
    [news] = letter_of(desk, mail, START + 20 * MINUTE)
    [standing] = news.months_to_date
    assert (standing.subscription, standing.month) == ("bolt-web-00", "2026-10")
    assert (standing.availability, standing.target, standing.target_met) == ("90.00", "99.75", False)


def test_the_figures_in_a_mail_are_those_of_the_moment_at_which_its_sweep_was_over() -> None:
    desk = many(1)
    desk.record_sweeps(web_00="oxo")
    text = desk.mails()[-1].text
    desk.record_sweeps(web_00="oxo" + "o" * 100)
    assert desk.mails()[1].text == text


def test_a_server_that_left_the_configuration_is_still_worded() -> None:
    desk = many(2)

    desk.record(1, [make_result(desk.context.servers["web-00"].checks[0].key, START, FAIL)], START)
    desk.reconfigure(make_context([make_server("web-01")], [make_subscription("acme", "web-01")]), START)
    desk.end_sweep(1, START + MINUTE)
    [mail] = desk.mails()
    assert "web-00" in mail.subject


STORY = st.text("ooxx?", min_size=1, max_size=30)


@settings(max_examples=40, deadline=None)
@given(STORY, STORY, STORY)
def test_in_any_story_nobody_gets_two_mails_in_a_sweep_and_every_mail_leaves(
    web_00: str, web_01: str, rack: str
) -> None:
    desk = tree()
    desk.record_sweeps(core="", rack=rack, web_00=web_00, web_01=web_01)
    last = max(map(len, (web_00, web_01, rack)))
    for minute in range(last, last + 2):
        desk.record_sweep(minute)
    mails = desk.mails()
    assert all(mail.sweep is None and mail.subject for mail in mails)
    queued = [mail.next_try for mail in mails]
    assert len(set(queued)) == len(queued)


@settings(max_examples=40, deadline=None)
@given(STORY)
def test_every_mail_about_an_end_refers_to_the_mail_about_its_beginning(letters: str) -> None:
    desk = many(1)
    desk.record_sweeps(web_00=letters)
    downs: dict[int, str] = {}
    for mail in desk.mails():
        for news in mail.body["news"]:
            if news["notice"] in ("down", "flapping"):
                downs[news["outage"]] = mail.message_id
            elif news["notice"] == "up":
                assert downs[news["outage"]] in mail.refers


def test_a_context_without_the_customer_falls_back_to_the_operators() -> None:
    context: LedgerContext = make_context([make_server("web-00")])
    assert context.addresses("nobody") == (("noc@example.com",), ())
    assert context.language("nobody") == "en"
