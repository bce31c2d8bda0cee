"""Whether a lack of resources and silent canaries become problems, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.engine.live.blindness import CANARIES, OFFLINE_TEXT, RESOURCES, BlindnessWatch
from monitor.engine.live.state import LiveState
from monitor.engine.live.telemetry import Telemetry
from monitor.mail.content import OperatorNews
from monitor.model import CheckKey, Outcome, Result
from monitor.probes.failures import SHORTAGES

if TYPE_CHECKING:
    from collections.abc import Iterable

INTERVAL = 60.0
"""Seconds."""


class Watched:
    """A watch, and what it says."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.state, self.telemetry = LiveState(), Telemetry()
        self.mails: list[tuple[OperatorNews, tuple[str, ...]]] = []
        self.cleared: list[OperatorNews] = []
        self.watch = BlindnessWatch(
            self.state,
            self.telemetry,
            read_seconds=lambda: self.now,
            raise_problem=self._raise_problem,
            clear_problem=self.cleared.append,
        )

    def _raise_problem(self, news: OperatorNews, lines: Iterable[str]) -> None:
        self.mails.append((news, tuple(lines)))

    def sweep(self, reason: str = "", *, canary: bool = False, seconds: float = INTERVAL) -> None:
        """End a sweep with one result, ``seconds`` after the last."""
        self.now += seconds
        if canary:
            self.watch.on_canary_answer()
        outcome = Outcome.UNKNOWN if reason else Outcome.OK
        self.watch.on_results([Result(CheckKey("web-01", "ping"), 0, outcome, 1, None, reason)])
        self.watch.on_sweep()

    def problem(self, name: str) -> bool | None:
        """Return whether the monitor is ready in spite of a problem; None if there is none."""
        found = self.state.problems.get(name)
        return None if found is None else found.ready


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.mark.logs_errors
@pytest.mark.parametrize("reason", sorted(SHORTAGES))
def test_a_shortage_in_two_sweeps_is_a_problem_and_a_mail(watched: Watched, reason: str) -> None:
    watched.sweep(reason)
    assert (watched.problem(RESOURCES), watched.mails) == (None, [])
    watched.sweep(reason)
    assert watched.problem(RESOURCES) is False
    watched.sweep(reason)
    assert watched.mails == [(OperatorNews.RESOURCES, (f"web-01/ping: {reason}",))]


@pytest.mark.parametrize("reason", ["", "no route", "not permitted", "name not resolved", "slot missed"])
def test_other_unknown_results_are_no_shortage(watched: Watched, reason: str) -> None:
    for _ in range(5):
        watched.sweep(reason)
    assert (watched.problem(RESOURCES), watched.mails) == (None, [])


def test_a_shortage_in_one_sweep_is_no_problem(watched: Watched) -> None:
    for reason in ("no thread", "", "", "", "no thread", "", "", ""):
        watched.sweep(reason)
        assert watched.problem(RESOURCES) is None
    assert watched.mails == []


def test_two_sweeps_that_end_together_are_one_observation(watched: Watched) -> None:
    watched.sweep("no memory")
    watched.sweep("no memory", seconds=0.1)
    assert watched.problem(RESOURCES) is None


@pytest.mark.logs_errors
def test_a_shortage_that_is_over_is_told_again_when_it_returns(watched: Watched) -> None:
    for reason in ("no thread", "no thread", "", "", ""):
        watched.sweep(reason)
    assert watched.problem(RESOURCES) is None
    assert watched.cleared == [OperatorNews.RESOURCES]
    watched.sweep("no thread")
    watched.sweep("no thread")
    assert len(watched.mails) == 2


@pytest.mark.logs_errors
def test_a_connection_that_cannot_be_accepted_is_a_problem_at_once(watched: Watched) -> None:
    watched.watch.on_descriptors_exhausted("web server: Too many open files")
    assert watched.problem(RESOURCES) is False
    assert "Too many open files" in watched.state.problems[RESOURCES].text
    watched.sweep()
    watched.watch.on_descriptors_exhausted("web server: Too many open files")
    watched.sweep()
    assert [news for news, _ in watched.mails] == [OperatorNews.RESOURCES]
    for _ in range(3):
        watched.sweep()
    assert watched.problem(RESOURCES) is None


@pytest.mark.logs_errors
def test_canaries_that_cannot_be_probed_are_a_problem_after_two_sweeps(watched: Watched) -> None:
    watched.telemetry.set_canaries(["192.0.2.1"])
    watched.sweep(canary=True)
    watched.sweep()
    watched.sweep()
    assert watched.problem(CANARIES) is None
    watched.sweep()
    assert watched.problem(CANARIES) is False
    watched.sweep()
    assert watched.mails == [(OperatorNews.NO_CONNECTIVITY, ("192.0.2.1",))]
    watched.sweep(canary=True)
    assert watched.problem(CANARIES) is None


def test_a_monitor_that_is_offline_is_not_ready_after_two_sweeps(watched: Watched) -> None:
    watched.telemetry.set_canaries(["192.0.2.1"])
    watched.state.set_problem(CANARIES, OFFLINE_TEXT, ready=True)
    watched.sweep()
    assert watched.problem(CANARIES) is True
    watched.sweep()
    watched.sweep()
    assert watched.problem(CANARIES) is False
    assert watched.mails == []


def test_without_canaries_nothing_is_silent(watched: Watched) -> None:
    for _ in range(5):
        watched.sweep()
    assert watched.problem(CANARIES) is None


def test_canaries_without_permission_are_the_problem_of_icmp(watched: Watched) -> None:
    watched.telemetry.set_canaries(["192.0.2.1"])
    watched.state.set_problem("icmp", "not permitted")
    for _ in range(5):
        watched.sweep()
    assert (watched.problem(CANARIES), watched.mails) == (None, [])
