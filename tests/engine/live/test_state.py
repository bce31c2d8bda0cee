"""The live picture: it holds what is configured, and what is known of that."""

from __future__ import annotations

from dataclasses import replace

from monitor.engine.live.state import (
    STEP_SIZE,
    ActiveMaintenanceWindow,
    CheckEntry,
    LiveState,
    SubscriptionEntry,
    WindowFigures,
)
from monitor.model import Certificate, CheckKey, Outage, Outcome, Result, State
from tests.fakes import replace_config

NOW = 1_790_935_200_000
PING, SITE = CheckKey("web-01", "ping"), CheckKey("web-01", "site")
CHECKS = (
    CheckEntry("web-01", "ping", "icmp", "192.0.2.10"),
    CheckEntry("web-01", "site", "https", "https://www.acme.example/"),
    CheckEntry("mail-01", "ping", "icmp", "192.0.2.20"),
)
SUBSCRIPTIONS = (SubscriptionEntry("acme-web-01", "acme", "web-01", "server", 4, 9975),)
FIGURES = WindowFigures(1, 0, 0, 10_000, 5)
SEEN = Result(SITE, NOW, Outcome.OK, 1, 400, "")
CERTIFICATE = Certificate("ab" * 32, expiry=1_900_000_000, earliest_expiry=1_900_000_000)
OUTAGE = Outage(7, SITE, NOW, NOW, None, None, "timeout")
WINDOW = ActiveMaintenanceWindow(12, frozenset({"web-01", "elsewhere"}), NOW, "planned", "New disks")


def board() -> LiveState:
    made = LiveState()
    replace_config(made, CHECKS, SUBSCRIPTIONS, ["spare"])
    return made


def test_a_configuration_applied_in_steps_holds_at_once_and_misses_no_result() -> None:
    made = board()
    probed_otherwise = replace(CHECKS[1], prober="http", address="http://www.acme.example/")
    many = [CheckEntry(f"server-{number}", "ping", "icmp", "192.0.2.1") for number in range(2 * STEP_SIZE)]
    checks = [*CHECKS[:1], probed_otherwise, *many]
    slices = made.replace_config_steps(checks, [], interval=10_000, timezone="UTC", released=[])
    next(slices)
    assert set(made.checks) == {entry.key for entry in CHECKS}
    made.set_check_state(SITE, State.DOWN, NOW)
    made.set_check_result(Result(PING, NOW, Outcome.OK, 1, 400, ""))
    assert list(slices)
    assert len(made.checks) == 2 + 2 * STEP_SIZE
    assert (made.checks[SITE].state, made.checks[SITE].since, made.checks[SITE].outcome) == (State.DOWN, NOW, None)
    assert made.checks[PING].at == NOW


def test_every_server_is_there_with_its_checks_in_the_order_of_the_configuration() -> None:
    servers = board().servers
    assert {server: [view.entry.check for view in views] for server, views in servers.items()} == {
        "spare": [],
        "web-01": ["ping", "site"],
        "mail-01": ["ping"],
    }


def test_what_stays_keeps_what_is_known_of_it() -> None:
    made = board()
    made.set_check_result(SEEN, CERTIFICATE)
    made.set_check_state(SITE, State.UP, NOW)
    made.set_figures("acme-web-01", "month", FIGURES)
    made.add_outage(OUTAGE)
    replace_config(made, CHECKS[:2], [replace(SUBSCRIPTIONS[0], level=2)])
    view = made.checks[SITE]
    assert (view.state, view.outcome, view.latency, view.certificate) == (State.UP, Outcome.OK, 400, CERTIFICATE)
    assert made.servers["web-01"][1] is view
    assert made.subscriptions["acme-web-01"].figures == {"month": FIGURES}
    assert made.subscriptions["acme-web-01"].entry.level == 2
    assert list(made.outages) == [7]


def test_what_leaves_the_configuration_is_forgotten() -> None:
    made = board()
    made.add_outage(OUTAGE)
    made.set_maintenance_windows([WINDOW])
    replace_config(made, CHECKS[2:], [])
    assert list(made.servers) == ["mail-01"]
    assert list(made.checks) == [CheckKey("mail-01", "ping")]
    assert (made.subscriptions, made.outages, made.maintenance_windows, made.in_maintenance) == (
        {},
        {},
        (),
        frozenset(),
    )


def test_what_comes_back_begins_anew() -> None:
    made = board()
    made.set_check_result(SEEN)
    replace_config(made, [], [])
    replace_config(made, CHECKS, SUBSCRIPTIONS)
    assert made.checks[SITE].outcome is None


def test_a_check_with_changed_settings_keeps_its_state_and_loses_its_last_result() -> None:
    made = board()
    made.set_check_result(SEEN, CERTIFICATE)
    made.set_check_state(SITE, State.UP, NOW)
    replace_config(made, [CHECKS[0], replace(CHECKS[1], prober="http", address="http://www.acme.example/")], [])
    view = made.checks[SITE]
    assert (view.state, view.since, view.outcome, view.latency, view.certificate) == (State.UP, NOW, None, None, None)


def test_news_of_what_has_left_is_ignored() -> None:
    made = board()
    replace_config(made, CHECKS[:1], [])
    made.set_check_result(SEEN)
    made.set_check_state(SITE, State.DOWN, NOW)
    made.set_figures("acme-web-01", "month", FIGURES)
    made.add_outage(OUTAGE)
    made.remove_outage(99)
    assert (list(made.checks), made.subscriptions, made.outages) == ([PING], {}, {})


def test_a_server_is_what_its_reachability_check_is() -> None:
    made = board()
    made.set_check_state(PING, State.UP, NOW)
    made.set_check_state(SITE, State.DOWN, NOW)
    assert [made.server_display_state(server) for server in ("web-01", "mail-01", "spare")] == [
        State.UP,
        State.UNKNOWN,
        State.UNKNOWN,
    ]


def test_in_maintenance_a_server_and_its_checks_are_shown_so() -> None:
    made = board()
    made.set_check_state(PING, State.DOWN, NOW)
    made.set_maintenance_windows([WINDOW])
    assert made.server_display_state("web-01") is made.display_state(made.checks[PING]) is State.MAINTENANCE
    assert made.checks[PING].state is State.DOWN
    assert made.in_maintenance == {"web-01"}
    assert made.maintenance_windows == (replace(WINDOW, servers=frozenset({"web-01"})),)
    made.set_maintenance_windows([])
    assert made.server_display_state("web-01") is State.DOWN


def test_a_server_that_joins_the_configuration_during_its_window_is_in_maintenance() -> None:
    made = LiveState()
    made.set_maintenance_windows([WINDOW])
    replace_config(made, CHECKS, [])
    assert made.server_display_state("web-01") is State.MAINTENANCE


def test_a_problem_is_told_once_and_taken_back() -> None:
    made = board()
    made.set_problem("store", "The disk is full.")
    made.set_problem("store", "The disk is still full.", ready=True)
    assert {name: (problem.text, problem.ready) for name, problem in made.problems.items()} == {
        "store": ("The disk is still full.", True)
    }
    made.clear_problem("store")
    made.clear_problem("store")
    assert made.problems == {}


def test_each_configuration_is_another_generation() -> None:
    made = board()
    before = made.generation
    replace_config(made, CHECKS, SUBSCRIPTIONS, interval=10_000, timezone="Europe/Istanbul")
    assert (made.generation, made.interval, made.timezone) == (before + 1, 10_000, "Europe/Istanbul")
