"""The web server: its routes, the headers of every response, and its listening socket."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import zlib
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector

from monitor.errors import InputError
from monitor.web.accept_header import AcceptHeader
from monitor.web.access import AccessPolicy
from monitor.web.connections import (
    KEEPALIVE_TIMEOUT,
    REQUEST_TIMEOUT,
    ConnectionGuard,
    ConnectionLimits,
    listening_sockets,
)
from monitor.web.health import Health
from monitor.web.metrics.exposition import ExpositionFormat
from monitor.web.metrics.page import MetricsPage
from monitor.web.page import OperatorsPage
from monitor.web.server_list import ServerQuery

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from monitor.clock import Clock
    from monitor.engine.live.state import LiveState
    from monitor.engine.live.telemetry import Telemetry

log = logging.getLogger(__name__)

DEFAULT_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""The headers of every response, unless it sets its own."""
GZIP_WBITS = 31
"""zlib's value for the largest window with gzip framing."""
THREADED_COMPRESSION_BYTES = 50_000
"""Bytes from which a piece is compressed in a thread, which then releases the interpreter lock."""
SHUTDOWN_TIMEOUT = 1.0
"""Seconds that running responses have when the daemon stops."""
_LISTEN_ERRORS = {
    errno.EADDRINUSE: "the address is in use, perhaps by another monitor: stop that program, or use another port",
    errno.EADDRNOTAVAIL: "this machine has no such address",
    errno.EACCES: "not permitted: use a port from 1024 on",
}


class WebState:
    """The content of all routes, from memory. ``clock`` is that of the engine."""

    def __init__(self, live_state: LiveState, telemetry: Telemetry, clock: Clock) -> None:
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.health = Health(live_state, telemetry, clock)
        self.metrics = MetricsPage(live_state, telemetry, registry)
        self.page = OperatorsPage(live_state, telemetry, self.health, clock)


def make_app(state: WebState, listen_host: str, public_url: str, guard: ConnectionGuard) -> web.Application:
    """Return the application with its routes; GET and HEAD only."""
    handlers = _Handlers(state, AccessPolicy(listen_host, public_url))
    app = web.Application(middlewares=[guard.middleware])
    app.on_response_prepare.append(_add_headers)
    app.add_routes(
        [
            web.get("/", handlers.page),
            web.get("/metrics", handlers.metrics),
            web.get("/healthz", handlers.healthz),
            web.get("/readyz", handlers.readyz),
        ]
    )
    return app


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    for name, value in DEFAULT_HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = "monitor"


class _Handlers:
    """One method for each route."""

    def __init__(self, state: WebState, access_policy: AccessPolicy) -> None:
        self._state = state
        self._access_policy = access_policy

    def _denial(self, request: web.Request) -> web.Response | None:
        """Return the refusal of a request by another web site; metrics and health are for other machines too."""
        refusal = self._access_policy.foreign_site_denial(_socket_address(request, "sockname"), request.headers)
        return web.Response(status=refusal.status, text=refusal.text) if refusal else None

    async def page(self, request: web.Request) -> web.StreamResponse:
        """Serve the operators' page, if the client may see it."""
        peer, own = (_socket_address(request, end) for end in ("peername", "sockname"))
        if refusal := self._access_policy.denial_for(peer, own, request.headers):
            return web.Response(status=refusal.status, text=refusal.text)
        page = self._state.page
        headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": page.content_security_policy}
        return await _stream_response(request, page.render(ServerQuery.parse(request.query)), headers)

    async def metrics(self, request: web.Request) -> web.StreamResponse:
        """Serve the metrics in the requested format."""
        if refusal := self._denial(request):
            return refusal
        fmt = ExpositionFormat.negotiate(request.headers.getall("Accept", ()))
        return await _stream_response(
            request, self._state.metrics.render(fmt), {"Content-Type": fmt.value, "Vary": "Accept"}
        )

    async def healthz(self, _: web.Request) -> web.Response:
        """Answer, which shows that the event loop runs."""
        return web.Response(text="alive\n")

    async def readyz(self, request: web.Request) -> web.Response:
        """Answer whether the monitor is ready, with the problems if it is not."""
        if refusal := self._denial(request):
            return refusal
        ready, text = self._state.health.readiness()
        return web.Response(status=HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE, text=text)


