"""The cycles under way, as a callback or as a task; those of one check end in the order in which they began."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from monitor.model import Outcome
from monitor.probes.probe import CallbackProbe

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from monitor.model import CheckKey

log = logging.getLogger(__name__)


class RunningChecks:
    """Knows what is under way of each check, and what a later cycle of it has to wait for."""

    def __init__(self) -> None:
        self._callback_waiters: dict[CheckKey, asyncio.Future[None] | None] = {}
        """First attempts without a task, with what somebody waits by for the end of their cycle."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._newest_task: dict[CheckKey, asyncio.Task[None]] = {}
        """The cycle of each check that began last, while it is under way as a task."""
        self._drained: asyncio.Event | None = None
        self.dropped = False
        """Those that are still under way are to give nothing any more."""

    def __len__(self) -> int:
        """Return how many have begun and not ended."""
        return len(self._tasks) + len(self._callback_waiters)

    def start_callback(self, key: CheckKey) -> bool:
        """Count one that flies without a task; not while another of the same check is under way."""
        if key in self._callback_waiters or key in self._newest_task:
            return False
        self._callback_waiters[key] = None
        return True

    def finish_callback(self, key: CheckKey) -> asyncio.Future[None] | None:
        """Count it no more; gives what is to be woken when its cycle has ended, if anybody waits for that."""
        return self._callback_waiters.pop(key)

    def start_task(
        self,
        key: CheckKey,
        work: Coroutine[Any, Any, None],
        on_done: Callable[[], None],
        waiter: asyncio.Future[None] | None = None,
    ) -> None:
        """Go on as a task, and call ``on_done`` after it, however it ends; a fault in it is logged.

        With ``waiter`` it is the rest of a cycle that a later one of the same check waits for by that.
        """
        task = asyncio.create_task(work, name=f"probe {key}")
        self._tasks.add(task)
        task.add_done_callback(partial(self._task_done, key, on_done))
        if waiter is None:
            self._newest_task[key] = task
        else:
            task.add_done_callback(lambda _: wake_waiter(waiter))

    def predecessor(self, key: CheckKey) -> asyncio.Future[None] | None:
        """Return what ends with the cycle of a check that began last; None where none is under way."""
        if key in self._newest_task or key not in self._callback_waiters:
            return self._newest_task.get(key)
        waiting = self._callback_waiters[key] = (
            self._callback_waiters[key] or asyncio.get_running_loop().create_future()
        )
        return waiting

    def _task_done(self, key: CheckKey, on_done: Callable[[], None], task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._newest_task.get(key) is task:
            del self._newest_task[key]
        if not task.cancelled() and task.exception():
            log.error("a probe was lost to a fault in the monitor", exc_info=task.exception())
        on_done()

    def submitted(self) -> None:
        """Take note that the result of one that ended is with who keeps it."""
        if self._drained is not None and not len(self):
            self._drained.set()

    async def drain(self, grace_period: float) -> None:
        """Let them end for ``grace_period`` seconds, then drop the rest."""
        self._drained = asyncio.Event()
        if len(self):
            with suppress(TimeoutError):
                async with asyncio.timeout(grace_period):
                    await self._drained.wait()
        self.dropped = True
        self._callback_waiters.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def wake_waiter(waiter: asyncio.Future[None]) -> None:
    """Let who waits by this go on."""
    if not waiter.done():
        waiter.set_result(None)


# --- when a sweep is complete: its slots are over and each check that began in them has ended -------------------------


class SweepProgress:
    """Counts what is outstanding of each sweep, and tells once that it is complete.

    Cycles can end long after their sweep is over, and in another order than the sweeps.
    """

    def __init__(self, on_complete: Callable[[int], None]) -> None:
        """``on_complete`` is told the number of each sweep that is over and of which nothing is outstanding."""
        self._on_complete = on_complete
        self._outstanding: Counter[int] = Counter()
        self._closed: set[int] = set()

    def add(self, sweep: int) -> None:
        """Count one more cycle, or turn that waits for a place."""
        self._outstanding[sweep] += 1

    def transfer(self, sweep: int) -> None:
        """Count one less, where another takes its place at once: this never completes a sweep."""
        self._outstanding[sweep] -= 1

    def finish(self, sweep: int) -> None:
        """Count one less; that may have been the last."""
        self._outstanding[sweep] -= 1
        if self._closed:
            self._complete_if_done(sweep)

    def close(self, sweep: int) -> None:
        """Take note that no slot of a sweep is to come; that may complete it."""
        self._closed.add(sweep)
        self._complete_if_done(sweep)

    def _complete_if_done(self, sweep: int) -> None:
        if sweep in self._closed and self._outstanding[sweep] == 0:
            self._closed.discard(sweep)
            del self._outstanding[sweep]
            self._on_complete(sweep)


# --- a check that is ready to be probed -------------------------------------------------------------------------------

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from monitor.model import CheckKey
    from monitor.probes.probe import Attempt, Probe, Target

    _BeginAttempt: TypeAlias = Callable[[Target, float, Callable[[Attempt], None]], bool]


@dataclass(frozen=True, slots=True)
class ScheduledCheck:
    """One check, ready to be probed."""

    key: CheckKey
    type: str
    probe: Probe
    target: Target
    endpoint: str | None = None
    """Where it knocks, a host and port: so many at once are let there; None for pings, which share one socket."""
    begin: _BeginAttempt | None = field(init=False, compare=False, repr=False)
    """The first attempt without a task, where the probe can do that; see ``CallbackProbe``."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "begin", self.probe.start if isinstance(self.probe, CallbackProbe) else None)


class CanaryTriggeringProbe:
    """A probe whose failed attempts make the monitor look at its canaries at once, not only when the cycle is over.

    So a blindness that is over before the last attempt is noticed too.
    """

    def __init__(self, probe: Probe, on_failure: Callable[[], None]) -> None:
        self._probe = probe
        self._on_failure = on_failure

    async def attempt(self, target: Target, timeout: float) -> Attempt:  # noqa: ASYNC109 - the probe's own contract
        """Try once; see ``Probe``."""
        attempt = await self._probe.attempt(target, timeout)
        if attempt.outcome is Outcome.FAIL:
            self._on_failure()
        return attempt
