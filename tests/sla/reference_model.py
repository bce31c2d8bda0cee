"""The accounts a second time, slow and plain: every instant of a small window is painted, then the paint is counted.

Written from reading.md alone, with nothing of monitor.sla but the record that is handed in, so that both would
have to make the same mistake. Instants are whole units of ``World.unit`` milliseconds; all facts lie on them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from math import floor
from typing import TYPE_CHECKING, Literal

from monitor.model import CheckKey, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from monitor.sla.exclusions import Exclusion

Where = tuple[str, tuple[str, ...]]
"""A server and the names of the checks that are measured on it."""
Results = list[tuple[int, Outcome]]
Way = Literal["counted", "lowest", "highest"]
AGREEMENT = ["4.1", "4.2", "4.3", "4.4", "4.5", "4.6", "4.7", "4.8", "4.9", "4.10"]


@dataclass(frozen=True)
class World:
    """Everything that one account hangs on."""

    start: int
    end: int
    now: int
    where: Callable[[int], Where | None]
    """What the subscription is measured on at an instant; None while it is not in force."""
    results: Mapping[CheckKey, Results]
    hold: int
    exclusions: Sequence[Exclusion]
    rounding: str
    subscription: str = "x"
    unit: int = 1


@dataclass
class Painting:
    """What was counted, in milliseconds and hundredths of a percent."""

    up: int = 0
    down: int = 0
    excluded: int = 0
    unknown: int = 0
    instants: list[int] = field(default_factory=list)
    figures: dict[str, int | None] = field(default_factory=dict)
    charges: Counter[tuple[str, str]] = field(default_factory=Counter)
    outages: set[tuple[CheckKey, int]] = field(default_factory=set)


class PaintedOutage:
    """reading.md 4.5: a maximal run of fails, whatever unknown results and gaps are inside."""

    def __init__(self, first_fail: int, last_ok: int | None) -> None:
        self.fails = [first_fail]
        self.last_ok = last_ok
        self.first_ok_after: int | None = None

    def possible(self, at: int) -> bool:
        begins = self.fails[0] if self.last_ok is None else self.last_ok
        return begins <= at and (self.first_ok_after is None or at < self.first_ok_after)

    def there(self, at: int) -> bool:
        return self.fails[0] <= at and (self.first_ok_after is None or at < self.first_ok_after)


class PaintedCheck:
    """One check's record up to now."""

    def __init__(self, results: Results, hold: int, now: int) -> None:
        self.results = sorted(result for result in results if result[0] <= now)
        self.hold = hold
        self.outages: list[PaintedOutage] = []
        last_ok: int | None = None
        current: PaintedOutage | None = None
        for at, outcome in self.results:
            if outcome == Outcome.OK:
                if current:
                    current.first_ok_after = at
                last_ok, current = at, None
            elif outcome == Outcome.FAIL and current:
                current.fails.append(at)
            elif outcome == Outcome.FAIL:
                current = PaintedOutage(at, last_ok)
                self.outages.append(current)

    def colour(self, at: int, way: Way) -> str:
        if way == "lowest" and any(outage.possible(at) for outage in self.outages):
            return "down"
        before = [result for result in self.results if result[0] <= at]
        if not before or at >= before[-1][0] + self.hold or before[-1][1] == Outcome.UNKNOWN:
            return "unknown"
        time, outcome = before[-1]
        if outcome == Outcome.OK:
            return "up"
        if way == "highest" and any(outage.fails[-1] == time for outage in self.outages):
            return "up"
        return "down"


def mixed(colours: list[str]) -> str:
    """reading.md 4.6; where nothing is measured nothing is known (level 1)."""
    if "down" in colours:
        return "down"
    return "unknown" if "unknown" in colours or not colours else "up"


def share(part: int, whole: int, rounding: str) -> int | None:
    """A percentage to two decimals, in hundredths."""
    if whole == 0:
        return None
    exact = Fraction(part, whole) * 100 * 100
    return floor(exact) if rounding == "down" else floor(exact + Fraction(1, 2))


def charged_to(world: World, at: int, where: Where, counted: Mapping[str, str]) -> Exclusion | None:
    """Find the record that an instant is charged to, if any excludes it."""
    _server, checks = where
    whole, named = _records(world, at, where)
    covered = {one.check for one in named}
    if any(counted[name] == "down" for name in checks if name not in covered):
        named = []
    return min(whole + named, key=_place, default=None)


def _records(world: World, at: int, where: Where) -> tuple[list[Exclusion], list[Exclusion]]:
    """What covers the instant: whole, and naming one check among several."""
    server, checks = where
    whole, named = [], []
    for one in world.exclusions:
        here = one.servers is None or server in one.servers
        mine = one.subscription is None or one.subscription == world.subscription
        if not (one.span.start <= at < one.span.end and here and mine):
            continue
        if one.check is None or (one.check,) == checks:
            whole.append(one)
        elif one.check in checks:
            named.append(one)
    return whole, named


def _place(one: Exclusion) -> tuple[int, int, str, int]:
    kind, number = one.reference.split(" ")
    return AGREEMENT.index(one.clause), one.recorded_at, kind, int(number)


def paint(world: World) -> Painting:
    """Paint the window and count."""
    checks = {key: PaintedCheck(results, world.hold, world.now) for key, results in world.results.items()}
    nothing = PaintedCheck([], world.hold, world.now)
    painting = Painting()
    counts: dict[str, Counter[str]] = {way: Counter() for way in ("counted", "lowest", "highest", "experienced")}
    for at in range(world.start, min(world.end, world.now), world.unit):
        where = world.where(at)
        if where is None:
            continue
        painting.instants.append(at)
        server, names = where
        own = {name: checks.get(CheckKey(server, name), nothing) for name in names}
        for name, check in own.items():
            painting.outages |= {(CheckKey(server, name), one.fails[0]) for one in check.outages if one.there(at)}
        counted = {name: check.colour(at, "counted") for name, check in own.items()}
        counts["experienced"][mixed(list(counted.values()))] += 1
        record = charged_to(world, at, where, counted)
        if record is not None:
            painting.charges[record.clause, record.reference] += world.unit
            painting.excluded += world.unit
            continue
        covered = {one.check for one in _records(world, at, where)[1]}
        ways: tuple[Way, ...] = ("counted", "lowest", "highest")
        for way in ways:
            counts[way][mixed([check.colour(at, way) for name, check in own.items() if name not in covered])] += 1
    return _counted(painting, counts, world)


def _counted(painting: Painting, counts: dict[str, Counter[str]], world: World) -> Painting:
    for colour in ("up", "down", "unknown"):
        setattr(painting, colour, counts["counted"][colour] * world.unit)
    for way, count in counts.items():
        painting.figures[way] = share(count["up"], count["up"] + count["down"], world.rounding)
    if painting.figures["counted"] is None:
        painting.figures["lowest"] = painting.figures["highest"] = None
    known = painting.up + painting.down
    painting.figures["coverage"] = share(known, known + painting.unknown, world.rounding)
    return painting
