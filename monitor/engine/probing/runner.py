"""Runs the checks of each slot. A sweep is one slot of every server; each check of a server gives one result in it."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from monitor.engine.cooperative import chunked
from monitor.engine.probing.concurrency import AdmissionQueue, ConcurrencyLimiter, Permit
from monitor.engine.probing.connectivity import ConnectivityRequests
from monitor.engine.probing.running_checks import (
    CanaryTriggeringProbe,
    RunningChecks,
    ScheduledCheck,
    SweepProgress,
    wake_waiter,
)
from monitor.model import PING, CheckKey, Outcome, Result
from monitor.probes.probe import run_check
from monitor.probes.trace import phases

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping

    from monitor.clock import Clock
    from monitor.engine.live.telemetry import Telemetry
    from monitor.engine.probing.connectivity import ConnectivityCheck
    from monitor.engine.probing.scheduler import Slot
    from monitor.engine.recorded_time import RecordedTime
    from monitor.model import Certificate, Millis
    from monitor.probes.probe import Attempt, Phases, RetryPolicy


# --- what attempts observe besides their result: certificates, phases, failures ---------------------------------------

STEP_SIZE: Final = 500
"""Checks that are examined between two turns of the event loop: a millisecond."""


class LastObservations:
    """The newest observations of each check, for as long as it is configured."""

    def __init__(self) -> None:
        self._recently_failed: set[CheckKey] = set()
        self._certificates: dict[CheckKey, Certificate] = {}
        self._phases: dict[CheckKey, Phases] = {}

    def record(self, key: CheckKey, last_attempt: Attempt, *, ok: bool) -> None:
        """Store what the last attempt of a check run observed; ``ok``: the outcome of the run is ok."""
        (self._recently_failed.discard if ok else self._recently_failed.add)(key)
        if last_attempt.certificate is not None and last_attempt.certificate != self._certificates.get(key):
            self._certificates[key] = last_attempt.certificate
        if key.name != PING:
            self._phases[key] = phases(last_attempt.steps)

    def recently_failed(self, key: CheckKey) -> bool:
        """Return whether the last result of a check was not ok."""
        return key in self._recently_failed

    def phases(self, key: CheckKey) -> Phases | None:
        """Return the phase durations of a check's last attempt; None for pings and before the first attempt."""
        return self._phases.get(key)

    def certificate(self, key: CheckKey) -> Certificate | None:
        """Return the certificate that a check saw last; None if it never saw one."""
        return self._certificates.get(key)

    def forget_removed_steps(self, removed: Callable[[Iterable[CheckKey]], list[CheckKey]]) -> Iterator[None]:
        """Delete the observations of removed checks, in steps; ``removed`` filters the removed checks from some."""
        for observations, forget in (
            (self._certificates, self._certificates.pop),
            (self._phases, self._phases.pop),
            (self._recently_failed, self._recently_failed.discard),
        ):
            for keys in chunked(observations, STEP_SIZE):
                for key in removed(keys):
                    forget(key)
                yield


log = logging.getLogger(__name__)

NO_CONNECTIVITY = "the monitor could not see out"
SLOT_MISSED = "slot missed"


class ResultSink(Protocol):
    """Where results go; the engine's is ``monitor.engine.recorder.Recorder``."""

    def submit(self, sweep: int, result: Result) -> None:
        """Keep one result of a sweep."""
        ...

    def end_sweep(self, sweep: int) -> None:
        """Note that every check of a sweep has its result."""
        ...


