"""What is under way of each check, in which order it ends, and when a sweep is complete."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.engine.probing.running_checks import RunningChecks, SweepProgress, wake_waiter
from monitor.model import CheckKey

if TYPE_CHECKING:
    from collections.abc import Sequence

KEY, OTHER = CheckKey("web", "ping"), CheckKey("mail", "ping")
PATIENCE = 20.0


def nothing() -> None:
    """Stand for who does not care."""


async def until(event: asyncio.Event) -> None:
    await event.wait()


async def test_of_two_cycles_of_one_check_the_second_has_the_first_before_it() -> None:
    cycles, leave = RunningChecks(), asyncio.Event()
    cycles.start_task(KEY, until(leave), nothing)
    assert not cycles.start_callback(KEY)
    assert cycles.start_callback(OTHER)
    before = cycles.predecessor(KEY)
    assert before is not None
    leave.set()
    async with asyncio.timeout(PATIENCE):
        await before
    assert before.done()


async def test_who_waits_for_a_cycle_that_flies_is_woken_by_who_landed_it() -> None:
    cycles = RunningChecks()
    assert cycles.start_callback(KEY)
    before = cycles.predecessor(KEY)
    assert before is cycles.predecessor(KEY)
    assert before is not None
    waiting = cycles.finish_callback(KEY)
    assert waiting is before
    wake_waiter(waiting)
    wake_waiter(waiting)
    assert before.done()


async def test_a_cycle_that_goes_on_after_it_landed_wakes_who_waits_only_when_it_has_ended() -> None:
    cycles, leave = RunningChecks(), asyncio.Event()
    assert cycles.start_callback(KEY)
    before = cycles.predecessor(KEY)
    assert before is not None
    cycles.start_task(KEY, until(leave), nothing, cycles.finish_callback(KEY))
    assert not before.done()
    leave.set()
    async with asyncio.timeout(PATIENCE):
        await before


@pytest.mark.parametrize("flies", [True, False])
async def test_what_ended_is_not_kept_for_ever(*, flies: bool) -> None:
    cycles, ended = RunningChecks(), asyncio.Event()
    if flies:
        assert cycles.start_callback(KEY)
        assert cycles.finish_callback(KEY) is None
    else:
        cycles.start_task(KEY, asyncio.sleep(0), ended.set)
        async with asyncio.timeout(PATIENCE):
            await ended.wait()
    assert len(cycles) == 0
    assert cycles.predecessor(KEY) is None


@pytest.mark.logs_errors
async def test_a_fault_in_a_cycle_is_logged_and_ends_it(caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> None:
        raise ZeroDivisionError("of ours")

    cycles, ended = RunningChecks(), asyncio.Event()
    cycles.start_task(KEY, broken(), ended.set)
    async with asyncio.timeout(PATIENCE):
        await ended.wait()
    assert len(cycles) == 0
    assert "a probe was lost to a fault in the monitor" in caplog.text


async def test_what_does_not_end_in_time_is_dropped_and_told_so() -> None:
    cycles, told = RunningChecks(), []
    cycles.start_task(KEY, until(asyncio.Event()), lambda: told.append(KEY))
    assert cycles.start_callback(OTHER)
    await cycles.drain(0.01)
    assert cycles.dropped
    assert len(cycles) == 0
    assert told == [KEY]


async def test_a_drain_is_over_as_soon_as_the_last_result_was_handed_on() -> None:
    cycles = RunningChecks()
    assert cycles.start_callback(KEY)
    draining = asyncio.create_task(cycles.drain(3600))
    await asyncio.sleep(0)
    cycles.finish_callback(KEY)
    assert not draining.done()
    cycles.submitted()
    async with asyncio.timeout(PATIENCE):
        await draining


@given(st.lists(st.tuples(st.sampled_from(["add", "finish", "close"]), st.integers(0, 3)), max_size=60))
def test_each_sweep_is_reported_complete_once_when_none_of_its_checks_is_running(
    story: Sequence[tuple[str, int]],
) -> None:
    told: list[int] = []
    tally = SweepProgress(told.append)
    outstanding, over = dict.fromkeys(range(4), 0), set[int]()
    expected: list[int] = []
    for what, sweep in story:
        if sweep in expected or (what == "close" and sweep in over) or (what == "finish" and not outstanding[sweep]):
            continue
        if what == "close":
            over.add(sweep)
        else:
            outstanding[sweep] += 1 if what == "add" else -1
        getattr(tally, what)(sweep)
        if what != "add" and sweep in over and not outstanding[sweep]:
            expected.append(sweep)
        assert told == expected
