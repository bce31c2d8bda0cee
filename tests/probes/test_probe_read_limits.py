"""What is read of one server is bounded in bytes and in work, whatever it says."""

from __future__ import annotations

import asyncio
import dataclasses
import encodings
import gzip
import json
import ssl
import struct
import threading
import zlib
from typing import TYPE_CHECKING

import pytest
import trustme

from monitor.model import Outcome
from monitor.probes.check_types import CHECK_TYPES
from monitor.probes.dns.message import MAX_MESSAGE_SIZE, MAX_RECORDS, DnsMessage
from monitor.probes.dns.records import parse_records
from monitor.probes.failures import ProbeError
from monitor.probes.http.request import build_request
from monitor.probes.http.response import MAX_BODY_SIZE
from monitor.probes.net.tls import TLS_VERSIONS, TlsContexts
from monitor.probes.probe import Target
from monitor.probes.regex_search import INLINE_TIMEOUT, Pattern, RegexWorkers
from tests.probes.scripted_server import PageServer, ScriptedServer, page, redirect, sends

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from monitor.probes.resources import ProbeResources
    from tests.probes.conftest import AttemptFunction

ROOM = 12 * 1024 * 1024
"""Bytes that a flood gets rid of at most: what is read, and what the kernel keeps on both sides."""
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


class Flood:
    """Begins an answer, and goes on for as long as it is listened to; counts its bytes."""

    def __init__(self, begin: bytes, more: bytes) -> None:
        self._begin = begin
        self._more = more
        self.sent = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(self._begin)
        while True:
            writer.write(self._more)
            await writer.drain()
            self.sent += len(self._more)


def _packed() -> bytes:
    packer = zlib.compressobj(wbits=31)
    return packer.compress(b"x") + packer.flush(zlib.Z_SYNC_FLUSH)


TOO_LONG = "protocol: too long"
PACKED = CHUNKED + b"Content-Encoding: gzip\r\n\r\n"
FLOODS = {
    "a chunk's extension": (CHUNKED + b"\r\n5;", b"a" * 65536, TOO_LONG),
    "a chunk's size": (CHUNKED + b"\r\n", b"0" * 65536, TOO_LONG),
    "chunks of a byte": (CHUNKED + b"\r\n", b"1\r\nx\r\n" * 10_000, TOO_LONG),
    "line ends between chunks": (CHUNKED + b"\r\n1\r\nx\r\n", b"\r\n" * 32768, TOO_LONG),
    "chunks of a byte, packed and empty": (
        PACKED + chunk(_packed()),
        b"".join(chunk(bytes([each])) for each in b"\0\0\0\xff\xff") * 1000,
        TOO_LONG,
    ),
    "empty blocks": (PACKED + chunk(_packed()), chunk(b"\0\0\0\xff\xff" * 13000), "content: encoding"),
    "empty files": (PACKED, chunk(gzip.compress(b"") * 3000), "content: encoding"),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"a: b\r\n" * 200, TOO_LONG),
    "words in between": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000, TOO_LONG),
}


@pytest.mark.parametrize("what", FLOODS)
async def test_an_answer_without_an_end_is_read_for_a_while_only(attempt: AttemptFunction, what: str) -> None:
    begin, more, reason = FLOODS[what]
    flood = Flood(begin, more)
    async with ScriptedServer(flood) as server:
        seen = await attempt("http", 60.0, url=server.url(), expect="never")
    assert (seen.outcome, seen.reason) == (Outcome.FAIL, reason)
    assert flood.sent < ROOM


@pytest.mark.parametrize("more", [b"X-More: more\r\n" * 4096, b"X-More: " + b"a" * 65536])
async def test_what_follows_the_last_chunk_is_not_waited_for(attempt: AttemptFunction, more: bytes) -> None:
    flood = Flood(CHUNKED + b"\r\n1\r\nx\r\n0\r\n", more)
    async with ScriptedServer(flood) as server:
        seen = await attempt("http", 60.0, url=server.url(), expect="x")
    assert (seen.outcome, seen.reason) == (Outcome.OK, "")
    assert flood.sent < ROOM


