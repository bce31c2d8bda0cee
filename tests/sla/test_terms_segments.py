"""Which terms a window is read with: a changed configuration never rewrites a past month."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from monitor.model import Span, Subscription
from monitor.sla.terms import (
    CheckTerms,
    Segment,
    ServerTerms,
    Terms,
    month_window,
    segments,
    terms_at,
    terms_at_end,
    terms_of_window,
)
from tests.sla.sla_fixtures import DAY, HOUR, at

PING, SITE, SHOP = CheckTerms("ping", "icmp"), CheckTerms("site", "https"), CheckTerms("shop", "https")
ONE = Subscription("x", "acme", "web-01", "server", None, None, 1, None, None)
OCTOBER = Span(at("2026-10-01T00:00:00+03:00"), at("2026-11-01T00:00:00+03:00"))
FAR = OCTOBER.end + 400 * DAY


def version(in_force: int, one: Subscription | None = ONE, **changed: object) -> Terms:
    servers = {
        "web-01": ServerTerms(4, (PING, SITE)),
        "web-02": ServerTerms(4, (PING, SITE, SHOP)),
        "free": ServerTerms(1),
    }
    base = Terms(in_force, "Europe/Istanbul", "down", 30, 60_000, servers, {"x": one} if one else {}, {})
    return replace(base, **changed)  # type: ignore[arg-type]


def october(day: int, hour: int = 0) -> int:
    return OCTOBER.start + (day - 1) * DAY + hour * HOUR


def found(*versions: Terms, window: Span = OCTOBER, now: int = FAR) -> list[tuple[Span, str, tuple[str, ...]]]:
    return [(one.span, one.server, one.checks) for one in segments(versions, "x", window, now)]


def test_the_earliest_terms_reach_back_without_limit() -> None:
    assert found(version(FAR - 1)) == [(OCTOBER, "web-01", ("ping",))]


def test_also_when_older_terms_did_not_know_the_subscription() -> None:
    assert found(version(0, None), version(october(20))) == [(OCTOBER, "web-01", ("ping",))]


def test_a_change_after_the_month_does_not_reach_it() -> None:
    later = version(OCTOBER.end, replace(ONE, server="web-02", product="web-hosting"))
    assert found(version(0), later) == [(OCTOBER, "web-01", ("ping",))]


def test_a_change_within_the_month_holds_from_its_moment() -> None:
    moved = version(october(10, 5), replace(ONE, server="web-02"))
    assert found(version(0), moved) == [
        (Span(OCTOBER.start, october(10, 5)), "web-01", ("ping",)),
        (Span(october(10, 5), OCTOBER.end), "web-02", ("ping",)),
    ]


def test_what_is_measured_changes_with_the_product_the_level_and_the_checks() -> None:
    versions = (
        version(0),
        version(october(5), replace(ONE, product="web-hosting")),
        version(october(6), replace(ONE, product="web-hosting", server="web-02")),
        version(october(7), replace(ONE, server="free")),
    )
    assert [(server, checks) for _, server, checks in found(*versions)] == [
        ("web-01", ("ping",)),
        ("web-01", ("site",)),
        ("web-02", ("site", "shop")),
        ("free", ()),
    ]


def test_a_change_that_does_not_concern_what_is_measured_makes_no_segment() -> None:
    other = version(october(10), replace(ONE, months=12), rounding="half-up", interval=30_000)
    assert found(version(0), other) == [(OCTOBER, "web-01", ("ping",))]


def test_a_subscription_that_is_taken_out_ends_there() -> None:
    assert found(version(0), version(october(10), None)) == [(Span(OCTOBER.start, october(10)), "web-01", ("ping",))]


def test_a_subscription_that_comes_back_counts_again_from_then() -> None:
    spans = [span for span, *_ in found(version(0), version(october(10), None), version(october(12)))]
    assert spans == [Span(OCTOBER.start, october(10)), Span(october(12), OCTOBER.end)]


def test_a_subscription_that_was_taken_out_before_the_month_is_not_in_it() -> None:
    assert found(version(0), version(1, None)) == []


def test_a_subscription_that_nobody_knows_has_no_segments() -> None:
    assert found(version(0, None)) == []
    assert segments((), "x", OCTOBER, FAR) == ()


@pytest.mark.parametrize(
    ("first", "last", "span"),
    [
        ("2026-10-05", None, Span(october(5), OCTOBER.end)),
        (None, "2026-10-05", Span(OCTOBER.start, october(6))),
        ("2026-10-05", "2026-10-05", Span(october(5), october(6))),
        ("2026-09-01", "2026-10-01", Span(OCTOBER.start, october(2))),
        ("2026-10-31", "2026-12-01", Span(october(31), OCTOBER.end)),
        ("2025-01-01", "2027-01-01", OCTOBER),
    ],
)
def test_a_subscription_counts_from_0_00_of_its_first_day_to_24_00_of_its_last(
    first: str | None, last: str | None, span: Span
) -> None:
    days = [text and dt.date.fromisoformat(text) for text in (first, last)]
    one = replace(ONE, start=days[0] or None, end=days[1] or None)
    assert [span for span, *_ in found(version(0, one))] == [span]


@pytest.mark.parametrize(("first", "last"), [("2026-11-01", None), (None, "2026-09-30"), ("2026-10-06", "2026-10-05")])
def test_a_subscription_without_a_day_in_the_month_is_not_in_its_accounts(first: str | None, last: str | None) -> None:
    one = replace(
        ONE,
        start=dt.date.fromisoformat(first) if first else None,
        end=dt.date.fromisoformat(last) if last else None,
    )
    assert found(version(0, one)) == []
    assert terms_at_end([version(0, one)], "x", OCTOBER, FAR) is None


def test_days_are_those_of_the_version_s_zone() -> None:
    one = replace(ONE, start=dt.date(2026, 10, 25), end=dt.date(2026, 10, 25))
    (span,) = (span for span, *_ in found(version(0, one, timezone="Europe/Berlin")))
    assert span == Span(at("2026-10-25T00:00:00+02:00"), at("2026-10-26T00:00:00+01:00"))
    assert span.end - span.start == 25 * HOUR


def test_an_end_day_set_later_does_not_reach_back() -> None:
    """On the 20th somebody writes that it had ended on the 5th: until the 20th it was in force."""
    ended = version(october(20), replace(ONE, end=dt.date(2026, 10, 5)))
    assert [span for span, *_ in found(version(0), ended)] == [Span(OCTOBER.start, october(20))]


def test_segments_end_now() -> None:
    assert [span for span, *_ in found(version(0), now=october(3))] == [Span(OCTOBER.start, october(3))]
    assert found(version(0), now=OCTOBER.start) == []


def test_terms_that_come_into_force_later_than_now_are_not_used() -> None:
    moved = version(october(10), replace(ONE, server="web-02"))
    assert found(version(0), moved, now=october(10)) == [(Span(OCTOBER.start, october(10)), "web-01", ("ping",))]


def test_a_segment_names_its_subscription() -> None:
    assert segments([version(0)], "x", OCTOBER, FAR) == (Segment(OCTOBER, "web-01", ("ping",), "x"),)


# --- the terms that apply to the whole window ------------------------------------------------------------------------


def test_product_and_fee_are_those_of_the_last_segment() -> None:
    changed = version(october(30), replace(ONE, product="colocation"))
    for now, product in ((FAR, "colocation"), (october(30), "server")):
        last = terms_at_end([version(0), changed], "x", OCTOBER, now)
        assert last is not None
        assert last[1].product == product


def test_of_a_subscription_that_ended_they_are_those_of_its_last_day() -> None:
    gone = version(october(20), None, rounding="half-up")
    last = terms_at_end([version(0), gone], "x", OCTOBER, FAR)
    assert last is not None
    assert (last[0].rounding, last[1]) == ("down", ONE)


def test_zone_and_rounding_are_those_in_force_at_the_end_of_the_window_or_now() -> None:
    versions = [version(0), version(october(20), rounding="half-up"), version(OCTOBER.end, timezone="UTC")]
    assert terms_of_window(versions, OCTOBER, FAR) is versions[1]
    assert terms_of_window(versions, OCTOBER, OCTOBER.end) is versions[1]
    assert terms_of_window(versions, OCTOBER, october(10)) is versions[0]
    assert terms_of_window(versions, OCTOBER, october(20)) is versions[1]


@pytest.mark.parametrize(("when", "index"), [(-5, 0), (0, 0), (99, 0), (100, 1), (101, 1)])
def test_terms_hold_from_the_millisecond_they_come_into_force(when: int, index: int) -> None:
    versions = [version(0), version(100)]
    assert terms_at(versions, when) is versions[index]


def test_a_month_is_cut_in_the_zone_of_the_terms_at_its_end() -> None:
    berlin, utc = version(october(20), timezone="Europe/Berlin"), version(october(40), timezone="UTC")
    versions = [version(0), berlin, utc]
    start, end = month_window(versions, 2026, 10)
    assert (start, end) == (at("2026-10-01T00:00:00+02:00"), at("2026-11-01T00:00:00+01:00"))
    assert month_window(versions, 2026, 9).start == at("2026-09-01T00:00:00+03:00")
    assert month_window(versions, 2026, 11).start == at("2026-11-01T00:00:00+00:00")


def test_terms_in_force_from_the_end_of_a_month_do_not_cut_it() -> None:
    midnight = at("2026-11-01T00:00:00+00:00")
    versions = [version(0), version(midnight, timezone="UTC")]
    assert month_window(versions, 2026, 10) == OCTOBER
