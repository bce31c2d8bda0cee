"""A connection that is opened and closed again, by callbacks: what a check of a mere port comes to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from monitor.model import Outcome
from monitor.probes.failures import NotOkError
from monitor.probes.net.resolver import literal
from monitor.probes.net.tcp_connect import Opening
from monitor.probes.trace import RESOLVE, Trail, overdue

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from monitor.clock import Clock
    from monitor.probes.net.address import Address
    from monitor.probes.probe import Attempt


class Knock:
    """One attempt at the port of an address; ``done`` is called once, with the kernel's measure of the handshake."""

    def __init__(self, clock: Clock, done: Callable[[Attempt], None]) -> None:
        self._clock = clock
        self._done = done
        self._trail = Trail(clock)
        self._opening: Opening | None = None
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, host: str, port: int, timeout: float) -> bool:
        """Try within ``timeout`` seconds; gives False, and does nothing, where ``host`` is a name to be looked up."""
        self._trail.begin(RESOLVE, host)
        try:
            address = literal(host)
        except NotOkError as error:
            self._end(error.outcome, error.reason)
            return True
        if address is None:
            return False
        self._deadline = self._clock.monotonic() + timeout
        self._timer = asyncio.get_running_loop().call_later(timeout, self._expire)
        self._opening = Opening(self._trail, (address,), port, self._opened, self._refused)
        self._opening.begin()
        return True

    def _opened(self, sock: socket.socket, _address: Address) -> None:
        sock.close()
        assert self._opening is not None
        self._trail.latency_us = self._opening.handshake_us
        self._end(Outcome.OK, "")

    def _refused(self, fault: NotOkError) -> None:
        self._end(fault.outcome, fault.reason)

    def _expire(self) -> None:
        assert self._opening is not None
        self._opening.give_up()
        self._end(*overdue(self._clock.monotonic() - self._deadline, self._trail.step))

    def _end(self, outcome: Outcome, reason: str) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._opening = None  # the two know each other: apart, they are freed without a search for cycles
        self._done(self._trail.attempt(outcome, reason))