def _socket_address(request: web.Request, end: str) -> str | None:
    transport = request.transport
    name = transport.get_extra_info(end) if transport else None
    return name[0] if name else None


async def _stream_response(request: web.Request, chunks: Iterator[str], headers: dict[str, str]) -> web.StreamResponse:
    """Send pieces as they are rendered, compressed if the client accepts it; other tasks run in between."""
    response = web.StreamResponse(headers=headers)
    response.headers.add("Vary", "Accept-Encoding")
    packer = zlib.compressobj(1, zlib.DEFLATED, GZIP_WBITS) if _accepts_gzip(request) else None
    if packer:
        response.headers["Content-Encoding"] = "gzip"
    # a client may close its connection at any moment; aiohttp would log that as an error, with a traceback
    with suppress(ConnectionError):
        await response.prepare(request)
        if request.method != "HEAD":
            await _write_chunks(response, chunks, packer)
    return response


async def _write_chunks(response: web.StreamResponse, chunks: Iterator[str], packer: zlib._Compress | None) -> None:
    for piece in chunks:
        data = piece.encode()
        if packer and len(data) >= THREADED_COMPRESSION_BYTES:
            data = await _compress_in_thread(packer, data)
        elif packer:
            data = packer.compress(data)
        if data:
            await response.write(data)
        await asyncio.sleep(0)
    await response.write_eof(packer.flush() if packer else b"")


async def _compress_in_thread(packer: zlib._Compress, data: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    try:
        work = loop.run_in_executor(None, packer.compress, data)
    except RuntimeError:  # the system permits no more threads
        return packer.compress(data)
    return await work


def _accepts_gzip(request: web.Request) -> bool:
    """Return whether the client accepts gzip, with at least the weight of no compression."""
    accepted = AcceptHeader(request.headers.getall("Accept-Encoding", ()))
    gzip = accepted.weight("gzip", "x-gzip", "*") or 0.0
    return gzip > 0 and gzip >= (accepted.weight("identity", "*") or 0.0)


@asynccontextmanager
async def serve(
    state: WebState,
    listen_at: tuple[str, int],
    public_url: str,
    limits: ConnectionLimits | None = None,
    on_resource_shortage: Callable[[str], None] = log.error,
) -> AsyncIterator[str]:
    """Serve within the context, whose value is the address of the page.

    ``listen_at`` is host and port (0: any free one), ``public_url`` the address for clients elsewhere;
    ``on_resource_shortage`` is called with the error if the system cannot accept a connection. Raise InputError if it
    is impossible to listen there.
    """
    host, port = listen_at
    guard = ConnectionGuard(limits or ConnectionLimits(), on_resource_shortage)
    app = make_app(state, host, public_url, guard)
    runner = web.AppRunner(
        app,
        access_log=None,
        keepalive_timeout=KEEPALIVE_TIMEOUT,
        lingering_time=REQUEST_TIMEOUT,
        shutdown_timeout=SHUTDOWN_TIMEOUT,
    )
    await runner.setup()
    assert runner.server is not None
    tasks: list[asyncio.Task[None]] = []
    sockets: list[socket.socket] = []
    try:
        sockets += await _listen(host, port)
        tasks += [asyncio.create_task(guard.accept(listener, runner.server)) for listener in sockets]
        tasks.append(asyncio.create_task(guard.enforce_deadlines()))
        address = f"http://{_name(host)}:{sockets[0].getsockname()[1]}/"
        log.debug("serving %s", address)
        yield address
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for listener in sockets:
            listener.close()
        await runner.cleanup()


def _name(host: str) -> str:
    return f"[{host}]" if ":" in host else host


async def _listen(host: str, port: int) -> list[socket.socket]:
    try:
        return await listening_sockets(host, port)
    except socket.gaierror:
        raise InputError(f'[web] listen = "{_name(host)}:{port}": the name is not known') from None
    except OSError as error:
        why = _LISTEN_ERRORS.get(error.errno or 0, error.strerror)
        raise InputError(f'[web] listen = "{_name(host)}:{port}": {why}') from None
