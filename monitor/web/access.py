"""Who may see the operators' page, which names customers and has no password, and the metrics and the health.

Nothing is served under the name of a web site that points its DNS name here, nor to the scripts of another web site.
Besides, the page is shown only to clients on this machine, and not through a proxy.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

PROXY_HEADERS = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP")
"""Headers that a reverse proxy adds for another client."""
SSH_TUNNEL_HINT = (
    "From elsewhere: ssh -L 9809:127.0.0.1:9809 MACHINE, then http://127.0.0.1:9809/ (with the port of [web] listen).\n"
)
_WILDCARD_ADDRESSES = {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound


class AccessDenial(NamedTuple):
    """The status and the text of a refused request."""

    status: int
    text: str


class AccessPolicy:
    """Decides about requests; allowed host names are loopback, the address, this machine's name and that of the URL."""

    def __init__(self, listen_host: str, public_url: str) -> None:
        public_host = (urlsplit(public_url).hostname or "").lower()
        names = {"localhost", socket.gethostname().lower(), listen_host.lower(), public_host}
        self._allowed_hosts = names - _WILDCARD_ADDRESSES - {""}

    def denial_for(
        self, peer_address: str | None, local_address: str | None, headers: Mapping[str, str]
    ) -> AccessDenial | None:
        """Return the denial of a request, or None; the addresses are those of both ends of the connection.

        Both are equal if a client on this machine uses one of its addresses other than loopback.
        """
        peer_address, local_address = _unmap_ipv4(peer_address or ""), _unmap_ipv4(local_address or "")
        if not (_is_loopback(peer_address) or (peer_address and peer_address == local_address)):
            return AccessDenial(
                403, "This page names customers, so it is shown on the monitor's own machine only.\n" + SSH_TUNNEL_HINT
            )
        if any(name in headers for name in PROXY_HEADERS):
            return AccessDenial(
                403, "This page names customers, so it is not shown through a proxy.\n" + SSH_TUNNEL_HINT
            )
        return self.foreign_site_denial(local_address, headers)

    def foreign_site_denial(self, local_address: str | None, headers: Mapping[str, str]) -> AccessDenial | None:
        """Return the denial of a request by another web site or under its name, or None."""
        local_address = _unmap_ipv4(local_address or "")
        if not self._is_own_name(_parse_host(headers.get("Host", "")), local_address):
            return AccessDenial(
                421, "Nothing is served under that name. Use the address, localhost, or the name of [web] public_url.\n"
            )
        origin = headers.get("Origin")
        if origin is not None and not self._is_own_name(_parse_host(origin.partition("//")[2]), local_address):
            return AccessDenial(403, "Nothing is served to the scripts of another web site.\n")
        if headers.get("Sec-Fetch-Site") == "cross-site" and headers.get("Sec-Fetch-Mode") != "navigate":
            return AccessDenial(403, "Nothing is served to the scripts of another web site.\n")
        return None

    def _is_own_name(self, host: str, local_address: str) -> bool:
        return bool(host) and (host in self._allowed_hosts or host == local_address or _is_loopback(host))


def _parse_host(header: str) -> str:
    """Return the host of ``Host: host:port``, IPv6 without brackets; empty if there is no valid one."""
    try:
        return (urlsplit(f"//{header}").hostname or "").removesuffix(".")
    except ValueError:
        return ""


def _unmap_ipv4(address: str) -> str:
    """Return an IPv4 address in its own notation, also if it came through an IPv6 socket."""
    try:
        mapped = ipaddress.IPv6Address(address).ipv4_mapped
    except ValueError:
        return address
    return str(mapped or address)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
