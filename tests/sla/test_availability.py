"""Worked accounts, with the numbers of docs/contract.md."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.model import CheckKey, Run, Span
from monitor.sla.availability import Account, ExcludedTime, percent_text
from monitor.sla.calendar import month_span
from monitor.sla.credits import availability_credit
from monitor.sla.exclusions import Exclusion
from monitor.sla.maintenance import MIN_NOTICE_MS, MaintenanceAnnounced, exclusions_of, windows_from
from monitor.sla.terms import PRODUCTS, Segment
from monitor.sla.timeline import History
from tests.sla.sla_fixtures import (
    DAY,
    EXAMPLE,
    FAIL,
    HOUR,
    MINUTE,
    OK,
    SECOND,
    UNKNOWN,
    compute_account,
    history_from,
    history_of,
    outages_of,
    whole_segment,
)

ZONE = "Europe/Istanbul"
OCTOBER = month_span(2026, 10, ZONE)
MONTH = whole_segment(*OCTOBER)
SITE, SHOP = CheckKey("web-01", "site"), CheckKey("web-01", "shop")
BOTH = whole_segment(0, DAY, ("site", "shop"))


def figures(account: Account) -> tuple[str | None, ...]:
    found = account.lowest, account.availability, account.highest, account.experienced, account.coverage
    return tuple(one if one is None else percent_text(one) for one in found)


def exclusion(clause: str, start: int, end: int, reference: str = "exclusion 1", **changed: object) -> Exclusion:
    fields = {"recorded_at": 0, **changed}
    return Exclusion(clause, Span(start, end), reference, **fields)  # type: ignore[arg-type]


def charges(account: Account) -> dict[tuple[str, str], int]:
    return {(one.clause, one.reference): one.length for one in account.exclusions}


# --- the worked example of a month -----------------------------------------------------------------------------------


def october() -> History:
    """31 days: two hours down, an hour of maintenance, an hour of no results at all."""
    days = 31 * 24 * 60
    return history_from(
        OCTOBER.start, (OK, 14_400), (FAIL, 120), (OK, 60), (OK, 120), (None, 61), (OK, days - 14_400 - 361)
    )


def test_the_month_of_the_product_page() -> None:
    start = OCTOBER.start + 14_520 * MINUTE
    records = [exclusion("4.1", start, start + HOUR, "maintenance 12")]
    made = compute_account(MONTH, october(), records)
    assert (made.up, made.down) == (2_664_000 * SECOND, 7_200 * SECOND)
    assert (made.excluded, made.unknown) == (3_600 * SECOND, 3_600 * SECOND)
    assert figures(made) == ("99.72", "99.73", "99.73", "99.73", "99.86")
    assert made.exclusions == (ExcludedTime("4.1", "maintenance 12", HOUR),)
    assert made.target_met is False
    assert availability_credit(PRODUCTS["server"], made, EXAMPLE).percent == 0


def test_6600_seconds_in_thirty_days_are_99_74_and_miss_the_target() -> None:
    """99.7454 %: rounded down it misses 99.75; the alternative reaches it."""
    runs = (
        Run(0, 30 * DAY - 6_601 * SECOND, OK, SECOND),
        Run(30 * DAY - 6_600 * SECOND, 30 * DAY - 1, FAIL, SECOND),
    )
    history = History(runs, outages_of(CheckKey("web-01", "ping"), runs))
    down = compute_account(whole_segment(0, 30 * DAY), history)
    assert (down.down, down.up + down.down) == (6_600 * SECOND, 30 * DAY)
    assert (down.availability, down.target_met) == (9974, False)
    up = compute_account(whole_segment(0, 30 * DAY), history, rounding="half-up")
    assert (up.availability, up.target_met) == (9975, True)


# --- nothing measured ------------------------------------------------------------------------------------------------


def test_level_1_is_not_measured_and_reads_n_a() -> None:
    made = compute_account(replace(MONTH, checks=()), {})
    assert figures(made) == (None, None, None, None, "0.00")
    assert (made.unknown, made.target_met) == (31 * DAY, None)
    owed = availability_credit(PRODUCTS["server"], made, EXAMPLE)
    assert (owed.percent, owed.certain, str(owed.amount)) == (0, True, "0.00")


def test_a_window_of_unknown_results_is_n_a_with_a_coverage_of_0() -> None:
    made = compute_account(whole_segment(0, HOUR), history_from(0, (UNKNOWN, 60)))
    assert (figures(made), made.unknown) == ((None, None, None, None, "0.00"), HOUR)


def test_a_window_excluded_whole_is_n_a_with_its_experience_kept() -> None:
    made = compute_account(whole_segment(0, HOUR), history_from(0, (FAIL, 30), (OK, 30)), [exclusion("4.9", 0, HOUR)])
    assert figures(made) == (None, None, None, "50.00", None)
    assert (made.excluded, made.target_met) == (HOUR, None)


def test_a_window_in_a_gap_of_an_open_outage_is_n_a_in_both_bounds() -> None:
    history = history_from(0, (OK, 5), (FAIL, 5), (None, 600), (FAIL, 5))
    made = compute_account(whole_segment(2 * HOUR, 3 * HOUR), history)
    assert figures(made) == (None, None, None, None, "0.00")
    assert made.outages == (1,)
    assert availability_credit(PRODUCTS["server"], made, EXAMPLE).certain


def test_without_segments_an_account_is_empty() -> None:
    made = compute_account((), {}, [exclusion("4.9", 0, HOUR)])
    assert (made.span, made.window, made.exclusions, made.outages) == (None, 0, (), ())
    assert figures(made) == (None,) * 5


def test_a_month_that_has_not_begun_is_empty() -> None:
    made = compute_account(MONTH, october(), now=OCTOBER.start)
    assert (made.window, made.span, made.availability) == (0, None, None)


# --- an hour of each clause -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("clause", ["4.1", "4.2", "4.3", "4.4", "4.6", "4.7", "4.8", "4.9", "4.10"])
def test_forty_minutes_of_an_hour_down_are_excluded_by_each_clause_by_name(clause: str) -> None:
    history = history_from(0, (OK, 60), (FAIL, 60), (OK, 120))
    made = compute_account(whole_segment(0, 4 * HOUR), history, [exclusion(clause, HOUR, HOUR + 40 * MINUTE)])
    assert (made.up, made.down, made.excluded) == (3 * HOUR, 20 * MINUTE, 40 * MINUTE)
    assert charges(made) == {(clause, "exclusion 1"): 40 * MINUTE}
    # the minute before the outage may have been down, and is not excluded; its last minute may have been up
    assert figures(made) == ("89.50", "90.00", "90.50", "75.00", "100.00")


def test_an_outage_that_begins_in_a_window_and_outlives_it_counts_from_its_end() -> None:
    """Planned from 02:00 to 04:00, announced 96 h before; down from 03:30 to 05:00."""
    facts = [
        MaintenanceAnnounced(
            1, 0, ("web-01",), "planned", "disks", MIN_NOTICE_MS + 2 * HOUR, MIN_NOTICE_MS + 4 * HOUR, 2 * HOUR
        )
    ]
    (window,) = windows_from(facts)
    history = history_from(MIN_NOTICE_MS, (OK, 210), (FAIL, 90), (OK, 300))
    made = compute_account(whole_segment(MIN_NOTICE_MS, MIN_NOTICE_MS + 10 * HOUR), history, exclusions_of(window))
    assert (made.up, made.down, made.excluded) == (7 * HOUR, HOUR, 2 * HOUR)
    assert charges(made) == {("4.1", "maintenance 1"): 2 * HOUR}
    assert figures(made)[1] == "87.50"
    (late,) = windows_from([replace(facts[0], announced_at=2 * HOUR + 1)])
    assert (
        compute_account(whole_segment(MIN_NOTICE_MS, MIN_NOTICE_MS + 10 * HOUR), history, exclusions_of(late)).down
        == 90 * MINUTE
    )


# --- the ends of the window ------------------------------------------------------------------------------------------


def test_a_window_still_running_ends_now() -> None:
    made = compute_account(MONTH, october(), now=OCTOBER.start + DAY)
    assert (made.window, made.up, made.unknown) == (DAY, DAY, 0)
    assert made.span == Span(OCTOBER.start, OCTOBER.start + DAY)


def test_an_outage_that_outlives_its_month_counts_in_each_for_its_part() -> None:
    """From 23:00 on the 31st of October to 01:30 on the 1st of November."""
    november = month_span(2026, 11, ZONE)
    history = history_from(OCTOBER.end - 2 * HOUR, (OK, 60), (FAIL, 150), (OK, 60))
    first, second = (compute_account(whole_segment(*month), history) for month in (OCTOBER, november))
    assert (first.down, second.down) == (HOUR, 90 * MINUTE)
    assert first.outages == second.outages == (1,)


def test_a_last_fail_after_the_month_leaves_the_months_highest_bound_as_counted() -> None:
    history = history_from(OCTOBER.end - 2 * HOUR, (OK, 60), (FAIL, 150), (OK, 60))
    made = compute_account(whole_segment(OCTOBER.end - 2 * HOUR, OCTOBER.end), history)
    assert figures(made)[:3] == ("49.16", "50.00", "50.00")
    ends_inside = history_from(OCTOBER.end - 2 * HOUR, (OK, 60), (FAIL, 50), (OK, 10))
    made = compute_account(whole_segment(OCTOBER.end - 2 * HOUR, OCTOBER.end), ends_inside)
    assert figures(made)[:3] == ("57.50", "58.33", "59.16")


def test_an_outage_open_at_the_end_reads_down_to_the_end_in_the_lowest() -> None:
    """Ten minutes of fails, then nothing: two minutes of hold at most, the rest is unknown."""
    made = compute_account(whole_segment(0, 2 * HOUR), history_from(0, (OK, 60), (FAIL, 10)))
    assert (made.up, made.down, made.unknown) == (HOUR, 11 * MINUTE, 49 * MINUTE)
    assert figures(made)[:3] == ("49.16", "84.50", "87.32")  # 59 of 120, 60 of 71, 62 of 71 minutes


def test_an_outage_that_begins_just_after_the_window_may_have_begun_inside() -> None:
    """The last ok is the window's last minute, the first fail comes right after its end."""
    made = compute_account(whole_segment(0, HOUR), history_from(0, (OK, 60), (FAIL, 10), (OK, 10)))
    assert (figures(made)[:3], made.outages) == (("98.33", "100.00", "100.00"), ())


