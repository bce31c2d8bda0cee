"""Planned and emergency maintenance (4.1, 4.9; docs/contract.md#what-does-not-count)."""

from __future__ import annotations

import pytest

from monitor.model import Span
from monitor.sla.exclusions import Exclusion
from monitor.sla.maintenance import (
    MIN_NOTICE_MS,
    AnnouncedPart,
    MaintenanceAnnounced,
    MaintenanceCancelled,
    MaintenanceEvent,
    MaintenanceExtended,
    MaintenanceKind,
    MaintenanceState,
    MaintenanceWindow,
    exclusions_of,
    is_active,
    notice_shortfall,
    qualifies,
    state_at,
    windows_from,
)
from tests.sla.sla_fixtures import DAY, HOUR, MINUTE, at

START = at("2026-10-20T02:00:00+03:00")
END = START + 4 * HOUR
EARLY = START - 10 * DAY


def announced(
    announced_at: int = EARLY, kind: MaintenanceKind = "planned", recorded_at: int | None = None
) -> MaintenanceAnnounced:
    recorded = announced_at if recorded_at is None else recorded_at
    return MaintenanceAnnounced(12, recorded, ("web-01", "web-02"), kind, "new switch", START, END, announced_at)


def folded(*facts: MaintenanceEvent) -> MaintenanceWindow:
    (window,) = windows_from(facts)
    return window


def excluded(window: MaintenanceWindow) -> list[tuple[float, float]]:
    """What it excludes, in hours from the first start."""
    return [((one.span.start - START) / HOUR, (one.span.end - START) / HOUR) for one in exclusions_of(window)]


# --- notice ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "short"),
    [
        (96 * HOUR, 0),
        (96 * HOUR - 1, 1),
        (96 * HOUR + 1, 0),
        (95 * HOUR + 59 * MINUTE, MINUTE),
        (95 * HOUR, HOUR),
        (10 * DAY, 0),
        (0, 96 * HOUR),
        (-HOUR, 97 * HOUR),
    ],
)
def test_planned_work_excludes_when_it_was_announced_96_hours_before_its_start(before: int, short: int) -> None:
    window = folded(announced(START - before))
    assert (window.qualifies, window.notice_shortfall) == (short == 0, short)
    assert excluded(window) == ([(0, 4)] if short == 0 else [])


def test_notice_is_four_days() -> None:
    assert MIN_NOTICE_MS == 4 * DAY


def test_an_external_announcement_counts_from_its_own_time_not_from_its_recording() -> None:
    window = folded(announced(announced_at=START - 5 * DAY, recorded_at=START + DAY))
    assert excluded(window) == [(0, 4)]
    assert window.recorded_late_by == DAY


def test_a_window_announced_too_late_is_kept_and_silences_alerts() -> None:
    window = folded(announced(START - HOUR))
    assert exclusions_of(window) == ()
    assert is_active(window, "web-01", START)


@pytest.mark.parametrize("before", [0, -3 * HOUR, -30 * DAY, DAY])
def test_an_emergency_excludes_whole_whenever_it_was_recorded(before: int) -> None:
    window = folded(announced(START - before, "emergency"))
    assert excluded(window) == [(0, 4)]
    assert (window.qualifies, window.notice_shortfall, window.recorded_late_by) == (True, 0, max(0, -before))


@pytest.mark.parametrize(("kind", "clause"), [("planned", "4.1"), ("emergency", "4.9")])
def test_planned_work_counts_as_4_1_and_an_emergency_as_4_9(kind: MaintenanceKind, clause: str) -> None:
    (one,) = exclusions_of(folded(announced(kind=kind)))
    assert one == Exclusion(clause, Span(START, END), "maintenance 12", EARLY, frozenset({"web-01", "web-02"}))


# --- changes ---------------------------------------------------------------------------------------------------------


