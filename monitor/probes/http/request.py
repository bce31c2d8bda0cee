"""One request to a web server: where the connection goes, and the bytes that are sent."""

from __future__ import annotations

import errno
import ipaddress
import socket
import sys
from functools import lru_cache
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
_DEFAULT_HEADERS = {
    "User-Agent": f"{USER_AGENT_PRODUCT}/{version(USER_AGENT_PRODUCT)}",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
    "Connection": "close",
}
_PUBLIC_HEADERS = frozenset(
    (
        *("accept", "accept-encoding", "accept-language", "cache-control", "content-type", "dnt", "origin", "pragma"),
        *("range", "referer", "upgrade-insecure-requests", "user-agent"),
    )
)
"""Headers without secrets: they are shown, and sent to whatever a redirect leads to."""


class RequestHeaders(NamedTuple):
    """The headers of a check's requests, apart from ``Host`` and those that depend on the response before."""

    public: bytes
    """Those that are shown and sent to everybody, with their line ends."""
    private: bytes = b""
    """Those that only the check's own origin gets; their values are never shown."""
    secrets: tuple[str, ...] = ()
    """The values of the private ones."""


@lru_cache
def headers_of(given: tuple[tuple[str, str], ...]) -> RequestHeaders:
    """Return the headers of requests to which ``given`` ones are added, or by which defaults are replaced."""
    names = {name.lower() for name, _ in given}
    headers = [(name, text) for name, text in _DEFAULT_HEADERS.items() if name.lower() not in names]
    public = [*headers, *((name, text) for name, text in given if name.lower() in _PUBLIC_HEADERS)]
    private = [(name, text) for name, text in given if name.lower() not in _PUBLIC_HEADERS]
    secrets = tuple(part for _, text in private for part in {text, text.rpartition(" ")[2]} if part)
    return RequestHeaders(_encode(public), _encode(private), secrets)


def _encode(headers: list[tuple[str, str]]) -> bytes:
    return "".join(f"{name}: {text}\r\n" for name, text in headers).encode()


_HEADERS = headers_of(())
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
    headers: RequestHeaders = _HEADERS
    body: bytes = b""
    login: str = ""
    """The header that logs in, with its line end; never shown."""
    cookies: bytes = b""
    """The header with cookies, with its line end."""

    @property
    def head(self) -> bytes:
        """All headers that may be shown: no login, no private ones, and no end."""
        return self.start_lines + self.headers.public + self.cookies

    @property
    def server_name(self) -> str:
        """What the certificate must be made out to."""
        return self.host.rstrip(".").partition("%")[0]

    @property
    def displayed(self) -> str:
        """What a person sees of it: without the login, and without the values of private headers."""
        private = b"".join(line.partition(b":")[0] + b": ********\n" for line in self.headers.private.splitlines())
        return (self.head + private).decode("utf-8", "replace").replace("\r\n", "\n").rstrip("\n")

    @property
    def encoded(self) -> bytes:
        """All that is sent."""
        length = b"Content-Length: %d\r\n" % len(self.body) if self.method == _POST else b""
        return self.head + self.headers.private + self.login.encode() + length + b"\r\n" + self.body

    def with_login(self, login: str) -> Request:
        """Return the same request with a header that logs in."""
        return self._replace(login=login)

    def with_cookies(self, value: bytes) -> Request:
        """Return the same request with cookies; none where ``value`` is empty."""
        return self._replace(cookies=b"Cookie: " + value + b"\r\n" if value else b"")

    def redirect_to(self, to: bytes, status: int) -> Request:
        """Return the request that a redirect leads to. Raises ``ProbeError`` where it leads nowhere.

        To another origin it goes without login and private headers, to another host without ``connect_to``.
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
        becomes_get = self.method == _POST and status <= _SEE_OTHER
        is_same_origin = url.origin == own.origin
        return _request(str(url), url, "GET" if becomes_get else self.method)._replace(
            connect_to=self.connect_to if url.host == own.host else None,
            headers=self.headers if is_same_origin else self.headers._replace(private=b""),
            body=b"" if becomes_get else self.body,
            login=self.login if is_same_origin else "",
        )


def build_request(
    address: str,
    method: str = "GET",
    *,
    connect_to: str | None = None,
    headers: RequestHeaders = _HEADERS,
    body: str | None = None,
) -> Request:
    """Return the request for a page; ``address`` is its absolute URL. Raises ``ValueError`` where it is none."""
    request = _request(address, parse_url(address), method)
    return request._replace(connect_to=connect_to, headers=headers, body=(body or "").encode())


def _request(address: str, url: Url, method: str) -> Request:
    start_lines = f"{method} {url.target} HTTP/1.1\r\nHost: {url.authority}\r\n".encode("ascii")
    # many pages have one host
    return Request(address, sys.intern(url.host), url.port, url.scheme == "https", start_lines, method)