def test_outages_that_only_touch_the_window_s_edges_are_not_listed() -> None:
    history = history_from(0, (FAIL, 10), (OK, 60), (FAIL, 10), (OK, 10), (FAIL, 1))
    made = compute_account(whole_segment(10 * MINUTE, 90 * MINUTE), history)
    assert made.outages == (2,)


def test_outages_are_listed_by_their_beginning() -> None:
    histories = {
        SITE: history_from(0, (OK, 60), (FAIL, 10), (OK, 10), key=SITE, first_id=1),
        SHOP: history_from(0, (OK, 30), (FAIL, 10), (OK, 40), key=SHOP, first_id=9),
    }
    assert compute_account(BOTH, histories).outages == (9, 1)


# --- exclusions ------------------------------------------------------------------------------------------------------


def down_for_an_hour() -> History:
    return history_from(0, (OK, 60), (FAIL, 60), (OK, 60))


def test_excluded_time_is_neither_up_nor_down() -> None:
    made = compute_account(whole_segment(0, 3 * HOUR), down_for_an_hour(), [exclusion("4.2", 30 * MINUTE, 90 * MINUTE)])
    assert (made.up, made.down, made.excluded) == (90 * MINUTE, 30 * MINUTE, HOUR)
    assert figures(made) == ("75.00", "75.00", "75.83", "66.66", "100.00")