def test_the_added_part_of_an_extension_needs_its_own_notice() -> None:
    late = folded(announced(), MaintenanceExtended(12, START - DAY, END + 2 * HOUR, START - DAY))
    assert excluded(late) == [(0, 4)]
    assert late.parts == (
        AnnouncedPart(START, END, EARLY, EARLY),
        AnnouncedPart(END, END + 2 * HOUR, START - DAY, START - DAY),
    )
    assert [notice_shortfall(part) for part in late.parts] == [0, 96 * HOUR - 28 * HOUR]
    assert (late.qualifies, late.notice_shortfall) == (False, 68 * HOUR)


def test_the_notice_of_an_extension_is_counted_to_the_start_of_what_it_adds() -> None:
    told = END - 96 * HOUR
    window = folded(announced(), MaintenanceExtended(12, told, END + HOUR, told))
    assert excluded(window) == [(0, 4), (4, 5)]
    assert window.qualifies


def test_an_extension_announced_a_millisecond_late_adds_nothing() -> None:
    told = END - 96 * HOUR + 1
    window = folded(announced(), MaintenanceExtended(12, told, END + HOUR, told))
    assert excluded(window) == [(0, 4)]
    assert window.notice_shortfall == 1


def test_an_extension_that_qualifies_does_not_mend_a_window_that_does_not() -> None:
    window = folded(
        announced(START - 95 * HOUR), MaintenanceExtended(12, START - 95 * HOUR, END + HOUR, END - 97 * HOUR)
    )
    assert excluded(window) == [(4, 5)]
    assert (window.qualifies, window.notice_shortfall) == (False, HOUR)


def test_what_an_extension_adds_was_recorded_with_the_extension() -> None:
    """An exclusion of 4.9 made between the two is charged before the added part, and after the first."""
    window = folded(announced(START, "emergency"), MaintenanceExtended(12, START + HOUR, END + HOUR, START + HOUR))
    assert [one.recorded_at for one in exclusions_of(window)] == [START, START + HOUR]


def test_an_emergency_is_extended_without_notice() -> None:
    window = folded(announced(START, "emergency"), MaintenanceExtended(12, START + HOUR, END + HOUR, START + HOUR))
    assert excluded(window) == [(0, 4), (4, 5)]


def test_shortening_takes_effect_at_once() -> None:
    window = folded(announced(), MaintenanceExtended(12, START + HOUR, START + 2 * HOUR, START + HOUR))
    assert (excluded(window), window.end, window.cancelled_at) == ([(0, 2)], START + 2 * HOUR, None)


def test_shortening_to_a_time_that_has_passed_ends_the_window_now() -> None:
    window = folded(announced(), MaintenanceExtended(12, START + 3 * HOUR, START + 2 * HOUR, START + 3 * HOUR))
    assert (excluded(window), window.end) == ([(0, 3)], START + 3 * HOUR)


def test_shortening_after_the_end_changes_nothing() -> None:
    assert folded(announced(), MaintenanceExtended(12, END + HOUR, START + HOUR, END + HOUR)) == folded(announced())


def test_shortening_drops_the_parts_beyond_the_new_end() -> None:
    window = folded(
        announced(),
        MaintenanceExtended(12, EARLY + 1, END + 2 * HOUR, EARLY + 1),
        MaintenanceExtended(12, EARLY + 2, START + HOUR, EARLY + 2),
    )
    assert window.parts == (AnnouncedPart(START, START + HOUR, EARLY, EARLY),)


def test_shortening_to_where_a_part_begins_drops_that_part() -> None:
    window = folded(
        announced(),
        MaintenanceExtended(12, EARLY + 1, END + HOUR, EARLY + 1),
        MaintenanceExtended(12, EARLY + 2, END, 0),
    )
    assert window == folded(announced())


def test_extending_what_was_shortened_is_a_new_announcement() -> None:
    window = folded(
        announced(),
        MaintenanceExtended(12, START - 2 * DAY, START + HOUR, START - 2 * DAY),
        MaintenanceExtended(12, START - DAY, END, START - DAY),
    )
    assert excluded(window) == [(0, 1)]
    assert [part.announced_at for part in window.parts] == [EARLY, START - DAY]


