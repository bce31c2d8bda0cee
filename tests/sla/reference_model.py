"""The accounts a second time, slow and plain: every instant of a small window is painted, then the paint is counted.

Written from the agreement alone, with nothing of monitor.sla but the record that is handed in, so that both would
have to make the same mistake. Instants are whole units of ``AccountInputs.unit`` milliseconds; all facts lie on them.
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

MeasuredChecks = tuple[str, tuple[str, ...]]
"""A server and the names of the checks that are measured on it."""
Results = list[tuple[int, Outcome]]
BoundName = Literal["counted", "lowest", "highest"]
CLAUSE_ORDER = ["4.1", "4.2", "4.3", "4.4", "4.5", "4.6", "4.7", "4.8", "4.9", "4.10"]


@dataclass(frozen=True)
class AccountInputs:
    """Everything that one account hangs on."""

    start: int
    end: int
    now: int
    measured_at: Callable[[int], MeasuredChecks | None]
    """What the subscription is measured on at an instant; None while it is not in force."""
    results: Mapping[CheckKey, Results]
    hold: int
    exclusions: Sequence[Exclusion]
    rounding: str
    subscription: str = "x"
    unit: int = 1


@dataclass
class ReferenceAccount:
    """What was counted, in milliseconds and hundredths of a percent."""

    up: int = 0
    down: int = 0
    excluded: int = 0
    unknown: int = 0
    instants: list[int] = field(default_factory=list)
    figures: dict[str, int | None] = field(default_factory=dict)
    excluded_by: Counter[tuple[str, str]] = field(default_factory=Counter)
    outages: set[tuple[CheckKey, int]] = field(default_factory=set)


class ReferenceOutage:
    """A maximal run of fails, whatever unknown results and gaps are inside."""

    def __init__(self, first_fail: int, last_ok: int | None) -> None:
        self.fails = [first_fail]
        self.last_ok = last_ok
        self.first_ok_after: int | None = None

    def possible_at(self, at: int) -> bool:
        begins = self.fails[0] if self.last_ok is None else self.last_ok
        return begins <= at and (self.first_ok_after is None or at < self.first_ok_after)

    def ongoing_at(self, at: int) -> bool:
        return self.fails[0] <= at and (self.first_ok_after is None or at < self.first_ok_after)


class ReferenceCheck:
    """One check's record up to now."""

    def __init__(self, results: Results, hold: int, now: int) -> None:
        self.results = sorted(result for result in results if result[0] <= now)
        self.hold = hold
        self.outages: list[ReferenceOutage] = []
        last_ok: int | None = None
        current: ReferenceOutage | None = None
        for at, outcome in self.results:
            if outcome == Outcome.OK:
                if current:
                    current.first_ok_after = at
                last_ok, current = at, None
            elif outcome == Outcome.FAIL and current:
                current.fails.append(at)
            elif outcome == Outcome.FAIL:
                current = ReferenceOutage(at, last_ok)
                self.outages.append(current)

    def state_at(self, at: int, bound: BoundName) -> str:
        if bound == "lowest" and any(outage.possible_at(at) for outage in self.outages):
            return "down"
        before = [result for result in self.results if result[0] <= at]
        if not before or at >= before[-1][0] + self.hold or before[-1][1] == Outcome.UNKNOWN:
            return "unknown"
        time, outcome = before[-1]
        if outcome == Outcome.OK:
            return "up"
        if bound == "highest" and any(outage.fails[-1] == time for outage in self.outages):
            return "up"
        return "down"


def combined_state(states: list[str]) -> str:
    """docs/contract.md#from-results-to-time; where nothing is measured nothing is known (level 1)."""
    if "down" in states:
        return "down"
    return "unknown" if "unknown" in states or not states else "up"


def percentage(part: int, whole: int, rounding: str) -> int | None:
    """A percentage to two decimals, in hundredths."""
    if whole == 0:
        return None
    exact = Fraction(part, whole) * 100 * 100
    return floor(exact) if rounding == "down" else floor(exact + Fraction(1, 2))


def applicable_exclusion(
    inputs: AccountInputs, at: int, measured: MeasuredChecks, counted: Mapping[str, str]
) -> Exclusion | None:
    """Find the record that an instant is charged to, if any excludes it."""
    _server, checks = measured
    whole, named = _covering_exclusions(inputs, at, measured)
    covered = {one.check for one in named}
    if any(counted[name] == "down" for name in checks if name not in covered):
        named = []
    return min(whole + named, key=_precedence, default=None)


def _covering_exclusions(
    inputs: AccountInputs, at: int, measured: MeasuredChecks
) -> tuple[list[Exclusion], list[Exclusion]]:
    """What covers the instant: whole, and naming one check among several."""
    server, checks = measured
    whole, named = [], []
    for one in inputs.exclusions:
        here = one.servers is None or server in one.servers
        mine = one.subscription is None or one.subscription == inputs.subscription
        if not (one.span.start <= at < one.span.end and here and mine):
            continue
        if one.check is None or (one.check,) == checks:
            whole.append(one)
        elif one.check in checks:
            named.append(one)
    return whole, named


def _precedence(exclusion: Exclusion) -> tuple[int, int, str, int]:
    kind, number = exclusion.reference.split(" ")
    return CLAUSE_ORDER.index(exclusion.clause), exclusion.recorded_at, kind, int(number)


def reference_account(inputs: AccountInputs) -> ReferenceAccount:
    """Paint the window and count."""
    checks = {key: ReferenceCheck(results, inputs.hold, inputs.now) for key, results in inputs.results.items()}
    nothing = ReferenceCheck([], inputs.hold, inputs.now)
    painting = ReferenceAccount()
    counts: dict[str, Counter[str]] = {way: Counter() for way in ("counted", "lowest", "highest", "experienced")}
    for at in range(inputs.start, min(inputs.end, inputs.now), inputs.unit):
        where = inputs.measured_at(at)
        if where is None:
            continue
        painting.instants.append(at)
        server, names = where
        own = {name: checks.get(CheckKey(server, name), nothing) for name in names}
        for name, check in own.items():
            painting.outages |= {(CheckKey(server, name), one.fails[0]) for one in check.outages if one.ongoing_at(at)}
        counted = {name: check.state_at(at, "counted") for name, check in own.items()}
        counts["experienced"][combined_state(list(counted.values()))] += 1
        record = applicable_exclusion(inputs, at, where, counted)
        if record is not None:
            painting.excluded_by[record.clause, record.reference] += inputs.unit
            painting.excluded += inputs.unit
            continue
        covered = {one.check for one in _covering_exclusions(inputs, at, where)[1]}
        ways: tuple[BoundName, ...] = ("counted", "lowest", "highest")
        for way in ways:
            counts[way][
                combined_state([check.state_at(at, way) for name, check in own.items() if name not in covered])
            ] += 1
    return _total(painting, counts, inputs)


def _total(account: ReferenceAccount, counts: dict[str, Counter[str]], inputs: AccountInputs) -> ReferenceAccount:
    for colour in ("up", "down", "unknown"):
        setattr(account, colour, counts["counted"][colour] * inputs.unit)
    for way, count in counts.items():
        account.figures[way] = percentage(count["up"], count["up"] + count["down"], inputs.rounding)
    if account.figures["counted"] is None:
        account.figures["lowest"] = account.figures["highest"] = None
    known = account.up + account.down
    account.figures["coverage"] = percentage(known, known + account.unknown, inputs.rounding)
    return account
