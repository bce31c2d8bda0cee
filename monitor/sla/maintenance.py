"""Maintenance windows, computed from events, and what they exclude (4.1, 4.9).

See docs/contract.md#what-does-not-count.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from monitor.model import Span
from monitor.sla.availability import Exclusion

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monitor.model import Millis

MaintenanceKind: TypeAlias = Literal["planned", "emergency"]

MIN_NOTICE_MS: Final = 96 * 3_600_000
"""The least notice of planned maintenance, in milliseconds: 4 days (4.9)."""
CLAUSE: Final[dict[MaintenanceKind, str]] = {"planned": "4.1", "emergency": "4.9"}


@dataclass(frozen=True, slots=True)
class MaintenanceAnnounced:
    """A window was announced. ``at`` is the time of recording, ``announced_at`` that of the announcement."""

    id: int
    at: Millis
    servers: tuple[str, ...]
    kind: MaintenanceKind
    reason: str
    start: Millis
    end: Millis
    announced_at: Millis


@dataclass(frozen=True, slots=True)
class MaintenanceExtended:
    """A window got another end, recorded at ``at``: a later end is a new announcement, an earlier one holds at once."""

    id: int
    at: Millis
    end: Millis
    announced_at: Millis


@dataclass(frozen=True, slots=True)
class MaintenanceCancelled:
    """A window was cancelled at ``at``."""

    id: int
    at: Millis


MaintenanceEvent: TypeAlias = MaintenanceAnnounced | MaintenanceExtended | MaintenanceCancelled


@dataclass(frozen=True, slots=True)
class AnnouncedPart:
    """A part of a window with its own announcement."""

    start: Millis
    end: Millis
    announced_at: Millis
    recorded_at: Millis


class MaintenanceState(StrEnum):
    """The state of a window at a moment."""

    UPCOMING = "upcoming"
    ACTIVE = "active"
    OVER = "over"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class MaintenanceWindow:
    """A maintenance window after its events: consecutive parts, the first from the first announcement."""

    id: int
    servers: tuple[str, ...]
    kind: MaintenanceKind
    reason: str
    parts: tuple[AnnouncedPart, ...]
    cancelled_at: Millis | None
    """When it was cancelled. If that is at or before its start, it excludes nothing and ``parts`` show what was
    announced; otherwise the parts end there."""
    recorded_at: Millis

    @property
    def start(self) -> Millis:
        """The start of its first part."""
        return self.parts[0].start

    @property
    def end(self) -> Millis:
        """The end of its last part."""
        return self.parts[-1].end

    @property
    def announced_at(self) -> Millis:
        """The time of the first announcement."""
        return self.parts[0].announced_at

    @property
    def reference(self) -> str:
        """Its name in reports."""
        return f"maintenance {self.id}"

    @property
    def cancelled_before_start(self) -> bool:
        """Whether it was cancelled at or before its start: there was no maintenance."""
        return self.cancelled_at is not None and self.cancelled_at <= self.start

    @property
    def notice_shortfall(self) -> Millis:
        """The largest lack of notice of its parts, in milliseconds; 0 if all qualify."""
        return max(notice_shortfall(part, self.kind) for part in self.parts)

    @property
    def qualifies(self) -> bool:
        """Whether every part excludes."""
        return self.notice_shortfall == 0

    @property
    def recorded_late_by(self) -> Millis:
        """The time from its start to its recording, in milliseconds; 0 if it was recorded before."""
        return max(0, self.recorded_at - self.start)


def windows_from(events: Iterable[MaintenanceEvent]) -> tuple[MaintenanceWindow, ...]:
    """Return the windows, by id, after events in any order; those of one moment are in the order of recording.

    The announcement of a window comes first, whatever its time. Changes of a cancelled window, or of one that was
    never announced, are ignored.
    """
    found: dict[int, MaintenanceWindow] = {}
    for event in sorted(events, key=lambda event: (not isinstance(event, MaintenanceAnnounced), event.at)):
        if isinstance(event, MaintenanceAnnounced):
            part = AnnouncedPart(event.start, event.end, event.announced_at, event.at)
            found[event.id] = MaintenanceWindow(
                event.id, event.servers, event.kind, event.reason, (part,), None, event.at
            )
        elif event.id in found and found[event.id].cancelled_at is None:
            found[event.id] = _apply_change(found[event.id], event)
    return tuple(found[key] for key in sorted(found))


def _apply_change(window: MaintenanceWindow, event: MaintenanceExtended | MaintenanceCancelled) -> MaintenanceWindow:
    if isinstance(event, MaintenanceExtended) and event.end > window.end:
        added = AnnouncedPart(window.end, event.end, event.announced_at, event.at)
        return replace(window, parts=(*window.parts, added))
    end = max(event.at, event.end) if isinstance(event, MaintenanceExtended) else event.at
    if end >= window.end:
        return window
    if end <= window.start:
        return replace(window, cancelled_at=event.at)
    kept = tuple(replace(part, end=min(part.end, end)) for part in window.parts if part.start < end)
    return replace(window, parts=kept, cancelled_at=event.at if isinstance(event, MaintenanceCancelled) else None)


def notice_shortfall(part: AnnouncedPart, kind: MaintenanceKind = "planned") -> Millis:
    """Return the notice that a part lacks, in milliseconds; an emergency needs none."""
    return max(0, MIN_NOTICE_MS - (part.start - part.announced_at)) if kind == "planned" else 0


def qualifies(part: AnnouncedPart, kind: MaintenanceKind = "planned") -> bool:
    """Return whether a part excludes: it was announced at least 96 h before its start, or is an emergency."""
    return notice_shortfall(part, kind) == 0


def state_at(window: MaintenanceWindow, now: Millis) -> MaintenanceState:
    """Return the state of the window at ``now``."""
    if window.cancelled_at is not None:
        return MaintenanceState.CANCELLED
    if now < window.start:
        return MaintenanceState.UPCOMING
    return MaintenanceState.ACTIVE if now < window.end else MaintenanceState.OVER


def is_active(window: MaintenanceWindow, server: str, at: Millis) -> bool:
    """Return whether the server is in maintenance at ``at``: then alerts are silent, whether or not it excludes."""
    return server in window.servers and not window.cancelled_before_start and window.start <= at < window.end


def exclusions_of(window: MaintenanceWindow) -> tuple[Exclusion, ...]:
    """Return the window's exclusions: the whole emergency (4.9), or the parts announced in time (4.1)."""
    if window.cancelled_before_start:
        return ()
    return tuple(
        Exclusion(
            clause=CLAUSE[window.kind],
            span=Span(part.start, part.end),
            reference=window.reference,
            recorded_at=part.recorded_at,
            servers=frozenset(window.servers),
        )
        for part in window.parts
        if qualifies(part, window.kind)
    )
