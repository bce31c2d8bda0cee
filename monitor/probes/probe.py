"""What a probe is: one try at a server, and what it saw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.model import Certificate, Outcome


@dataclass(frozen=True, slots=True)
class Step:
    """One stage of an attempt, for those who look at why it was slow or failed."""

    name: str
    """``resolve``, ``connect``, ``tls``, ``send``, ``first-byte``, ``receive``, ``body`` or ``search``."""
    microseconds: int
    said: object
    """What was met there, see ``text``; to be put into words only where somebody reads them."""

    @property
    def text(self) -> str:
        """Tell what was met there: an address, a status line, a certificate, an error; never a secret."""
        return str(self.said)


class Phases(NamedTuple):
    """How long an attempt took to get where, in microseconds; None for what it did not do. The total is its latency."""

    connect: int | None = None
    handshake: int | None = None
    """TLS."""
    first_byte: int | None = None
    """From the question, or from the connection where the server speaks first."""


class Attempt(NamedTuple):
    """One try. A cycle (reading.md 4.1) is made of one or several."""

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

    @property
    def cert_expiry(self) -> int | None:
        """Unix seconds at which the first certificate of the presented chain expires; None without TLS."""
        return self.certificate.earliest_expiry if self.certificate else None


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
class Swift(Protocol):
    """A probe whose first attempt needs no task of its own: thousands a second are told by their callbacks.

    When ``done`` is given something else than ok, hand it to ``cycle(..., first=attempt)`` for the retries.
    """

    def begin(self, target: Target, timeout: float, done: Callable[[Attempt], None]) -> bool:
        """Try once and call ``done`` with the attempt, perhaps before this returns.

        Gives False, and does nothing, where only ``attempt`` can do it (a name must be looked up first).
        """
        ...
