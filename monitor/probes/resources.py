"""What probes share, opened once and passed in: the clock, the sockets for pings, the resolver, the HTTP client."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from monitor.probes.credentials import Secrets
from monitor.probes.icmp.pinger import Pinger
from monitor.probes.lifetime import Lifetimes
from monitor.probes.net.resolver import Resolver
from monitor.probes.regex_search import Searches
from monitor.probes.session import HttpClient
from monitor.probes.tls_contexts import TlsContexts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from monitor.clock import Clock
    from monitor.probes.icmp.icmplib_pinger import PortablePinger


@dataclass(frozen=True, slots=True)
class Instruments:
    """The shared tools of all probes; they live as long as the daemon, through every reload."""

    clock: Clock
    pinger: Pinger | PortablePinger
    resolver: Resolver
    http: HttpClient
    tls: TlsContexts = field(default_factory=TlsContexts)
    secrets: Secrets = field(default_factory=Secrets)
    searches: Searches = field(default_factory=Searches)


@asynccontextmanager
async def open_instruments(
    clock: Clock, *, portable: bool = not sys.platform.startswith("linux")
) -> AsyncIterator[Instruments]:
    """Open the tools inside a running loop; leaving closes every socket, session and lookup of theirs.

    ``portable`` pings by icmplib, for few servers and without what only Linux has.
    """
    pinger = _portable(clock) if portable else Pinger(clock)
    resolver = Resolver(clock, lifetime=Lifetimes().ask)
    http = HttpClient(resolver, clock)
    pinger.warm_up()
    tools = Instruments(clock, pinger, resolver, http)
    try:
        yield tools
    finally:
        tools.searches.close()
        await http.aclose()
        await resolver.aclose()
        pinger.close()


def _portable(clock: Clock) -> PortablePinger:
    # a question to the books must not wait for icmplib
    from monitor.probes.icmp.icmplib_pinger import PortablePinger  # noqa: PLC0415

    return PortablePinger(clock)
