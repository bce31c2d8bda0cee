"""What must hold of every account, whatever happened."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import assume, given
from hypothesis import strategies as st

from monitor.model import CheckKey, Outcome, Rounding, Span
from monitor.sla.availability import excluded_downtime, percent
from monitor.sla.credits import availability_credit, credit_percent
from monitor.sla.maintenance import (
    MIN_NOTICE_MS,
    MaintenanceAnnounced,
    MaintenanceCancelled,
    MaintenanceExtended,
    exclusions_of,
    windows_from,
)
from monitor.sla.terms import PRODUCTS, Segment
from monitor.sla.timeline import extend_run, outage_durations, runs_of
from tests.sla.sla_fixtures import (
    EXAMPLE,
    FAIL,
    HOUR,
    OK,
    PING,
    QUICK,
    THOROUGH,
    account_inputs,
    account_of,
    account_with_downtime,
    compute_account,
    exclusion_lists,
    histories_of,
    history_of,
    result,
    result_lists,
)

if TYPE_CHECKING:
    from random import Random

    from monitor.model import Run
    from monitor.sla.exclusions import Exclusion
    from monitor.sla.maintenance import MaintenanceEvent
    from monitor.sla.terms import ProductTerms
    from tests.sla.reference_model import AccountInputs, Results

Drawn = tuple["AccountInputs", tuple[Segment, ...]]
products = st.sampled_from(list(PRODUCTS.values()))
roundings: st.SearchStrategy[Rounding] = st.sampled_from(["down", "half-up"])


@THOROUGH
@given(account_inputs())
def test_excluded_up_down_and_unknown_are_the_window(drawn: Drawn) -> None:
    world, parts = drawn
    made = account_of(world, parts)
    assert made.excluded + made.up + made.down + made.unknown == made.window
    assert sum(one.length for one in made.exclusions) == made.excluded
    assert min(made.excluded, made.up, made.down, made.unknown) >= 0


@THOROUGH
@given(account_inputs())
def test_the_bounds_are_on_either_side_of_the_figure(drawn: Drawn) -> None:
    world, parts = drawn
    made = account_of(world, parts)
    if made.availability is None:
        assert made.lowest is None
        assert made.highest is None
    else:
        assert made.lowest is not None
        assert made.lowest <= made.availability <= (made.availability if made.highest is None else made.highest)


@THOROUGH
@given(account_inputs(), st.integers(31, 69))
def test_the_parts_of_a_window_add_up(drawn: Drawn, cut: int) -> None:
    world, parts = drawn
    before = [replace(part, span=Span(part.span.start, min(part.span.end, cut))) for part in parts]
    after = [replace(part, span=Span(max(part.span.start, cut), part.span.end)) for part in parts]
    one, other = account_of(world, before), account_of(world, after)
    whole = account_of(world, parts)
    assert (whole.up, whole.down) == (one.up + other.up, one.down + other.down)
    assert (whole.excluded, whole.unknown) == (one.excluded + other.excluded, one.unknown + other.unknown)
    assert set(whole.outages) == {*one.outages, *other.outages}


@THOROUGH
@given(account_inputs(), exclusion_lists(25, 75))
def test_more_exclusions_never_raise_downtime(drawn: Drawn, more: list[Exclusion]) -> None:
    world, parts = drawn
    fewer = account_of(world, parts)
    made = account_of(replace(world, exclusions=[*world.exclusions, *more]), parts)
    assert made.down <= fewer.down
    assert made.excluded >= fewer.excluded
    assert made.experienced == fewer.experienced


@THOROUGH
@given(account_inputs(), st.data(), products)
def test_more_downtime_never_lowers_a_credit(drawn: Drawn, data: st.DataObject, product: ProductTerms) -> None:
    world, parts = drawn
    good = [(key, index) for key, record in world.results.items() for index, (_, mood) in enumerate(record) if not mood]
    assume(good)
    key, index = data.draw(st.sampled_from(good))
    worse = [*world.results[key]]
    worse[index] = (worse[index][0], FAIL)
    before = account_of(world, parts)
    after = account_of(replace(world, results={**world.results, key: worse}), parts)
    assert after.down >= before.down
    assert availability_credit(product, after, EXAMPLE).percent >= availability_credit(product, before, EXAMPLE).percent


@THOROUGH
@given(account_inputs(), st.randoms(use_true_random=False))
def test_the_order_in_which_facts_are_given_does_not_matter(drawn: Drawn, random: Random) -> None:
    world, parts = drawn
    shuffled = [*world.exclusions]
    random.shuffle(shuffled)
    assert account_of(replace(world, exclusions=shuffled), parts) == account_of(world, parts)
    for key, record in world.results.items():
        results = [result(key, when, outcome) for when, outcome in record]
        assert runs_of(random.sample(results, len(results)), 3) == runs_of(results, 3)


@THOROUGH
@given(result_lists(0, 60), st.integers(1, 6))
def test_extending_run_by_run_gives_what_building_from_scratch_gives(results: Results, hold: int) -> None:
    key = CheckKey("a", "ping")
    kept: list[Run] = []
    for count, (when, outcome) in enumerate(results, start=1):
        run = extend_run(kept[-1] if kept else None, result(key, when, outcome), hold)
        if kept and kept[-1].first == run.first:
            kept.pop()
        kept.append(run)
        assert tuple(kept) == runs_of((result(key, *one) for one in results[:count]), hold)
    for earlier, later in pairwise(kept):
        assert earlier.last < later.first
        assert earlier.outcome is not later.outcome or later.first - earlier.last > earlier.hold


@THOROUGH
@given(result_lists(0, 60), st.integers(1, 8), exclusion_lists(0, 60))
def test_what_is_excluded_of_an_outage_is_at_most_what_counts(
    results: Results, hold: int, records: list[Exclusion]
) -> None:
    history = history_of(CheckKey("a", "ping"), results, hold)
    for outage in history.outages:
        lengths = outage_durations(outage, history, 60)
        assert 0 <= excluded_downtime(outage, history, records, 60) <= lengths.counted
        assert lengths.least <= lengths.counted <= lengths.most


@THOROUGH
@given(account_inputs(), products)
def test_a_credit_is_certain_exactly_when_both_bounds_fall_in_its_band(drawn: Drawn, product: ProductTerms) -> None:
    world, parts = drawn
    made = account_of(world, parts)
    owed = availability_credit(product, made, EXAMPLE)
    assert owed.percent == credit_percent(product, made.availability)
    assert owed.certain == (
        credit_percent(product, made.lowest) == credit_percent(product, made.highest) == owed.percent
    )


@QUICK
@given(products, st.integers(0, 10_000), st.integers(0, 10_000))
def test_a_lower_figure_never_pays_less(product: ProductTerms, one: int, other: int) -> None:
    assert credit_percent(product, min(one, other)) >= credit_percent(product, max(one, other))


@THOROUGH
@given(st.integers(0, 10**12), st.integers(1, 10**12), roundings)
def test_a_percentage_is_within_its_rounding_of_the_exact_ratio(part: int, rest: int, rounding: Rounding) -> None:
    whole = part + rest
    found = percent(part, whole, rounding)
    assert found is not None
    if rounding == "down":
        assert found * whole <= 10_000 * part < (found + 1) * whole
    else:
        assert (2 * found - 1) * whole <= 20_000 * part < (2 * found + 1) * whole


@THOROUGH
@given(st.integers(0, 20_000), st.integers(1, 4_000_000), roundings)
def test_the_budget_is_spent_exactly_when_the_target_is_missed(down: int, of: int, rounding: Rounding) -> None:
    made = replace(account_with_downtime(min(down, of), of), rounding=rounding)
    made = replace(made, availability=percent(made.up, made.up + made.down, rounding))
    assert (made.budget_ms(made.window) >= 0) == made.target_met


@THOROUGH
@given(account_inputs())
def test_a_subscription_of_another_server_changes_nothing(drawn: Drawn) -> None:
    world, parts = drawn
    records = [replace(one, servers=frozenset({"elsewhere"})) for one in world.exclusions]
    with_theirs = replace(world, exclusions=[*world.exclusions, *records])
    assert account_of(with_theirs, parts) == account_of(world, parts)


@THOROUGH
@given(account_inputs())
def test_one_segment_cut_in_two_reads_the_same(drawn: Drawn) -> None:
    world, parts = drawn
    halves: list[Segment] = []
    for part in parts:
        middle = (part.span.start + part.span.end) // 2
        halves += [
            replace(part, span=Span(part.span.start, middle)),
            replace(part, span=Span(middle, part.span.end)),
        ]
    assert compute_account(halves, histories_of(world), world.exclusions, rounding=world.rounding, now=world.now) == (
        account_of(world, parts)
    )


# --- maintenance windows ---------------------------------------------------------------------------------------------


@st.composite
def some_window(draw: st.DrawFn) -> list[MaintenanceEvent]:
    """One window in hours, announced about 96 h before, and up to five changes, each at its own moment."""
    start = draw(st.integers(0, 10))
    end = start + draw(st.integers(1, 12))
    moments = sorted(draw(st.sets(st.integers(-130, 40), min_size=1, max_size=6)))
    kind = draw(st.sampled_from(["planned", "planned", "emergency"]))
    told = [min(moment, draw(st.integers(-110, -80))) if draw(st.booleans()) else moment for moment in moments]
    facts: list[MaintenanceEvent] = [
        MaintenanceAnnounced(1, moments[0] * HOUR, ("a",), kind, "", start * HOUR, end * HOUR, told[0] * HOUR)  # type: ignore[arg-type]
    ]
    for moment, announced in zip(moments[1:], told[1:], strict=True):
        if draw(st.sampled_from([True, True, True, False])):
            facts.append(MaintenanceExtended(1, moment * HOUR, draw(st.integers(-2, 30)) * HOUR, announced * HOUR))
        else:
            facts.append(MaintenanceCancelled(1, moment * HOUR))
    return facts


def painted_exclusion(facts: list[MaintenanceEvent]) -> set[int]:
    """Hour by hour (docs/contract.md#what-does-not-count): each hour carries its start and time of announcement."""
    first = facts[0]
    assert isinstance(first, MaintenanceAnnounced)
    start = first.start // HOUR
    hours = dict.fromkeys(range(start, first.end // HOUR), (start, first.announced_at // HOUR))
    for fact in facts[1:]:
        ends = max(hours) + 1
        to = fact.end // HOUR if isinstance(fact, MaintenanceExtended) else fact.at // HOUR
        if isinstance(fact, MaintenanceExtended) and to > ends:
            hours.update(dict.fromkeys(range(ends, to), (ends, fact.announced_at // HOUR)))
            continue
        to = max(to, fact.at // HOUR)
        left = {hour: part for hour, part in hours.items() if hour < to}
        if not left:
            return set()
        if left == hours:
            continue
        hours = left
        if isinstance(fact, MaintenanceCancelled):
            break
    emergency = first.kind == "emergency"
    return {hour for hour, (begins, told) in hours.items() if emergency or begins - told >= MIN_NOTICE_MS // HOUR}


@THOROUGH
@given(some_window(), st.randoms(use_true_random=False))
def test_a_window_excludes_the_hours_that_painting_its_facts_gives(
    facts: list[MaintenanceEvent], random: Random
) -> None:
    (window,) = windows_from(random.sample(facts, len(facts)))
    excluded = {hour for one in exclusions_of(window) for hour in range(one.span.start // HOUR, one.span.end // HOUR)}
    assert excluded == painted_exclusion(facts)
    assert window.qualifies == all(part.start - part.announced_at >= MIN_NOTICE_MS for part in window.parts) or (
        window.kind == "emergency"
    )
    for earlier, later in pairwise(window.parts):
        assert earlier.start < earlier.end == later.start < later.end


def test_the_strategies_do_reach_outages_and_streaks() -> None:
    """Guards the properties above: a record of nothing would satisfy them all."""
    history = history_of(PING, [(0, OK), (1, FAIL), (2, Outcome.UNKNOWN), (3, FAIL), (4, OK)], 2)
    assert [(one.start, one.last_fail, one.end, one.last_ok) for one in history.outages] == [(1, 3, 4, 0)]
