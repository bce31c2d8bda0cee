"""One cycle of one check: attempts until one succeeds or none is left (reading.md 4.1)."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.model import Outcome
from monitor.probes.probe import Attempt
from monitor.probes.trace import overdue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.clock import Clock
    from monitor.probes.probe import Probe, Target

_log = logging.getLogger(__name__)

GRACE = 0.25
"""Seconds that a probe gets beyond the timeout to end by itself, so that it can say where it stood."""


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


async def cycle(probe: Probe, target: Target, plan: Plan, clock: Clock, first: Attempt | None = None) -> Cycle:
    """Try until an attempt succeeds or none is left.

    Any success is ok; all attempts failed is fail; anything else (an attempt whose failure was the monitor's own among
    failed ones) is unknown. An exception in a probe's code is an unknown attempt; only cancellation passes through.
    ``first`` is an attempt that was made already (see ``Swift``): the cycle goes on from there.
    """
    made = [await _try(probe, target, plan.timeout, clock)] if first is None else [first]
    while made[-1].outcome is not Outcome.OK and len(made) <= plan.retries:
        await asyncio.sleep(plan.retry_wait)
        made.append(await _try(probe, target, plan.timeout, clock))
    return Cycle(verdict(made), tuple(made))


def verdict(attempts: Sequence[Attempt]) -> Outcome:
    """Judge finished attempts: any ok is ok, all fail is fail, the rest is unknown."""
    outcomes = {attempt.outcome for attempt in attempts}
    if Outcome.OK in outcomes:
        return Outcome.OK
    return Outcome.FAIL if outcomes == {Outcome.FAIL} else Outcome.UNKNOWN


async def _try(probe: Probe, target: Target, timeout: float, clock: Clock) -> Attempt:  # noqa: ASYNC109
    at = clock.monotonic()
    try:
        async with asyncio.timeout(timeout + GRACE) as deadline:
            return await probe.attempt(target, timeout)
    except Exception as error:  # noqa: BLE001 - a fault of ours must not become the server's, nor end the sweep
        if isinstance(error, TimeoutError) and deadline.expired():
            outcome, reason = overdue(clock.monotonic() - at - timeout - GRACE, None)
            return Attempt(outcome, at, None, reason)
        _log.exception("the code of %s failed on %s", type(probe).__name__, target.host)
        return Attempt(Outcome.UNKNOWN, at, None, f"error {type(error).__name__}")
