"""What results change, as a pure step: the state of the checks and some results in, the changes out.

Nothing here reads or writes the database. ``recording.Recording`` holds the state and writes the changes, all of them
in one transaction; only then do they belong to the state (``RecordedState.apply``).
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
    """What is known of one check besides its last run."""

    outage: OutageState = field(default_factory=OutageState)
    """As of the last result that was more than another ok: the run has the time of those."""
    alerting: AlertState = field(default_factory=AlertState)


NEW_CHECK = CheckState()
"""A check without any result."""


@dataclass(slots=True)
class RecordedState:
    """What is known of every check that has a result."""

    runs: dict[CheckKey, Run] = field(default_factory=dict)
    """The last run of each."""
    checks: dict[CheckKey, CheckState] = field(default_factory=dict)

    def apply(self, changes: Changes) -> None:
        """Take changes over, once they are written."""
        self.runs.update(changes.runs)
        self.checks.update(changes.checks)


@dataclass(frozen=True, slots=True)
class Transition:
    """What one result did to the outages and the notifications of its check."""

    result: Result
    change: OutageChange
    outage: OpenOutage | None
    """The outage that it opened, continued or ended, as it is after an opening and before an end."""
    alerting: AlertState | None
    """What has been notified from now on; None where that did not change."""
    notification: Notification | None
    """What the customers of the check are told."""
    notified: AlertState
    """The facts of that notification: a check that settled is reported with the beginning of its flapping."""
    wait_for_parent: bool
    """Whether the notification waits a sweep for that of the server's parent."""


@dataclass(slots=True)
class Changes:
    """What some results change; nothing of it is written yet."""

    accepted: list[Result] = field(default_factory=list)
    """In the order of their times."""
    rejected: list[Result] = field(default_factory=list)
    """Results for a time that their check has been accounted for already (the clock ran backwards)."""
    transitions: list[Transition] = field(default_factory=list)
    """In the order of their results."""
    new_runs: dict[tuple[CheckKey, Millis], Run] = field(default_factory=dict)
    """By check and beginning."""
    extended_runs: dict[tuple[CheckKey, Millis], Millis] = field(default_factory=dict)
    """Until when, by check and beginning."""
    runs: dict[CheckKey, Run] = field(default_factory=dict)
    """The last run of each check that had a result."""
    checks: dict[CheckKey, CheckState] = field(default_factory=dict)
    """The state of each check of which a result was more than another ok."""


def compute_changes(
    state: RecordedState, results: Iterable[Result], context: LedgerContext, windows: Sequence[MaintenanceWindow]
) -> Changes:
    """Compute what results, in any order, change; ``state`` stays as it is."""
    changes = Changes()
    hold = context.hold
    for result in sorted(results, key=_AT):
        key = result.check
        run = changes.runs.get(key) or state.runs.get(key)
        if run is not None and result.at <= run.last:
            changes.rejected.append(result)
            continue
        changes.accepted.append(result)
        known = changes.checks.get(key) or state.checks.get(key, NEW_CHECK)
        if run is not None and _only_extends(run, known, result, hold):
            extended = Run(run.first, result.at, run.outcome, hold)
        else:
            extended = extend_run(run, result, hold)
            before = known if run is None else _with_last_ok(known, run)
            _add_transition(changes, state, before, result, context, windows)
        changes.runs[key] = extended
        if extended.first == result.at:
            changes.new_runs[key, result.at] = extended
        else:
            changes.extended_runs[key, extended.first] = result.at
    return changes


def _only_extends(run: Run, known: CheckState, result: Result, hold: Millis) -> bool:
    """Whether a result does no more than extend its check's run: nearly every one, ok after ok."""
    return (
        result.outcome is Outcome.OK
        and run.outcome is Outcome.OK
        and run.hold == hold
        and result.at - run.last <= hold
        and known.outage.open_outage is None
        and known.alerting.flapping_since is None
    )


def _with_last_ok(known: CheckState, run: Run) -> CheckState:
    """Return the state with the last of the oks that only extended the run."""
    if run.outcome is Outcome.OK and known.outage.last_ok != run.last:
        return replace(known, outage=replace(known.outage, last_ok=run.last))
    return known


def _add_transition(
    changes: Changes,
    state: RecordedState,
    before: CheckState,
    result: Result,
    context: LedgerContext,
    windows: Sequence[MaintenanceWindow],
) -> None:
    outage_state, change = advance(before.outage, result)
    in_maintenance = any(is_active(window, result.check.server, result.at) for window in windows)
    alerting, notification = decide_notification(
        before.alerting, change, result, in_maintenance=in_maintenance, interval=context.interval
    )
    changes.checks[result.check] = CheckState(outage_state, alerting)
    if change is OutageChange.NONE and notification is None and alerting == before.alerting:
        return
    changes.transitions.append(
        Transition(
            result,
            change,
            before.outage.open_outage if change is OutageChange.ENDED else outage_state.open_outage,
            alerting if alerting != before.alerting else None,
            notification,
            before.alerting if notification is Notification.FLAPPING_ENDED else alerting,
            notification is Notification.DOWN and _parent_may_go_down(result.check.server, changes, state, context),
        )
    )


def _parent_may_go_down(server: str, changes: Changes, state: RecordedState, context: LedgerContext) -> bool:
    """Whether the server depends on one that still counts as up: then that one's next result is awaited."""
    known = context.servers.get(server)
    parent = context.servers.get(known.parent) if known and known.parent else None
    if parent is None or not parent.checks:
        return False
    key = parent.checks[0].key
    parent_state = changes.checks.get(key) or state.checks.get(key)
    return parent_state is not None and parent_state.outage.open_outage is None
