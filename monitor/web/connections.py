"""Accepts the connections of the web server, within limits: whoever reaches the port must not blind the checks.

There are limits of connections in all and for each address. Where one is reached, the connection that has waited
longest without a whole request makes room for the new one; only if all of them are being answered, the new one is
closed. A request has to be complete, and an answer to be read, within a time.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import resource
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

MAX_CONNECTIONS: Final = 128
MIN_CONNECTIONS: Final = 8
CONNECTIONS_SHARE: Final = 1 / 16
"""The part of the process's file descriptors that connections may take."""
ADDRESS_SHARE: Final = 1 / 2
"""The part of all connections that one address may take."""
REQUEST_TIMEOUT: Final = 10.0
"""Seconds from the connection until its first request is complete, and for a body that nobody asked for."""
KEEPALIVE_TIMEOUT: Final = 75.0
"""Seconds that a connection may wait for its next request: longer than the usual interval of scrapes."""
RESPONSE_TIMEOUT: Final = 60.0
"""Seconds until a client has read the answer."""
BACKLOG: Final = 128
SHED_LOG_INTERVAL: Final = 3600.0
"""Seconds between two lines of the log about a limit that is reached."""
ACCEPT_PAUSE: Final = 1.0
"""Seconds before the next try after the system refused to accept."""
DEADLINE_INTERVAL: Final = 1.0
IPV6_SITE_BITS: Final = 64
"""One IPv6 customer has a whole network of so many leading bits."""
_OUT_OF_RESOURCES: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """The limits, and how long things may take in seconds."""

    total: int = MAX_CONNECTIONS
    per_address: int = MAX_CONNECTIONS // 2
    request_timeout: float = REQUEST_TIMEOUT
    response_timeout: float = RESPONSE_TIMEOUT
    deadline_interval: float = DEADLINE_INTERVAL


def connection_limits(descriptors: int) -> ConnectionLimits:
    """Return the limits for a process that may have so many descriptors; the others are for probes and database."""
    if descriptors == resource.RLIM_INFINITY:
        return ConnectionLimits()
    total = max(MIN_CONNECTIONS, min(MAX_CONNECTIONS, int(descriptors * CONNECTIONS_SHARE)))
    return ConnectionLimits(total, int(total * ADDRESS_SHARE))


@dataclass(slots=True, eq=False)
class _Connection:
    protocol: web.RequestHandler
    address: str
    since: float
    """When it was accepted, or its last request began or ended."""
    connected: bool = False
    requests: int = 0
    answering: bool = False

    @property
    def is_closed(self) -> bool:
        """Whether its socket is closed, or will be within this turn of the event loop."""
        transport = self.protocol.transport
        return self.connected and (transport is None or transport.is_closing())

    def abort(self) -> None:
        """Close at once; what was not sent is lost."""
        if self.protocol.transport is not None:
            self.protocol.transport.abort()


class ConnectionGuard:
    """The open connections of a web server."""

    def __init__(self, limits: ConnectionLimits, on_resource_shortage: Callable[[str], None]) -> None:
        """``on_resource_shortage`` is called with the error for each connection that the system cannot accept."""
        self._limits = limits
        self._on_resource_shortage = on_resource_shortage
        self._connections: dict[web.RequestHandler, _Connection] = {}
        self._last_shed_log: float | None = None

    def __len__(self) -> int:
        return len(self._connections)

    @web.middleware
    async def middleware(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Note which connections are being answered."""
        connection = self._connections.get(request.protocol)
        if connection is None:
            return await handler(request)
        loop = asyncio.get_running_loop()
        connection.requests += 1
        connection.answering, connection.since = True, loop.time()
        try:
            return await handler(request)
        finally:
            connection.answering, connection.since = False, loop.time()

    async def accept(self, listener: socket.socket, make_protocol: Callable[[], web.RequestHandler]) -> None:
        """Accept the connections of a listening socket until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, peer = await loop.sock_accept(listener)
            except OSError as error:
                if error.errno in _OUT_OF_RESOURCES:
                    self._on_resource_shortage(f"web server: {error.strerror}")
                if error.errno != errno.ECONNABORTED:
                    await asyncio.sleep(ACCEPT_PAUSE)
                continue
            if not self._make_room(address := address_group(str(peer[0]))):
                sock.close()
                continue
            protocol = make_protocol()
            connection = self.add(protocol, address)
            try:
                await loop.connect_accepted_socket(lambda protocol=protocol: protocol, sock)  # type: ignore[misc]
                connection.connected = True
            except OSError:  # the client has gone already
                sock.close()
                self._connections.pop(protocol, None)

    def add(self, protocol: web.RequestHandler, address: str) -> _Connection:
        """Add a connection that begins now."""
        connection = _Connection(protocol, address, asyncio.get_running_loop().time())
        self._connections[protocol] = connection
        return connection

    def _make_room(self, address: str) -> bool:
        """Close a connection if a limit is reached; return whether there is room for another of this address."""
        self._forget_closed()
        own = [connection for connection in self._connections.values() if connection.address == address]
        if len(own) >= self._limits.per_address:
            candidates = own
        elif len(self._connections) >= self._limits.total:
            candidates = [*self._connections.values()]
        else:
            return True
        self._log_shedding(len(candidates), address)
        waiting = [connection for connection in candidates if not connection.answering]
        if not waiting:
            return False
        # of two that wait, one that has never sent a whole request goes first
        oldest = min(waiting, key=lambda connection: (connection.requests > 0, connection.since))
        oldest.abort()
        del self._connections[oldest.protocol]
        return True

    def _log_shedding(self, count: int, address: str) -> None:
        now = asyncio.get_running_loop().time()
        if self._last_shed_log is None or now - self._last_shed_log >= SHED_LOG_INTERVAL:
            self._last_shed_log = now
            log.warning(
                "web server: %d connections are open, the newest from %s, and no more are allowed: "
                "those that send no whole request are closed",
                *(count, address),
            )

    def _forget_closed(self) -> None:
        for protocol in [known for known, connection in self._connections.items() if connection.is_closed]:
            del self._connections[protocol]

    async def enforce_deadlines(self) -> None:
        """Close the connections whose time is over, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._limits.deadline_interval)
            self._forget_closed()
            now = loop.time()
            for connection in [*self._connections.values()]:
                if connection.answering:
                    allowed = self._limits.response_timeout
                else:
                    allowed = KEEPALIVE_TIMEOUT if connection.requests else self._limits.request_timeout
                if now - connection.since > allowed:
                    connection.abort()


def address_group(address: str) -> str:
    """Return what counts as one address: an IPv4 address, or an IPv6 network of one site."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.IPv6Network((found, IPV6_SITE_BITS), strict=False))
    return str(found)


async def listening_sockets(host: str, port: int) -> list[socket.socket]:
    """Return the listening sockets of an address: one for each address of a name. Raises OSError if there is none."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    dual = host == "::" and socket.has_dualstack_ipv6()
    sockets: list[socket.socket] = []
    error: OSError | None = None
    for family, *_, address in dict.fromkeys(found):
        try:
            listener = socket.create_server(
                address,
                family=family,
                backlog=BACKLOG,
                dualstack_ipv6=dual,
            )
        except OSError as refused:
            if refused.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):  # a name may have an address too many
                error = refused
                continue
            for listener in sockets:
                listener.close()
            raise
        listener.setblocking(False)  # noqa: FBT003 - its only parameter
        sockets.append(listener)
    if not sockets:
        raise error or OSError(errno.EADDRNOTAVAIL, "no address")
    return sockets