async def test_a_page_in_small_chunks_and_one_that_is_longer_than_what_is_read_are_whole(
    attempt: AttemptFunction,
) -> None:
    small = CHUNKED + b"\r\n" + chunk(b"abcdefgh") * (MAX_BODY_SIZE // 8) + b"0\r\n\r\n"
    async with ScriptedServer(sends(small)) as server:
        assert (await attempt("http", url=server.url(), expect="habc")).outcome is Outcome.OK
    async with ScriptedServer(sends(page(bytes(5 * MAX_BODY_SIZE)))) as server:
        assert (await attempt("http", url=server.url())).outcome is Outcome.OK


@pytest.mark.parametrize("name", ["a\0b", "no-such-encoding", "hex", "idna", "undefined", "x" * 50, "u" * 5000])
async def test_an_encoding_that_is_none_is_passed_over_and_not_kept(attempt: AttemptFunction, name: str) -> None:
    before = set(encodings._cache)
    answer = page("ş".encode("cp1254"), headers=f"Content-Type: text/html; charset={name}\r\n")
    async with ScriptedServer(sends(answer)) as server:
        found = await attempt("http", url=server.url(), expect="ş")
        missed = await attempt("http", url=server.url(), expect="ç")
    assert (found.outcome, missed.reason) == (Outcome.OK, "content: text not found")
    assert set(encodings._cache) - before <= {"cp1254", "utf_8", "hex_codec", "hex", "idna"}


@pytest.mark.parametrize("name", ["ISO-8859-9", "latin5", "windows-1254", "cp1254", '"iso_8859-9"'])
async def test_an_encoding_is_known_by_all_its_names(attempt: AttemptFunction, name: str) -> None:
    answer = page("ığdır".encode("iso8859-9"), headers=f"Content-Type: text/html; charset={name}\r\n")
    async with ScriptedServer(sends(answer)) as server:
        assert (await attempt("http", url=server.url(), expect="ığdır")).outcome is Outcome.OK


@pytest.mark.parametrize(
    "to",
    [
        *("https://.example.com/", "http://a b/", "http://a\0b/", "http://-a.example/", f"http://{'a' * 64}.example/"),
        *("http://0.0.0.0/", "http://255.255.255.255/", "http://240.0.0.1/", "http://224.0.0.1/", "http://1.2.3.4.5/"),
        *("http://127.255.255.255/", "http://0xffffffff/", "http://[::]/", "http://[fe80::1]/", "http://[ff02::1]/"),
        *("http://[::1%25nosuch0]/", "http://[fe80::1%eth9]/", "http://[::ffff:255.255.255.255]/", "http://[::1"),
        *("http://127.0.0.1:0/", "http://127.0.0.1:65536/", "http://127.0.0.1:-1/", "ftp://127.0.0.1/", "mailto:a@b"),
        *(f"http://{'ş.' * 3000}/", f"http://127.0.0.1/{'a' * 9000}"),
    ],
)
async def test_a_redirect_to_what_can_be_no_server_is_the_servers_fault(attempt: AttemptFunction, to: str) -> None:
    async with ScriptedServer(PageServer({"/": redirect(to)})) as server:
        seen = await attempt("http", url=server.url())
    assert (seen.outcome, seen.reason) == (Outcome.FAIL, "redirect: to nowhere")


@pytest.mark.parametrize(
    "to", ["http://192.0.2.1/", "https://ğ.example/x?y", "//[2001:db8::1]:8080", "http://127.0.0.2:81/"]
)
def test_a_redirect_to_another_server_leads_on(to: str) -> None:
    assert build_request("http://127.0.0.1/").redirect_to(to.encode(), 302).host != "127.0.0.1"


async def test_a_redirect_within_a_server_on_the_link_keeps_its_interface() -> None:
    assert build_request("http://[fe80::1%25eth0]/").redirect_to(b"/there", 302).host == "fe80::1%eth0"
    with pytest.raises(ProbeError, match="to nowhere"):
        build_request("http://[fe80::1%25eth0]/").redirect_to(b"http://[fe80::2%25eth0]/", 302)


async def test_a_document_of_json_is_read_up_to_its_bound(attempt: AttemptFunction) -> None:
    fits = json.dumps({"state": "ok", "rest": [[]] * 60_000}).encode()
    more = json.dumps({"state": "ok", "rest": [[]] * 80_000}).encode()
    async with ScriptedServer(PageServer({"/fits": page(fits), "/more": page(more)})) as server:
        found = await attempt("http", url=server.url("/fits"), expect_json=("state = ok",))
        refused = await attempt("http", url=server.url("/more"), expect_json=("state = ok",))
    assert (found.outcome, refused.reason) == (Outcome.OK, "content: JSON too long")


LONG_NAME = b"\x01a" * 124 + b"\0"


def dns_answer(count: int, kind: int = 2) -> bytes:
    """Names of 124 labels, each a little different, which point at such a one."""
    first = LONG_NAME + struct.pack("!HHIH", kind, 1, 0, 2) + b"\xc0\x0c"
    further = b"".join(
        b"\1%c\xc0\x0c" % (97 + each % 26) + struct.pack("!HHIH", kind, 1, 0, 4) + b"\1%c\xc0\x0e" % (65 + each // 26)
        for each in range(count - 1)
    )
    return struct.pack("!6H", 1, 0x8180, 0, count, 0, 0) + first + further


def test_a_name_servers_answer_lets_others_in_between_its_records() -> None:
    message = DnsMessage(dns_answer(MAX_RECORDS))
    steps = sum(1 for _ in message.read(2, parse_records("NS", ("a.", "b."))))
    assert steps > MAX_RECORDS
    assert (message.answer_count, len(message.missing)) == (MAX_RECORDS, 2)


def test_records_beyond_the_bound_are_a_failure_and_those_of_other_types_are_ignored() -> None:
    with pytest.raises(ProbeError, match="protocol: too long"):
        list(DnsMessage(dns_answer(MAX_RECORDS + 1)).read(2))
    passed_over = DnsMessage(dns_answer(MAX_RECORDS + 1))
    assert list(passed_over.read(1)) != []
    assert passed_over.answer_count == 0


def test_what_a_name_server_says_beyond_the_bound_is_not_read() -> None:
    with pytest.raises(ProbeError, match="protocol: too long"):
        DnsMessage(dns_answer(1) + bytes(MAX_MESSAGE_SIZE))


async def test_a_name_server_that_announces_too_much_over_tcp_is_not_listened_to(attempt: AttemptFunction) -> None:
    class Truncated(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
            self.transport = transport

        def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
            self.transport.sendto(data[:2] + b"\x83\x80" + bytes(8), address)

    async with ScriptedServer(sends(b"\xff\xff" + bytes(65535))) as server:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            Truncated, local_addr=("127.0.0.1", server.port)
        )
        try:
            seen = await attempt("dns", port=server.port, query="example.com")
        finally:
            transport.close()
    assert (seen.outcome, seen.reason) == (Outcome.FAIL, "protocol: too long")


async def test_an_expectation_reads_so_many_lines_and_no_more(attempt: AttemptFunction) -> None:
    async def script(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"\n" * 4096)
            await writer.drain()

    async with ScriptedServer(script) as server:
        seen = await attempt("tcp", 60.0, port=server.port, script=("expect ^never$",))
    assert (seen.outcome, seen.reason) == (Outcome.FAIL, "protocol: too long")
    assert len(seen.steps) < 250


class Busy(RegexWorkers):
    """Has no thread left, ever."""

    async def search(self, pattern: Pattern, data: bytes, within: float = 0.0) -> bool:
        del pattern, data, within
        await asyncio.Event().wait()
        raise AssertionError


SLOW = r"(a+)+$"


async def test_waiting_for_a_thread_of_our_own_is_never_the_servers_fault(instruments: ProbeResources) -> None:
    tools = dataclasses.replace(instruments, regex_workers=Busy())
    check_type = CHECK_TYPES["tcp"]
    async with ScriptedServer(says_at_once(b"a" * 5000 + b"b\r\n")) as server:
        probe = check_type.build(check_type.settings(port=server.port, script=(f"expect {SLOW}",)), tools)
        seen = await probe.attempt(Target("127.0.0.1"), 0.3)
    assert (seen.outcome, seen.reason) == (Outcome.UNKNOWN, "monitor too busy")


def says_at_once(what: bytes) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], asyncio.Future[None]]:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(what)
        await reader.read()

    return script  # type: ignore[return-value]


