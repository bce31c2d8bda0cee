"""The HTTP client that all pages are got with: one session, a new connection for every request, nothing kept.

aiohttp speaks HTTP; who is to blame where no connection comes about, and how long each stage took, is found out here.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from monitor.probes.blame import NotOkError, failed, of_connection, ours
from monitor.probes.certificate import NOT_TRUSTED, earliest_expiry, refusal
from monitor.probes.connect import handshake_us
from monitor.probes.resolve import literal
from monitor.probes.trail import CONNECT, FIRST_BYTE, RESOLVE, TLS, Trail

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

    from monitor.probes.resolve import Resolver

LONGEST_LINE = 64 * 1024
"""Bytes of a status line or a header that are taken: policies in headers grow long, and that is no fault."""

MOST_REDIRECTS = 10
PRODUCT = "sla-monitor"
TLS_FAILED = "tls failed"


@dataclass(frozen=True, slots=True)
class _Call:
    """One attempt, as the connector sees it."""

    trail: Trail
    transports: list[asyncio.Transport] = field(default_factory=list)

    def hang_up(self) -> None:
        """Leave every connection at once: TLS would wait half a minute for the other side's goodbye.

        Our own was said when aiohttp closed them. (Closed once more, a TLS transport of Python 3.11 cannot be aborted.)
        """
        for transport in self.transports:
            transport.abort()


_call: ContextVar[_Call] = ContextVar("call")
"""The attempt whose task this is: aiohttp hands nothing of ours through to its connector."""


class _Names(AbstractResolver):
    """Our resolver, as aiohttp asks one."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        trail = _call.get().trail
        trail.begin(RESOLVE, host)
        addresses = await self._resolver.routed(host)
        trail.address = addresses[0]
        trail.begin(CONNECT, ", ".join(map(str, addresses)))
        trail.sent()
        return [
            ResolveResult(hostname=host, host=str(each), port=port, family=each.family, proto=0, flags=0)
            for each in addresses
            if family in (socket.AF_UNSPEC, each.family)
        ]

    async def close(self) -> None:
        """Nothing: the resolver is not ours to close."""


class _Connector(aiohttp.TCPConnector):
    """Connects, notes how long that took, and says whose fault it is where it fails."""

    async def connect(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - as aiohttp has it
    ) -> Connection:
        call = _call.get()
        trail = call.trail
        trail.address = literal(req.url.host or "")
        if trail.address is not None:
            trail.begin(CONNECT, str(trail.address))
            trail.sent()
        try:
            connection = await super().connect(req, traces, timeout)
        except aiohttp.ClientConnectorCertificateError as error:
            raise failed(_why_refused(error.certificate_error)) from None
        except aiohttp.ClientSSLError:
            raise failed(TLS_FAILED) from None
        except aiohttp.ClientConnectorError as error:
            if error.os_error.errno is None and str(error.os_error).startswith("Multiple"):
                raise failed("not connected") from None
            raise of_connection(error.os_error, trail.address) from None
        if connection.transport is not None:
            call.transports.append(connection.transport)
            _note_connection(trail, connection.transport)
        return connection


def _why_refused(error: Exception) -> str:
    return refusal(error) if isinstance(error, ssl.SSLCertVerificationError) else NOT_TRUSTED


def _note_connection(trail: Trail, transport: asyncio.Transport) -> None:
    """Split what has passed into the TCP handshake, as the kernel measured it, and the TLS one."""
    rtt = handshake_us(transport.get_extra_info("socket"))
    tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    if tls is not None:
        trail.split(TLS, rtt, tls.version() or "")
        if trail.cert_expiry is None:
            trail.cert_expiry = earliest_expiry(tls)
    trail.begin(FIRST_BYTE)


def _why_no_answer(error: aiohttp.ClientError) -> NotOkError:
    """Judge what went wrong on a connection that stood."""
    if isinstance(error, aiohttp.ClientOSError) and not isinstance(error.__cause__, ssl.SSLError):
        return of_connection(error, None)
    reasons: dict[type[aiohttp.ClientError], str] = {
        aiohttp.TooManyRedirects: "too many redirects",
        aiohttp.RedirectClientError: "redirect to nowhere",
        aiohttp.ClientPayloadError: "incomplete body",
        aiohttp.ClientOSError: TLS_FAILED,
        aiohttp.ClientConnectionError: "connection closed",
    }
    return failed(next((reason for kind, reason in reasons.items() if isinstance(error, kind)), "invalid answer"))


class _Response(aiohttp.ClientResponse):
    """Judges a missing answer at once: what aiohttp raises, it would try again itself, and an attempt is one try."""

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        try:
            return await super().start(connection)
        except aiohttp.ClientError as error:
            raise _why_no_answer(error) from None


class HttpClient:
    """One session for all pages; to be used inside one running loop."""

    def __init__(self, resolver: Resolver) -> None:
        self._contexts: dict[tuple[bool, Path | None], tuple[int, ssl.SSLContext]] = {}
        self._session = aiohttp.ClientSession(
            connector=_Connector(resolver=_Names(resolver), use_dns_cache=False, force_close=True, limit=0),
            response_class=_Response,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"{PRODUCT}/{version(PRODUCT)}", "Accept-Encoding": "identity"},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_LINE,
        )

    @asynccontextmanager
    async def get(
        self, trail: Trail, url: str, *, follow_redirects: bool, context: ssl.SSLContext
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Get a page up to its headers, on a new connection for each redirect; leaving closes the connection.

        The steps go onto ``trail``. Raises ``NotOkError`` where no answer comes, also while the body is read inside.
        """
        call = _Call(trail)
        _call.set(call)
        try:
            # aiohttp's limit is the first redirect that it does not follow
            async with self._session.get(
                url, allow_redirects=follow_redirects, max_redirects=MOST_REDIRECTS + 1, ssl=context
            ) as response:
                yield response
                response.close()
        except aiohttp.ClientError as error:
            raise _why_no_answer(error) from None
        finally:
            call.hang_up()

    def context(self, *, verify: bool, ca_file: Path | None) -> ssl.SSLContext:
        """Give the TLS settings, made once for all checks that share them: making one costs more than a check.

        A changed ``ca_file`` is read anew. Raises ``NotOkError`` where it cannot be read.
        """
        try:
            stamp = ca_file.stat().st_mtime_ns if ca_file else 0
            kept = self._contexts.get((verify, ca_file))
            if kept is not None and kept[0] == stamp:
                return kept[1]
            context = ssl.create_default_context(cafile=ca_file)
        except OSError:
            raise ours("authorities not readable") from None
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        self._contexts[verify, ca_file] = (stamp, context)
        return context

    async def aclose(self) -> None:
        """Close the session and its connections."""
        await self._session.close()
        await asyncio.sleep(0)  # asyncio closes the sockets of aborted connections one turn of the loop later