def test_a_window_cancelled_before_its_start_excludes_nothing() -> None:
    window = folded(announced(), MaintenanceCancelled(12, START - 1))
    assert exclusions_of(window) == ()
    assert not is_active(window, "web-01", START)
    assert (window.start, window.end, window.cancelled_before_start) == (START, END, True)


def test_a_window_cancelled_at_its_start_excludes_nothing() -> None:
    assert exclusions_of(folded(announced(), MaintenanceCancelled(12, START))) == ()


def test_a_window_cancelled_while_it_runs_ends_now() -> None:
    window = folded(announced(), MaintenanceCancelled(12, START + HOUR))
    assert excluded(window) == [(0, 1)]
    assert (window.end, window.cancelled_before_start) == (START + HOUR, False)
    assert is_active(window, "web-01", START + HOUR - 1)
    assert not is_active(window, "web-01", START + HOUR)


def test_cancelling_after_the_end_changes_nothing() -> None:
    window = folded(announced(), MaintenanceCancelled(12, END))
    assert (excluded(window), state_at(window, END)) == ([(0, 4)], MaintenanceState.OVER)


def test_a_window_shortened_to_nothing_is_cancelled() -> None:
    window = folded(announced(), MaintenanceExtended(12, START - DAY, START, START - DAY))
    assert (exclusions_of(window), state_at(window, START)) == ((), MaintenanceState.CANCELLED)


def test_what_was_cancelled_is_not_extended() -> None:
    facts = announced(), MaintenanceCancelled(12, EARLY + 1), MaintenanceExtended(12, EARLY + 2, END + DAY, EARLY + 2)
    assert folded(*facts) == folded(*facts[:2])


def test_a_cancelled_emergency_excludes_what_had_passed_of_it() -> None:
    assert excluded(folded(announced(START, "emergency"), MaintenanceCancelled(12, START + HOUR))) == [(0, 1)]


def test_an_announcement_comes_first_though_the_clock_was_set_back_after_it() -> None:
    window = folded(MaintenanceExtended(12, EARLY - 1, END + HOUR, EARLY - 1), announced())
    assert window.end == END + HOUR


def test_a_change_of_a_window_that_is_not_known_changes_nothing() -> None:
    assert windows_from([MaintenanceCancelled(3, 0), MaintenanceExtended(4, 0, 9, 0), announced()]) == (
        folded(announced()),
    )


def test_windows_are_listed_by_id() -> None:
    other = MaintenanceAnnounced(2, EARLY + 1, ("web-03",), "planned", "", START, END, EARLY)
    assert [window.id for window in windows_from([announced(), other])] == [2, 12]


# --- what it is at a moment ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "expected"),
    [(START - 1, "upcoming"), (START, "active"), (END - 1, "active"), (END, "over"), (END + DAY, "over")],
)
def test_a_window_is_upcoming_active_then_over(now: int, expected: str) -> None:
    assert state_at(folded(announced()), now) == expected


def test_a_window_is_active_on_its_own_servers_alone() -> None:
    window = folded(announced())
    assert [is_active(window, server, START) for server in ("web-01", "web-02", "web-03")] == [True, True, False]


@pytest.mark.parametrize(("when", "inside"), [(START - 1, False), (START, True), (END - 1, True), (END, False)])
def test_a_window_holds_its_start_and_not_its_end(when: int, inside: bool) -> None:  # noqa: FBT001 - a table of cases
    assert is_active(folded(announced()), "web-01", when) is inside


def test_a_part_alone_says_whether_it_qualifies() -> None:
    assert qualifies(AnnouncedPart(START, END, START - 96 * HOUR, 0))
    assert not qualifies(AnnouncedPart(START, END, START - 95 * HOUR, 0))
    assert qualifies(AnnouncedPart(START, END, END, 0), "emergency")
