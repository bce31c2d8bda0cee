from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.clock import SystemClock
from monitor.model import Outcome
from monitor.probes.probe import (
    CANCEL_GRACE,
    STALL_THRESHOLD,
    Attempt,
    RetryPolicy,
    Target,
    combined_outcome,
    judge_timeout,
    run_check,
)

HERE = Target("198.18.0.1")
AT_ONCE = RetryPolicy(timeout=1.0, retries=2, retry_wait=0.0)

OK, FAIL, UNKNOWN = Outcome.OK, Outcome.FAIL, Outcome.UNKNOWN


def seen(outcome: Outcome, at: float = 0.0) -> Attempt:
    return Attempt(outcome, at, 100 if outcome is OK else None, "" if outcome is OK else f"said {outcome.name}")


@dataclass
class Told:
    """A probe that sees what it is told to see."""

    outcomes: list[Outcome]
    asked: list[float] = field(default_factory=list)

    async def attempt(self, target: Target, timeout: float) -> Attempt:  # noqa: ARG002, ASYNC109
        self.asked.append(timeout)
        return seen(self.outcomes[len(self.asked) - 1], at=float(len(self.asked)))


class Broken:
    """A probe with a fault in its code."""

    async def attempt(self, target: Target, timeout: float) -> Attempt:  # noqa: ARG002, ASYNC109
        raise ZeroDivisionError


class Confused:
    """A probe that lets an error of the system through, one that looks like a deadline."""

    async def attempt(self, target: Target, timeout: float) -> Attempt:  # noqa: ARG002, ASYNC109
        raise TimeoutError


class Endless:
    """A probe that does not keep its deadline."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()

    async def attempt(self, target: Target, timeout: float) -> Attempt:  # noqa: ARG002, ASYNC109
        self.entered.set()
        await asyncio.Event().wait()
        raise AssertionError


@pytest.mark.parametrize(
    ("outcomes", "result"),
    [
        ([OK], OK),
        ([FAIL, OK], OK),
        ([UNKNOWN, FAIL, OK], OK),
        ([FAIL, FAIL, FAIL], FAIL),
        ([FAIL, UNKNOWN, FAIL], UNKNOWN),
        ([UNKNOWN, UNKNOWN, UNKNOWN], UNKNOWN),
        ([FAIL, FAIL, UNKNOWN], UNKNOWN),
    ],
)
async def test_any_success_is_ok_and_only_fails_alone_are_a_fail(outcomes: list[Outcome], result: Outcome) -> None:
    given_back = await run_check(Told(outcomes), HERE, AT_ONCE, SystemClock())
    assert given_back.outcome is result
    assert [attempt.outcome for attempt in given_back.attempts] == outcomes


@pytest.mark.parametrize("retries", range(4))
async def test_every_one_of_the_retries_is_made_before_a_fail(retries: int) -> None:
    probe = Told([FAIL] * 10)
    made = await run_check(probe, HERE, RetryPolicy(1.0, retries, 0.0), SystemClock())
    assert (len(made.attempts), len(probe.asked)) == (retries + 1, retries + 1)


async def test_a_success_ends_the_cycle() -> None:
    probe = Told([FAIL, OK, FAIL])
    made = await run_check(probe, HERE, AT_ONCE, SystemClock())
    assert len(made.attempts) == 2
    assert made.attempts[0].at == 1.0


async def test_the_retry_waits_from_the_end_of_the_failed_attempt() -> None:
    clock = SystemClock()
    began = clock.monotonic()
    await run_check(Told([FAIL, OK]), HERE, RetryPolicy(1.0, 2, 0.05), clock)
    assert clock.monotonic() - began >= 0.05


async def test_a_cycle_goes_on_from_an_attempt_that_was_made_without_it() -> None:
    probe = Told([FAIL, FAIL, OK])
    made = await run_check(probe, HERE, AT_ONCE, SystemClock(), first=seen(FAIL))
    assert made.outcome is FAIL
    assert len(made.attempts) == 3
    assert len(probe.asked) == 2


async def test_a_first_attempt_that_was_ok_is_the_whole_cycle() -> None:
    probe = Told([])
    made = await run_check(probe, HERE, AT_ONCE, SystemClock(), first=seen(OK))
    assert (made.outcome, len(made.attempts), probe.asked) == (OK, 1, [])


@pytest.mark.logs_errors
async def test_an_exception_in_the_code_of_a_check_is_unknown_and_named(caplog: pytest.LogCaptureFixture) -> None:
    made = await run_check(Broken(), HERE, AT_ONCE, SystemClock())
    assert made.outcome is UNKNOWN
    assert {attempt.reason for attempt in made.attempts} == {"error ZeroDivisionError"}
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.logs_errors
async def test_an_error_that_is_called_like_a_deadline_is_not_taken_for_one() -> None:
    made = await run_check(Confused(), HERE, RetryPolicy(60.0, 0), SystemClock())
    assert (made.outcome, made.attempts[0].reason) == (UNKNOWN, "error TimeoutError")


async def test_a_probe_that_does_not_end_is_ended() -> None:
    made = await run_check(Endless(), HERE, RetryPolicy(0.01 - CANCEL_GRACE, 0), SystemClock())
    assert (made.outcome, made.attempts[0].reason) == (FAIL, "timeout")


async def test_cancellation_passes_through() -> None:
    probe = Endless()
    task = asyncio.create_task(run_check(probe, HERE, AT_ONCE, SystemClock()))
    await probe.entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@given(st.lists(st.sampled_from(Outcome), min_size=1))
def test_a_verdict_does_not_hang_on_the_order_of_the_attempts(outcomes: list[Outcome]) -> None:
    orders = itertools.islice(itertools.permutations(outcomes), 24)
    assert len({combined_outcome([seen(outcome) for outcome in order]) for order in orders}) == 1


@pytest.mark.parametrize(
    ("late", "step", "judged"),
    [
        (0.0, "connect", (FAIL, "timeout")),
        (0.01, None, (FAIL, "timeout")),
        (0.0, "resolve", (UNKNOWN, "name not resolved in time")),
        (STALL_THRESHOLD * 2, "connect", (UNKNOWN, "monitor too busy")),
    ],
)
def test_a_timeout_is_the_monitors_failure_in_its_resolver_or_after_a_standstill(
    late: float, step: str | None, judged: tuple[Outcome, str]
) -> None:
    assert judge_timeout(late, step) == judged
