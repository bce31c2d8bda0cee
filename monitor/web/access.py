"""Who may see the operators' page: it names customers, and there is no password for it.

So it is shown to this machine's own users only: directly, and not to a web site that had its name point here.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

PROXY_HEADERS = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP")
"""Headers by which a reverse proxy says that somebody else is asking."""
SSH_TUNNEL_HINT = (
    "From elsewhere: ssh -L 9809:127.0.0.1:9809 MACHINE, then http://127.0.0.1:9809/ (with the port of [web] listen).\n"
)
_WILDCARD_ADDRESSES = {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound


class AccessDenial(NamedTuple):
    """The status and the text that somebody gets instead of the page."""

    status: int
    text: str


class AccessPolicy:
    """Knows by which names the page may be asked for: loopback's, the listener's, that of the public address."""

    def __init__(self, listen_host: str, public_url: str) -> None:
        named = {"localhost", listen_host.lower(), (urlsplit(public_url).hostname or "").lower()}
        self._allowed_hosts = named - _WILDCARD_ADDRESSES - {""}

    def denial_for(
        self, peer_address: str | None, local_address: str | None, headers: Mapping[str, str]
    ) -> AccessDenial | None:
        """Return why a request is refused, or None; the addresses are those at both ends of the connection.

        Both ends are the same where a program on this machine asks by another of its addresses than loopback.
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
        asked = _parse_host(headers.get("Host", ""))
        if asked and (asked in self._allowed_hosts or asked == local_address or _is_loopback(asked)):
            return None
        return AccessDenial(421, "This page is not known by that name. Ask for it by its address, or as localhost.\n")


def _parse_host(header: str) -> str:
    """Read the host of ``Host: host:port``, IPv6 without its brackets; empty where there is none to be read."""
    try:
        return (urlsplit(f"//{header}").hostname or "").removesuffix(".")
    except ValueError:
        return ""


def _unmap_ipv4(address: str) -> str:
    """Write an IPv4 address as such, also where it came in by a socket for IPv6."""
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
