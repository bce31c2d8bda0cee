"""What name servers answer, spoilt: each is read or judged."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.clock import SystemClock
from monitor.model import Outcome, Reason
from monitor.probes.dns.message import DnsMessage
from monitor.probes.dns.probe import DnsProbe
from monitor.probes.dns.records import parse_records
from monitor.probes.dns.settings import DnsSettings
from monitor.probes.probe import Target
from monitor.probes.resources import open_resources
from tests.probes.mutations import FUZZ_FACTOR, MUTATIONS, Mutation, assert_reads_or_fails, mutate
from tests.probes.replay_server import assert_no_leaks

_RECORDS = [
    *("A 192.0.2.1", "AAAA 2001:db8::1", "NS ns.example.", "CNAME other.example.", "MX 10 mail.example."),
    *("SOA ns.example. root.example. 1 2 3 4 5", 'TXT "v=spf1" "-all"', "SRV 1 2 3 host.example.", "PTR host.example."),
    *(
        'CAA 0 issue "ca.example"',
        "SVCB 1 svc.example. alpn=h2 port=53",
        'NAPTR 1 2 "u" "s" "!x!y!" .',
        "LOC 1 N 2 E 0m",
    ),
    *("DNSKEY 257 3 13 AAAA", "DS 1 13 2 " + "00" * 32, "NSEC a.example. A MX", "TLSA 3 1 1 " + "00" * 32, "HINFO a b"),
    *(
        "RRSIG A 13 2 30 20300101000000 20200101000000 1 example. AAAA",
        "NSEC3 1 0 1 - 0P9MHAVEQVM6T7VBL5LOP2U3T2RP3TOM A",
    ),
]


def _message(texts: list[str], rcode: int) -> bytes:
    message = dns.message.make_response(dns.message.make_query("www.example.", "A", use_edns=0))
    message.set_rcode(dns.rcode.Rcode.make(rcode))
    for section, text in zip(
        [message.answer, message.answer, message.authority, message.additional], texts, strict=False
    ):
        kind, _, rest = text.partition(" ")
        section.append(dns.rrset.from_text("www.example.", 30, "IN", kind, rest))
    return message.to_wire()


_MESSAGES = st.builds(_message, st.lists(st.sampled_from(_RECORDS), max_size=4), st.integers(0, 4095))


@settings(max_examples=500 * FUZZ_FACTOR)
@given(message=_MESSAGES, spoils=st.one_of(st.just([]), MUTATIONS), kind=st.integers(0, 70))
def test_an_answer_of_a_name_server_is_read_or_judged(message: bytes, spoils: list[Mutation], kind: int) -> None:
    def read() -> None:
        found = DnsMessage(mutate(message, spoils))
        for _ in found.read(kind, parse_records("NS", ("ns.example.",)) | parse_records("A", ("192.0.2.1",))):
            pass
        assert all(line.isprintable() or not line.isascii() for line in found.displayed_records)
        assert 0 <= found.rcode <= 4095

    assert_reads_or_fails(read)


@given(text=st.sampled_from(_RECORDS), rcode=st.integers(0, 4095))
def test_a_record_of_a_good_answer_is_found_by_its_type(text: str, rcode: int) -> None:
    kind, _, rest = text.partition(" ")
    found = DnsMessage(_message([text], rcode))
    assert list(found.read(dns.rdatatype.from_text(kind), parse_records(kind, (rest,)))) != []
    assert (found.answer_count, found.missing, int(found.rcode)) == (1, set(), rcode)
    assert found.displayed_records[0].startswith(f"www.example. 30 IN {kind} ")


HERE = "127.77.0.1"
"""Where nobody else has a port."""


class _NameServer:
    """Answers the first datagram, and the first connection, by what it is given after the number of the question."""

    def __init__(self, by_datagram: bytes, by_connection: bytes) -> None:
        self._by_datagram = by_datagram
        self._by_connection = by_connection

    async def look(self) -> Any:
        loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._connected, HERE, 0)
        port = server.sockets[0].getsockname()[1]
        with socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            try:
                datagrams.bind((HERE, port))
                datagrams.settimeout(0)
                loop.add_reader(datagrams, self._asked, datagrams)
                async with open_resources(SystemClock()) as tools:
                    probe = DnsProbe(DnsSettings(query="www.example", record="A", port=port), tools)
                    return await probe.attempt(Target(HERE), 0.5)
            finally:
                loop.remove_reader(datagrams)
                server.close()
                await server.wait_closed()

    def _asked(self, datagrams: socket.socket) -> None:
        question, address = datagrams.recvfrom(4096)
        datagrams.sendto(question[:2] + self._by_datagram, address)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        question = await reader.read(4096)
        writer.write(self._by_connection.replace(b"NN", question[2:4], 1))
        await writer.drain()
        writer.close()
        await writer.wait_closed()


@settings(max_examples=30 * FUZZ_FACTOR, suppress_health_check=list(HealthCheck))
@given(message=_MESSAGES, spoils=MUTATIONS, truncated=st.booleans())
def test_a_name_server_whose_words_are_spoilt_is_judged(
    message: bytes, spoils: list[Mutation], *, truncated: bool
) -> None:
    by_datagram = b"\x83\x80" + bytes(8) if truncated else mutate(message[2:], spoils)
    by_connection = mutate(len(message).to_bytes(2) + b"NN" + message[2:], spoils)
    with assert_no_leaks():
        seen = asyncio.run(_NameServer(by_datagram, by_connection).look())
    assert seen.outcome in (Outcome.OK, Outcome.FAIL), seen
    assert seen.reason == "" or seen.reason.partition(":")[0] in set(Reason)
    assert all(each.isprintable() or each == "\n" for step in seen.steps for each in step.text)
