"""Computes what results change, as a pure step: from the state of the checks and new results to changes.

Nothing here reads or writes the database. ``recording.Recording`` holds the state and writes the changes in one
transaction; after that it adds them to the state (``RecordedState.apply``).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import TYPE_CHECKING

from monitor.model import Outcome, Run
from monitor.outage import AlertState, Notification, OutageChange, OutageState, advance, decide_notification
from monitor.sla.maintenance import is_active
from monitor.sla.timeline import extend_run

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from monitor.ledger.context import LedgerContext
    from monitor.model import CheckKey, Millis, Result
    from monitor.outage import OpenOutage
    from monitor.sla.maintenance import MaintenanceWindow

_AT = attrgetter("at")


@dataclass(frozen=True, slots=True)
class CheckState:
    """The state of one check, besides its last run."""

    outage: OutageState = field(default_factory=OutageState)
    """As of the last result that did more than repeat ok; the run has the time of the repeated ones."""
    alerting: AlertState = field(default_factory=AlertState)


NEW_CHECK = CheckState()
"""A check without any result."""


@dataclass(slots=True)
class RecordedState:
    """The recorded state of all checks that have results."""

    runs: dict[CheckKey, Run] = field(default_factory=dict)
    """The last run of each check."""
    checks: dict[CheckKey, CheckState] = field(default_factory=dict)

    def apply(self, changes: Changes) -> None:
        """Add changes to the state, after they are written."""
        self.runs.update(changes.runs)
        self.checks.update(changes.checks)


@dataclass(frozen=True, slots=True)
class Transition:
    """The effect of one result on the outage and the notifications of its check."""

    result: Result
    change: OutageChange
    outage: OpenOutage | None
    """The outage that it opened, continued or ended, as it is after an opening and before an end."""
    alerting: AlertState | None
    """The new alert state; None if it did not change."""
    notification: Notification | None
    """The notification to the customers of the check."""
    notified: AlertState
    """The alert state that the notification reports; the end of flapping is reported with its start."""
    wait_for_parent: bool
    """Whether the notification waits one sweep for that of the server's parent."""


@dataclass(slots=True)
class Changes:
    """The changes that results cause, before they are written."""

    accepted: list[Result] = field(default_factory=list)
    """In time order."""
    rejected: list[Result] = field(default_factory=list)
    """Results for a time that is accounted for already, since the clock ran backwards."""
    transitions: list[Transition] = field(default_factory=list)
    """In the order of their results."""
    new_runs: dict[tuple[CheckKey, Millis], Run] = field(default_factory=dict)
    """By check and start."""
    extended_runs: dict[tuple[CheckKey, Millis], Millis] = field(default_factory=dict)
    """The new ends of runs, by check and start."""
    runs: dict[CheckKey, Run] = field(default_factory=dict)
    """The last run of each check that had a result."""
    checks: dict[CheckKey, CheckState] = field(default_factory=dict)
    """The new state of each check with a result that did more than repeat ok."""


def compute_changes(
    state: RecordedState, results: Iterable[Result], context: LedgerContext, windows: Sequence[MaintenanceWindow]
) -> Changes:
    """Return what results change; they may be in any order, and ``state`` is not modified."""
    changes = Changes()
    hold = context.hold
    for result in sorted(results, key=_AT):
        key = result.check
        run = changes.runs.get(key) or state.runs.get(key)
        if run is not None and result.at <= run.last:
            changes.rejected.append(result)
            continue
        changes.accepted.append(result)
        check_state = changes.checks.get(key) or state.checks.get(key, NEW_CHECK)
        if run is not None and _only_extends(run, check_state, result, hold):
            extended = Run(run.first, result.at, run.outcome, hold)
        else:
            extended = extend_run(run, result, hold)
            state_before = check_state if run is None else _with_last_ok(check_state, run)
            _add_transition(changes, state, state_before, result, context, windows)
        changes.runs[key] = extended
        if extended.first == result.at:
            changes.new_runs[key, result.at] = extended
        else:
            changes.extended_runs[key, extended.first] = result.at
    return changes


def _only_extends(run: Run, check_state: CheckState, result: Result, hold: Millis) -> bool:
    """Return whether a result only extends its check's run, as nearly all do: ok after ok."""
    return (
        result.outcome is Outcome.OK
        and run.outcome is Outcome.OK
        and run.hold == hold
        and result.at - run.last <= hold
        and check_state.outage.open_outage is None
        and check_state.alerting.flapping_since is None
    )


def _with_last_ok(check_state: CheckState, run: Run) -> CheckState:
    """Return the state with the time of the last ok that only extended the run."""
    if run.outcome is Outcome.OK and check_state.outage.last_ok != run.last:
        return replace(check_state, outage=replace(check_state.outage, last_ok=run.last))
    return check_state


def _add_transition(
    changes: Changes,
    state: RecordedState,
    state_before: CheckState,
    result: Result,
    context: LedgerContext,
    windows: Sequence[MaintenanceWindow],
) -> None:
    outage_state, change = advance(state_before.outage, result)
    in_maintenance = any(is_active(window, result.check.server, result.at) for window in windows)
    alerting, notification = decide_notification(
        state_before.alerting, change, result, in_maintenance=in_maintenance, interval=context.interval
    )
    changes.checks[result.check] = CheckState(outage_state, alerting)
    if change is OutageChange.NONE and notification is None and alerting == state_before.alerting:
        return
    changes.transitions.append(
        Transition(
            result,
            change,
            state_before.outage.open_outage if change is OutageChange.ENDED else outage_state.open_outage,
            alerting if alerting != state_before.alerting else None,
            notification,
            state_before.alerting if notification is Notification.FLAPPING_ENDED else alerting,
            notification is Notification.DOWN and _parent_may_go_down(result.check.server, changes, state, context),
        )
    )


def _parent_may_go_down(server: str, changes: Changes, state: RecordedState, context: LedgerContext) -> bool:
    """Return whether the server has a parent that still counts as up, so that its next result is awaited."""
    configured = context.servers.get(server)
    parent = context.servers.get(configured.parent) if configured and configured.parent else None
    if parent is None or not parent.checks:
        return False
    key = parent.checks[0].key
    parent_state = changes.checks.get(key) or state.checks.get(key)
    return parent_state is not None and parent_state.outage.open_outage is None