def test_downtime_after_the_end_of_an_exclusion_counts_also_when_it_began_inside() -> None:
    made = compute_account(whole_segment(0, 3 * HOUR), down_for_an_hour(), [exclusion("4.9", HOUR, 100 * MINUTE)])
    assert made.down == 20 * MINUTE


def test_excluded_time_stays_excluded_in_both_bounds() -> None:
    made = compute_account(whole_segment(0, 3 * HOUR), down_for_an_hour(), [exclusion("4.9", 59 * MINUTE, 2 * HOUR)])
    assert figures(made) == ("100.00", "100.00", "100.00", "66.66", "100.00")


def test_the_minute_before_the_first_fail_of_an_excluded_outage_is_still_possible() -> None:
    made = compute_account(whole_segment(0, 3 * HOUR), down_for_an_hour(), [exclusion("4.9", HOUR, 2 * HOUR)])
    assert figures(made)[:3] == ("99.16", "100.00", "100.00")


def test_an_instant_is_charged_to_the_clause_that_stands_first_in_the_agreement() -> None:
    """Numeric order: 4.9 stands before 4.10, and both after 4.3."""
    records = [
        exclusion("4.10", 0, 3 * HOUR, "exclusion 1"),
        exclusion("4.9", 0, 2 * HOUR, "exclusion 2"),
        exclusion("4.3", 0, HOUR, "exclusion 3"),
    ]
    made = compute_account(whole_segment(0, 3 * HOUR), down_for_an_hour(), records)
    assert charges(made) == {
        ("4.3", "exclusion 3"): HOUR,
        ("4.9", "exclusion 2"): HOUR,
        ("4.10", "exclusion 1"): HOUR,
    }
    assert [one.clause for one in made.exclusions] == ["4.3", "4.9", "4.10"]
    assert made.excluded == 3 * HOUR


