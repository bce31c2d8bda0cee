"""Regular expressions of the configuration, searched in what servers say: within a time that is bounded."""

from __future__ import annotations

import asyncio
from typing import Any

from monitor.probes.blame import ours
from monitor.probes.expression import library

PATIENCE = 0.25
"""Seconds that one search may take, in a thread of its own: others do not wait for it."""
_LEAST = 0.02
"""Seconds for a search that begins at the deadline: nearly all end in less."""
TOO_SLOW = "expression too slow"


class Pattern:
    """One expression, ready to be searched for."""

    def __init__(self, text: str) -> None:
        """Raises ``regex.error`` for what ``is_expression`` refuses. ``^`` and ``$`` are the ends of lines."""
        self.text = text
        regex = library()
        self._compiled: Any = regex.compile(text.encode(), regex.MULTILINE)

    async def found_in(self, data: bytes, within: float = PATIENCE) -> bool:
        """Whether it is found. Raises ``NotOkError``, unknown, where that cannot be said ``within`` so many seconds."""
        patience = min(PATIENCE, max(within, _LEAST))
        try:
            return await asyncio.to_thread(self._search, data, patience)
        except TimeoutError:
            raise ours(TOO_SLOW) from None

    def _search(self, data: bytes, patience: float) -> bool:
        # the module lets go of the interpreter while it searches bytes
        return self._compiled.search(data, timeout=patience, concurrent=True) is not None
