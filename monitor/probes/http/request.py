"""One request to a web server: where the connection goes, and the bytes that are sent."""

from __future__ import annotations

import errno
import ipaddress
import socket
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, NamedTuple

from monitor.model import Reason
from monitor.probes.failures import server_failure
from monitor.probes.http.url import Url, location_text, parse_url
from monitor.probes.settings import is_host

if TYPE_CHECKING:
    from monitor.probes.net.address import Address

# --- where a redirect may lead: the kernel's refusal to connect would look like the monitor's own fault ---------------

_UNREACHABLE_NETWORKS = tuple(
    map(ipaddress.ip_network, ("0.0.0.0/8", "240.0.0.0/4", "::/128", "fe80::/10", "100::/64"))
)


def is_public_target(host: str) -> bool:
    """Whether ``host``, in ASCII, is a name that could be looked up, or an address that is one machine's.

    A broadcast address of one of the monitor's own networks is none, nor one that means something on one link only.
    """
    if "%" in host or not is_host(host):
        return False
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return True
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped
        if inner is None:
            return _is_unicast_target(address)
        address = inner
    return _is_unicast_target(address) and not address.is_multicast and not _is_broadcast(str(address))


def is_reachable_by_redirect(address: Address, origin: Address) -> bool:
    """Whether a redirect of a server at ``origin`` may lead to an address.

    An address that is valid on this machine or on its link only would let any server make the monitor ask its own
    machine, or the metadata service of its host; only a server of the same kind may lead there.
    """
    kind = _local_kind(address)
    return not kind or kind == _local_kind(origin)


def _local_kind(address: Address) -> str:
    ip = ipaddress.ip_address(address.host)
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return "loopback" if ip.is_loopback else "link-local" if ip.is_link_local else ""


def _is_unicast_target(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return not any(address in network for network in _UNREACHABLE_NETWORKS)


def _is_broadcast(host: str) -> bool:
    """Ask the kernel, which alone knows the networks; nothing is sent."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            if sock.connect_ex((host, 9)) != errno.EACCES:
                return False
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            return sock.connect_ex((host, 9)) == 0
    except OSError:  # no socket: connecting fails alike, and is judged there
        return False


USER_AGENT_PRODUCT = "sla-monitor"
_HEADERS = (
    f"User-Agent: {USER_AGENT_PRODUCT}/{version(USER_AGENT_PRODUCT)}\r\n"
    "Accept: */*\r\nAccept-Encoding: identity\r\nConnection: close\r\n"
).encode("ascii")
_MAX_LOCATION_LENGTH = 8 * 1024
"""Bytes of what a redirect says."""
_SEE_OTHER = 303
_POST = "POST"


class Request(NamedTuple):
    """One request, ready to be sent; made once for all attempts of a check.

    There is one for each page that is watched, so it keeps text and no parsed URL, which takes a kilobyte.
    """

    url: str
    host: str
    """Whose page it is: an address, with its scope where it has one, or a name in ASCII."""
    port: int
    tls: bool
    start_lines: bytes
    """The request line and ``Host``; the headers that follow are those of every request."""
    method: str = "GET"
    connect_to: str | None = None
    """Where the connection goes instead of the host."""
    login: str = ""
    """The header that logs in, with its line end; never shown."""
    cookies: bytes = b""
    """The header with cookies, with its line end."""

    @property
    def head(self) -> bytes:
        """All headers that may be shown: no login, and no end."""
        return self.start_lines + _HEADERS + self.cookies

    @property
    def server_name(self) -> str:
        """What the certificate must be made out to."""
        return self.host.rstrip(".").partition("%")[0]

    @property
    def displayed(self) -> str:
        """What a person sees of it: without the login."""
        return self.head.decode("latin-1").replace("\r\n", "\n").rstrip("\n")

    @property
    def encoded(self) -> bytes:
        """All that is sent."""
        more = self.login + ("Content-Length: 0\r\n" if self.method == _POST else "")
        return self.head + more.encode() + b"\r\n"

    def with_login(self, login: str) -> Request:
        """Return the same request with a header that logs in."""
        return self._replace(login=login)

    def with_cookies(self, value: bytes) -> Request:
        """Return the same request with cookies; none where ``value`` is empty."""
        return self._replace(cookies=b"Cookie: " + value + b"\r\n" if value else b"")

    def redirect_to(self, to: bytes, status: int) -> Request:
        """Return the request that a redirect leads to. Raises ``ProbeError`` where it leads nowhere.

        To another origin it goes without the login, to another host without the address to connect to instead.
        """
        try:
            if len(to) > _MAX_LOCATION_LENGTH:
                raise ValueError(_MAX_LOCATION_LENGTH)  # noqa: TRY301 - the one way out for all that leads nowhere
            own = parse_url(self.url)
            url = parse_url(location_text(to), own)
        except ValueError:
            raise server_failure(Reason.REDIRECT, "to nowhere") from None
        if not url.port or (url.host != own.host and not is_public_target(url.host)):
            raise server_failure(Reason.REDIRECT, "to nowhere")
        method = "GET" if self.method == _POST and status <= _SEE_OTHER else self.method
        further = _request(str(url), url, method, self.connect_to if url.host == own.host else None)
        return further.with_login(self.login) if url.origin == own.origin else further


def build_request(address: str, method: str = "GET", *, connect_to: str | None = None) -> Request:
    """Return the request for a page; ``address`` is its absolute URL. Raises ``ValueError`` where it is none."""
    return _request(address, parse_url(address), method, connect_to)


def _request(address: str, url: Url, method: str, connect_to: str | None) -> Request:
    start_lines = f"{method} {url.target} HTTP/1.1\r\nHost: {url.authority}\r\n".encode("ascii")
    # many pages have one host
    return Request(address, sys.intern(url.host), url.port, url.scheme == "https", start_lines, method, connect_to)
