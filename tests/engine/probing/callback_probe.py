"""A stand-in for probes that report by a callback."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from monitor.probes.probe import Attempt, Target
from tests.fakes import OK, FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.model import Outcome


class ScriptedCallbackProbe:
    """Answer with the script's next outcome after ``takes`` seconds; count the calls of each method."""

    def __init__(self, clock: FakeClock, *script: Outcome, takes: float = 0.1) -> None:
        self._clock = clock
        self._script = list(script)
        self.takes = takes
        self.begun = 0
        self.awaited = 0
        self.timeouts: list[float] = []
        """The deadline of each attempt."""
        self.refuses = False
        self.breaks = False

    def _next(self, at: float) -> Attempt:
        outcome = self._script.pop(0) if self._script else OK
        return Attempt(outcome, at, 400 if outcome is OK else None, "" if outcome is OK else "timeout")

    def start(self, target: Target, timeout: float, done: Callable[[Attempt], None]) -> bool:  # noqa: ARG002 - see CallbackProbe
        self.timeouts.append(timeout)
        if self.breaks:
            raise ZeroDivisionError
        if self.refuses:
            return False
        self.begun += 1
        attempt = self._next(self._clock.monotonic())
        if self.takes:
            asyncio.get_running_loop().call_later(self.takes, done, attempt)
        else:
            done(attempt)
        return True

    async def attempt(self, target: Target, timeout: float) -> Attempt:  # noqa: ARG002, ASYNC109 - see Probe
        self.timeouts.append(timeout)
        self.awaited += 1
        attempt = self._next(self._clock.monotonic())
        await asyncio.sleep(self.takes)
        return attempt
