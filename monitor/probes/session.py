"""The HTTP client that all pages are got with: a new connection for every request, nothing kept.

A TLS session is not resumed either: a server that resumes shows no certificate, and one that has expired or was changed
would go unnoticed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from monitor.clock import SystemClock
from monitor.probes.http.client import Visit

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.clock import Clock
    from monitor.probes.http.client import Errand
    from monitor.probes.net.resolver import Resolver
    from monitor.probes.probe import Attempt


class HttpClient:
    """Makes visits; to be used inside one running loop."""

    def __init__(self, resolver: Resolver, clock: Clock | None = None) -> None:
        self._resolver = resolver
        self._clock = clock or SystemClock()
        self._visits: dict[Visit, Callable[[Attempt], None]] = {}

    def begin(self, errand: Errand, timeout: float, done: Callable[[Attempt], None]) -> Visit:
        """Visit a page within ``timeout`` seconds; ``done`` is called once, perhaps before this returns."""
        visit = Visit(errand, self._resolver, self._clock, self._over)
        self._visits[visit] = done
        visit.begin(timeout)
        return visit

    async def visit(self, errand: Errand, timeout: float) -> Attempt:  # noqa: ASYNC109 - the attempt reports its timeout
        """Visit a page within ``timeout`` seconds; where the caller stops waiting, the visit ends."""
        future: asyncio.Future[Attempt] = asyncio.get_running_loop().create_future()

        def tell(attempt: Attempt) -> None:
            if not future.cancelled():  # it can end after its caller was cancelled, and before that one's turn comes
                future.set_result(attempt)

        visit = self.begin(errand, timeout, tell)
        try:
            return await future
        finally:
            if self._visits.pop(visit, None) is not None:
                visit.drop()

    def _over(self, visit: Visit, attempt: Attempt) -> None:
        self._visits.pop(visit)(attempt)

    async def aclose(self) -> None:
        """End all visits under way; they are told as unknown."""
        for visit in tuple(self._visits):
            visit.stop("monitor stopped")
