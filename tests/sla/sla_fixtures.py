"""Records to read: made by hand in examples, and by hypothesis in properties."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from monitor.model import CheckKey, Outage, Outcome, Result, Run, Span, Subscription
from monitor.sla import availability
from monitor.sla.exclusions import Exclusion
from monitor.sla.terms import EXCLUSION_CLAUSES, Segment
from monitor.sla.timeline import History, runs_of
from tests.sla.reference_model import AccountInputs, Results

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from monitor.model import Millis
    from monitor.sla.availability import Account
    from tests.sla.reference_model import MeasuredChecks

THOROUGH = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
QUICK = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
OK, FAIL, UNKNOWN = Outcome.OK, Outcome.FAIL, Outcome.UNKNOWN
PING = CheckKey("web-01", "ping")
EXAMPLE = Subscription("x", "acme", "web-01", "server", Decimal("49.90"), "USD", 1, None, None)


def at(text: str) -> Millis:
    """The instant of an ISO time with an offset."""
    return round(dt.datetime.fromisoformat(text).timestamp()) * SECOND


def result(key: CheckKey, when: Millis, outcome: Outcome) -> Result:
    return Result(key, when, outcome, 1, 400 if outcome is OK else None, "" if outcome is OK else "timeout")


def outages_of(key: CheckKey, runs: Iterable[Run], first_id: int = 1) -> tuple[Outage, ...]:
    """The outages of one check's whole record, numbered from ``first_id``."""
    found: list[Outage] = []
    last_ok: Millis | None = None
    for run in runs:
        open_one = found[-1] if found and found[-1].end is None else None
        if run.outcome is OK:
            if open_one:
                found[-1] = replace(open_one, end=run.first)
            last_ok = run.last
        elif run.outcome is FAIL and open_one:
            found[-1] = replace(open_one, last_fail=run.last)
        elif run.outcome is FAIL:
            found.append(Outage(first_id + len(found), key, run.first, run.last, None, last_ok, "timeout"))
    return tuple(found)


def history_of(key: CheckKey, results: Results, hold: Millis, first_id: int = 1) -> History:
    runs = runs_of((result(key, when, outcome) for when, outcome in results), hold)
    return History(runs, outages_of(key, runs, first_id))


def history_from(start: Millis, *steps: tuple[Outcome | None, int], key: CheckKey = PING, first_id: int = 1) -> History:
    """One check's record, a result a minute: ``(OK, 60)`` is an hour of ok, ``(None, 5)`` five minutes of nothing."""
    results: Results = []
    when = start
    for outcome, minutes in steps:
        if outcome is not None:
            results += [(when + minute * MINUTE, outcome) for minute in range(minutes)]
        when += minutes * MINUTE
    return history_of(key, results, 2 * MINUTE, first_id)


def whole_segment(start: Millis, end: Millis, checks: tuple[str, ...] = ("ping",), server: str = "web-01") -> Segment:
    return Segment(Span(start, end), server, checks, "x")


def compute_account(
    segments: Sequence[Segment] | Segment,
    histories: Mapping[CheckKey, History] | History,
    exclusions: Iterable[Exclusion] = (),
    **changed: object,
) -> Account:
    """An account with the usual terms; ``now`` is far away unless it is given."""
    parts = (segments,) if isinstance(segments, Segment) else segments
    records = {PING: histories} if isinstance(histories, History) else histories
    settings_: dict[str, object] = {"rounding": "down", "target": 9975, "now": 10**15, **changed}
    return availability.compute_account(parts, records, exclusions, **settings_)  # type: ignore[arg-type]


def account_with_downtime(down: int, total: int) -> Account:
    """An account of ``total`` seconds of which ``down`` are down, in one run of fails between two of ok."""
    runs = (
        Run(0, 0, OK, (total - down) * SECOND),
        Run((total - down) * SECOND, total * SECOND - 1, FAIL, 2),
        Run(total * SECOND, total * SECOND, OK, MINUTE),
    )
    return compute_account(whole_segment(0, total * SECOND), History(runs, outages_of(PING, runs)))