def test_of_one_clause_the_record_made_first_is_charged() -> None:
    records = [
        exclusion("4.3", 0, 2 * HOUR, "exclusion 1", recorded_at=7),
        exclusion("4.3", HOUR, 3 * HOUR, "exclusion 2", recorded_at=6),
    ]
    made = compute_account(whole_segment(0, 3 * HOUR), down_for_an_hour(), records)
    assert charges(made) == {("4.3", "exclusion 1"): HOUR, ("4.3", "exclusion 2"): 2 * HOUR}


def test_of_two_records_made_at_once_the_lower_number_is_charged() -> None:
    records = [exclusion("4.1", 0, HOUR, "maintenance 12"), exclusion("4.1", 0, HOUR, "maintenance 9")]
    made = compute_account(whole_segment(0, HOUR), down_for_an_hour(), records)
    assert charges(made) == {("4.1", "maintenance 9"): HOUR}


def test_records_are_listed_by_clause_then_by_number() -> None:
    records = [exclusion("4.1", n * MINUTE, n * MINUTE + 1, f"maintenance {n}") for n in (12, 2, 9)]
    made = compute_account(whole_segment(0, HOUR), down_for_an_hour(), records)
    assert [one.reference for one in made.exclusions] == ["maintenance 2", "maintenance 9", "maintenance 12"]


def test_the_parts_of_one_window_are_charged_together() -> None:
    records = [exclusion("4.1", 0, HOUR, "maintenance 3"), exclusion("4.1", 2 * HOUR, 3 * HOUR, "maintenance 3")]
    assert charges(compute_account(whole_segment(0, 3 * HOUR), down_for_an_hour(), records)) == {
        ("4.1", "maintenance 3"): 2 * HOUR
    }


@pytest.mark.parametrize(
    ("changed", "applies"),
    [
        ({}, True),
        ({"servers": frozenset({"web-01", "web-02"})}, True),
        ({"servers": frozenset({"web-02"})}, False),
        ({"check": "ping"}, True),
        ({"check": "site"}, False),
        ({"subscription": "x"}, True),
        ({"subscription": "y"}, False),
    ],
)
def test_an_exclusion_applies_to_its_server_check_and_subscription(
    changed: dict[str, object], *, applies: bool
) -> None:
    made = compute_account(
        whole_segment(0, 3 * HOUR), down_for_an_hour(), [exclusion("4.3", HOUR, 2 * HOUR, "exclusion 1", **changed)]
    )
    assert (made.excluded, made.down) == ((HOUR, 0) if applies else (0, HOUR))


def test_an_exclusion_outside_of_the_window_or_after_now_excludes_nothing() -> None:
    records = [exclusion("4.3", 3 * HOUR, 4 * HOUR), exclusion("4.3", -HOUR, 0), exclusion("4.3", 2 * HOUR, 3 * HOUR)]
    assert compute_account(whole_segment(0, 3 * HOUR), down_for_an_hour(), records, now=2 * HOUR).excluded == 0


# --- web hosting: several checks, and an exclusion of one of them ----------------------------------------------------


def test_mail_and_ping_do_not_lower_web_hosting() -> None:
    """4.5: they are not measured, so they add no excluded time either."""
    histories = {
        SITE: history_from(0, (OK, 180), key=SITE),
        CheckKey("web-01", "ping"): history_from(0, (FAIL, 180)),
        CheckKey("web-01", "mail"): history_from(0, (FAIL, 180), key=CheckKey("web-01", "mail")),
    }
    made = compute_account(whole_segment(0, 3 * HOUR, ("site",)), histories)
    assert (made.availability, made.excluded, made.outages) == (10_000, 0, ())


