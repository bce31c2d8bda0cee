"""Who may see the operators' page: it names customers, and there is no password for it.

So it is shown to this machine's own users only: directly, and not to a web site that had its name point here.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

FORWARDED = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP")
"""Headers by which a reverse proxy says that somebody else is asking."""
TUNNEL = (
    "From elsewhere: ssh -L 9809:127.0.0.1:9809 MACHINE, then http://127.0.0.1:9809/ (with the port of [web] listen).\n"
)
_WILDCARDS = {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound


class Refusal(NamedTuple):
    """The status and the text that somebody gets instead of the page."""

    status: int
    text: str


class Doorman:
    """Knows by which names the page may be asked for: loopback's, the listener's, that of the public address."""

    def __init__(self, listen_host: str, public_url: str) -> None:
        named = {"localhost", listen_host.lower(), (urlsplit(public_url).hostname or "").lower()}
        self._names = named - _WILDCARDS - {""}

    def refuses(self, peer: str | None, own: str | None, headers: Mapping[str, str]) -> Refusal | None:
        """Say why a request is refused, or None. ``peer`` and ``own`` are the addresses at both ends of the connection.

        Both ends are the same where a program on this machine asks by another of its addresses than loopback.
        """
        peer, own = _plain(peer or ""), _plain(own or "")
        if not (_is_loopback(peer) or (peer and peer == own)):
            return Refusal(
                403, "This page names customers, so it is shown on the monitor's own machine only.\n" + TUNNEL
            )
        if any(name in headers for name in FORWARDED):
            return Refusal(403, "This page names customers, so it is not shown through a proxy.\n" + TUNNEL)
        asked = _host_of(headers.get("Host", ""))
        if asked and (asked in self._names or asked == own or _is_loopback(asked)):
            return None
        return Refusal(421, "This page is not known by that name. Ask for it by its address, or as localhost.\n")


def _host_of(header: str) -> str:
    """Read the host of ``Host: host:port``, IPv6 without its brackets; empty where there is none to be read."""
    try:
        return (urlsplit(f"//{header}").hostname or "").removesuffix(".")
    except ValueError:
        return ""


def _plain(address: str) -> str:
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
