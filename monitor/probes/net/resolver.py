"""From host names to addresses, by the system's resolver, without its delays reaching anyone else.

A lookup of the system blocks a thread, for half a minute where the name's server is silent. So lookups have threads of
their own; each name has one lookup at a time; and a name that was slow waits in another lane than the healthy ones.
An answer is kept for as long as the DNS says, which is asked when the answer is there already: nobody waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import threading
from typing import TYPE_CHECKING, TypeVar

from monitor.probes.failures import ours, route_fault
from monitor.probes.net.address import Address

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.clock import Clock

T = TypeVar("T")

HEALTHY_LANE = 32
SLOW_LANE = 8
SLOW = 2.0
"""Seconds after which a lookup counts as slow."""
KEEP = 30.0
"""Seconds that an answer is used again where nobody says for how long: the checks and retries of one sweep share it."""
LONGEST = 3600.0
"""Seconds for which an answer is used again at most, whatever the DNS says."""
CURIOUS = 4
"""Names that the DNS is asked about at once."""
MOST_NAMES = 100_000
"""Names remembered at most."""

NOT_RESOLVED = "name not resolved"


@functools.lru_cache(maxsize=65536)
def _plain(host: str) -> Address | None:
    # in the kernel's own spelling, in which answers name their sender
    for family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError, ValueError):
            return Address(family, socket.inet_ntop(family, socket.inet_pton(family, host)))
    return None


def literal(host: str) -> Address | None:
    """Read an address that needs no lookup; None for a name. Raises ``NotOkError`` where its interface is missing."""
    if "%" not in host:
        return _plain(host)
    plain, _, interface = host.partition("%")
    address = _plain(plain)
    if address is None:
        return None
    try:
        scope = int(interface) if interface.isdecimal() else socket.if_nametoindex(interface)
    except OSError:
        raise ours("no such interface") from None
    return address._replace(scope=scope)


class Resolver:
    """Looks names up for all probes, inside one running loop."""

    def __init__(
        self,
        clock: Clock,
        lookup: Callable[[str], tuple[Address, ...]] | None = None,
        lifetime: Callable[[str, tuple[Address, ...]], int | None] | None = None,
    ) -> None:
        """Both blocking calls run in threads: ``lookup``, the system's unless given, and ``lifetime``.

        The latter says for how many seconds addresses hold good, None where it does not know; nor is known without it.
        """
        self._clock = clock
        self._lookup = lookup or ask_system
        self._lifetime = lifetime
        self._untold: dict[str, float] = {}
        """Names of which no lifetime could be learned, and when that may be tried again."""
        self._learning: set[asyncio.Task[None]] = set()
        self._curious = asyncio.Semaphore(CURIOUS)
        self._known: dict[str, tuple[float, tuple[Address, ...]]] = {}
        self._flying: dict[str, asyncio.Task[tuple[Address, ...]]] = {}
        self._slow: set[str] = set()
        self._healthy_lane = asyncio.Semaphore(HEALTHY_LANE)
        self._slow_lane = asyncio.Semaphore(SLOW_LANE)

    async def addresses(self, host: str) -> tuple[Address, ...]:
        """Give the addresses of ``host``, the preferred first, at least one; a literal one at once.

        Raises ``NotOkError``, unknown, where there is none. The caller sets the deadline.
        """
        if address := literal(host):
            return (address,)
        known = self._known.get(host)
        if known and self._clock.monotonic() < known[0]:
            return known[1]
        flight = self._flying.get(host)
        if flight is None:
            flight = self._flying[host] = asyncio.create_task(self._fly(host))
        # a waiter that gives up must not end the lookup: others wait for it, and its thread cannot be stopped
        found = await asyncio.shield(flight)
        if not found:
            raise ours(NOT_RESOLVED)
        return found

    async def routed(self, host: str) -> tuple[Address, ...]:
        """Give those of the addresses of ``host`` that this machine has a route to; raises as ``addresses`` does.

        So a server with IPv4 and IPv6 is not held down by a monitor that has only one of them.
        """
        found = await self.addresses(host)
        if len(found) == 1:
            return found
        faults = {address: route_fault(address) for address in found}
        usable = tuple(address for address in found if faults[address] is None)
        fault = faults[found[0]]
        if not usable and fault is not None:
            raise fault
        return usable

    async def _fly(self, host: str) -> tuple[Address, ...]:
        lane = self._slow_lane if host in self._slow else self._healthy_lane
        try:
            async with lane:
                started = self._clock.monotonic()
                nothing: tuple[Address, ...] = ()
                found = await _in_thread(functools.partial(self._lookup, host), nothing, host)
                now = self._clock.monotonic()
        finally:
            del self._flying[host]
        self._remember(host, found, now, slow=now - started > SLOW)
        return found

    def _remember(self, host: str, found: tuple[Address, ...], now: float, *, slow: bool) -> None:
        if len(self._known) > MOST_NAMES or len(self._slow) > MOST_NAMES:  # redirects can name what they like
            self._known.clear()
            self._slow.clear()
            self._untold.clear()
        (self._slow.add if slow else self._slow.discard)(host)
        if not found:
            self._known.pop(host, None)
            return
        self._known[host] = (now + KEEP, found)
        if self._lifetime is not None and self._untold.get(host, now) <= now:
            learning = asyncio.create_task(self._learn(self._lifetime, host, found, now))
            self._learning.add(learning)
            learning.add_done_callback(self._learning.discard)

    async def _learn(
        self,
        lifetime: Callable[[str, tuple[Address, ...]], int | None],
        host: str,
        found: tuple[Address, ...],
        at: float,
    ) -> None:
        """Keep an answer for as long as it holds good; the time runs from when it came."""
        async with self._curious:
            seconds = await _in_thread(functools.partial(lifetime, host, found), None, host)
        if seconds is None:
            self._untold[host] = at + LONGEST
        elif self._known.get(host) == (at + KEEP, found):
            self._known[host] = (at + min(seconds, LONGEST), found)

    async def aclose(self) -> None:
        """Give up on all lookups under way; threads that still wait for the system end by themselves."""
        flights = (*self._flying.values(), *self._learning)
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)


async def _in_thread(call: Callable[[], T], otherwise: T, host: str) -> T:
    # a daemon thread, not an executor's: a process that ends must not wait for a name server that does not answer
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def land(found: T) -> None:
        if not future.done():
            future.set_result(found)

    def fly() -> None:
        found = otherwise
        try:
            found = call()
        finally:
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
                loop.call_soon_threadsafe(land, found)

    threading.Thread(target=fly, name=f"resolve {host}", daemon=True).start()
    return await future


def ask_system(host: str) -> tuple[Address, ...]:
    """Look ``host`` up by the system's resolver, blocking; none where it gives nothing or fails."""
    try:
        infos = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    except (OSError, UnicodeError):
        return ()
    found = dict.fromkeys(
        Address(family, str(sockaddr[0]).partition("%")[0], int(sockaddr[3]) if len(sockaddr) > 2 else 0)  # noqa: PLR2004
        for family, _, _, _, sockaddr in infos
    )
    return tuple(found)
