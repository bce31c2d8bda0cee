"""What a probe is: one try at a server, and what it saw."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from monitor.model import Outcome, Reason
from monitor.probes.failures import SHORTAGES, unexpected_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from monitor.clock import Clock
    from monitor.model import Certificate

RESOLVE = "resolve"


CONNECT = "connect"


TLS = "tls"


SEND = "send"


FIRST_BYTE = "first-byte"


RECEIVE = "receive"


BODY = "body"


SEARCH = "search"


STALL_THRESHOLD = 0.25
"""Seconds: a deadline noticed later than this shows that the monitor stood still, so what it missed is its own."""


def microseconds(seconds: float) -> int:
    """Whole microseconds, never negative."""
    return max(0, round(seconds * 1_000_000))


def judge_timeout(late: float, step: str | None) -> tuple[Outcome, str]:
    """Judge an attempt that ran out of time, noticed ``late`` seconds after its deadline, while in ``step``."""
    if late > STALL_THRESHOLD:
        return Outcome.UNKNOWN, "monitor too busy"
    if step == SEARCH:  # in our own threads
        return Outcome.UNKNOWN, "monitor too busy"
    if step == RESOLVE:
        return Outcome.UNKNOWN, "name not resolved in time"
    return Outcome.FAIL, str(Reason.TIMEOUT)


@dataclass(frozen=True, slots=True)
class Step:
    """One stage of an attempt, for those who look at why it was slow or failed."""

    name: str
    """``resolve``, ``connect``, ``tls``, ``send``, ``first-byte``, ``receive``, ``body`` or ``search``."""
    microseconds: int
    detail: object
    """What was met there, see ``text``; to be put into words only where somebody reads them."""

    @property
    def text(self) -> str:
        """Tell what was met there: an address, a status line, a certificate, an error; never a secret."""
        return str(self.detail)


class Phases(NamedTuple):
    """How long an attempt took to get where, in microseconds; None for what it did not do. The total is its latency."""

    connect: int | None = None
    handshake: int | None = None
    """TLS."""
    first_byte: int | None = None
    """From the question, or from the connection where the server speaks first."""


class Attempt(NamedTuple):
    """One try. A cycle (docs/contract.md#from-results-to-time) is made of one or several."""

    outcome: Outcome
    at: float
    """Monotonic seconds (``ResponseClock.monotonic``) when its first packet was sent, or tried to be."""
    latency_us: int | None
    """Microseconds from ``at`` to the answer; None unless the outcome is ok."""
    reason: str
    """Why not ok: a short stable phrase (``timeout``, ``status: 500``); empty for ok. Never a secret."""
    steps: tuple[Step, ...] = ()
    certificate: Certificate | None = None
    """What was presented first, accepted or not; None without TLS."""


@dataclass(frozen=True, slots=True)
class Target:
    """The server that a check hangs on."""

    host: str
    """Its address: IPv4, IPv6 (with ``%scope`` where link-local) or a host name."""


class Probe(Protocol):
    """A way to look at a server, with its settings. Safe to use for many attempts at once."""

    async def attempt(self, target: Target, timeout: float) -> Attempt:  # noqa: ASYNC109 - the attempt reports its timeout
        """Try once and say what was seen, within ``timeout`` seconds; raises nothing but ``CancelledError``."""
        ...


@runtime_checkable
class CallbackProbe(Protocol):
    """A probe whose first attempt needs no task of its own: thousands a second are told by their callbacks.

    When ``on_done`` is given something else than ok, hand it to ``cycle(..., first=attempt)`` for the retries.
    """

    def start(self, target: Target, timeout: float, on_done: Callable[[Attempt], None]) -> bool:
        """Try once and call ``on_done`` with the attempt, perhaps before this returns.

        Gives False, and does nothing, where only ``attempt`` can do it (a name must be looked up first).
        """
        ...


# --- one check run: attempts until one succeeds or none is left (docs/contract.md#from-results-to-time) ---------------

_log = logging.getLogger(__name__)

CANCEL_GRACE = 0.25
"""Seconds that a probe gets beyond the timeout to end by itself, so that it can say where it stood."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How a cycle tries; all in seconds."""

    timeout: float
    """Longest that one attempt may take."""
    retries: int = 2
    """How many more attempts follow a failed one."""
    retry_wait: float = 5.0
    """From the end of a failed attempt to the next."""

    def for_check(self, settings: object) -> RetryPolicy:
        """Return the policy of one check: its own keys where given, else those of this policy."""
        timeout, retries, retry_wait = (getattr(settings, name, None) for name in ("timeout", "retries", "retry_wait"))
        if timeout is retries is retry_wait is None:
            return self
        return RetryPolicy(
            self.timeout if timeout is None else timeout / 1000,
            self.retries if retries is None else retries,
            self.retry_wait if retry_wait is None else retry_wait / 1000,
        )


@dataclass(frozen=True, slots=True)
class CheckRun:
    """What a cycle gave: one result's worth. The last attempt is the one that decided."""

    outcome: Outcome
    attempts: tuple[Attempt, ...]
    """At least one; the first one's ``at`` dates the result."""


async def run_check(
    probe: Probe, target: Target, policy: RetryPolicy, clock: Clock, first: Attempt | None = None
) -> CheckRun:
    """Try until an attempt succeeds or none is left.

    Any success is ok; all attempts failed is fail; anything else (an attempt whose failure was the monitor's own among
    failed ones) is unknown. An exception in a probe's code is an unknown attempt; only cancellation passes through.
    ``first`` is an attempt that was made already (see ``CallbackProbe``): the cycle goes on from there.
    """
    made = [await _attempt(probe, target, policy.timeout, clock)] if first is None else [first]
    while made[-1].outcome is not Outcome.OK and len(made) <= policy.retries:
        await asyncio.sleep(policy.retry_wait)
        made.append(await _attempt(probe, target, policy.timeout, clock))
    return CheckRun(combined_outcome(made), tuple(made))


def combined_outcome(attempts: Sequence[Attempt]) -> Outcome:
    """Judge finished attempts: any ok is ok, all fail is fail, the rest is unknown."""
    outcomes = {attempt.outcome for attempt in attempts}
    if Outcome.OK in outcomes:
        return Outcome.OK
    return Outcome.FAIL if outcomes == {Outcome.FAIL} else Outcome.UNKNOWN


async def _attempt(probe: Probe, target: Target, timeout: float, clock: Clock) -> Attempt:  # noqa: ASYNC109
    at = clock.monotonic()
    try:
        async with asyncio.timeout(timeout + CANCEL_GRACE) as deadline:
            return await probe.attempt(target, timeout)
    except Exception as error:  # noqa: BLE001 - a fault of ours must not become the server's, nor end the sweep
        if isinstance(error, TimeoutError) and deadline.expired():
            outcome, reason = judge_timeout(clock.monotonic() - at - timeout - CANCEL_GRACE, None)
            return Attempt(outcome, at, None, reason)
        failure = unexpected_failure(error)
        if failure.reason in SHORTAGES:  # one line: there may be thousands
            _log.error("%s: %s", target.host, failure.reason)
        else:
            _log.exception("the code of %s failed on %s", type(probe).__name__, target.host)
        return Attempt(failure.outcome, at, None, failure.reason)
