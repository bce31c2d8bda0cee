"""The accounts of one subscription over one window (reading.md 4 and 6): exact integers all the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from monitor.contract.intervals import Intervals
from monitor.contract.terms import clause_order
from monitor.contract.timeline import History, Reading, Timeline, outage_down, read
from monitor.model import CheckKey, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from monitor.contract.segments import Segment
    from monitor.model import Millis, Outage, Rounding

Percent: TypeAlias = int
"""Hundredths of a percent: 9973 is 99.73 %."""

WHOLE = 10_000
"""All of it, in hundredths of a percent."""


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A recorded reason why time does not count, with its clause (4.1 to 4.10)."""

    clause: str
    span: Span
    reference: str
    """The record that it comes from: ``maintenance 12``, ``exclusion 3``."""
    recorded_at: Millis
    servers: frozenset[str] | None = None
    """Where it applies; ``None`` is everywhere."""
    check: str | None = None
    """The one check that it excuses; ``None`` is the whole server."""
    subscription: str | None = None
    """The one subscription that it is limited to; ``None`` is all."""


@dataclass(frozen=True, slots=True)
class Charge:
    """The time that one record excludes, in milliseconds; no instant is charged twice."""

    clause: str
    reference: str
    length: Millis


@dataclass(frozen=True, slots=True)
class Account:
    """What a window came to. ``excluded + up + down + unknown = window``, in milliseconds (reading.md 4.3)."""

    span: Span | None
    """From the start of the first segment to the end of the last; ``None`` without segments."""
    window: Millis
    up: Millis
    down: Millis
    excluded: Millis
    unknown: Millis
    availability: Percent | None
    lowest: Percent | None
    highest: Percent | None
    experienced: Percent | None
    coverage: Percent | None
    exclusions: tuple[Charge, ...]
    outages: tuple[int, ...]
    """Ids of the outages of the measured checks that touch it."""
    target: Percent
    rounding: Rounding

    @property
    def target_met(self) -> bool | None:
        """Whether the rounded figure reaches the target; ``None`` where nothing was measured."""
        return None if self.availability is None else self.availability >= self.target

    def budget_ms(self, nominal: Millis) -> Millis:
        """Return the downtime left before the target is missed, negative after, in milliseconds.

        ``nominal`` is the length of the subscription's window to its end, past ``now``; what is not known to be down
        is taken as up. Exact: the target is met as long as it is not negative.
        """
        short = WHOLE - self.target
        counted = nominal - self.excluded
        if self.rounding == "down":
            return counted * short // WHOLE - self.down
        return counted * (2 * short + 1) // (2 * WHOLE) - self.down


def percent(part: Millis, whole: Millis, rounding: Rounding) -> Percent | None:
    """Return ``part / whole`` in hundredths of a percent, rounded once (reading.md 2); ``None`` of nothing."""
    if whole == 0:
        return None
    return part * WHOLE // whole if rounding == "down" else (2 * part * WHOLE + whole) // (2 * whole)


def percent_text(hundredths: Percent) -> str:
    """Write ``9973`` as ``99.73``."""
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def account(
    segments: Sequence[Segment],
    histories: Mapping[CheckKey, History],
    exclusions: Iterable[Exclusion],
    *,
    rounding: Rounding,
    target: Percent,
    now: Millis,
) -> Account:
    """Add up one subscription's segments. A check without a history was never measured: its time is unknown."""
    ordered = sorted(exclusions, key=_order)
    tally = _Tally()
    touched: dict[int, Millis] = {}
    for segment in segments:
        span = Span(segment.span.start, min(segment.span.end, now))
        if span.start >= span.end:
            continue
        checks = [histories.get(CheckKey(segment.server, name), _NOTHING) for name in segment.checks]
        tally.add(span, _readings(checks, span, now), _excused(ordered, segment, span))
        for history in checks:
            touched.update((one.id, one.start) for one in history.outages if _touches(one, span))
    outages = tuple(sorted(touched, key=lambda one: (touched[one], one)))
    return tally.account(outages, rounding, target)


def excluded_of(outage: Outage, history: History, exclusions: Iterable[Exclusion], now: Millis) -> Millis:
    """Return how much of an outage's counted time exclusions cover, in milliseconds, each instant once.

    Exclusions limited to one subscription cover it too: give only those that are to be heeded.
    """
    down = outage_down(outage, history, now)
    covering = Intervals(
        one.span for one in exclusions if _concerns(one, outage.check.server) and one.check in (None, outage.check.name)
    )
    return (down & covering).length


_NOTHING = History()


@dataclass(frozen=True, slots=True)
class _Excused:
    """The records that apply to one segment, in the order in which they are charged, as time."""

    records: tuple[tuple[Exclusion, Intervals], ...]
    by_check: tuple[Intervals, ...]
    """For each of several measured checks what excuses it alone; empty where no record names one of several."""


