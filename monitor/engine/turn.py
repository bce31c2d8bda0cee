"""A check ready to be probed, and watched while it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from monitor.model import Outcome
from monitor.probes.probe import Swift

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from monitor.model import CheckKey
    from monitor.probes.probe import Attempt, Probe, Target

    _Begin: TypeAlias = Callable[[Target, float, Callable[[Attempt], None]], bool]


@dataclass(frozen=True, slots=True)
class Turn:
    """One check, ready to be probed."""

    key: CheckKey
    type: str
    probe: Probe
    target: Target
    door: str | None = None
    """Where it knocks, a host and port: so many at once are let there; None for pings, which share one socket."""
    begin: _Begin | None = field(init=False, compare=False, repr=False)
    """The first attempt without a task, where the probe can do that; see ``Swift``."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "begin", self.probe.begin if isinstance(self.probe, Swift) else None)


class Watched:
    """A probe whose failed attempts make the monitor look at its canaries at once, not only when the cycle is over.

    So a blindness that is over before the last attempt is noticed too.
    """

    def __init__(self, probe: Probe, look: Callable[[], None]) -> None:
        self._probe = probe
        self._look = look

    async def attempt(self, target: Target, timeout: float) -> Attempt:  # noqa: ASYNC109 - the probe's own contract
        """Try once; see ``Probe``."""
        attempt = await self._probe.attempt(target, timeout)
        if attempt.outcome is Outcome.FAIL:
            self._look()
        return attempt
