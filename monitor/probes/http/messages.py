"""What is asked of a web server: where the connection goes, and the bytes that are said."""

from __future__ import annotations

import re
import sys
from importlib.metadata import version
from typing import NamedTuple

from yarl import URL

from monitor.model import Reason
from monitor.probes.destination import leads_on
from monitor.probes.failures import failed

PRODUCT = "sla-monitor"
_SCHEMES = ("http", "https")
_HEADERS = (
    f"User-Agent: {PRODUCT}/{version(PRODUCT)}\r\nAccept: */*\r\nAccept-Encoding: identity\r\nConnection: close\r\n"
).encode("ascii")
_LONGEST = 8 * 1024
"""Characters of what a redirect says."""
_LONG_HOST = re.compile(r"[^/?#]*//[^/?#]{400}")
"""What would take tens of milliseconds to be found no name."""
_SEE_OTHER = 303
_UNSAFE = "POST"


class Request(NamedTuple):
    """One request, ready to be sent; made once for all attempts of a check.

    There is one for each page that is watched, so it keeps text and no parsed URL, which takes a kilobyte.
    """

    url: str
    host: str
    """Whose page it is: an address, with its scope where it has one, or a name in ASCII."""
    port: int
    tls: bool
    line: bytes
    """What is asked, and whom; the headers that follow are those of every request."""
    method: str = "GET"
    connect_to: str | None = None
    """Where the connection goes instead of the host."""
    login: str = ""
    """The header that logs in, with its line end; never shown."""

    @property
    def head(self) -> bytes:
        """All that is said to everybody: no login, and no end."""
        return self.line + _HEADERS

    @property
    def server_name(self) -> str:
        """What the certificate must be made out to."""
        return self.host.rstrip(".").partition("%")[0]

    @property
    def shown(self) -> str:
        """What a person sees of it: without the login."""
        return self.head.decode("ascii").replace("\r\n", "\n").rstrip("\n")

    @property
    def said(self) -> bytes:
        """All that is sent."""
        more = self.login + ("Content-Length: 0\r\n" if self.method == _UNSAFE else "")
        return self.head + more.encode() + b"\r\n"

    def with_login(self, login: str) -> Request:
        """Give the same request with a header that logs in."""
        return self._replace(login=login)

    def towards(self, location: str, status: int) -> Request:
        """Give the request that a redirect leads to. Raises ``NotOkError`` where it leads nowhere.

        On another host it is made without the login, and its own address is connected to.
        """
        try:
            if len(location) > _LONGEST or _LONG_HOST.match(location):
                raise ValueError(_LONGEST)  # noqa: TRY301 - the one way out for all that leads nowhere
            own = URL(self.url)
            url = own.join(URL(location))
            method = "GET" if self.method == _UNSAFE and status <= _SEE_OTHER else self.method
            further = ask(str(url), method, connect_to=self.connect_to if url.host == own.host else None)
        except ValueError:
            raise failed(Reason.REDIRECT, "to nowhere") from None
        if url.scheme not in _SCHEMES or not url.port or (further.host != self.host and not leads_on(further.host)):
            raise failed(Reason.REDIRECT, "to nowhere")
        return further.with_login(self.login) if url.origin() == own.origin() else further


def ask(address: str, method: str = "GET", *, connect_to: str | None = None) -> Request:
    """Ask for a page, on a connection that is to be closed; its URL is absolute. Raises ``ValueError`` where not."""
    url = URL(address)
    host = (url.raw_host or "").replace("%25", "%", 1)
    if not host or url.port is None:
        raise ValueError(url)
    bare, scope, _ = host.partition("%")
    # a scope means something on this machine only
    name = f"[{bare}]" if scope else (url.host_subcomponent or bare).rstrip(".")
    asked_at = name if url.is_default_port() else f"{name}:{url.port}"
    line = f"{method} {url.raw_path_qs} HTTP/1.1\r\nHost: {asked_at}\r\n".encode("ascii")
    # many pages have one host
    return Request(address, sys.intern(host), url.port, url.scheme == "https", line, method, connect_to)