class _Tally:
    """The sums so far."""

    def __init__(self) -> None:
        self.start: Millis | None = None
        self.end = self.window = self.excluded = 0
        self.up = dict.fromkeys(Reading, 0)
        self.down = dict.fromkeys(Reading, 0)
        self.raw_up = self.raw_down = 0
        self.charges: dict[tuple[str, str], Millis] = {}

    def add(self, span: Span, readings: Mapping[Reading, Sequence[Timeline]], excused: _Excused) -> None:
        """Add one segment: read each check, combine the checks, take out what is excluded."""
        self.start = span.start if self.start is None else self.start
        self.end = span.end
        self.window += span.end - span.start
        raw = _together(readings[Reading.COUNTED])
        self.raw_up += raw.up.length
        self.raw_down += raw.down.length
        excluded = self._charge(excused, readings[Reading.COUNTED]) if excused.records else _NEVER
        for reading, timelines in readings.items():
            whole = _together(timelines, excused.by_check) if excused.by_check else _together(timelines)
            self.up[reading] += (whole.up - excluded).length
            self.down[reading] += (whole.down - excluded).length

    def _charge(self, excused: _Excused, counted: Sequence[Timeline]) -> Intervals:
        """Charge each excluded instant to the first record that excludes it (reading.md 6); return them all."""
        blocked = _NEVER
        for timeline, excuse in zip(counted, excused.by_check, strict=False):
            blocked |= timeline.down - excuse
        excluded = _NEVER
        for record, time in excused.records:
            alone = bool(excused.by_check) and record.check is not None
            charged = (time - blocked if alone else time) - excluded
            if charged:
                key = record.clause, record.reference
                self.charges[key] = self.charges.get(key, 0) + charged.length
                excluded |= charged
        self.excluded += excluded.length
        return excluded

    def account(self, outages: tuple[int, ...], rounding: Rounding, target: Percent) -> Account:
        """Turn the sums into the account."""
        up, down = self.up[Reading.COUNTED], self.down[Reading.COUNTED]
        known = up + down

        def figure(reading: Reading) -> Percent | None:
            return percent(self.up[reading], self.up[reading] + self.down[reading], rounding) if known else None

        return Account(
            span=None if self.start is None else Span(self.start, self.end),
            window=self.window,
            up=up,
            down=down,
            excluded=self.excluded,
            unknown=self.window - self.excluded - known,
            availability=figure(Reading.COUNTED),
            lowest=figure(Reading.LOWEST),
            highest=figure(Reading.HIGHEST),
            experienced=percent(self.raw_up, self.raw_up + self.raw_down, rounding),
            coverage=percent(known, self.window - self.excluded, rounding),
            exclusions=tuple(
                Charge(clause, reference, self.charges[clause, reference])
                for clause, reference in sorted(self.charges, key=lambda key: (clause_order(key[0]), key[1]))
            ),
            outages=outages,
            target=target,
            rounding=rounding,
        )


_NEVER = Intervals()


def _readings(checks: Sequence[History], span: Span, now: Millis) -> dict[Reading, list[Timeline]]:
    """Read each check thrice, or once where no outage comes near: then the three are one."""
    counted = [read(history, span, Reading.COUNTED, now) for history in checks]
    readings = {Reading.COUNTED: counted, Reading.LOWEST: counted, Reading.HIGHEST: counted}
    if any(_may_touch(outage, span) for history in checks for outage in history.outages):
        for reading in (Reading.LOWEST, Reading.HIGHEST):
            readings[reading] = [read(history, span, reading, now) for history in checks]
    return readings


def _together(timelines: Sequence[Timeline], excused: Sequence[Intervals] = ()) -> Timeline:
    """Combine several checks (reading.md 4.6): down if any is down, else unknown if any is unknown, else up.

    A check is left out while it is excused.
    """
    if not timelines:
        return Timeline(_NEVER, _NEVER)
    ups = [timeline.up for timeline in timelines]
    downs = [timeline.down for timeline in timelines]
    if excused:
        ups = [up | excuse for up, excuse in zip(ups, excused, strict=True)]
        downs = [down - excuse for down, excuse in zip(downs, excused, strict=True)]
    up, down = ups[0], downs[0]
    for more_up, more_down in zip(ups[1:], downs[1:], strict=True):
        up &= more_up
        down |= more_down
    return Timeline(up - down, down)


def _excused(ordered: Iterable[Exclusion], segment: Segment, span: Span) -> _Excused:
    """Pick what applies to a segment: to its server, its subscription, and a check that is measured."""
    several = len(segment.checks) > 1
    records = tuple(
        (one, Intervals.of(max(one.span.start, span.start), min(one.span.end, span.end)))
        for one in ordered
        if _concerns(one, segment.server)
        and one.subscription in (None, segment.subscription)
        and (one.check is None or one.check in segment.checks)
        and one.span.start < span.end
        and one.span.end > span.start
    )
    if not several or all(one.check is None for one, _ in records):
        return _Excused(records, ())
    by_check = (
        Intervals(time_span for one, time in records if one.check == name for time_span in time)
        for name in segment.checks
    )
    return _Excused(records, tuple(by_check))


def _concerns(one: Exclusion, server: str) -> bool:
    return one.servers is None or server in one.servers


def _order(one: Exclusion) -> tuple[int, Millis, str, int]:
    """The clause first in the agreement, then the record first made; a tie by its reference's number."""
    kind, _, number = one.reference.rpartition(" ")
    return clause_order(one.clause), one.recorded_at, kind, int(number) if number.isdecimal() else 0


def _touches(outage: Outage, span: Span) -> bool:
    return outage.start < span.end and (outage.end is None or outage.end > span.start)


def _may_touch(outage: Outage, span: Span) -> bool:
    earliest = outage.start if outage.last_ok is None else outage.last_ok
    return earliest < span.end and (outage.end is None or outage.end > span.start)