class Stuck(Pattern):
    """Is searched for until it is told to end."""

    def __init__(self, over: threading.Event) -> None:
        super().__init__("x")
        self._over = over

    def search(self, data: bytes) -> bool:
        return self._over.wait(60) and bool(data)


async def test_an_expression_that_was_too_slow_waits_apart_from_the_others() -> None:
    searches = RegexWorkers()
    slow = Pattern(SLOW)
    page_of_it = b"a" * 5000 + b"b"
    assert slow.search_now(page_of_it) is None
    with pytest.raises(ProbeError, match="expression too slow"):
        await searches.search(slow, page_of_it, 5.0)
    over = threading.Event()
    stuck = [asyncio.ensure_future(searches.search(Stuck(over), b"x", 60.0)) for _ in range(20)]
    await asyncio.sleep(0)
    with pytest.raises(ProbeError, match="monitor too busy"):
        await searches.search(Pattern("x"), b"x", 0.1)
    assert await searches.search(slow, b"aaa", 60.0) is True
    over.set()
    assert await asyncio.gather(*stuck) == [True] * 20
    assert slow.too_slow is False
    searches.close()


@pytest.mark.parametrize("size", [10, 100_000])
def test_a_search_holds_others_up_for_a_glance_only(size: int) -> None:
    assert INLINE_TIMEOUT <= 0.01
    assert Pattern("^here$").search_now(b"not\n" * size + b"here\n") is (True if size == 10 else None)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize("floor", TLS_VERSIONS)