class CheckRunner:
    """Runs the checks of every slot and reports when a sweep is complete.

    A check that is ok at the first attempt of a ``CallbackProbe`` costs a callback; everything else runs as a task.
    """

    def __init__(
        self,
        clock: Clock,
        recorded_time: RecordedTime,
        connectivity: ConnectivityCheck,
        recorder: ResultSink,
        telemetry: Telemetry,
        limiter: ConcurrencyLimiter | None = None,
        observations: LastObservations | None = None,
    ) -> None:
        self._limiter = limiter or ConcurrencyLimiter()
        self._observations = observations or LastObservations()
        self._clock = clock
        self._recorded_time = recorded_time
        self._connectivity = connectivity
        self._recorder = recorder
        self._telemetry = telemetry
        self._scheduled_checks: Mapping[str, tuple[ScheduledCheck, ...]] = {}
        self._retry_policy: RetryPolicy | None = None
        self._interval: Millis = 0
        self._running_checks = RunningChecks()
        self._connectivity_requests = ConnectivityRequests()
        self._admission_queue = AdmissionQueue(self._limiter, clock, self)
        self._sweep_progress = SweepProgress(recorder.end_sweep)

    def configure(
        self, scheduled_checks: Mapping[str, tuple[ScheduledCheck, ...]], retry_policy: RetryPolicy, interval: Millis
    ) -> Iterator[None]:
        """Run these checks from the next slot on; return steps that delete the observations of removed checks.

        Checks that are running finish with the settings with which they began.
        """
        self._scheduled_checks, self._retry_policy, self._interval = scheduled_checks, retry_policy, interval

        def removed(keys: Iterable[CheckKey]) -> list[CheckKey]:
            return [key for key in keys if not any(check.key == key for check in scheduled_checks.get(key.server, ()))]

        self._admission_queue.interval = interval
        self._admission_queue.remove(removed(self._admission_queue.checks))
        return self._observations.forget_removed_steps(removed)

    def start_checks(self, slot: Slot, late: Millis) -> None:
        """Start every check of a server."""
        for check in self._scheduled_checks.get(slot.server, ()):
            if check.endpoint is None:
                self._start(check, slot.sweep, late, None)
            else:
                self._sweep_progress.add(slot.sweep)
                self._admission_queue.submit(
                    check, slot, check.endpoint, recently_failed=self._observations.recently_failed(check.key)
                )

    def on_admitted(self, check: ScheduledCheck, slot: Slot, late: Millis, permit: Permit) -> None:
        """Start a check that waited for a permit."""
        self._sweep_progress.transfer(slot.sweep)
        self._start(check, slot.sweep, late, permit)

    def on_superseded(self, check: ScheduledCheck, slot: Slot) -> None:
        """Record a missed slot: it ended while the check waited for a permit."""
        self._record_missed(check, slot, 1)
        self._check_done(slot.sweep)

    def on_removed(self, slot: Slot) -> None:
        """Stop waiting for a check that was removed from the configuration."""
        self._check_done(slot.sweep)

    def _start(self, check: ScheduledCheck, sweep: int, late: Millis, permit: Permit | None) -> None:
        retry_policy = check.retry_policy or self._retry_policy
        assert retry_policy is not None
        self._telemetry.observe_lag(late / 1000)
        if not self._start_callback(check, sweep, retry_policy, permit):
            work = self._run_check(check, sweep, retry_policy, self._running_checks.predecessor(check.key))
            self._start_task(check.key, sweep, work, permit)

    def _start_callback(
        self, check: ScheduledCheck, sweep: int, retry_policy: RetryPolicy, permit: Permit | None
    ) -> bool:
        """Start a check as a callback, if its probe can do that and no other run of it is active."""
        if check.begin is None or not self._running_checks.start_callback(check.key):
            return False
        self._sweep_progress.add(sweep)
        try:
            started = check.begin(
                check.target, retry_policy.timeout, partial(self._callback_done, check, sweep, retry_policy, permit)
            )
        except Exception:  # a bug must not end the scheduling; the attempt as a task that follows reports it
            log.exception("the code of %s failed on %s", type(check.probe).__name__, check.target.host)
            started = False
        if not started:
            self._running_checks.finish_callback(check.key)
            self._sweep_progress.transfer(sweep)
        return started

    def _callback_done(
        self, check: ScheduledCheck, sweep: int, retry_policy: RetryPolicy, permit: Permit | None, attempt: Attempt
    ) -> None:
        """Handle the first attempt of a check run: ok ends the run, anything else continues as a task."""
        if self._running_checks.dropped:
            return
        waiter = self._running_checks.finish_callback(check.key)
        if attempt.outcome is Outcome.OK:
            self._recorder.submit(sweep, self._build_result(check, (attempt,), Outcome.OK, ""))
            if waiter is not None:
                wake_waiter(waiter)
            self._check_done(sweep, permit)
            return
        if attempt.outcome is Outcome.FAIL:
            self._request_connectivity_check()
        self._sweep_progress.transfer(sweep)
        self._start_task(check.key, sweep, self._run_check(check, sweep, retry_policy, None, attempt), permit, waiter)

    def _start_task(
        self,
        key: CheckKey,
        sweep: int,
        work: Coroutine[Any, Any, None],
        permit: Permit | None = None,
        waiter: asyncio.Future[None] | None = None,
    ) -> None:
        self._sweep_progress.add(sweep)
        self._running_checks.start_task(key, work, partial(self._check_done, sweep, permit), waiter)

    def on_missed(self, slot: Slot, count: int) -> None:
        """Record missed slots: the time from the first of them on is unknown and does not extend the last result."""
        for check in self._scheduled_checks.get(slot.server, ()):
            self._admission_queue.supersede(check.key)
            self._record_missed(check, slot, count)

    def _record_missed(self, check: ScheduledCheck, slot: Slot, count: int) -> None:
        self._telemetry.count_missed_slots(count)
        self._telemetry.count_result(check.type, Outcome.UNKNOWN, None)
        result = Result(
            check.key, self._recorded_time.from_monotonic(slot.due / 1000), Outcome.UNKNOWN, 0, None, SLOT_MISSED
        )
        predecessor = self._running_checks.predecessor(check.key)
        if predecessor is None:
            self._recorder.submit(slot.sweep, result)
        else:
            work = self._submit_after(predecessor, slot.sweep, result)
            self._start_task(check.key, slot.sweep, work)

    async def _submit_after(self, predecessor: asyncio.Future[None] | None, sweep: int, result: Result) -> None:
        """Submit a result after that of ``predecessor``: the results of one check arrive in the order of their times.

        A check run can outlast its interval while it waits for the canaries, or in a stall.
        """
        if predecessor is not None and not predecessor.done():
            await asyncio.wait([predecessor])
        self._recorder.submit(sweep, result)

    def on_sweep_end(self, sweep: int) -> None:
        """Close a sweep as soon as its last check run has ended, which may be now."""
        self._sweep_progress.close(sweep)

    def _check_done(self, sweep: int, permit: Permit | None = None) -> None:
        self._sweep_progress.finish(sweep)
        self._running_checks.submitted()
        if permit is not None:
            self._limiter.release(permit)

    async def _run_check(
        self,
        check: ScheduledCheck,
        sweep: int,
        retry_policy: RetryPolicy,
        predecessor: asyncio.Future[None] | None,
        first_attempt: Attempt | None = None,
    ) -> None:
        """Run a check, or the rest of it after its ``first_attempt``, and submit the result."""
        began = self._clock.monotonic() if first_attempt is None else first_attempt.at
        check_run = await run_check(
            CanaryTriggeringProbe(check.probe, self._request_connectivity_check),
            check.target,
            retry_policy,
            self._clock,
            first_attempt,
        )
        outcome, reason = check_run.outcome, check_run.attempts[-1].reason
        no_answer = Outcome.OK if check.inverted else Outcome.FAIL
        if outcome is no_answer and not await self._connectivity.confirms_failure(began):
            outcome, reason = Outcome.UNKNOWN, NO_CONNECTIVITY
        await self._submit_after(predecessor, sweep, self._build_result(check, check_run.attempts, outcome, reason))

    def _build_result(
        self, check: ScheduledCheck, attempts: tuple[Attempt, ...], outcome: Outcome, reason: str
    ) -> Result:
        last = attempts[-1]
        ok = outcome is Outcome.OK
        self._observations.record(check.key, last, ok=ok)
        latency = last.latency_us if ok else None
        self._telemetry.count_result(check.type, outcome, latency)
        at = self._recorded_time.from_monotonic(attempts[0].at)
        return Result(check.key, at, outcome, len(attempts), latency, "" if ok else reason)

    def _request_connectivity_check(self) -> None:
        self._connectivity_requests.request_check(self._connectivity)

    async def drain(self, grace_period: float) -> None:
        """Wait ``grace_period`` seconds for the running checks, then cancel the rest: their slots count as missed."""
        self._admission_queue.clear()
        await self._running_checks.drain(grace_period)
        await self._connectivity_requests.cancel()