def test_a_service_does_not_lower_a_server() -> None:
    """4.4, 4.8: software that the customer runs."""
    histories = {CheckKey("web-01", "ping"): history_from(0, (OK, 180)), SITE: history_from(0, (FAIL, 180), key=SITE)}
    assert compute_account(whole_segment(0, 3 * HOUR), histories).availability == 10_000


def two_checks(site: History, shop: History) -> dict[CheckKey, History]:
    return {SITE: site, SHOP: shop}


def test_two_web_checks_are_read_first_and_then_combined() -> None:
    """Site down in minutes 60 to 69, shop in 65 to 74: fifteen minutes; each keeps its own bounds."""
    histories = two_checks(
        history_from(0, (OK, 60), (FAIL, 10), (OK, 110), key=SITE),
        history_from(0, (OK, 65), (FAIL, 10), (OK, 105), key=SHOP, first_id=2),
    )
    made = compute_account(whole_segment(0, 3 * HOUR, ("site", "shop")), histories)
    assert made.down == 15 * MINUTE
    assert figures(made)[:3] == ("91.11", "91.66", "92.22")  # 16, 15 and 14 minutes of 180


def test_an_unknown_check_makes_both_unknown_but_not_a_check_that_is_down() -> None:
    histories = two_checks(
        history_from(0, (OK, 60), (UNKNOWN, 60), (OK, 60), key=SITE),
        history_from(0, (OK, 90), (FAIL, 60), (OK, 30), key=SHOP),
    )
    made = compute_account(whole_segment(0, 3 * HOUR, ("site", "shop")), histories)
    assert (made.up, made.unknown, made.down) == (90 * MINUTE, 30 * MINUTE, HOUR)


def test_an_exclusion_of_one_check_excuses_that_check_alone() -> None:
    """Site is excused for an hour; shop is down in the second half of it."""
    histories = two_checks(
        history_from(0, (OK, 60), (FAIL, 60), (OK, 60), key=SITE),
        history_from(0, (OK, 90), (FAIL, 60), (OK, 30), key=SHOP),
    )
    segment = whole_segment(0, 3 * HOUR, ("site", "shop"))
    made = compute_account(segment, histories, [exclusion("4.3", HOUR, 2 * HOUR, check="site")])
    assert (made.excluded, made.down, made.up) == (30 * MINUTE, HOUR, 90 * MINUTE)
    both = [
        exclusion("4.3", HOUR, 2 * HOUR, check="site"),
        exclusion("4.4", HOUR, 2 * HOUR, "exclusion 2", check="shop"),
    ]
    made = compute_account(segment, histories, both)
    assert (made.excluded, made.down) == (HOUR, 30 * MINUTE)
    assert charges(made) == {("4.3", "exclusion 1"): HOUR}


def test_an_exclusion_of_one_check_takes_time_in_which_nothing_else_is_down() -> None:
    """Also where the other check is unknown: excluded wins."""
    histories = two_checks(history_from(0, (FAIL, 60), key=SITE), history_from(0, (OK, 30), (UNKNOWN, 30), key=SHOP))
    made = compute_account(
        whole_segment(0, HOUR, ("site", "shop")), histories, [exclusion("4.3", 0, HOUR, check="site")]
    )
    assert (made.excluded, made.unknown, made.down) == (HOUR, 0, 0)


def test_with_another_check_down_the_record_that_excludes_the_whole_server_counts() -> None:
    histories = two_checks(history_from(0, (FAIL, 60), key=SITE), history_from(0, (FAIL, 60), key=SHOP))
    records = [exclusion("4.3", 0, HOUR, check="site"), exclusion("4.9", 0, HOUR, "exclusion 2")]
    made = compute_account(whole_segment(0, HOUR, ("site", "shop")), histories, records)
    assert charges(made) == {("4.9", "exclusion 2"): HOUR}


def test_an_excused_check_does_not_lower_the_highest_reading_through_the_back_door() -> None:
    """Shop's last fail may have been up after its instant; site is excused then, so it says nothing either."""
    histories = two_checks(
        history_from(0, (FAIL, 60), key=SITE), history_from(0, (OK, 30), (FAIL, 1), (OK, 29), key=SHOP)
    )
    records = [exclusion("4.3", 0, HOUR, check="site")]
    made = compute_account(whole_segment(0, HOUR, ("site", "shop")), histories, records)
    assert (made.excluded, made.down, figures(made)[:3]) == (59 * MINUTE, MINUTE, ("0.00", "0.00", "100.00"))