def test_no_server_can_choose_a_key_exchange_that_computes_for_long(floor: str) -> None:
    ciphers = TlsContexts().get(verify=True, ca_file=None, lowest_version=floor).get_ciphers()
    assert {"ECDHE-RSA-AES128-GCM-SHA256", "TLS_AES_256_GCM_SHA384"} <= {each["name"] for each in ciphers}
    assert [each["name"] for each in ciphers if each["name"].startswith("DHE-")] == []
    assert {"AES128-SHA", "ECDHE-RSA-AES128-SHA", "AES256-GCM-SHA384"} <= {each["name"] for each in ciphers}


async def test_a_chain_of_hundreds_of_certificates_is_not_read(attempt: AttemptFunction, tmp_path: Path) -> None:
    authority = trustme.CA()
    leaf = authority.issue_cert("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pem = tmp_path / "chain.pem"
    pem.write_bytes(leaf.private_key_and_cert_chain_pem.bytes() + authority.cert_pem.bytes() * 130)
    context.load_cert_chain(pem)
    async with ScriptedServer(sends(page()), tls=context) as server:
        by_task = await attempt("tls", port=server.port, verify_certificate=False)
        by_callbacks = await attempt("https", url=server.url(scheme="https"), verify_certificate=False)
    assert (by_task.reason, by_callbacks.reason) == ("protocol: too long", "protocol: too long")
