"""What attempts showed of each check besides its result: certificates, where the time went, and who is suspect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from monitor.engine.cooperative import slices
from monitor.model import PING
from monitor.probes.trace import phases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from monitor.model import Certificate, CheckKey
    from monitor.probes.probe import Attempt, Phases

SLICE: Final = 500
"""Checks that are looked through before the loop may turn again: a millisecond."""


class Findings:
    """The newest of each check, for as long as it is watched."""

    def __init__(self) -> None:
        self._suspects: set[CheckKey] = set()
        self._certificates: dict[CheckKey, Certificate] = {}
        self._phases: dict[CheckKey, Phases] = {}

    def take(self, key: CheckKey, last: Attempt, *, ok: bool) -> None:
        """Take what the last attempt of a cycle showed; ``ok`` is the cycle's result."""
        (self._suspects.discard if ok else self._suspects.add)(key)
        if last.certificate is not None and last.certificate != self._certificates.get(key):
            self._certificates[key] = last.certificate
        if key.name != PING:
            self._phases[key] = phases(last.steps)

    def suspect(self, key: CheckKey) -> bool:
        """Whether a check was not ok last time."""
        return key in self._suspects

    def phases(self, key: CheckKey) -> Phases | None:
        """How long the last attempt of a service's check took to get where; None for pings and before the first."""
        return self._phases.get(key)

    def certificate(self, key: CheckKey) -> Certificate | None:
        """Give the certificate that a check saw last; None where it never saw one."""
        return self._certificates.get(key)

    def forgetting(self, left: Callable[[Iterable[CheckKey]], list[CheckKey]]) -> Iterator[None]:
        """Forget by slices the checks that are not watched any more; ``left`` gives those among some."""
        for known, forget in (
            (self._certificates, self._certificates.pop),
            (self._phases, self._phases.pop),
            (self._suspects, self._suspects.discard),
        ):
            for some in slices(known, SLICE):
                for key in left(some):
                    forget(key)
                yield
