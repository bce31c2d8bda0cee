"""What is asked of a web server: where the connection goes, and the bytes that are said."""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
import sys
import zlib
from encodings import normalize_encoding
from encodings.aliases import aliases
from importlib.metadata import version
from typing import Any, NamedTuple

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from yarl import URL

from monitor.model import Reason
from monitor.probes.failures import server_failure
from monitor.probes.redaction import printable
from monitor.probes.settings import is_host

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
_SCHEMES = ("http", "https")
_HEADERS = (
    f"User-Agent: {USER_AGENT_PRODUCT}/{version(USER_AGENT_PRODUCT)}\r\n"
    "Accept: */*\r\nAccept-Encoding: identity\r\nConnection: close\r\n"
).encode("ascii")
_MAX_LOCATION_LENGTH = 8 * 1024
"""Characters of what a redirect says."""
_LONG_HOST = re.compile(r"[^/?#]*//[^/?#]{400}")
"""What would take tens of milliseconds to be found no name."""
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
    """What is asked, and whom; the headers that follow are those of every request."""
    method: str = "GET"
    connect_to: str | None = None
    """Where the connection goes instead of the host."""
    login: str = ""
    """The header that logs in, with its line end; never shown."""

    @property
    def head(self) -> bytes:
        """All that is said to everybody: no login, and no end."""
        return self.start_lines + _HEADERS

    @property
    def server_name(self) -> str:
        """What the certificate must be made out to."""
        return self.host.rstrip(".").partition("%")[0]

    @property
    def displayed(self) -> str:
        """What a person sees of it: without the login."""
        return self.head.decode("ascii").replace("\r\n", "\n").rstrip("\n")

    @property
    def encoded(self) -> bytes:
        """All that is sent."""
        more = self.login + ("Content-Length: 0\r\n" if self.method == _POST else "")
        return self.head + more.encode() + b"\r\n"

    def with_login(self, login: str) -> Request:
        """Return the same request with a header that logs in."""
        return self._replace(login=login)

    def redirect_to(self, location: str, status: int) -> Request:
        """Return the request that a redirect leads to. Raises ``ProbeError`` where it leads nowhere.

        On another host it is made without the login, and its own address is connected to.
        """
        try:
            if len(location) > _MAX_LOCATION_LENGTH or _LONG_HOST.match(location):
                raise ValueError(_MAX_LOCATION_LENGTH)  # noqa: TRY301 - the one way out for all that leads nowhere
            own = URL(self.url)
            url = own.join(URL(location))
            method = "GET" if self.method == _POST and status <= _SEE_OTHER else self.method
            further = build_request(str(url), method, connect_to=self.connect_to if url.host == own.host else None)
        except ValueError:
            raise server_failure(Reason.REDIRECT, "to nowhere") from None
        if (
            url.scheme not in _SCHEMES
            or not url.port
            or (further.host != self.host and not is_public_target(further.host))
        ):
            raise server_failure(Reason.REDIRECT, "to nowhere")
        return further.with_login(self.login) if url.origin() == own.origin() else further


def build_request(address: str, method: str = "GET", *, connect_to: str | None = None) -> Request:
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


# --- the response: status and headers, then a body of limited size, parsed by llhttp as leniently as browsers do

MAX_BODY_SIZE = 1024 * 1024
"""Bytes of a body, unpacked, that are read and searched."""
MAX_HEAD_SIZE = 256 * 1024
"""Bytes up to the end of the headers: policies in headers grow long, and that is no fault."""
MAX_HEADERS = 1000
MAX_DISPLAYED_HEADERS = 40
MAX_DISPLAYED_LENGTH = 4096
REDIRECT_STATUSES = frozenset((301, 302, 303, 307, 308))
_SWITCHING_PROTOCOLS = 101
_FIRST_FINAL_STATUS = 200
_CHARSET = re.compile(rb"""charset\s*=\s*["']?([^\s"';]{1,40})""", re.IGNORECASE)
_KNOWN_CODECS = aliases | {codec: codec for codec in aliases.values()} | {"koi8_u": "koi8_u"}
"""Names of encodings as Python spells them: it would keep every other that it is asked for."""


