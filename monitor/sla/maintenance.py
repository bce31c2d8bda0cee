"""Maintenance windows and what they exclude, folded from facts in order (4.1, 4.9).

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
"""Milliseconds between the announcement and the start of planned maintenance, at least: 4 days (4.9)."""
CLAUSE: Final[dict[MaintenanceKind, str]] = {"planned": "4.1", "emergency": "4.9"}


@dataclass(frozen=True, slots=True)
class MaintenanceAnnounced:
    """A window was announced. ``at`` is when that was recorded, ``announced_at`` when the customers were told."""

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
    """A window was given another end, recorded at ``at``: later is a new announcement, earlier takes effect at once."""

    id: int
    at: Millis
    end: Millis
    announced_at: Millis


@dataclass(frozen=True, slots=True)
class MaintenanceCancelled:
    """A window was called off at ``at``."""

    id: int
    at: Millis


MaintenanceEvent: TypeAlias = MaintenanceAnnounced | MaintenanceExtended | MaintenanceCancelled


@dataclass(frozen=True, slots=True)
class AnnouncedPart:
    """A stretch of a window with an announcement of its own."""

    start: Millis
    end: Millis
    announced_at: Millis
    recorded_at: Millis


class MaintenanceState(StrEnum):
    """What a window is at a moment."""

    UPCOMING = "upcoming"
    ACTIVE = "active"
    OVER = "over"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class MaintenanceWindow:
    """A maintenance window as its facts stand: consecutive parts, the first from the first announcement."""

    id: int
    servers: tuple[str, ...]
    kind: MaintenanceKind
    reason: str
    parts: tuple[AnnouncedPart, ...]
    cancelled_at: Millis | None
    """When it was called off. At or before its start it excludes nothing and ``parts`` show what was announced;
    later the parts end there."""
    recorded_at: Millis

    @property
    def start(self) -> Millis:
        """Where its first part starts."""
        return self.parts[0].start

    @property
    def end(self) -> Millis:
        """Where its last part ends."""
        return self.parts[-1].end

    @property
    def announced_at(self) -> Millis:
        """The first announcement's time."""
        return self.parts[0].announced_at

    @property
    def reference(self) -> str:
        """What reports call it."""
        return f"maintenance {self.id}"

    @property
    def cancelled_before_start(self) -> bool:
        """Cancelled before it began: there was no maintenance."""
        return self.cancelled_at is not None and self.cancelled_at <= self.start

    @property
    def notice_shortfall(self) -> Millis:
        """The most that one of its parts was announced too late by, in milliseconds; 0 where all qualify."""
        return max(notice_shortfall(part, self.kind) for part in self.parts)

    @property
    def qualifies(self) -> bool:
        """Whether every part excludes."""
        return self.notice_shortfall == 0

    @property
    def recorded_late_by(self) -> Millis:
        """How long after its start it was recorded, in milliseconds; 0 where it was before."""
        return max(0, self.recorded_at - self.start)


def windows_from(events: Iterable[MaintenanceEvent]) -> tuple[MaintenanceWindow, ...]:
    """Fold facts into windows by id; they may come in any order, but two of one moment in that of their recording.

    Each window has one announcement, which comes first whatever the clock said. A change of a window that was called
    off, or of one that was never announced, changes nothing.
    """
    found: dict[int, MaintenanceWindow] = {}
    for fact in sorted(events, key=lambda fact: (not isinstance(fact, MaintenanceAnnounced), fact.at)):
        if isinstance(fact, MaintenanceAnnounced):
            part = AnnouncedPart(fact.start, fact.end, fact.announced_at, fact.at)
            found[fact.id] = MaintenanceWindow(fact.id, fact.servers, fact.kind, fact.reason, (part,), None, fact.at)
        elif fact.id in found and found[fact.id].cancelled_at is None:
            found[fact.id] = _apply_change(found[fact.id], fact)
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
    """Return how many milliseconds of notice a part lacked; an emergency needs none."""
    return max(0, MIN_NOTICE_MS - (part.start - part.announced_at)) if kind == "planned" else 0


def qualifies(part: AnnouncedPart, kind: MaintenanceKind = "planned") -> bool:
    """Whether a part excludes: announced at least 96 h before its own start, or an emergency."""
    return notice_shortfall(part, kind) == 0


def state_at(window: MaintenanceWindow, now: Millis) -> MaintenanceState:
    """Return what the window is at ``now``."""
    if window.cancelled_at is not None:
        return MaintenanceState.CANCELLED
    if now < window.start:
        return MaintenanceState.UPCOMING
    return MaintenanceState.ACTIVE if now < window.end else MaintenanceState.OVER


def is_active(window: MaintenanceWindow, server: str, at: Millis) -> bool:
    """Whether the server is under maintenance at ``at``: alerts are silent then, whether or not it excludes."""
    return server in window.servers and not window.cancelled_before_start and window.start <= at < window.end


def exclusions_of(window: MaintenanceWindow) -> tuple[Exclusion, ...]:
    """Return what the window excludes: an emergency whole (4.9), of planned work the parts announced in time (4.1)."""
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
