"""The state machine of one check, pure: what a result changes, and what of it anybody is told.

Two machines stand side by side. ``advance`` keeps the record (outages are found by
docs/contract.md#outages-and-their-bounds, whatever anybody is told); ``decide_notification`` keeps the peace: silence
inside a maintenance window, flapping told once, an outage told once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from monitor.model import Outcome

if TYPE_CHECKING:
    from monitor.model import Millis, Result

FLAP_THRESHOLD = 3
"""So many outages that begin within ``FLAP_WINDOW`` intervals are flapping."""
FLAP_WINDOW = 30
"""Intervals in which ``FLAP_THRESHOLD`` beginnings make a check flap."""
FLAP_END_AFTER = 15
"""Intervals without a change after which a flapping check has settled."""


@dataclass(frozen=True, slots=True)
class OpenOutage:
    """An outage that has not ended: its first and last fail so far, and the last ok before it."""

    start: Millis
    last_fail: Millis
    last_ok: Millis | None
    reason: str


@dataclass(frozen=True, slots=True)
class OutageState:
    """What is known of one check: the last ok result, and the outage that is open."""

    last_ok: Millis | None = None
    open_outage: OpenOutage | None = None


class OutageChange(StrEnum):
    """What one result did to the outages of its check."""

    NONE = "none"
    OPENED = "opened"
    CONTINUED = "continued"
    ENDED = "ended"


def advance(state: OutageState, result: Result) -> tuple[OutageState, OutageChange]:
    """Take the next result, in time order.

    A fail opens an outage or continues the open one, an ok ends it, an unknown changes nothing: it neither opens nor
    ends an outage (docs/contract.md#outages-and-their-bounds). After ``ENDED`` the outage is gone from the
    standing; the caller still holds the one before.
    """
    outage = state.open_outage
    if result.outcome is Outcome.UNKNOWN:
        return state, OutageChange.NONE
    if result.outcome is Outcome.OK:
        return OutageState(last_ok=result.at), OutageChange.ENDED if outage else OutageChange.NONE
    if outage:
        return replace(state, open_outage=replace(outage, last_fail=result.at)), OutageChange.CONTINUED
    opened = OpenOutage(result.at, result.at, state.last_ok, result.reason)
    return replace(state, open_outage=opened), OutageChange.OPENED


class Notification(StrEnum):
    """What the customers of a check are to be told."""

    DOWN = "down"
    UP = "up"
    FLAPPING = "flapping"
    FLAPPING_ENDED = "settled"


@dataclass(frozen=True, slots=True)
class AlertState:
    """What has been notified of one check."""

    notified: bool = False
    """The customers know of the open outage, so they are owed word of its end."""
    recent_starts: tuple[Millis, ...] = ()
    """When its recent outages began, outside of maintenance windows."""
    flapping_since: Millis | None = None
    """Since when it has been flapping; None while it is not."""
    last_change: Millis = 0
    """When an outage last began or ended."""


def decide_notification(
    alert_state: AlertState, change: OutageChange, result: Result, *, in_maintenance: bool, interval: Millis
) -> tuple[AlertState, Notification | None]:
    """Decide what to notify after one result, which did ``change``, ``in_maintenance`` inside a maintenance window.

    A failure that outlives its window is notified at the first fail after it. An end is notified to those notified
    of the beginning, inside a window too. While a check flaps nothing is told until it has settled.
    """
    if change in (OutageChange.OPENED, OutageChange.ENDED):
        alert_state = replace(alert_state, last_change=result.at)
    if change is OutageChange.OPENED and not in_maintenance:
        oldest = result.at - FLAP_WINDOW * interval
        starts = (*(start for start in alert_state.recent_starts if start > oldest), result.at)
        alert_state = replace(alert_state, recent_starts=starts[-FLAP_THRESHOLD:])
    if alert_state.flapping_since is not None:
        return _end_flapping(alert_state, result, in_maintenance=in_maintenance, interval=interval)
    if change is OutageChange.ENDED and alert_state.notified:
        return replace(alert_state, notified=False), Notification.UP
    failing = change in (OutageChange.OPENED, OutageChange.CONTINUED)
    if in_maintenance or alert_state.notified or not failing:
        return alert_state, None
    if change is OutageChange.OPENED and len(alert_state.recent_starts) >= FLAP_THRESHOLD:
        return replace(alert_state, flapping_since=alert_state.recent_starts[0], notified=True), Notification.FLAPPING
    return replace(alert_state, notified=True), Notification.DOWN


def _end_flapping(
    alert_state: AlertState, result: Result, *, in_maintenance: bool, interval: Millis
) -> tuple[AlertState, Notification | None]:
    """End the flapping once the check has one state for ``FLAP_END_AFTER`` intervals; unknown results do not count."""
    calm = result.at - alert_state.last_change >= FLAP_END_AFTER * interval
    if in_maintenance or not calm or result.outcome is Outcome.UNKNOWN:
        return alert_state, None
    down = result.outcome is Outcome.FAIL
    return AlertState(notified=down, last_change=alert_state.last_change), Notification.FLAPPING_ENDED