class HttpResponse:
    """One answer; ``feed`` it what comes, until it is ``complete``."""

    def __init__(self, *, keep_body: bool, bodyless: bool = False) -> None:
        """``keep_body`` the body, not only count it; or there is to be none, whatever the headers say (HEAD)."""
        self._bodyless = bodyless
        self.status = 0
        """0 until the headers are complete."""
        self.complete = False
        """Whether all of it is there, or as much as is read."""
        self._keep_body = keep_body
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = bytearray()
        self._received_bytes = 0
        self._body_size = 0
        self._decompress: _Decompressor | None = None
        self._is_broken = False
        self._parser: HttpResponseParser | None = HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(
            lenient_headers=True,
            lenient_data_after_close=True,
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
        )

    def feed(self, data: bytes) -> None:
        """Take what came. Raises ``ProbeError`` where it is no answer."""
        if self._parser is None:
            return
        self._received_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self.complete = True
        except HttpParserError:
            self._is_broken = not self.complete
        if self._is_broken:
            raise server_failure(Reason.PROTOCOL, "incomplete body" if self.status else "")
        if len(self._headers) > MAX_HEADERS or (not self.status and self._received_bytes > MAX_HEAD_SIZE):
            raise server_failure(Reason.PROTOCOL, "too long")
        if self.complete:
            self.detach_parser()

    def detach_parser(self) -> None:
        """Listen no more: answer and parser know each other, and apart are freed without a search for cycles."""
        self._parser = None

    def on_connection_closed(self) -> None:
        """Take that the server hung up. Raises ``ProbeError`` where more had to come."""
        if not self.status:
            raise server_failure(Reason.CLOSED)
        # without a length, the end of the connection is the end of the body
        measured = self.header(b"content-length") is not None
        if measured or b"chunked" in (self.header(b"transfer-encoding") or b"").lower():
            raise server_failure(Reason.PROTOCOL, "incomplete body")
        self.on_message_complete()
        if self._is_broken:
            raise server_failure(Reason.PROTOCOL, "incomplete body")

    def headers(self, name: bytes) -> list[bytes]:
        """Return all headers of that name, in small letters."""
        return [value for each, value in self._headers if each.lower() == name]

    def header(self, name: bytes) -> bytes | None:
        """Return the first header of that name, in small letters; None where there is none."""
        return next((value for each, value in self._headers if each.lower() == name), None)

    @property
    def displayed_head(self) -> str:
        """What a person sees of it: status and headers, as far as they are for people."""
        heads = (
            f"{name.decode('latin-1')}: {value.decode('latin-1')}"
            for name, value in self._headers[:MAX_DISPLAYED_HEADERS]
        )
        return printable("\n".join([f"HTTP {self.status}", *heads])[:MAX_DISPLAYED_LENGTH])

    @property
    def location(self) -> str | None:
        """Where a redirect leads to, as it is written there."""
        place = self.header(b"location") or self.header(b"uri")
        return None if place is None else place.decode("utf-8", "replace")

    @property
    def charset(self) -> str | None:
        """The encoding that the answer says it is in; None where it names none, or one that is not known."""
        found = _CHARSET.search(self.header(b"content-type") or b"")
        return _KNOWN_CODECS.get(normalize_encoding(found[1].decode("latin-1")).lower()) if found else None

    @property
    def body_size(self) -> int:
        """How many bytes of the body came, unpacked, up to those that are read."""
        return self._body_size

    @property
    def body(self) -> bytes:
        """The body, unpacked, as far as it is kept."""
        return bytes(self._body[:MAX_BODY_SIZE])

    # called by the parser; what they raise would be wrapped, so they do not

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; those after the body are not looked at."""
        if not self.status:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Take that the headers are complete; those of a word in between (103 Early Hints) are forgotten."""
        assert self._parser is not None
        status = self._parser.get_status_code()
        if status < _FIRST_FINAL_STATUS and status != _SWITCHING_PROTOCOLS:
            self._headers.clear()
            return
        self.status = status
        packed = (self.header(b"content-encoding") or b"").strip().lower()
        if packed in (b"gzip", b"x-gzip", b"deflate"):
            self._decompress = _Decompressor()
        self.complete = self._bodyless

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body."""
        if self.complete or self._is_broken:
            return
        if self._decompress is not None:
            try:
                data = self._decompress(data, MAX_BODY_SIZE - self._body_size)
            except zlib.error:
                self._is_broken = True
                return
        self._body_size += len(data)
        if self._keep_body:
            self._body += data
        self.complete = self._body_size >= MAX_BODY_SIZE

    def on_message_complete(self) -> None:
        """Take that the body is complete, unless it was a word in between."""
        if not self.status or self.complete:
            return
        self.complete = True
        self._is_broken = self._decompress is not None and not self._decompress.is_complete


class _Decompressor:
    """Unpacks gzip, and deflate with or without its wrapping."""

    def __init__(self) -> None:
        self._stream: Any = None

    @property
    def is_complete(self) -> bool:
        """Whether what was packed has come to its end; an empty body has nothing to unpack."""
        return self._stream is None or self._stream.eof

    def __call__(self, data: bytes, most: int) -> bytes:
        """Unpack, ``most`` bytes at most. Raises ``zlib.error``."""
        unpacked = bytearray()
        while data and len(unpacked) < most:
            if self._stream is None:
                # the low half of the first byte says whether there is a wrapping at all
                self._stream = zlib.decompressobj(47 if data[0] & 0xF == 8 or data[0] == 0x1F else -15)  # noqa: PLR2004
            elif self._stream.eof:  # files that were packed one by one may follow each other
                self._stream = zlib.decompressobj(47)
            unpacked += self._stream.decompress(data, most - len(unpacked))
            data = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
        return bytes(unpacked)
