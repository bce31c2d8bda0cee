"""What is asked of a web server: where the connection goes, and the bytes that are said."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import NamedTuple

from yarl import URL

from monitor.probes.blame import failed

PRODUCT = "sla-monitor"
_SCHEMES = ("http", "https")
_HEADERS = (
    f"User-Agent: {PRODUCT}/{version(PRODUCT)}\r\nAccept: */*\r\nAccept-Encoding: identity\r\nConnection: close\r\n\r\n"
).encode("ascii")


class Request(NamedTuple):
    """One request, ready to be sent; made once for all attempts of a check.

    There is one for each page that is watched, so it keeps text and no parsed URL, which takes a kilobyte.
    """

    url: str
    host: str
    """What to connect to: an address, with its scope where it has one, or a name in ASCII."""
    port: int
    tls: bool
    line: bytes
    """What is asked, and whom; the headers that follow are those of every request."""

    @property
    def head(self) -> bytes:
        """All that is said."""
        return self.line + _HEADERS

    @property
    def server_name(self) -> str:
        """What the certificate must be made out to."""
        return self.host.rstrip(".").partition("%")[0]

    def towards(self, location: str) -> Request:
        """Give the request that a redirect leads to. Raises ``NotOkError`` where it leads nowhere."""
        try:
            url = URL(self.url).join(URL(location))
            if url.scheme not in _SCHEMES or not url.host or not url.port:
                raise failed("redirect to nowhere")
            return get(str(url))
        except ValueError:
            raise failed("redirect to nowhere") from None


def get(address: str) -> Request:
    """Ask for a page, on a connection that is to be closed; its URL is absolute. Raises ``ValueError`` where not."""
    url = URL(address)
    host = (url.raw_host or "").replace("%25", "%", 1)
    if not host or url.port is None:
        raise ValueError(url)
    bare, scope, _ = host.partition("%")
    # a scope means something on this machine only
    name = f"[{bare}]" if scope else (url.host_subcomponent or bare).rstrip(".")
    asked_at = name if url.is_default_port() else f"{name}:{url.port}"
    line = f"GET {url.raw_path_qs} HTTP/1.1\r\nHost: {asked_at}\r\n"
    # many pages have one host
    return Request(address, sys.intern(host), url.port, url.scheme == "https", line.encode("ascii"))
