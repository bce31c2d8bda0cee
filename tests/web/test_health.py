"""Whether the monitor says so when it does not do its duty."""

from __future__ import annotations

import pytest

from monitor.engine.live.telemetry import Telemetry
from monitor.web.health import Health
from tests.fakes import FakeClock, replace_config
from tests.web.page_fixtures import CHECKS, configured_state


class Patient:
    """A board, counters and a clock, and the one who looks at them."""

    def __init__(self) -> None:
        self.board, self.telemetry, self.clock = configured_state(), Telemetry(), FakeClock()
        self.health = Health(self.board, self.telemetry, self.clock)

    def sweep(self) -> None:
        self.telemetry.sweep_done(self.clock.now(), self.clock.monotonic())


@pytest.fixture
def patient() -> Patient:
    return Patient()


def test_it_is_ready_while_its_first_sweep_cannot_be_over(patient: Patient) -> None:
    patient.clock.advance(150)
    assert patient.health.readiness() == (True, "ready\n")


def test_it_is_not_ready_when_no_sweep_is_ever_complete(patient: Patient) -> None:
    patient.clock.advance(151)
    ready, text = patient.health.readiness()
    assert not ready
    assert text.startswith("not ready\nsweep: No sweep was complete since the start, 151 s ago; one is due every 60 s.")


def test_it_is_ready_as_long_as_sweeps_are_on_time(patient: Patient) -> None:
    for _ in range(10):
        patient.clock.advance(119)
        patient.sweep()
        assert patient.health.readiness()[0]
    patient.clock.advance(151)
    assert not patient.health.readiness()[0]
    patient.sweep()
    assert patient.health.readiness()[0]


def test_a_step_of_the_wall_clock_makes_nothing_late(patient: Patient) -> None:
    patient.sweep()
    patient.clock.step(3_600_000)
    assert patient.health.readiness()[0]
    patient.clock.step(-7_200_000)
    patient.clock.advance(151)
    assert not patient.health.readiness()[0]


def test_what_is_late_depends_on_the_interval(patient: Patient) -> None:
    replace_config(patient.board, CHECKS, [], interval=10_000)
    patient.sweep()
    patient.clock.advance(26)
    assert not patient.health.readiness()[0]
    replace_config(patient.board, CHECKS, [], interval=600_000)
    assert patient.health.readiness()[0]


def test_every_problem_that_stops_it_is_named_with_its_remedy(patient: Patient) -> None:
    patient.board.set_problem("store", "The disk is full: free some of it.")
    patient.board.set_problem("icmp", "ICMP is not permitted: permit it.")
    assert patient.health.readiness() == (
        False,
        "not ready\nicmp: ICMP is not permitted: permit it.\nstore: The disk is full: free some of it.\n",
    )
    patient.board.clear_problem("store")
    patient.board.clear_problem("icmp")
    assert patient.health.readiness() == (True, "ready\n")


def test_a_problem_that_it_can_work_with_is_shown_last_and_leaves_it_ready(patient: Patient) -> None:
    patient.board.set_problem("reload", "The last reload was refused.", ready=True)
    assert patient.health.readiness() == (True, "ready\n")
    patient.board.set_problem("store", "The disk is full.")
    assert [complaint.name for complaint in patient.health.problems()] == ["store", "reload"]
    assert "reload" not in patient.health.readiness()[1]
