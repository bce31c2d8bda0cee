"""What is read of one server is bounded in bytes and in work, whatever it says."""

from __future__ import annotations

import encodings
import gzip
import json
import zlib
from typing import TYPE_CHECKING

import pytest

from monitor.model import Outcome
from monitor.probes.answer import MOST_BODY
from monitor.probes.blame import NotOkError
from monitor.probes.request import ask
from tests.probes.servers import Server, Site, page, redirect, says

if TYPE_CHECKING:
    import asyncio

    from tests.probes.conftest import Try

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


FLOODS = {
    "a chunk's extension": (CHUNKED + b"\r\n5;", b"a" * 65536),
    "trailers": (CHUNKED + b"\r\n1\r\nx\r\n0\r\n", b"X-More: more\r\n" * 4096),
    "one trailer": (CHUNKED + b"\r\n1\r\nx\r\n0\r\nX-More: ", b"a" * 65536),
    "chunks of a byte, packed and empty": (
        CHUNKED + b"Content-Encoding: gzip\r\n\r\n" + chunk(_packed()),
        b"".join(chunk(bytes([each])) for each in b"\0\0\0\xff\xff") * 1000,
    ),
    "empty blocks": (CHUNKED + b"Content-Encoding: gzip\r\n\r\n" + chunk(_packed()), chunk(b"\0\0\0\xff\xff" * 13000)),
    "empty files": (CHUNKED + b"Content-Encoding: gzip\r\n\r\n", chunk(gzip.compress(b"") * 3000)),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"a: b\r\n" * 200),
    "words in between": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000),
}


@pytest.mark.parametrize("what", FLOODS)
async def test_an_answer_without_an_end_is_read_for_a_while_only(attempt: Try, what: str) -> None:
    flood = Flood(*FLOODS[what])
    async with Server(flood) as server:
        seen = await attempt("http", 60.0, url=server.url(), expect="never")
    assert (seen.outcome, seen.reason) == (Outcome.FAIL, "protocol: too long")
    assert flood.sent < ROOM


async def test_a_page_in_small_chunks_and_one_that_is_longer_than_what_is_read_are_whole(attempt: Try) -> None:
    small = CHUNKED + b"\r\n" + chunk(b"abcdefgh") * (MOST_BODY // 8) + b"0\r\n\r\n"
    async with Server(says(small)) as server:
        assert (await attempt("http", url=server.url(), expect="habc")).outcome is Outcome.OK
    async with Server(says(page(bytes(5 * MOST_BODY)))) as server:
        assert (await attempt("http", url=server.url())).outcome is Outcome.OK


@pytest.mark.parametrize("name", ["a\0b", "no-such-encoding", "hex", "idna", "undefined", "x" * 50, "u" * 5000])
async def test_an_encoding_that_is_none_is_passed_over_and_not_kept(attempt: Try, name: str) -> None:
    before = set(encodings._cache)
    answer = page("ş".encode("cp1254"), headers=f"Content-Type: text/html; charset={name}\r\n")
    async with Server(says(answer)) as server:
        found = await attempt("http", url=server.url(), expect="ş")
        missed = await attempt("http", url=server.url(), expect="ç")
    assert (found.outcome, missed.reason) == (Outcome.OK, "content: text not found")
    assert set(encodings._cache) - before <= {"cp1254", "utf_8", "hex_codec", "hex", "idna"}


@pytest.mark.parametrize("name", ["ISO-8859-9", "latin5", "windows-1254", "cp1254", '"iso_8859-9"'])
async def test_an_encoding_is_known_by_all_its_names(attempt: Try, name: str) -> None:
    answer = page("ığdır".encode("iso8859-9"), headers=f"Content-Type: text/html; charset={name}\r\n")
    async with Server(says(answer)) as server:
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
async def test_a_redirect_to_what_can_be_no_server_is_the_servers_fault(attempt: Try, to: str) -> None:
    async with Server(Site({"/": redirect(to)})) as server:
        seen = await attempt("http", url=server.url())
    assert (seen.outcome, seen.reason) == (Outcome.FAIL, "redirect: to nowhere")


@pytest.mark.parametrize(
    "to", ["http://192.0.2.1/", "https://ğ.example/x?y", "//[2001:db8::1]:8080", "http://127.0.0.2:81/"]
)
def test_a_redirect_to_another_server_leads_on(to: str) -> None:
    assert ask("http://127.0.0.1/").towards(to, 302).host != "127.0.0.1"


async def test_a_redirect_within_a_server_on_the_link_keeps_its_interface() -> None:
    assert ask("http://[fe80::1%25eth0]/").towards("/there", 302).host == "fe80::1%eth0"
    with pytest.raises(NotOkError, match="to nowhere"):
        ask("http://[fe80::1%25eth0]/").towards("http://[fe80::2%25eth0]/", 302)


async def test_a_document_of_json_is_read_up_to_its_bound(attempt: Try) -> None:
    fits = json.dumps({"state": "ok", "rest": [[]] * 60_000}).encode()
    more = json.dumps({"state": "ok", "rest": [[]] * 80_000}).encode()
    async with Server(Site({"/fits": page(fits), "/more": page(more)})) as server:
        found = await attempt("http", url=server.url("/fits"), expect_json=("state = ok",))
        refused = await attempt("http", url=server.url("/more"), expect_json=("state = ok",))
    assert (found.outcome, refused.reason) == (Outcome.OK, "content: JSON too long")
