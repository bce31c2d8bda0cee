"""The state machine of one check, pure: what a result changes, and what of it anybody is told.

Two machines stand side by side. ``advance`` keeps the record (outages are found by reading.md 4.5, whatever anybody is
told); ``decide`` keeps the peace: silence inside a maintenance window, flapping told once, an outage told once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from monitor.model import Outcome

if TYPE_CHECKING:
    from monitor.model import Millis, Result

FLAP_STARTS = 3
"""So many outages that begin within ``FLAP_WITHIN`` intervals are flapping."""
FLAP_WITHIN = 30
"""Intervals in which ``FLAP_STARTS`` beginnings make a check flap."""
CALM = 15
"""Intervals without a change after which a flapping check has settled."""


@dataclass(frozen=True, slots=True)
class OpenOutage:
    """An outage that has not ended: its first and last fail so far, and the last ok before it."""

    start: Millis
    last_fail: Millis
    last_ok: Millis | None
    reason: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one check: the last ok result, and the outage that is open."""

    last_ok: Millis | None = None
    outage: OpenOutage | None = None


class Change(StrEnum):
    """What one result did to the outages of its check."""

    NONE = "none"
    OPENED = "opened"
    CONTINUED = "continued"
    ENDED = "ended"


def advance(standing: Standing, result: Result) -> tuple[Standing, Change]:
    """Take the next result, in time order.

    A fail opens an outage or continues the open one, an ok ends it, an unknown changes nothing: it neither opens nor
    ends an outage (reading.md 4.5 and 5). After ``ENDED`` the outage is gone from the standing; the caller still holds
    the one before.
    """
    outage = standing.outage
    if result.outcome is Outcome.UNKNOWN:
        return standing, Change.NONE
    if result.outcome is Outcome.OK:
        return Standing(last_ok=result.at), Change.ENDED if outage else Change.NONE
    if outage:
        return replace(standing, outage=replace(outage, last_fail=result.at)), Change.CONTINUED
    opened = OpenOutage(result.at, result.at, standing.last_ok, result.reason)
    return replace(standing, outage=opened), Change.OPENED


class Notice(StrEnum):
    """What the customers of a check are to be told."""

    DOWN = "down"
    UP = "up"
    FLAPPING = "flapping"
    SETTLED = "settled"


@dataclass(frozen=True, slots=True)
class Alerting:
    """What has been told of one check."""

    told: bool = False
    """The customers know of the open outage, so they are owed word of its end."""
    starts: tuple[Millis, ...] = ()
    """When its recent outages began, outside of maintenance windows."""
    flapping: Millis | None = None
    """Since when it has been flapping; None while it is not."""
    changed: Millis = 0
    """When an outage last began or ended."""


def decide(
    alerting: Alerting, change: Change, result: Result, *, silent: bool, interval: Millis
) -> tuple[Alerting, Notice | None]:
    """Say what is to be told of one result, which did ``change``, ``silent`` inside a maintenance window.

    A failure that outlives its window is told at the first fail after it. An end is told to whoever was told of the
    beginning, inside a window too. While a check flaps nothing is told until it has settled.
    """
    if change in (Change.OPENED, Change.ENDED):
        alerting = replace(alerting, changed=result.at)
    if change is Change.OPENED and not silent:
        oldest = result.at - FLAP_WITHIN * interval
        starts = (*(start for start in alerting.starts if start > oldest), result.at)
        alerting = replace(alerting, starts=starts[-FLAP_STARTS:])
    if alerting.flapping is not None:
        return _settle(alerting, result, silent=silent, interval=interval)
    if change is Change.ENDED and alerting.told:
        return replace(alerting, told=False), Notice.UP
    failing = change in (Change.OPENED, Change.CONTINUED)
    if silent or alerting.told or not failing:
        return alerting, None
    if change is Change.OPENED and len(alerting.starts) >= FLAP_STARTS:
        return replace(alerting, flapping=alerting.starts[0], told=True), Notice.FLAPPING
    return replace(alerting, told=True), Notice.DOWN


def _settle(alerting: Alerting, result: Result, *, silent: bool, interval: Millis) -> tuple[Alerting, Notice | None]:
    """End the flapping once the check has kept one state for ``CALM`` intervals; an unknown result proves nothing."""
    calm = result.at - alerting.changed >= CALM * interval
    if silent or not calm or result.outcome is Outcome.UNKNOWN:
        return alerting, None
    down = result.outcome is Outcome.FAIL
    return Alerting(told=down, changed=alerting.changed), Notice.SETTLED
