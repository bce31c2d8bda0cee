"""Tracks the check runs that have not ended, as callbacks or tasks; those of one check end in the order they began."""

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
    """Tracks the runs of each check and what a later run of the same check must wait for."""

    def __init__(self) -> None:
        self._callback_waiters: dict[CheckKey, asyncio.Future[None] | None] = {}
        """First attempts that run as callbacks, with the future that a later run of the check waits for."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._newest_task: dict[CheckKey, asyncio.Task[None]] = {}
        """The newest run of each check while it runs as a task."""
        self._drained: asyncio.Event | None = None
        self.dropped = False
        """True after the drain: results of runs that have not ended are discarded."""

    def __len__(self) -> int:
        """Return the number of runs that have not ended."""
        return len(self._tasks) + len(self._callback_waiters)

    def start_callback(self, key: CheckKey) -> bool:
        """Add a run that needs no task; return False if another run of the check has not ended."""
        if key in self._callback_waiters or key in self._newest_task:
            return False
        self._callback_waiters[key] = None
        return True

    def finish_callback(self, key: CheckKey) -> asyncio.Future[None] | None:
        """Remove the run; return the future to resolve when the check run has ended, if a later run waits for it."""
        return self._callback_waiters.pop(key)

    def start_task(
        self,
        key: CheckKey,
        work: Coroutine[Any, Any, None],
        on_done: Callable[[], None],
        waiter: asyncio.Future[None] | None = None,
    ) -> None:
        """Run ``work`` as a task, then call ``on_done``, whatever the outcome; an exception is logged.

        With ``waiter`` the task continues a run that began as a callback, and a later run waits for that future.
        """
        task = asyncio.create_task(work, name=f"probe {key}")
        self._tasks.add(task)
        task.add_done_callback(partial(self._task_done, key, on_done))
        if waiter is None:
            self._newest_task[key] = task
        else:
            task.add_done_callback(lambda _: wake_waiter(waiter))

    def predecessor(self, key: CheckKey) -> asyncio.Future[None] | None:
        """Return a future that is done when the newest run of a check has ended; None if no run is active."""
        if key in self._newest_task or key not in self._callback_waiters:
            return self._newest_task.get(key)
        waiter = self._callback_waiters[key] = self._callback_waiters[key] or asyncio.get_running_loop().create_future()
        return waiter

    def _task_done(self, key: CheckKey, on_done: Callable[[], None], task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._newest_task.get(key) is task:
            del self._newest_task[key]
        if not task.cancelled() and task.exception():
            log.error("a probe was lost to a fault in the monitor", exc_info=task.exception())
        on_done()

    def submitted(self) -> None:
        """Note that a run has submitted its result; this may complete the drain."""
        if self._drained is not None and not len(self):
            self._drained.set()

    async def drain(self, grace_period: float) -> None:
        """Wait at most ``grace_period`` seconds for the runs to end, then cancel the rest."""
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
    """Resolve the future that a later run waits for."""
    if not waiter.done():
        waiter.set_result(None)


# --- a sweep is complete when its slots are over and every check run of them has ended --------------------------------


class SweepProgress:
    """Counts the outstanding check runs of each sweep and reports once that the sweep is complete.

    Check runs can end long after their sweep is over, and in another order than the sweeps.
    """

    def __init__(self, on_complete: Callable[[int], None]) -> None:
        """``on_complete`` gets the number of each sweep that is over and has no outstanding runs."""
        self._on_complete = on_complete
        self._outstanding: Counter[int] = Counter()
        self._closed: set[int] = set()

    def add(self, sweep: int) -> None:
        """Add a check run, or a check that waits for a permit."""
        self._outstanding[sweep] += 1

    def transfer(self, sweep: int) -> None:
        """Remove a run that another one replaces at once: this never completes a sweep."""
        self._outstanding[sweep] -= 1

    def finish(self, sweep: int) -> None:
        """Remove a run; this may complete the sweep."""
        self._outstanding[sweep] -= 1
        if self._closed:
            self._complete_if_done(sweep)

    def close(self, sweep: int) -> None:
        """Note that all slots of a sweep have started; this may complete the sweep."""
        self._closed.add(sweep)
        self._complete_if_done(sweep)

    def _complete_if_done(self, sweep: int) -> None:
        if sweep in self._closed and self._outstanding[sweep] == 0:
            self._closed.discard(sweep)
            del self._outstanding[sweep]
            self._on_complete(sweep)


# --- a check that is ready to run -------------------------------------------------------------------------------------

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from monitor.model import CheckKey
    from monitor.probes.probe import Attempt, Probe, RetryPolicy, Target

    _BeginAttempt: TypeAlias = Callable[[Target, float, Callable[[Attempt], None]], bool]


@dataclass(frozen=True, slots=True)
class ScheduledCheck:
    """One check that is ready to run."""

    key: CheckKey
    type: str
    probe: Probe
    target: Target
    endpoint: str | None = None
    """The host and port whose concurrency is limited; None for pings, which share one socket."""
    retry_policy: RetryPolicy | None = None
    """The check's own; None: that of all checks."""
    inverted: bool = False
    """Whether it is ok if the server does not answer, which the monitor's own network can feign."""
    begin: _BeginAttempt | None = field(init=False, compare=False, repr=False)
    """Starts the first attempt without a task, if the probe can do that; see ``CallbackProbe``."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "begin", self.probe.start if isinstance(self.probe, CallbackProbe) else None)


class CanaryTriggeringProbe:
    """A probe whose failed attempts start a connectivity check at once, not only after the last attempt.

    So an offline time that ends before the last attempt is noticed too.
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
