"""Every figure of an account, against a second implementation that paints each instant and counts."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from monitor.model import PING, CheckKey, Span, Subscription
from monitor.sla.terms import CheckTerms, Segment, ServerTerms, Terms, segments, terms_at_end
from monitor.sla.timeline import Bound, outage_durations, timeline_of
from tests.sla.reference_model import AccountInputs, ReferenceCheck, reference_account
from tests.sla.sla_fixtures import (
    HOUR,
    THOROUGH,
    account_inputs,
    account_of,
    at,
    exclusion_lists,
    histories_of,
    history_of,
    result_lists,
)

if TYPE_CHECKING:
    from monitor.model import Millis, Product
    from monitor.sla.availability import Account
    from tests.sla.reference_model import MeasuredChecks, ReferenceAccount, Results


def assert_as_painted(made: Account, painting: ReferenceAccount, world: AccountInputs) -> None:
    assert (made.up, made.down, made.excluded, made.unknown) == (
        painting.up,
        painting.down,
        painting.excluded,
        painting.unknown,
    )
    assert made.availability == painting.figures["counted"]
    assert made.lowest == painting.figures["lowest"]
    assert made.highest == painting.figures["highest"]
    assert made.experienced == painting.figures["experienced"]
    assert made.coverage == painting.figures["coverage"]
    assert Counter({(one.clause, one.reference): one.length for one in made.exclusions}) == painting.excluded_by
    instants = painting.instants
    assert made.window == len(instants) * world.unit
    assert made.span == (Span(instants[0], instants[-1] + world.unit) if instants else None)
    known = {one.id: (one.check, one.start) for history in histories_of(world).values() for one in history.outages}
    assert {known[number] for number in made.outages} == painting.outages


@THOROUGH
@given(account_inputs())
def test_every_figure_is_what_painting_each_instant_gives(drawn: tuple[AccountInputs, tuple[Segment, ...]]) -> None:
    world, parts = drawn
    assert_as_painted(account_of(world, parts), reference_account(world), world)


@THOROUGH
@given(result_lists(0, 60), st.integers(1, 8), st.integers(0, 60), st.sampled_from(Bound))
def test_each_reading_of_one_check_is_what_painting_gives(
    results: Results, hold: int, now: Millis, reading: Bound
) -> None:
    known = [one for one in results if one[0] <= now]
    check = ReferenceCheck(results, hold, now)
    window = Span(20, 50)
    timeline = timeline_of(history_of(CheckKey("a", "ping"), known, hold), window, reading, now)
    for instant in range(window.start, min(window.end, now)):
        colour = "up" if instant in timeline.up else "down" if instant in timeline.down else "unknown"
        assert (instant, colour) == (instant, check.state_at(instant, reading.value))
    assert timeline.up.clip(window.start, min(window.end, now)) == timeline.up
    assert timeline.down.clip(window.start, min(window.end, now)) == timeline.down


@THOROUGH
@given(result_lists(0, 60), st.integers(1, 8), st.integers(0, 70))
def test_the_lengths_of_an_outage_are_what_painting_gives(results: Results, hold: int, now: Millis) -> None:
    known = [one for one in results if one[0] <= now]
    history = history_of(CheckKey("a", "ping"), known, hold)
    check = ReferenceCheck(results, hold, now)
    assert len(history.outages) == len(check.outages)
    for outage, painted in zip(history.outages, check.outages, strict=True):
        lengths = outage_durations(outage, history, now)
        instants = [instant for instant in range(now) if painted.possible_at(instant)]
        assert lengths.most == len(instants)
        inside = [instant for instant in instants if painted.ongoing_at(instant)]
        assert lengths.counted == sum(check.state_at(instant, "counted") == "down" for instant in inside)
        assert lengths.least == sum(check.state_at(instant, "highest") == "down" for instant in inside)


# --- the whole road: configurations that came into force, days in a zone, then the account ---------------------------


class Version(NamedTuple):
    """One configuration in plain words, for the painter."""

    in_force: Millis
    zone: str
    subscription: Subscription | None
    level: int
    services: tuple[tuple[str, str], ...]


OCTOBER = at("2026-10-20T00:00+00:00")
"""Ten days around the end of summer time in Europe (25 October 2026)."""
DAYS = [dt.date(2026, 10, 18) + dt.timedelta(days=day) for day in range(16)]
SERVICES = [(), (("site", "https"),), (("site", "http"), ("shop", "https")), (("site", "https"), ("db", "tcp"))]


@st.composite
def some_versions(draw: st.DrawFn) -> list[Version]:
    moments = sorted(draw(st.sets(st.integers(-48, 260), min_size=1, max_size=4)))
    made = []
    for moment in moments:
        one = None
        if draw(st.sampled_from([True, True, False])):
            product: Product = draw(st.sampled_from(["server", "colocation", "web-hosting"]))
            first, last = draw(st.tuples(*[st.one_of(st.none(), st.sampled_from(DAYS))] * 2))
            one = Subscription("x", "acme", draw(st.sampled_from("ab")), product, None, None, 1, first, last)
        zone = draw(st.sampled_from(["Europe/Istanbul", "Europe/Berlin", "America/New_York"]))
        level, services = draw(st.sampled_from([(1, 0), (2, 0), (4, 1), (4, 2), (4, 3)]))
        made.append(Version(OCTOBER + moment * HOUR, zone, one, level, SERVICES[services]))
    return made


def as_terms(version: Version) -> Terms:
    checks = (CheckTerms(PING, "icmp"), *(CheckTerms(*one) for one in version.services)) if version.level > 1 else ()
    return Terms(
        in_force=version.in_force,
        timezone=version.zone,
        rounding="down",
        rolling_days=30,
        interval=HOUR,
        servers={name: ServerTerms(version.level, checks) for name in "ab"},
        subscriptions={} if version.subscription is None else {"x": version.subscription},
        customers={"acme": "Acme"},
    )


def painted_version(versions: list[Version], instant: Millis) -> Version | None:
    """The terms in force; the earliest that know the subscription reach back without limit."""
    first = next((version for version in versions if version.subscription), None)
    if first is None:
        return None
    if instant < first.in_force:
        current = first
    else:
        current = [version for version in versions if version.in_force <= instant][-1]
    one = current.subscription
    if one is None:
        return None
    after = next((version for version in versions if version.in_force > current.in_force), None)
    assert current is first or current.in_force <= instant
    assert after is None or instant < after.in_force
    day = dt.datetime.fromtimestamp(instant // 1000, ZoneInfo(current.zone)).date()
    if (one.start and day < one.start) or (one.end and day > one.end):
        return None
    return current


def painted_where(versions: list[Version], instant: Millis) -> MeasuredChecks | None:
    version = painted_version(versions, instant)
    if version is None or version.subscription is None:
        return None
    one = version.subscription
    if version.level == 1:
        return one.server, ()
    if one.product == "web-hosting":
        return one.server, tuple(name for name, kind in version.services if kind in {"http", "https"})
    return one.server, ("ping",)


@THOROUGH
@given(st.data(), some_versions())
def test_an_account_follows_the_terms_in_force_hour_by_hour(data: st.DataObject, versions: list[Version]) -> None:
    end = OCTOBER + 240 * HOUR
    world = AccountInputs(
        start=OCTOBER,
        end=end,
        now=data.draw(st.one_of(st.just(end + 99 * HOUR), st.integers(0, 250).map(lambda n: OCTOBER + n * HOUR))),
        measured_at=lambda instant: painted_where(versions, instant),
        results={
            CheckKey(server, name): data.draw(result_lists(OCTOBER - 20 * HOUR, end + 20 * HOUR, HOUR))
            for server in "ab"
            for name in ("ping", "site")
        },
        hold=data.draw(st.integers(1, 60)) * HOUR,
        exclusions=data.draw(exclusion_lists(OCTOBER, end, HOUR)),
        rounding="down",
        unit=HOUR,
    )
    terms = [as_terms(version) for version in versions]
    parts = segments(terms, "x", Span(world.start, world.end), world.now)
    painting = reference_account(world)
    assert_as_painted(account_of(world, parts), painting, world)
    last = terms_at_end(terms, "x", Span(world.start, world.end), world.now)
    painted_last = painted_version(versions, painting.instants[-1]) if painting.instants else None
    assert (last and last[0].in_force) == (painted_last and painted_last.in_force)
