"""How long the addresses of a name hold good: the DNS gives them a TTL, which the system's resolver keeps to itself.

The system stays the authority on the addresses: it knows the hosts file, search domains, multicast DNS and whatever
else it was told to ask. The DNS is asked beside it, for the time only, and believed where it names the same addresses.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

import dns.exception
import dns.rdatatype
import dns.resolver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.probes.net.address import Address

DNS_QUERY_TIMEOUT = 2.0
"""Seconds for the question; without an answer the time is not known."""
_RESOLV_CONF = Path("/etc/resolv.conf")


class DnsTtlLookup:
    """Asks the name servers of the system's configuration, which is read again when it changes."""

    def __init__(self, resolv_conf: Path = _RESOLV_CONF) -> None:
        self._resolv_conf = resolv_conf
        self._resolv_conf_mtime = -1
        self._resolver: dns.resolver.Resolver | None = None

    def lookup_ttl(self, host: str, addresses: tuple[Address, ...]) -> int | None:
        """Return the seconds for which ``addresses`` are those of ``host``; None where the DNS knows nothing of it.

        It blocks.
        Where there is a chain of names, the shortest time in it.
        """
        try:
            resolver = self._current_resolver()
            return min(self._ttls(resolver, host, addresses), default=None)
        except (dns.exception.DNSException, OSError, ValueError):
            return None

    def _current_resolver(self) -> dns.resolver.Resolver:
        stamp = self._resolv_conf.stat().st_mtime_ns
        resolver = self._resolver
        if resolver is None or stamp != self._resolv_conf_mtime:
            resolver = dns.resolver.Resolver(str(self._resolv_conf))
            resolver.use_search_by_default = True
            self._resolver, self._resolv_conf_mtime = resolver, stamp
        return resolver

    @staticmethod
    def _ttls(resolver: dns.resolver.Resolver, host: str, addresses: tuple[Address, ...]) -> Iterator[int]:
        for family, kind in ((socket.AF_INET, dns.rdatatype.A), (socket.AF_INET6, dns.rdatatype.AAAA)):
            hosts = {address.host for address in addresses if address.family == family}
            if hosts:
                answer = resolver.resolve(host, kind, lifetime=DNS_QUERY_TIMEOUT)
                if hosts & {record.address for record in answer}:
                    yield answer.chaining_result.minimum_ttl
