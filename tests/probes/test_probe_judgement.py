"""The keys of every type that judge an attempt: ``slower_than`` with ``slow_is``, and ``invert``."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from monitor.clock import SystemClock
from monitor.model import Outcome
from monitor.probes.check_types import CHECK_TYPES
from monitor.probes.judgement import InvertedProbe, is_slow, judge_by_keys, slow_reason, warning_limit
from monitor.probes.probe import Attempt, CallbackProbe, RetryPolicy, Target, run_check
from monitor.probes.resources import open_resources
from monitor.probes.settings import Duration
from monitor.probes.tcp.settings import TcpSettings

OK = Attempt(Outcome.OK, 1.0, 2_000_001, "")
QUICK = OK._replace(latency_us=2_000_000)
FAIL = Attempt(Outcome.FAIL, 1.0, None, "refused")
UNKNOWN = Attempt(Outcome.UNKNOWN, 1.0, None, "no route")
HERE = Target("127.0.0.1")


class Saying:
    """A probe whose attempts end as they are told to, one after the other."""

    def __init__(self, *attempts: Attempt) -> None:
        self._attempts = list(attempts)

    async def attempt(self, target: Target, timeout: float) -> Attempt:  # noqa: ARG002, ASYNC109 - see Probe
        return self._attempts.pop(0)


def judged(said: Attempt, **keys: Any) -> tuple[Outcome, int | None, str]:
    attempt = asyncio.run(judge_by_keys(Saying(said), TcpSettings(**keys)).attempt(HERE, 1.0))
    return attempt.outcome, attempt.latency_us, attempt.reason


@pytest.mark.parametrize("keys", [{}, {"slower_than": 2_000}, {"timeout": 1_000, "retries": 0}])
def test_a_check_whose_keys_judge_nothing_is_probed_without_a_wrapper(keys: dict[str, Any]) -> None:
    probe = Saying()
    assert judge_by_keys(probe, TcpSettings(**keys)) is probe


@pytest.mark.parametrize("kind", ["icmp", "tcp"])
def test_a_check_without_such_keys_still_needs_no_task(kind: str) -> None:
    async def built(**keys: Any) -> object:
        async with open_resources(SystemClock()) as resources:
            return CHECK_TYPES[kind].build(CHECK_TYPES[kind].settings(**keys), resources)

    assert isinstance(asyncio.run(built()), CallbackProbe)
    assert isinstance(asyncio.run(built(slower_than=2_000)), CallbackProbe)
    # begun without a task, an inverted attempt would be recorded as ok before the canaries are asked
    assert not isinstance(asyncio.run(built(invert=True)), CallbackProbe)


@pytest.mark.parametrize(
    ("said", "outcome", "reason"),
    [
        (OK, Outcome.FAIL, "slow: more than 2 s"),
        (QUICK, Outcome.OK, ""),
        (OK._replace(latency_us=None), Outcome.OK, ""),
        (FAIL, Outcome.FAIL, "refused"),
        (UNKNOWN, Outcome.UNKNOWN, "no route"),
    ],
)
def test_an_answer_that_takes_too_long_fails_where_the_keys_say_so(
    said: Attempt, outcome: Outcome, reason: str
) -> None:
    found = judged(said, slower_than=2_000, slow_is="fail")
    assert (found[0], found[2]) == (outcome, reason)
    assert (found[1] is None) == (outcome is not Outcome.OK or said.latency_us is None)


def test_a_slow_answer_is_retried_like_any_failure() -> None:
    probe = judge_by_keys(Saying(OK, OK, QUICK), TcpSettings(slower_than=Duration(2_000), slow_is="fail"))
    run = asyncio.run(run_check(probe, HERE, RetryPolicy(1.0, 2, 0.0), SystemClock()))
    assert (run.outcome, len(run.attempts)) == (Outcome.OK, 3)


@pytest.mark.parametrize(("limit", "text"), [(1, "0.001"), (500, "0.5"), (2_000, "2"), (60_000, "60")])
def test_the_limit_is_told_in_seconds(limit: int, text: str) -> None:
    assert slow_reason(limit) == f"slow: more than {text} s"


def test_a_warning_is_only_for_an_ok_result_above_the_limit() -> None:
    assert warning_limit(TcpSettings(slower_than=Duration(2_000))) == 2_000
    assert warning_limit(TcpSettings(slower_than=Duration(2_000), slow_is="fail")) is None
    assert warning_limit(TcpSettings()) is None
    assert [is_slow(latency, 2) for latency in (None, 2_000, 2_001)] == [False, False, True]
    assert not is_slow(2_001, None)


@pytest.mark.parametrize(
    ("said", "outcome", "reason"),
    [(OK, Outcome.FAIL, "answers"), (FAIL, Outcome.OK, ""), (UNKNOWN, Outcome.UNKNOWN, "no route")],
)
def test_an_inverted_check_fails_if_the_server_answers(said: Attempt, outcome: Outcome, reason: str) -> None:
    assert judged(said, invert=True) == (outcome, None, reason)


def test_one_attempt_without_an_answer_makes_an_inverted_check_ok() -> None:
    run = asyncio.run(run_check(InvertedProbe(Saying(OK, FAIL)), HERE, RetryPolicy(1.0, 2, 0.0), SystemClock()))
    assert (run.outcome, run.attempts[-1].steps) == (Outcome.OK, FAIL.steps)


@pytest.mark.parametrize("listens", [True, False])
def test_a_port_that_must_stay_closed_is_watched(listens: bool) -> None:  # noqa: FBT001
    async def probed(port: int) -> Attempt:
        async with open_resources(SystemClock()) as resources:
            return await CHECK_TYPES["tcp"].build(TcpSettings(port=port, invert=True), resources).attempt(HERE, 5.0)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        if listens:
            found = asyncio.run(probed(port))
    if not listens:
        found = asyncio.run(probed(port))
    assert (found.outcome, found.reason) == ((Outcome.FAIL, "answers") if listens else (Outcome.OK, ""))
    assert [step.name for step in found.steps] == ["resolve", "connect"]
