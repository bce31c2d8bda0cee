"""The trail that an attempt leaves: its steps with their times, and its end under one deadline."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from monitor.model import Outcome
from monitor.probes.failures import ProbeError
from monitor.probes.probe import CONNECT, FIRST_BYTE, TLS, Attempt, Phases, Step, judge_timeout, microseconds
from monitor.probes.redaction import Redactor, printable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from monitor.clock import Clock
    from monitor.model import Certificate, Millis
    from monitor.probes.net.address import Address
    from monitor.probes.net.tls import Handshake


_PHASES = (CONNECT, TLS, FIRST_BYTE)


def phases(steps: Sequence[Step]) -> Phases:
    """Sum an attempt's steps into its phases; what it did several times (redirects, addresses) is added up."""
    sums: dict[str, int] = {}
    for step in steps:
        if step.name in _PHASES:
            sums[step.name] = sums.get(step.name, 0) + step.microseconds
    return Phases(*map(sums.get, _PHASES))


class AttemptTrace:
    """What one attempt did so far. Steps follow one another: beginning one ends the one before."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._steps: list[Step] = []
        self._step: str | None = None
        self._text = ""
        self._since = clock.monotonic()
        self.at = self._since
        """When the first packet left; the start of the attempt until ``sent`` says better."""
        self._sent = False
        self.address: Address | None = None
        """What is connected to, where an error must be judged by it."""
        self.latency_us: int | None = None
        """Set where the kernel knows it better than the time that passed here."""
        self._certificate: Certificate | None = None
        self._redactor: Redactor | None = None
        self._detail: str | Handshake = ""
        self._explanation = ""

    @property
    def step(self) -> str | None:
        """The step that is under way."""
        return self._step

    def begin(self, name: str, text: str = "") -> None:
        """Begin a step, with what is known of it already; ends the one under way."""
        self.end()
        self._step = name
        self._text = text
        self._since = self._clock.monotonic()

    def end(self, text: object = None, took_us: int | None = None) -> None:
        """End the step under way, with what was met, see ``Step.detail``; without one, nothing happens.

        ``took_us`` is the kernel's measure of it, where it has one.
        """
        if self._step is None:
            return
        passed = microseconds(self._clock.monotonic() - self._since)
        took = passed if took_us is None else min(took_us, passed)
        # what is told of an answer can be in the server's own words, names of methods and versions too
        said = self._text if text is None else text
        self._steps.append(Step(self._step, took, printable(said) if isinstance(said, str) else said))
        self._step, self._detail = None, ""

    def split(self, name: str, first_us: int | None, text: str) -> None:
        """End the step under way after ``first_us``, and give the rest of its time to a second one, ``name``."""
        passed = microseconds(self._clock.monotonic() - self._since)
        self.end(took_us=first_us)
        first = self._steps[-1].microseconds if self._steps else 0
        self._steps.append(Step(name, max(0, passed - first), text))

    def tls_established(self, handshake: Handshake) -> None:
        """End the step of TLS with what it came to; of several handshakes the first one's certificate is kept."""
        self.tls_rejected(handshake)
        self.end(self._detail)

    def note(self, text: str) -> None:
        """Take what was met in the step under way, should the attempt end in it: its reason is told above that."""
        self._detail = text

    def explain(self, explanation: str) -> None:
        """Take a library's words for the failure that ends the attempt."""
        self._explanation = explanation

    def tls_rejected(self, handshake: Handshake) -> None:
        """Take what was presented by a server that is not accepted."""
        self._detail = handshake
        if self._certificate is None:
            self._certificate = handshake.certificate

    def add_secrets(self, *secrets: str) -> None:
        """Keep secrets out of every step, those before and those that follow; called before they are said."""
        if secrets:
            self._redactor = self._redactor or Redactor()
            self._redactor.add_secrets(*secrets)

    def now(self) -> Millis:
        """Return the time of day."""
        return self._clock.now()

    def resolved(self, host: str, addresses: Sequence[Address]) -> None:
        """End the step of the resolver, with what a name leads to."""
        found = ", ".join(map(str, addresses))
        self.end(host if found == host else f"{host}: {found}")

    def sent(self) -> None:
        """Say that a packet leaves now: from the first one the latency runs."""
        if not self._sent:
            self._sent = True
            self.at = self._clock.monotonic()

    def answer_complete(self) -> None:
        """Say that the answer is complete: what the attempt does from here on is not in its latency."""
        self.end()
        self.latency_us = microseconds(self._clock.monotonic() - self.at)

    def _closing_text(self, reason: str) -> str | None:
        """Say how the step under way ended: where it was, what for, and what was met there."""
        if not reason:
            return None
        head = f"{self._text}: {reason}" if self._text and "\n" not in self._text else f"{self._text}\n{reason}".strip()
        return "\n".join(filter(None, (head, self._explanation, str(self._detail))))

    def attempt(self, outcome: Outcome, reason: str) -> Attempt:
        """Close the trail."""
        latency = None
        if outcome is Outcome.OK:
            passed = microseconds(self._clock.monotonic() - self.at)
            latency = passed if self.latency_us is None else self.latency_us
        self.end(self._closing_text(reason))
        steps = self._steps
        if self._redactor is not None:
            steps = [replace(step, detail=self._redactor(step.text)) for step in steps]
        return Attempt(outcome, self.at, latency, reason, tuple(steps), self._certificate)


async def run_with_deadline(
    clock: Clock,
    timeout: float,  # noqa: ASYNC109 - the attempt reports its timeout
    run_attempt: Callable[[AttemptTrace], Awaitable[None]],
) -> Attempt:
    """Run ``run_attempt`` under a deadline of ``timeout`` seconds and make an attempt of how it ended.

    It returns where all is well and raises ``ProbeError`` where not. Running out of time is a fail, unless it
    happened in the monitor's own resolver or because the monitor itself stood still.
    """
    trail = AttemptTrace(clock)
    deadline = clock.monotonic() + timeout
    try:
        async with asyncio.timeout(timeout):
            await run_attempt(trail)
    except TimeoutError:
        return trail.attempt(*judge_timeout(clock.monotonic() - deadline, trail.step))
    except ProbeError as end:
        trail.explain(end.explanation)
        return trail.attempt(end.outcome, end.reason)
    return trail.attempt(Outcome.OK, "")
