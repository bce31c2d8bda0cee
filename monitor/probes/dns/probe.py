"""DNS: a question to a server, over UDP or TCP: its code and what it answers.

The question carries EDNS (RFC 6891). Old servers and firewalls refuse it or drop it: the question is repeated without.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from typing import TYPE_CHECKING

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from monitor.model import Reason
from monitor.probes.dns.message import MAX_MESSAGE_SIZE, DnsMessage
from monitor.probes.dns.records import parse_records
from monitor.probes.failures import connection_failure, local_os_failure, server_failure
from monitor.probes.net.connection import Connection
from monitor.probes.net.tcp_connect import bind_source, connect_any, interleave_families, parse_source, usable_family
from monitor.probes.probe import FIRST_BYTE, RESOLVE, SEND
from monitor.probes.redaction import printable
from monitor.probes.trace import run_with_deadline

if TYPE_CHECKING:
    from monitor.probes.dns.settings import DnsSettings
    from monitor.probes.net.address import Address
    from monitor.probes.probe import Attempt, Target
    from monitor.probes.resources import ProbeResources
    from monitor.probes.trace import AttemptTrace

UDP_PAYLOAD_SIZE = 1232
"""Bytes of an answer over UDP that are asked for: what passes every network unbroken."""
_EDNS_NOT_UNDERSTOOD = frozenset({dns.rcode.FORMERR, dns.rcode.NOTIMP})
"""How an old server's header refuses a question with EDNS; what follows it may be anything. BADVERS comes in EDNS."""
_HEADER_SIZE = 12
_SILENCE_SHARE, _MAX_SILENCE = 1 / 3, 1.5
"""After which share of the timeout, and how many seconds at most, a question is repeated without EDNS."""
_MAX_STRAY_DATAGRAMS = 16
"""Datagrams that answer another question before the attempt is given up."""


