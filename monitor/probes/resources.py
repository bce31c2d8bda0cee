"""What probes share, opened once and passed in: the clock, the sockets for pings, the resolver, the HTTP client."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from monitor.probes.credentials import Credentials
from monitor.probes.http.client import HttpClient
from monitor.probes.icmp.pinger import Pinger
from monitor.probes.net.dns_ttl import DnsTtlLookup
from monitor.probes.net.resolver import Resolver
from monitor.probes.net.tls import TlsContexts
from monitor.probes.regex_search import RegexWorkers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from monitor.clock import Clock
    from monitor.probes.icmp.icmplib_pinger import IcmplibPinger


@dataclass(frozen=True, slots=True)
class ProbeResources:
    """The shared tools of all probes; they live as long as the daemon, through every reload."""

    clock: Clock
    pinger: Pinger | IcmplibPinger
    resolver: Resolver
    http: HttpClient
    tls: TlsContexts = field(default_factory=TlsContexts)
    credentials: Credentials = field(default_factory=Credentials)
    regex_workers: RegexWorkers = field(default_factory=RegexWorkers)


@asynccontextmanager
async def open_resources(
    clock: Clock, *, use_icmplib: bool = not sys.platform.startswith("linux")
) -> AsyncIterator[ProbeResources]:
    """Open the tools inside a running loop; leaving closes every socket, session and lookup of theirs.

    ``use_icmplib`` pings by icmplib, for few servers and without what only Linux has.
    """
    pinger = _icmplib_pinger(clock) if use_icmplib else Pinger(clock)
    resolver = Resolver(clock, ttl_lookup=DnsTtlLookup().lookup_ttl)
    http = HttpClient(resolver, clock)
    pinger.warm_up()
    tools = ProbeResources(clock, pinger, resolver, http)
    try:
        yield tools
    finally:
        tools.regex_workers.close()
        await http.aclose()
        await resolver.aclose()
        pinger.close()


def _icmplib_pinger(clock: Clock) -> IcmplibPinger:
    # a question to the books must not wait for icmplib
    from monitor.probes.icmp.icmplib_pinger import IcmplibPinger  # noqa: PLC0415

    return IcmplibPinger(clock)
