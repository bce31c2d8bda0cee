"""Responses that break the grammar and that browsers show all the same, and those that no browser shows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from monitor.model import Outcome
from monitor.probes.failures import ProbeError
from monitor.probes.http.response import HttpResponse
from tests.probes.scripted_server import PageServer, ScriptedServer, page, sends

if TYPE_CHECKING:
    from tests.probes.conftest import AttemptFunction

OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = b"Content-Length: 10\r\n"
BODY = b"hello Acme"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNKS = b"6\r\nhello \r\n4\r\nAcme\r\n0\r\n\r\n"

SHOWN = {
    "length and chunked at once": OK + LENGTH + CHUNKED + b"\r\n" + CHUNKS,
    "chunked and a wrong length": OK + CHUNKED + b"Content-Length: 3\r\n\r\n" + CHUNKS,
    "chunked and two lengths": OK + CHUNKED + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\n" + CHUNKS,
    "chunked twice": OK + CHUNKED * 2 + b"\r\n" + CHUNKS,
    "chunked in a list": OK + b"Transfer-Encoding: identity, Chunked\r\n\r\n" + CHUNKS,
    "chunked with blanks": OK + b"Transfer-Encoding :\t chunked \r\n\r\n" + CHUNKS,
    "the same length twice": OK + LENGTH * 2 + b"\r\n" + BODY,
    "the same length in a list": OK + b"Content-Length: 10, 10\r\n\r\n" + BODY,
    "the same length with zeros before it": OK + b"Content-Length: 010\r\n" + LENGTH + b"\r\n" + BODY,
    "a length and an empty one": OK + b"Content-Length:\r\n" + LENGTH + b"\r\n" + BODY,
    "a length that is a word": OK + b"Content-Length: many\r\n\r\n" + BODY,
    "a length below zero": OK + b"Content-Length: -1\r\n\r\n" + BODY,
    "a length with a sign": OK + b"Content-Length: +10\r\n\r\n" + BODY,
    "a length of 40 digits": OK + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n" + BODY,
    "more than the length": OK + LENGTH + b"\r\n" + BODY + b"<!-- served by x -->",
    "a header line without a colon": OK + b"X-Powered\r\n" + LENGTH + b"\r\n" + BODY,
    "a header line of a sentence": OK + b"Warning  the cache is cold\r\n" + LENGTH + b"\r\n" + BODY,
    "a header line of a colon": OK + b": x\r\n:\r\n" + LENGTH + b"\r\n" + BODY,
    "a blank in a name": OK + b"X Powered By: x\r\n" + LENGTH + b"\r\n" + BODY,
    "a blank behind a name": OK + b"Content-Length : 10\r\n\r\n" + BODY,
    "a tab behind a name": OK + b"Content-Length\t:10\r\n\r\n" + BODY,
    "a blank before the first name": OK + b" X-First: 1\r\n" + LENGTH + b"\r\n" + BODY,
    "a header that goes on in the next line": OK + b"X-Long: a\r\n\tb: c\r\n" + LENGTH + b"\r\n" + BODY,
    "a header name in UTF-8": OK + "X-Ürün: 1\r\n".encode() + LENGTH + b"\r\n" + BODY,
    "a header name in Windows-1254": OK + "Ş-Ürün: ğ\r\n".encode("cp1254") + LENGTH + b"\r\n" + BODY,
    "a name in quotes and brackets": OK + b'"X(1)[a]{b}": 1\r\n' + LENGTH + b"\r\n" + BODY,
    "control characters in a value": OK + b"X: \x00\x01\x7f\r\n" + LENGTH + b"\r\n" + BODY,
    "a lone CR between headers": OK + b"X-A: 1\rX-B: 2\r" + LENGTH + b"\r\n" + BODY,
    "a lone CR in a value": OK + b"X-A: a\rb\r\n" + LENGTH + b"\r\n" + BODY,
    "two CR before each LF": (OK + LENGTH + b"\r\n").replace(b"\r\n", b"\r\r\n") + BODY,
    "LF alone": (OK + LENGTH + b"\r\n").replace(b"\r\n", b"\n") + BODY,
    "LF in the head, CR LF at its end": b"HTTP/1.1 200 OK\nContent-Length: 10\n\r\n" + BODY,
    "LF in chunks": OK + CHUNKED + b"\r\n" + CHUNKS.replace(b"\r\n", b"\n"),
    "blanks around the sizes of chunks": OK + CHUNKED + b"\r\n  6  \r\nhello \r\n4\t\r\nAcme\r\n0   \r\n\r\n",
    "zeros before the sizes of chunks": OK + CHUNKED + b"\r\n000000000006\r\nhello \r\n04\r\nAcme\r\n000\r\n\r\n",
    "sizes of chunks with extensions": OK + CHUNKED + b'\r\n6;a="b;c"\r\nhello \r\n4 ; x\r\nAcme\r\n0;y\r\n\r\n',
    "chunks without line ends behind them": OK + CHUNKED + b"\r\n6\r\nhello 4\r\nAcme0\r\n\r\n",
    "more line ends between chunks": OK + CHUNKED + b"\r\n6\r\nhello \r\n\r\n4\r\nAcme\n\n0\r\n\r\n",
    "a last chunk without its line ends": OK + CHUNKED + b"\r\n6\r\nhello \r\n4\r\nAcme\r\n0",
    "a broken header behind the chunks": OK + CHUNKED + b"\r\n6\r\nhello \r\n4\r\nAcme\r\n0\r\nX Y\r\n\r\n",
    "HTTP/1.0 with chunks": b"HTTP/1.0 200 OK\r\n" + CHUNKED + b"\r\n" + CHUNKS,
    "HTTP/1.0 that only says chunked, without a length": b"HTTP/1.0 200 OK\r\n" + CHUNKED + b"\r\n" + BODY,
    "HTTP/1.0 that only says chunked, with a length": b"HTTP/1.0 200 OK\r\n"
    + CHUNKED
    + LENGTH
    + b"\r\n"
    + BODY
    + b"\n.",
    "no version": b"HTTP 200 OK\r\n" + LENGTH + b"\r\n" + BODY,
    "half a version": b"HTTP/1 200 OK\r\n" + LENGTH + b"\r\n" + BODY,
    "a version of our days": b"HTTP/2 200\r\n" + LENGTH + b"\r\n" + BODY,
    "a long version": b"HTTP/1.1.1 200 OK\r\n" + LENGTH + b"\r\n" + BODY,
    "a version in small letters": b"http/1.1 200 ok\r\n" + LENGTH + b"\r\n" + BODY,
    "a version of another protocol": b"ICY 200 OK\r\n" + LENGTH + b"\r\n" + BODY,
    "no status": b"HTTP/1.1\r\n" + LENGTH + b"\r\n" + BODY,
    "a status of words": b"HTTP/1.1 OK\r\n" + LENGTH + b"\r\n" + BODY,
    "a status without a blank behind it": b"HTTP/1.1 200OK\r\n" + LENGTH + b"\r\n" + BODY,
    "blanks before the status": b"HTTP/1.1   200   OK\r\n" + LENGTH + b"\r\n" + BODY,
    "a reason in Windows-1254": "HTTP/1.1 200 Başarılı\r\n".encode("cp1254") + LENGTH + b"\r\n" + BODY,
    "line ends before the status line": b"\r\n\r\n" + OK + LENGTH + b"\r\n" + BODY,
    "a mark of UTF-8 before the status line": b"\xef\xbb\xbf" + OK + LENGTH + b"\r\n" + BODY,
    "no headers": OK + b"\r\n" + BODY,
    "LF alone and no headers": b"HTTP/1.0 200 OK\n\n" + BODY,
}


def read(raw: bytes, size: int, *, bodyless: bool = False) -> HttpResponse:
    response = HttpResponse(keep_body=True, bodyless=bodyless)
    for begin in range(0, len(raw), size):
        response.feed(raw[begin : begin + size])
    if not response.complete:
        response.on_connection_closed()
    return response


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
@pytest.mark.parametrize("what", SHOWN)
def test_a_response_that_browsers_show_is_read(what: str, size: int) -> None:
    response = read(SHOWN[what], size)
    assert (response.status, response.complete, response.body.strip(b"\n.")) == (200, True, BODY)


@pytest.mark.parametrize("what", [each for each in SHOWN if b" 200 OK" in SHOWN[each]])
async def test_a_redirect_that_browsers_follow_is_followed(attempt: AttemptFunction, what: str) -> None:
    before, _, after = SHOWN[what].partition(b" 200 OK")
    raw = before + b" 302 Found" + re.sub(rb"\n(?=\r{0,2}\n)", b"\nLocation: /there\n", after, count=1)
    site = PageServer({"/": raw, "/there": page(b"here")})
    async with ScriptedServer(site) as server:
        seen = await attempt("http", url=server.url(), expect="here")
    assert (seen.outcome, seen.reason) == (Outcome.OK, "")


@pytest.mark.parametrize("what", SHOWN)
def test_a_head_is_over_with_its_headers_however_they_are_written(what: str) -> None:
    raw = SHOWN[what]
    response = read(raw.partition(b"hello")[0], 1 << 20, bodyless=True)
    assert (response.status, response.complete, response.body) == (200, True, b"")


@pytest.mark.parametrize("status", [204, 205, 304])
def test_a_status_without_a_body_is_over_with_its_headers(status: int) -> None:
    response = HttpResponse(keep_body=True)
    response.feed(b"HTTP/1.1 %d X\r\nContent-Length: 10\r\n\r\n" % status)
    assert (response.status, response.complete) == (status, True)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (OK + b"Content-Length: 10\r\nContent-Length: 11\r\n\r\n" + BODY, "protocol: two lengths"),
        (OK + b"Content-Length: 10, 11\r\n\r\n" + BODY, "protocol: two lengths"),
        (OK + b"Content-Length: 10\r\nContent-Length: x\r\n\r\n" + BODY, "protocol: two lengths"),
        (b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0, 5\r\n\r\n", "protocol: two lengths"),
        (OK + b"Content-Length: 11\r\n\r\n" + BODY, "protocol: incomplete body"),
        (OK + CHUNKED + b"\r\n" + BODY, "protocol: incomplete body"),
        (OK + CHUNKED + b"\r\n6\r\nhello \r\n4\r\nAcm", "protocol: incomplete body"),
        (OK + CHUNKED + b"\r\n6\r\nhello \r\n4\r\nAcme\r\n", "protocol: incomplete body"),
        (OK + CHUNKED + b"\r\n-6\r\nhello \r\n0\r\n\r\n", "protocol: incomplete body"),
        (OK + CHUNKED + b"\r\n5\r\nhello Acme\r\n0\r\n\r\n", "protocol: incomplete body"),
        (OK + LENGTH, "closed"),
        (b"HTTP/1.1 000 X\r\n\r\n", "protocol"),
        (b"HTTP/1.1 1000 X\r\n\r\n", "protocol"),
        (b"<html>hello Acme</html>", "protocol"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "protocol"),
        (b"220 x\r\n", "protocol"),
        (b"junk of a script HTTP/1.1 200 OK\r\n\r\n", "protocol"),
        (b"\0\0\x12\4\0\0\0\0\0\0\3\0\0\0\x64", "protocol"),
        (b"\x15\3\1\0\2\2\x16", "protocol"),
    ],
)
@pytest.mark.parametrize("size", [1, 1 << 20])
def test_a_response_that_no_browser_shows_is_a_failure(raw: bytes, reason: str, size: int) -> None:
    with pytest.raises(ProbeError) as failure:
        read(raw, size)
    assert failure.value.reason == reason


async def test_two_lengths_are_a_failure_for_a_head_and_a_redirect_too(attempt: AttemptFunction) -> None:
    raw = b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"
    async with ScriptedServer(sends(raw)) as server:
        for method in ("GET", "HEAD"):
            assert (await attempt("http", url=server.url(), method=method)).reason == "protocol: two lengths"


async def test_the_step_shows_the_status_line_and_the_headers_as_they_came(attempt: AttemptFunction) -> None:
    head = ["HTTP/9 200 Fine", "X-Powered", "X A : 1", "Ürün: ş", "Content-Length : 0"]
    raw = "\r\n".join([*head, "", ""]).encode()
    async with ScriptedServer(sends(raw)) as server:
        seen = await attempt("http", url=server.url())
    [shown] = [step.text for step in seen.steps if step.name == "first-byte"]
    assert shown.splitlines() == [
        "HTTP 200",
        "HTTP/9 200 Fine",
        "X-Powered",
        "X A : 1",
        "Ürün: ş",
        "Content-Length : 0",
    ]
