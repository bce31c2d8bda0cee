"""One cycle of one check: attempts until one succeeds or none is left (reading.md 4.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monitor.clock import Clock
    from monitor.model import Outcome
    from monitor.probes.probe import Attempt, Probe, Target


@dataclass(frozen=True, slots=True)
class Plan:
    """How a cycle tries; all in seconds."""

    timeout: float
    """Longest that one attempt may take."""
    retries: int = 2
    """How many more attempts follow a failed one."""
    retry_wait: float = 5.0
    """From the end of a failed attempt to the next."""

    @property
    def longest(self) -> float:
        """The longest that a cycle can take, in seconds: it must fit into the interval."""
        return self.timeout * (self.retries + 1) + self.retry_wait * self.retries


@dataclass(frozen=True, slots=True)
class Cycle:
    """What a cycle gave: one result's worth. The last attempt is the one that decided."""

    outcome: Outcome
    attempts: tuple[Attempt, ...]
    """At least one; the first one's ``at`` dates the result."""


async def cycle(probe: Probe, target: Target, plan: Plan, clock: Clock) -> Cycle:
    """Try until an attempt succeeds or none is left.

    Any success is ok; all attempts failed is fail; anything else (an attempt whose failure was the monitor's own among
    failed ones) is unknown. An exception in a probe's code is an unknown attempt; only cancellation passes through.
    """
    raise NotImplementedError
