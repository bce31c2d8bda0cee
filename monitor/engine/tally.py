"""When a sweep is complete: its slots are over, and each cycle that began in one of them has ended."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Tally:
    """Counts what is outstanding of each sweep, and tells once that it is complete.

    Cycles can end long after their sweep is over, and in another order than the sweeps.
    """

    def __init__(self, complete: Callable[[int], None]) -> None:
        """``complete`` is told the number of each sweep that is over and of which nothing is outstanding."""
        self._complete = complete
        self._outstanding: Counter[int] = Counter()
        self._over: set[int] = set()

    def begun(self, sweep: int) -> None:
        """Count one more cycle, or turn that waits for a place."""
        self._outstanding[sweep] += 1

    def handed_on(self, sweep: int) -> None:
        """Count one less, where another takes its place at once: this never completes a sweep."""
        self._outstanding[sweep] -= 1

    def ended(self, sweep: int) -> None:
        """Count one less; that may have been the last."""
        self._outstanding[sweep] -= 1
        if self._over:
            self._close(sweep)

    def over(self, sweep: int) -> None:
        """Take note that no slot of a sweep is to come; that may complete it."""
        self._over.add(sweep)
        self._close(sweep)

    def _close(self, sweep: int) -> None:
        if sweep in self._over and self._outstanding[sweep] == 0:
            self._over.discard(sweep)
            del self._outstanding[sweep]
            self._complete(sweep)
