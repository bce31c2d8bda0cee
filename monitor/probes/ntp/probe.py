"""NTP: does a time server answer a client's request, and is it synchronised (RFC 5905)."""

from __future__ import annotations

import asyncio
import secrets
import socket
import struct
from typing import TYPE_CHECKING

from monitor.model import Outcome, Reason
from monitor.probes.failures import connection_failure, local_os_failure, server_failure
from monitor.probes.net.address import AddressRotation
from monitor.probes.net.tcp_connect import bind_source, interleave_families, parse_source, usable_family
from monitor.probes.probe import FIRST_BYTE, RESOLVE, SEND
from monitor.probes.trace import run_with_deadline

if TYPE_CHECKING:
    from monitor.probes.net.address import Address
    from monitor.probes.ntp.settings import NtpSettings
    from monitor.probes.probe import Attempt, Target
    from monitor.probes.resources import ProbeResources
    from monitor.probes.trace import AttemptTrace

_PACKET = struct.Struct("!BBbb 4x4x4s 8x 8s8s8s")
"""Flags, stratum, poll, precision; reference id; originate, receive and transmit timestamps; the rest is ignored."""
_CLIENT_REQUEST = 0b00_100_011
"""No leap warning, version 4, mode 3 (client)."""
_SERVER_MODE = 4
_ALARM = 3
"""Leap indicator: the clock is not synchronised."""
_UNSYNCHRONISED_STRATUM = 16
_KISS_CODES = frozenset({b"DENY", b"RSTR", b"RATE"})
"""Codes by which a server refuses a client, with stratum 0."""
_MAX_STRAY_DATAGRAMS = 16
"""Datagrams that answer no request of this attempt before it is given up."""
_NO_TIME = bytes(8)


class NtpProbe:
    """Sends one request; an answer is one that repeats the request's random timestamp."""

    __slots__ = ("_addresses", "_resources", "_settings")

    def __init__(self, settings: NtpSettings, resources: ProbeResources) -> None:
        self._settings = settings
        self._resources = resources
        self._addresses = AddressRotation()

    async def attempt(self, target: Target, timeout: float) -> Attempt:  # noqa: ASYNC109 - see Probe
        """Try once, at one address of a name; after a failure the next attempt takes the next one."""
        chosen: list[Address] = []

        async def run(trace: AttemptTrace) -> None:
            host, settings = self._settings.host or target.host, self._settings
            trace.begin(RESOLVE, host)
            family = usable_family(settings.family, settings.source)
            found = interleave_families(await self._resources.resolver.resolve_routable(host), family)
            trace.resolved(host, found)
            chosen.append(self._addresses.choose(found))
            await self._ask(trace, chosen[0])

        attempt = await run_with_deadline(self._resources.clock, timeout, run)
        if chosen:
            self._addresses.note(chosen[0], failed=attempt.outcome is Outcome.FAIL)
        return attempt

    async def _ask(self, trace: AttemptTrace, address: Address) -> None:
        loop, source = asyncio.get_running_loop(), parse_source(self._settings.source)
        # a random number instead of the time: it tells nothing of this clock, and nobody can guess it
        token = secrets.token_bytes(8)
        trace.begin(SEND, f"client request to {address} port {self._settings.port}")
        trace.sent()
        try:
            sock = socket.socket(address.family, socket.SOCK_DGRAM)
        except OSError as error:
            raise local_os_failure(error) from None
        with sock:
            try:
                sock.setblocking(False)  # noqa: FBT003 - as the standard library has it
                if source is not None:
                    bind_source(sock, source)
                sock.connect(address.sockaddr(self._settings.port))
                await loop.sock_sendall(sock, _PACKET.pack(_CLIENT_REQUEST, 0, 0, 0, b"", b"", b"", token))
                trace.begin(FIRST_BYTE)
                for _ in range(_MAX_STRAY_DATAGRAMS):
                    if self._judge(trace, await loop.sock_recv(sock, 1024), token):
                        return
            except OSError as error:
                raise connection_failure(error, address, source) from None
        raise server_failure(Reason.PROTOCOL)

    def _judge(self, trace: AttemptTrace, data: bytes, token: bytes) -> bool:
        """Return whether a datagram is the answer. Raises ``ProbeError`` where it is one that is not ok."""
        if len(data) < _PACKET.size:
            return False
        flags, stratum, _, _, reference, originate, _, transmit = _PACKET.unpack_from(data)
        if flags & 0b111 != _SERVER_MODE or originate != token:
            return False
        trace.end(f"version {flags >> 3 & 0b111}, stratum {stratum}")
        if stratum == 0 and reference in _KISS_CODES:
            raise server_failure(Reason.STATUS, reference.decode())
        # chrony tells by stratum 0 without a code that it is not synchronised
        if flags >> 6 == _ALARM or stratum == 0 or stratum >= _UNSYNCHRONISED_STRATUM:
            raise server_failure(Reason.STATUS, "not synchronised")
        if transmit == _NO_TIME:
            raise server_failure(Reason.PROTOCOL)
        if stratum > self._settings.highest_stratum:
            raise server_failure(Reason.STATUS, f"stratum {stratum}")
        return True
