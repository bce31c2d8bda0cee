"""DNS: a question to a server over UDP, and over TCP where the answer is too long: its code and what it answers."""

from __future__ import annotations

import asyncio
import secrets
import socket
from typing import TYPE_CHECKING

import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from monitor.model import Reason
from monitor.probes.dns.message import MAX_MESSAGE_SIZE, DnsMessage
from monitor.probes.dns.records import parse_records
from monitor.probes.failures import connection_failure, local_os_failure, server_failure
from monitor.probes.net.connection import Connection
from monitor.probes.net.tcp_connect import connect_any, interleave_families
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
        self._question = dns.message.make_query(
            self._name, self._record_type, use_edns=0, payload=UDP_PAYLOAD_SIZE
        ).to_wire()[2:]

    async def attempt(self, target: Target, timeout: float) -> Attempt:  # noqa: ASYNC109 - see Probe
        """Try once: one datagram, and a connection after a truncated answer."""

        async def look(trail: AttemptTrace) -> None:
            await self._run_query(trail, self._settings.host or target.host)

        return await run_with_deadline(self._resources.clock, timeout, look)

    async def _run_query(self, trace: AttemptTrace, host: str) -> None:
        trace.begin(RESOLVE, host)
        found = interleave_families(await self._resources.resolver.resolve_routable(host), self._settings.family)
        trace.resolved(host, found)
        number = secrets.token_bytes(2)
        wire = await self._query_udp(trace, found[0], number)
        message = DnsMessage(wire)
        if message.truncated:
            trace.end("truncated")
            message = DnsMessage(await self._query_tcp(trace, found[0], number))
        # who refuses a question need not repeat it
        if message.question not in (None, (self._name, self._record_type)):
            raise server_failure(Reason.PROTOCOL)
        for _ in message.read(self._record_type, self._expected):
            await asyncio.sleep(0)
        trace.end(printable("\n".join([dns.rcode.to_text(message.rcode), *message.displayed_records])))
        self._validate_response(message)

    async def _query_udp(self, trace: AttemptTrace, address: Address, query_id: bytes) -> bytes:
        loop = asyncio.get_running_loop()
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
                sock.connect(address.sockaddr(self._settings.port))
                await loop.sock_sendall(sock, query_id + self._question)
                trace.begin(FIRST_BYTE)
                for _ in range(_MAX_STRAY_DATAGRAMS):
                    data = await loop.sock_recv(sock, MAX_MESSAGE_SIZE + 1)
                    if data[:2] == query_id:
                        return data
            except OSError as error:
                raise connection_failure(error, address) from None
        raise server_failure(Reason.PROTOCOL)

    async def _query_tcp(self, trace: AttemptTrace, address: Address, query_id: bytes) -> bytes:
        _, sock = await connect_any(trace, [address], self._settings.port)
        wire = Connection(sock, address, trace)
        try:
            question = query_id + self._question
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
