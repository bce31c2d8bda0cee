"""What the live picture is made of: what is configured, and how it is doing.

Instants are ``Millis``, lengths of time whole milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from monitor.model import CheckKey, State

if TYPE_CHECKING:
    from monitor.model import Certificate, Millis, Outcome
    from monitor.probes.probe import Phases
    from monitor.sla.live.window_figures import Figures, WindowName


@dataclass(frozen=True, slots=True)
class CheckEntry:
    """One check as it is configured."""

    server: str
    check: str
    prober: str
    """The check's type: ``icmp``, ``tcp``, ``http``, ..."""
    address: str
    """What is probed: an address, a host name, ``host:port`` or a URL without its secrets."""

    @property
    def key(self) -> CheckKey:
        """The check's name everywhere else."""
        return CheckKey(self.server, self.check)


@dataclass(frozen=True, slots=True)
class SubscriptionEntry:
    """One subscription as it is configured."""

    id: str
    customer: str
    server: str
    product: str
    level: int
    target: int
    """The promised availability, in hundredths of a percent."""


@dataclass(slots=True)
class CheckView:
    """One check, live."""

    entry: CheckEntry
    state: State = State.UNKNOWN
    """Its confirmed state: up, down or unknown. Maintenance is a matter of its server: see ``Board.shown``."""
    since: Millis | None = None
    outcome: Outcome | None = None
    """Of its last result; None before the first."""
    at: Millis | None = None
    latency: int | None = None
    """Microseconds, of its last result; None unless that was ok."""
    reason: str = ""
    certificate: Certificate | None = None
    """The one that was seen last, kept while the check fails; None for checks without TLS."""
    phases: Phases | None = None
    """How long its last attempt took to get where; None for pings."""


@dataclass(slots=True)
class SubscriptionView:
    """One subscription, live."""

    entry: SubscriptionEntry
    figures: dict[WindowName, Figures] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ActiveWindow:
    """A maintenance window that is active now."""

    id: int
    servers: frozenset[str]
    until: Millis
    kind: str
    """``planned`` or ``emergency``."""
    reason: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Something about the monitor itself that an operator has to mend."""

    text: str
    """What is wrong and what mends it, in one or two sentences."""
    ready: bool
    """Whether the monitor does its duty nevertheless; one problem that it does not makes it not ready."""