def test_the_highest_reading_is_n_a_where_only_doubt_is_left() -> None:
    """Shop's only fail is its last, and site is unknown: counted it is down, at best nothing is known."""
    histories = two_checks(history_from(0, (UNKNOWN, 60), key=SITE), history_from(0, (None, 30), (FAIL, 1), key=SHOP))
    made = compute_account(whole_segment(0, HOUR, ("site", "shop")), histories)
    assert figures(made)[:3] == ("0.00", "0.00", None)
    owed = availability_credit(PRODUCTS["web-hosting"], made, EXAMPLE)
    assert (owed.percent, owed.certain) == (50, False)


# --- segments --------------------------------------------------------------------------------------------------------


def test_a_subscription_that_moved_is_read_on_each_server_in_its_time() -> None:
    other = CheckKey("web-02", "ping")
    segments = (
        Segment(Span(0, HOUR), "web-01", ("ping",), "x"),
        Segment(Span(HOUR, 2 * HOUR), "web-02", ("ping",), "x"),
    )
    histories = {
        CheckKey("web-01", "ping"): history_from(0, (OK, 60), (FAIL, 60)),
        other: history_from(0, (FAIL, 30), (OK, 80), (FAIL, 10), key=other, first_id=5),
    }
    records = [exclusion("4.2", 50 * MINUTE, 70 * MINUTE, servers=frozenset({"web-02"}))]
    made = compute_account(segments, histories, records)
    assert (made.down, made.excluded, made.window) == (10 * MINUTE, 10 * MINUTE, 2 * HOUR)
    assert made.outages == (6,)


def test_time_between_two_segments_is_not_in_the_account() -> None:
    segments = (whole_segment(0, HOUR), whole_segment(2 * HOUR, 3 * HOUR))
    made = compute_account(segments, down_for_an_hour(), [exclusion("4.9", 0, 3 * HOUR - MINUTE)])
    assert (made.window, made.span, made.down, made.excluded) == (2 * HOUR, Span(0, 3 * HOUR), 0, 2 * HOUR - MINUTE)


def test_now_may_fall_into_an_earlier_segment() -> None:
    segments = (whole_segment(0, HOUR), whole_segment(2 * HOUR, 3 * HOUR))
    made = compute_account(segments, down_for_an_hour(), now=30 * MINUTE)
    assert (made.window, made.span) == (30 * MINUTE, Span(0, 30 * MINUTE))


# --- the error budget ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "budget"),
    [(30, 6_480), (31, 6_696), (28, 6_048), (29, 6_264)],
)
def test_a_month_s_budget_is_a_quarter_of_a_percent(days: int, budget: int) -> None:
    made = compute_account(whole_segment(0, days * DAY), history_from(0, (OK, 1)), now=MINUTE)
    assert made.budget_ms(days * DAY) == budget * SECOND


def test_the_budget_shrinks_by_downtime_and_by_what_is_excluded() -> None:
    """(30 days - 4 h) x 0.25 % is 6,444 s; an hour of it is spent."""
    history = history_from(0, (OK, 60), (FAIL, 60), (OK, 600))
    made = compute_account(whole_segment(0, 30 * DAY), history, [exclusion("4.1", 4 * HOUR, 8 * HOUR)], now=12 * HOUR)
    assert made.budget_ms(30 * DAY) == (6_444 - 3_600) * SECOND
    assert made.target_met is False  # so far; the budget is of the whole window


def test_the_budget_is_negative_once_the_target_cannot_be_met() -> None:
    made = compute_account(whole_segment(0, 30 * DAY), history_of(CheckKey("web-01", "ping"), [(0, FAIL)], 2 * HOUR))
    assert made.budget_ms(30 * DAY) == (6_480 - 7_200) * SECOND


def test_the_budget_is_a_whole_number_rounded_down() -> None:
    made = compute_account(whole_segment(0, 399), history_from(0, (OK, 1)))
    assert [made.budget_ms(nominal) for nominal in (399, 400, 799, 800)] == [0, 1, 1, 2]
