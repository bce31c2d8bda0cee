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
from monitor.probes.dns.message import LONGEST, DnsMessage
from monitor.probes.dns.records import records
from monitor.probes.failures import failed, local, of_connection
from monitor.probes.net.connection import Wire
from monitor.probes.reach import in_turn, reach
from monitor.probes.redaction import printable
from monitor.probes.trace import FIRST_BYTE, RESOLVE, SEND, follow

if TYPE_CHECKING:
    from monitor.probes.dns.settings import DnsSettings
    from monitor.probes.net.address import Address
    from monitor.probes.probe import Attempt, Target
    from monitor.probes.resources import Instruments
    from monitor.probes.trace import Trail

PAYLOAD = 1232
"""Bytes of an answer over UDP that are asked for: what passes every network unbroken."""
_MOST_STRAY = 16
"""Datagrams that answer another question before the attempt is given up."""


class DnsProbe:
    """Asks one question."""

    def __init__(self, settings: DnsSettings, tools: Instruments) -> None:
        self._settings = settings
        self._tools = tools
        self._kind = dns.rdatatype.from_text(settings.record)
        self._rcode = dns.rcode.from_text(settings.rcode)
        self._expected = records(settings.record, settings.answers)
        self._name = dns.name.from_text(settings.query)
        self._question = dns.message.make_query(self._name, self._kind, use_edns=0, payload=PAYLOAD).to_wire()[2:]

    async def attempt(self, target: Target, timeout: float) -> Attempt:  # noqa: ASYNC109 - see Probe
        """Try once: one datagram, and a connection after a truncated answer."""

        async def look(trail: Trail) -> None:
            await self._look(trail, self._settings.host or target.host)

        return await follow(self._tools.clock, timeout, look)

    async def _look(self, trail: Trail, host: str) -> None:
        trail.begin(RESOLVE, host)
        found = in_turn(await self._tools.resolver.routed(host), self._settings.family)
        trail.resolved(host, found)
        number = secrets.token_bytes(2)
        wire = await self._by_datagram(trail, found[0], number)
        message = DnsMessage(wire)
        if message.truncated:
            trail.end("truncated")
            message = DnsMessage(await self._by_connection(trail, found[0], number))
        # who refuses a question need not repeat it
        if message.asked not in (None, (self._name, self._kind)):
            raise failed(Reason.PROTOCOL)
        for _ in message.read(self._kind, self._expected):
            await asyncio.sleep(0)
        trail.end(printable("\n".join([dns.rcode.to_text(message.rcode), *message.shown])))
        self._judge(message)

    async def _by_datagram(self, trail: Trail, address: Address, number: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        shown = f"{self._settings.query} {self._settings.record} to {address}"
        trail.begin(SEND, shown)
        trail.sent()
        try:
            sock = socket.socket(address.family, socket.SOCK_DGRAM)
        except OSError as error:
            raise local(error) from None
        with sock:
            try:
                sock.setblocking(False)  # noqa: FBT003 - as the standard library has it
                sock.connect(address.sockaddr(self._settings.port))
                await loop.sock_sendall(sock, number + self._question)
                trail.begin(FIRST_BYTE)
                for _ in range(_MOST_STRAY):
                    data = await loop.sock_recv(sock, LONGEST + 1)
                    if data[:2] == number:
                        return data
            except OSError as error:
                raise of_connection(error, address) from None
        raise failed(Reason.PROTOCOL)

    async def _by_connection(self, trail: Trail, address: Address, number: bytes) -> bytes:
        _, sock = await reach(trail, [address], self._settings.port)
        wire = Wire(sock, address, trail)
        try:
            question = number + self._question
            await wire.send(len(question).to_bytes(2) + question, f"{self._settings.query} {self._settings.record}")
            wire.await_answer()
            length = int.from_bytes(await wire.exactly(2))
            if length > LONGEST:
                raise failed(Reason.PROTOCOL, "too long")
            data = await wire.exactly(length)
        finally:
            wire.close()
        if data[:2] != number:
            raise failed(Reason.PROTOCOL)
        return data

    def _judge(self, message: DnsMessage) -> None:
        if message.rcode != self._rcode:
            raise failed(Reason.STATUS, dns.rcode.to_text(message.rcode))
        if self._rcode != dns.rcode.NOERROR:
            return
        if not message.given:
            raise failed(Reason.CONTENT, "no answer")
        if message.missing:
            raise failed(Reason.CONTENT, "another answer")
