"""Maintenance windows (clauses 4.1 and 4.9, reading.md 6): facts folded in order into windows and what they exclude."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from monitor.model import Span
from monitor.sla.availability import Exclusion

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monitor.model import Millis

Kind: TypeAlias = Literal["planned", "emergency"]

NOTICE: Final = 96 * 3_600_000
"""Milliseconds between the announcement and the start of planned maintenance, at least: 4 days (4.9)."""
CLAUSE: Final[dict[Kind, str]] = {"planned": "4.1", "emergency": "4.9"}


@dataclass(frozen=True, slots=True)
class Announced:
    """A window was announced. ``at`` is when that was recorded, ``announced_at`` when the customers were told."""

    id: int
    at: Millis
    servers: tuple[str, ...]
    kind: Kind
    reason: str
    start: Millis
    end: Millis
    announced_at: Millis


@dataclass(frozen=True, slots=True)
class Extended:
    """A window was given another end, recorded at ``at``: later is a new announcement, earlier takes effect at once."""

    id: int
    at: Millis
    end: Millis
    announced_at: Millis


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A window was called off at ``at``."""

    id: int
    at: Millis


Fact: TypeAlias = Announced | Extended | Cancelled


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a window with an announcement of its own."""

    start: Millis
    end: Millis
    announced_at: Millis
    recorded_at: Millis


class WindowState(StrEnum):
    """What a window is at a moment."""

    UPCOMING = "upcoming"
    ACTIVE = "active"
    OVER = "over"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Window:
    """A maintenance window as its facts stand: consecutive parts, the first from the first announcement."""

    id: int
    servers: tuple[str, ...]
    kind: Kind
    reason: str
    parts: tuple[Part, ...]
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
    def called_off(self) -> bool:
        """Cancelled before it began: there was no maintenance."""
        return self.cancelled_at is not None and self.cancelled_at <= self.start

    @property
    def short_by(self) -> Millis:
        """The most that one of its parts was announced too late by, in milliseconds; 0 where all qualify."""
        return max(short_by(part, self.kind) for part in self.parts)

    @property
    def qualifies(self) -> bool:
        """Whether every part excludes."""
        return self.short_by == 0

    @property
    def recorded_late(self) -> Millis:
        """How long after its start it was recorded, in milliseconds; 0 where it was before."""
        return max(0, self.recorded_at - self.start)


def windows(facts: Iterable[Fact]) -> tuple[Window, ...]:
    """Fold facts into windows by id; they may come in any order, but two of one moment in that of their recording.

    Each window has one announcement, which comes first whatever the clock said. A change of a window that was called
    off, or of one that was never announced, changes nothing.
    """
    found: dict[int, Window] = {}
    for fact in sorted(facts, key=lambda fact: (not isinstance(fact, Announced), fact.at)):
        if isinstance(fact, Announced):
            part = Part(fact.start, fact.end, fact.announced_at, fact.at)
            found[fact.id] = Window(fact.id, fact.servers, fact.kind, fact.reason, (part,), None, fact.at)
        elif fact.id in found and found[fact.id].cancelled_at is None:
            found[fact.id] = _changed(found[fact.id], fact)
    return tuple(found[key] for key in sorted(found))


def _changed(window: Window, fact: Extended | Cancelled) -> Window:
    if isinstance(fact, Extended) and fact.end > window.end:
        added = Part(window.end, fact.end, fact.announced_at, fact.at)
        return replace(window, parts=(*window.parts, added))
    end = max(fact.at, fact.end) if isinstance(fact, Extended) else fact.at
    if end >= window.end:
        return window
    if end <= window.start:
        return replace(window, cancelled_at=fact.at)
    kept = tuple(replace(part, end=min(part.end, end)) for part in window.parts if part.start < end)
    return replace(window, parts=kept, cancelled_at=fact.at if isinstance(fact, Cancelled) else None)


def short_by(part: Part, kind: Kind = "planned") -> Millis:
    """Return how many milliseconds of notice a part lacked; an emergency needs none."""
    return max(0, NOTICE - (part.start - part.announced_at)) if kind == "planned" else 0


def qualifies(part: Part, kind: Kind = "planned") -> bool:
    """Whether a part excludes: announced at least 96 h before its own start, or an emergency."""
    return short_by(part, kind) == 0


def state(window: Window, now: Millis) -> WindowState:
    """Return what the window is at ``now``."""
    if window.cancelled_at is not None:
        return WindowState.CANCELLED
    if now < window.start:
        return WindowState.UPCOMING
    return WindowState.ACTIVE if now < window.end else WindowState.OVER


def active(window: Window, server: str, at: Millis) -> bool:
    """Whether the server is under maintenance at ``at``: alerts are silent then, whether or not it excludes."""
    return server in window.servers and not window.called_off and window.start <= at < window.end


def exclusions(window: Window) -> tuple[Exclusion, ...]:
    """Return what the window excludes: an emergency whole (4.9), of planned work the parts announced in time (4.1)."""
    if window.called_off:
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