# --- worlds that hypothesis makes ------------------------------------------------------------------------------------

CHECK_KEYS = [CheckKey(server, name) for server in ("a", "b") for name in ("ping", "site", "shop")]
MEASURED_CHECKS = [(), ("ping",), ("site",), ("site", "shop"), ("shop", "site", "ping")]


@st.composite
def result_lists(draw: st.DrawFn, start: int, end: int, unit: int = 1) -> Results:
    """Results at different times, often in streaks, so that there are outages with gaps and doubts inside."""
    times = draw(st.sets(st.integers(start // unit, end // unit), max_size=30))
    moods = draw(st.lists(st.sampled_from([OK, FAIL, FAIL, UNKNOWN]), min_size=len(times), max_size=len(times)))
    return [(time * unit, mood) for time, mood in zip(sorted(times), moods, strict=True)]


@st.composite
def exclusion_lists(draw: st.DrawFn, start: int, end: int, unit: int = 1) -> list[Exclusion]:
    made = []
    for number in range(draw(st.integers(0, 5))):
        first, last = sorted(draw(st.tuples(*[st.integers(start // unit, end // unit)] * 2)))
        clause = draw(st.sampled_from([clause for clause in EXCLUSION_CLAUSES if clause != "4.5"]))
        made.append(
            Exclusion(
                clause,
                Span(first * unit, last * unit),
                f"{'maintenance' if clause == '4.1' else 'exclusion'} {number + 8}",
                draw(st.integers(0, 2)),
                draw(st.sampled_from([None, None, frozenset("a"), frozenset("b"), frozenset("ab"), frozenset("c")])),
                draw(st.sampled_from([None, None, "ping", "site", "shop"])),
                draw(st.sampled_from([None, None, "x", "y"])),
            )
        )
    return draw(st.permutations(made))


@st.composite
def segment_tuples(draw: st.DrawFn, start: int, end: int) -> tuple[Segment, ...]:
    """Up to four stretches in order, some with time between them in which the subscription is not in force."""
    cuts = sorted(draw(st.sets(st.integers(start, end), min_size=2, max_size=6)))
    stretches = [Span(*pair) for pair in pairwise(cuts)]
    kept = [span for span in stretches if draw(st.booleans())] or stretches[:1]
    return tuple(
        Segment(span, draw(st.sampled_from("ab")), draw(st.sampled_from(MEASURED_CHECKS)), "x") for span in kept
    )


@st.composite
def account_inputs(draw: st.DrawFn) -> tuple[AccountInputs, tuple[Segment, ...]]:
    """A window of 40 instants, records that begin before it and end after it, and now somewhere."""
    start, end = 30, 70
    parts = draw(segment_tuples(start, end))

    def where(instant: int) -> MeasuredChecks | None:
        inside = [part for part in parts if part.span.start <= instant < part.span.end]
        return (inside[0].server, inside[0].checks) if inside else None

    measured = {CheckKey(part.server, name) for part in parts for name in part.checks}
    world = AccountInputs(
        start=start,
        end=end,
        now=draw(st.one_of(st.just(1_000), st.integers(start, end + 5))),
        measured_at=where,
        results={key: draw(result_lists(0, 100)) for key in CHECK_KEYS if key in measured},
        hold=draw(st.integers(1, 8)),
        exclusions=draw(exclusion_lists(start - 5, end + 5)),
        rounding=draw(st.sampled_from(["down", "half-up"])),
    )
    return world, parts


def histories_of(inputs: AccountInputs) -> dict[CheckKey, History]:
    """The record as the books hand it over: nothing later than now."""
    made: dict[CheckKey, History] = {}
    for number, (key, results) in enumerate(inputs.results.items()):
        known = [one for one in results if one[0] <= inputs.now]
        made[key] = history_of(key, known, inputs.hold, first_id=1 + 1000 * number)
    return made


def account_of(inputs: AccountInputs, parts: Sequence[Segment]) -> Account:
    return compute_account(parts, histories_of(inputs), inputs.exclusions, rounding=inputs.rounding, now=inputs.now)