class DnsProbe:
    """Asks one question."""

    def __init__(self, settings: DnsSettings, resources: ProbeResources) -> None:
        self._settings = settings
        self._resources = resources
        self._record_type = dns.rdatatype.from_text(settings.record)
        self._rcode = dns.rcode.from_text(settings.rcode)
        self._expected = parse_records(settings.record, settings.answers)
        self._name = dns.name.from_text(settings.query)
        self._questions = {edns: self._build_question(edns=edns) for edns in (True, False)}

    def _build_question(self, *, edns: bool) -> bytes:
        """Return a question without its id."""
        message = dns.message.make_query(
            self._name, self._record_type, use_edns=0 if edns else False, payload=UDP_PAYLOAD_SIZE if edns else None
        )
        if not self._settings.recursion:
            message.flags &= ~dns.flags.RD
        return message.to_wire()[2:]

    async def attempt(self, target: Target, timeout: float) -> Attempt:  # noqa: ASYNC109 - see Probe
        """Try once: a question, repeated without EDNS or over TCP where that is needed."""

        async def look(trail: AttemptTrace) -> None:
            await self._run_query(
                trail, self._settings.host or target.host, min(timeout * _SILENCE_SHARE, _MAX_SILENCE)
            )

        return await run_with_deadline(self._resources.clock, timeout, look)

    async def _run_query(self, trace: AttemptTrace, host: str, silence: float) -> None:
        trace.begin(RESOLVE, host)
        family = usable_family(self._settings.family, self._settings.source)
        found = interleave_families(await self._resources.resolver.resolve_routable(host), family)
        trace.resolved(host, found)
        message = await self._ask(trace, found[0], silence, edns=True)
        if message is None or (message.rcode == dns.rcode.BADVERS and message.rcode != self._rcode):
            message = await self._ask(trace, found[0], None, edns=False)
            assert message is not None
        # a server that refuses a question need not repeat it
        if message.question not in (None, (self._name, self._record_type)):
            raise server_failure(Reason.PROTOCOL)
        trace.end(printable("\n".join([dns.rcode.to_text(message.rcode), *message.displayed_records])))
        self._validate_response(message)

    async def _ask(
        self, trace: AttemptTrace, address: Address, silence: float | None, *, edns: bool
    ) -> DnsMessage | None:
        """Return the whole answer; None where the server does not understand EDNS."""
        wire = b""
        if self._settings.transport == "udp":
            wire = await self._query_udp(trace, address, silence, edns=edns)
            if edns and self._refuses_edns(trace, wire):
                return None
        message = DnsMessage(wire) if wire else None
        if message is None or message.truncated:
            trace.end("truncated" if message else None)
            wire = await self._query_tcp(trace, address, edns=edns)
            if edns and self._refuses_edns(trace, wire):
                return None
            message = DnsMessage(wire)
        for _ in message.read(self._record_type, self._expected):
            await asyncio.sleep(0)
        return message

    def _refuses_edns(self, trace: AttemptTrace, wire: bytes) -> bool:
        """Say whether an answer refuses EDNS by its header."""
        if len(wire) < _HEADER_SIZE or not wire[2] & 0x80:
            return False
        code = dns.rcode.Rcode(wire[3] & 0x0F)
        if code not in _EDNS_NOT_UNDERSTOOD or code == self._rcode:
            return False
        trace.end(f"{dns.rcode.to_text(code)}: asked again without EDNS")
        return True

    async def _query_udp(self, trace: AttemptTrace, address: Address, silence: float | None, *, edns: bool) -> bytes:
        """Return the answer; after ``silence`` seconds the question is sent without EDNS too, either answer counts."""
        loop = asyncio.get_running_loop()
        source = parse_source(self._settings.source)
        shown = f"{self._settings.query} {self._settings.record} to {address}"
        trace.begin(SEND, shown)
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
                ids = {secrets.token_bytes(2)}
                await loop.sock_sendall(sock, min(ids) + self._questions[edns])
                trace.begin(FIRST_BYTE)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(silence):
                        return await _receive_answer(sock, ids)
                trace.begin(SEND, f"{shown}, without EDNS")
                further = secrets.token_bytes(2)
                ids.add(further)
                await loop.sock_sendall(sock, further + self._questions[False])
                trace.begin(FIRST_BYTE)
                return await _receive_answer(sock, ids)
            except OSError as error:
                raise connection_failure(error, address, source) from None

    async def _query_tcp(self, trace: AttemptTrace, address: Address, *, edns: bool) -> bytes:
        _, sock = await connect_any(trace, [address], self._settings.port, parse_source(self._settings.source))
        wire = Connection(sock, address, trace)
        try:
            query_id = secrets.token_bytes(2)
            question = query_id + self._questions[edns]
            await wire.send(len(question).to_bytes(2) + question, f"{self._settings.query} {self._settings.record}")
            wire.begin_answer()
            length = int.from_bytes(await wire.read_exactly(2))
            if length > MAX_MESSAGE_SIZE:
                raise server_failure(Reason.PROTOCOL, "too long")
            data = await wire.read_exactly(length)
        finally:
            wire.close()
        if data[:2] != query_id:
            raise server_failure(Reason.PROTOCOL)
        return data

    def _validate_response(self, message: DnsMessage) -> None:
        if message.rcode != self._rcode:
            raise server_failure(Reason.STATUS, dns.rcode.to_text(message.rcode))
        if self._rcode != dns.rcode.NOERROR:
            return
        if not message.answer_count:
            raise server_failure(Reason.CONTENT, "no answer")
        if message.missing:
            raise server_failure(Reason.CONTENT, "another answer")


async def _receive_answer(sock: socket.socket, ids: set[bytes]) -> bytes:
    """Return the first datagram with one of the ids. Raises ``ProbeError`` after too many others."""
    loop = asyncio.get_running_loop()
    for _ in range(_MAX_STRAY_DATAGRAMS):
        data = await loop.sock_recv(sock, MAX_MESSAGE_SIZE + 1)
        if data[:2] in ids:
            return data
    raise server_failure(Reason.PROTOCOL)
