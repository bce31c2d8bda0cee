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

from monitor.probes.failures import monitor_failure, route_failure
from monitor.probes.net.address import Address

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.clock import Clock

T = TypeVar("T")

MAX_LOOKUPS = 32
MAX_SLOW_LOOKUPS = 8
SLOW_LOOKUP_THRESHOLD = 2.0
"""Seconds after which a lookup counts as slow."""
DEFAULT_TTL = 30.0
"""Seconds that an answer is used again where nobody says for how long: the checks and retries of one sweep share it."""
MAX_TTL = 3600.0
"""Seconds for which an answer is used again at most, whatever the DNS says."""
MAX_TTL_LOOKUPS = 4
"""Names that the DNS is asked about at once."""
MAX_CACHED_NAMES = 100_000
"""Names remembered at most."""

NOT_RESOLVED = "name not resolved"


@functools.lru_cache(maxsize=65536)
def _parse_unscoped_ip(host: str) -> Address | None:
    # in the kernel's own spelling, in which answers name their sender
    for family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError, ValueError):
            return Address(family, socket.inet_ntop(family, socket.inet_pton(family, host)))
    return None


def parse_ip(host: str) -> Address | None:
    """Read an address that needs no lookup; None for a name. Raises ``ProbeError`` where its interface is missing."""
    if "%" not in host:
        return _parse_unscoped_ip(host)
    plain, _, interface = host.partition("%")
    address = _parse_unscoped_ip(plain)
    if address is None:
        return None
    try:
        scope = int(interface) if interface.isdecimal() else socket.if_nametoindex(interface)
    except OSError:
        raise monitor_failure("no such interface") from None
    return address._replace(scope=scope)


class Resolver:
    """Looks names up for all probes, inside one running loop."""

    def __init__(
        self,
        clock: Clock,
        lookup: Callable[[str], tuple[Address, ...]] | None = None,
        ttl_lookup: Callable[[str, tuple[Address, ...]], int | None] | None = None,
    ) -> None:
        """Both blocking calls run in threads: ``lookup``, the system's unless given, and ``ttl_lookup``.

        The latter says for how many seconds addresses hold good, None where it does not know; nor is known without it.
        """
        self._clock = clock
        self._lookup = lookup or system_lookup
        self._ttl_lookup = ttl_lookup
        self._ttl_retry_at: dict[str, float] = {}
        """Names of which no lifetime could be learned, and when that may be tried again."""
        self._ttl_tasks: set[asyncio.Task[None]] = set()
        self._ttl_semaphore = asyncio.Semaphore(MAX_TTL_LOOKUPS)
        self._cache: dict[str, tuple[float, tuple[Address, ...]]] = {}
        self._in_flight: dict[str, asyncio.Task[tuple[Address, ...]]] = {}
        self._slow_names: set[str] = set()
        self._lookup_semaphore = asyncio.Semaphore(MAX_LOOKUPS)
        self._slow_lookup_semaphore = asyncio.Semaphore(MAX_SLOW_LOOKUPS)

    async def resolve(self, host: str) -> tuple[Address, ...]:
        """Return the addresses of ``host``, the preferred first, at least one; a literal one at once.

        Raises ``ProbeError``, unknown, where there is none. The caller sets the deadline.
        """
        if address := parse_ip(host):
            return (address,)
        known = self._cache.get(host)
        if known and self._clock.monotonic() < known[0]:
            return known[1]
        flight = self._in_flight.get(host)
        if flight is None:
            flight = self._in_flight[host] = asyncio.create_task(self._lookup_and_cache(host))
        # a waiter that gives up must not end the lookup: others wait for it, and its thread cannot be stopped
        found = await asyncio.shield(flight)
        if not found:
            raise monitor_failure(NOT_RESOLVED)
        return found

    async def resolve_routable(self, host: str) -> tuple[Address, ...]:
        """Return those of the addresses of ``host`` that this machine has a route to; raises as ``resolve`` does.

        So a server with IPv4 and IPv6 is not held down by a monitor that has only one of them.
        """
        found = await self.resolve(host)
        if len(found) == 1:
            return found
        faults = {address: route_failure(address) for address in found}
        usable = tuple(address for address in found if faults[address] is None)
        fault = faults[found[0]]
        if not usable and fault is not None:
            raise fault
        return usable

    async def _lookup_and_cache(self, host: str) -> tuple[Address, ...]:
        lane = self._slow_lookup_semaphore if host in self._slow_names else self._lookup_semaphore
        try:
            async with lane:
                started = self._clock.monotonic()
                nothing: tuple[Address, ...] = ()
                found = await _run_in_daemon_thread(functools.partial(self._lookup, host), nothing, host)
                now = self._clock.monotonic()
        finally:
            del self._in_flight[host]
        self._cache_addresses(host, found, now, slow=now - started > SLOW_LOOKUP_THRESHOLD)
        return found

    def _cache_addresses(self, host: str, found: tuple[Address, ...], now: float, *, slow: bool) -> None:
        if (
            len(self._cache) > MAX_CACHED_NAMES or len(self._slow_names) > MAX_CACHED_NAMES
        ):  # redirects can name what they like
            self._cache.clear()
            self._slow_names.clear()
            self._ttl_retry_at.clear()
        (self._slow_names.add if slow else self._slow_names.discard)(host)
        if not found:
            self._cache.pop(host, None)
            return
        self._cache[host] = (now + DEFAULT_TTL, found)
        if self._ttl_lookup is not None and self._ttl_retry_at.get(host, now) <= now:
            learning = asyncio.create_task(self._apply_ttl(self._ttl_lookup, host, found, now))
            self._ttl_tasks.add(learning)
            learning.add_done_callback(self._ttl_tasks.discard)

    async def _apply_ttl(
        self,
        ttl_lookup: Callable[[str, tuple[Address, ...]], int | None],
        host: str,
        found: tuple[Address, ...],
        at: float,
    ) -> None:
        """Keep an answer for as long as it holds good; the time runs from when it came."""
        async with self._ttl_semaphore:
            seconds = await _run_in_daemon_thread(functools.partial(ttl_lookup, host, found), None, host)
        if seconds is None:
            self._ttl_retry_at[host] = at + MAX_TTL
        elif self._cache.get(host) == (at + DEFAULT_TTL, found):
            self._cache[host] = (at + min(seconds, MAX_TTL), found)

    async def aclose(self) -> None:
        """Give up on all lookups under way; threads that still wait for the system end by themselves."""
        flights = (*self._in_flight.values(), *self._ttl_tasks)
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)


async def _run_in_daemon_thread(call: Callable[[], T], default: T, host: str) -> T:
    # a daemon thread, not an executor's: a process that ends must not wait for a name server that does not answer
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def land(found: T) -> None:
        if not future.done():
            future.set_result(found)

    def fly() -> None:
        found = default
        try:
            found = call()
        finally:
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
                loop.call_soon_threadsafe(land, found)

    threading.Thread(target=fly, name=f"resolve {host}", daemon=True).start()
    return await future


def system_lookup(host: str) -> tuple[Address, ...]:
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
