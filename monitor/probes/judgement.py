"""What a check's own keys make of an attempt: ``slower_than`` with ``slow_is``, and ``invert``.

``judge_by_keys`` wraps the probe of a check that has such a key; all others are probed without this module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.model import Outcome, Reason

if TYPE_CHECKING:
    from monitor.probes.probe import Attempt, Probe, Target


def judge_by_keys(probe: Probe, settings: object) -> Probe:
    """Return the probe of a check that judges as the check's keys say; the same probe where it has none of them."""
    if is_inverted(settings):
        return InvertedProbe(probe)
    limit = getattr(settings, "slower_than", None)
    if limit is not None and getattr(settings, "slow_is", None) == "fail":
        return SlowFailsProbe(probe, limit)
    return probe


def is_inverted(settings: object) -> bool:
    """Whether a check is ok if the server does not answer."""
    return bool(getattr(settings, "invert", False))


def warning_limit(settings: object) -> int | None:
    """Return above how many milliseconds an ok result is shown with a warning; None: never."""
    limit: int | None = getattr(settings, "slower_than", None)
    return limit if getattr(settings, "slow_is", None) == "warning" else None


def is_slow(latency_us: int | None, limit: int | None) -> bool:
    """Whether a latency in microseconds is above a limit in milliseconds."""
    return latency_us is not None and limit is not None and latency_us > limit * 1000


def slow_reason(limit: int) -> str:
    """Return the reason of an answer that took longer than so many milliseconds."""
    return Reason.SLOW.with_detail(f"more than {limit / 1000:g} s")


class InvertedProbe:
    """A probe whose ok is a failure and whose failure is ok. What is unknown stays unknown.

    An ok attempt has no latency: there was no answer.
    """

    def __init__(self, probe: Probe) -> None:
        self._probe = probe

    async def attempt(self, target: Target, timeout: float) -> Attempt:  # noqa: ASYNC109 - see Probe
        """Try once; see ``Probe``."""
        attempt = await self._probe.attempt(target, timeout)
        if attempt.outcome is Outcome.OK:
            return attempt._replace(outcome=Outcome.FAIL, latency_us=None, reason=str(Reason.ANSWERS))
        if attempt.outcome is Outcome.FAIL:
            return attempt._replace(outcome=Outcome.OK, reason="")
        return attempt


class SlowFailsProbe:
    """A probe whose answer fails if it takes longer than a limit."""

    def __init__(self, probe: Probe, limit: int) -> None:
        """``limit`` in milliseconds."""
        self._probe = probe
        self._limit = limit

    async def attempt(self, target: Target, timeout: float) -> Attempt:  # noqa: ASYNC109 - see Probe
        """Try once; see ``Probe``."""
        attempt = await self._probe.attempt(target, timeout)
        if attempt.outcome is Outcome.OK and is_slow(attempt.latency_us, self._limit):
            return attempt._replace(outcome=Outcome.FAIL, latency_us=None, reason=slow_reason(self._limit))
        return attempt
