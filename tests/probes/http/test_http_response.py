from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.probes.failures import ProbeError
from monitor.probes.http.request import build_request
from monitor.probes.http.response import MAX_BODY_SIZE, MAX_HEAD_SIZE, HttpResponse

HEAD = b"HTTP/1.1 200 OK\r\n"


def answer(*pieces: bytes, hangs_up: bool = False) -> HttpResponse:
    made = HttpResponse(keep_body=True)
    for piece in pieces:
        made.feed(piece)
    if hangs_up:
        made.on_connection_closed()
    return made


@pytest.mark.parametrize(
    "said",
    [
        HEAD + b"Content-Length: 5\r\n\r\nhello",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nTrailer: t\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + HEAD + b"Content-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"Content-Length: 5\r\n\r\nhello",
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: 25\r\n\r\n" + gzip.compress(b"hello", mtime=0),
        HEAD + b"Content-Encoding: deflate\r\nContent-Length: 13\r\n\r\n" + zlib.compress(b"hello"),
        HEAD + b"Content-Encoding: deflate\r\nContent-Length: 7\r\n\r\n" + zlib.compress(b"hello")[2:-4],
        HEAD + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello and more than was promised",
        b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.0 200 OK\nContent-Length: 5\n\nhello",
        HEAD + b"X-Odd: \x01\xff\r\nContent-Length: 5\r\n\r\nhello",
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
def test_an_answer_is_read_however_it_is_written_and_cut(said: bytes, *, at_once: bool) -> None:
    made = answer(*([said] if at_once else [said[n : n + 1] for n in range(len(said))]))
    assert (made.status, made.complete, made.body) == (200, True, b"hello")


@given(st.binary(max_size=3000), st.lists(st.integers(1, 400), min_size=1, max_size=8))
def test_a_compressed_is_decoded_wherever_it_is_cut(body: bytes, sizes: list[int]) -> None:
    packed = gzip.compress(body)
    said = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed
    pieces: list[bytes] = []
    while said:
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(said[:size])
        said = said[size:]
    made = answer(*pieces)
    assert (made.complete, made.body) == (True, body)


def test_without_a_length_the_body_ends_where_the_server_hangs_up() -> None:
    made = answer(HEAD + b"\r\nhel", b"lo")
    assert not made.complete
    made.on_connection_closed()
    assert (made.complete, made.body) == (True, b"hello")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (HEAD + b"Content-Length: 6\r\n\r\nhello", "protocol: incomplete body"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "protocol: incomplete body"),
        (HEAD + b"Content-Le", "closed"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "closed"),
        (b"", "closed"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", "protocol: incomplete body"),
        (HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "protocol: two lengths"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "protocol"),
        (HEAD + b"X: " + b"a" * (MAX_HEAD_SIZE + 1), "protocol"),
    ],
)
def test_what_is_no_whole_answer_is_said_to_be_none(said: bytes, reason: str) -> None:
    with pytest.raises(ProbeError, match=reason):
        answer(said, hangs_up=True)


def test_a_compressed_cannot_fill_the_memory() -> None:
    bomb = gzip.compress(bytes(50 * MAX_BODY_SIZE))
    made = answer(HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb) + bomb)
    assert (made.complete, len(made.body)) == (True, MAX_BODY_SIZE)


def test_headers_are_found_by_their_names_in_small_letters() -> None:
    made = answer(HEAD + b'LOCATION: /x\r\nContent-Type: text/html; Charset="ISO-8859-9"\r\nContent-Length: 0\r\n\r\n')
    assert (made.location, made.charset) == (b"/x", "iso8859_9")


@pytest.mark.parametrize(
    ("url", "host", "port", "said"),
    [
        ("http://www.acme.example", "www.acme.example", 80, "GET / HTTP/1.1\r\nHost: www.acme.example\r\n"),
        ("https://a.example:8443/x?y=z#f", "a.example", 8443, "GET /x?y=z HTTP/1.1\r\nHost: a.example:8443\r\n"),
        ("http://[2001:db8::1]:80/", "2001:db8::1", 80, "GET / HTTP/1.1\r\nHost: [2001:db8::1]\r\n"),
        ("http://[fe80::1%25eth0]/", "fe80::1%eth0", 80, "GET / HTTP/1.1\r\nHost: [fe80::1]\r\n"),
        ("http://[fe80::1%eth0]/", "fe80::1%eth0", 80, "GET / HTTP/1.1\r\nHost: [fe80::1]\r\n"),
        (
            "http://şirket.example/ğ",
            "xn--irket-idb.example",
            80,
            "GET /%C4%9F HTTP/1.1\r\nHost: xn--irket-idb.example\r\n",
        ),
        ("https://a.example./", "a.example.", 443, "GET / HTTP/1.1\r\nHost: a.example\r\n"),
    ],
)
def test_a_request_goes_to_the_host_of_its_url_and_names_it(url: str, host: str, port: int, said: str) -> None:
    request = build_request(url)
    assert (request.host, request.port, request.tls) == (host, port, url.startswith("https"))
    assert request.encoded.decode().startswith(said)
    assert request.encoded.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("location", "leads_to"),
    [
        ("next", "http://a.example/x/next"),
        ("/next?q", "http://a.example/next?q"),
        ("//b.example/", "http://b.example/"),
        ("https://b.example/z", "https://b.example/z"),
        ("?q=ş", "http://a.example/x/y?q=%C5%9F"),
    ],
)
def test_a_redirect_leads_where_a_browser_would_go(location: str, leads_to: str) -> None:
    assert build_request("http://a.example/x/y").redirect_to(location.encode(), 302).url == leads_to


@pytest.mark.parametrize("location", ["mailto:me", "http://:x/", "https:///", "ftp://a.example/"])
def test_a_redirect_that_no_request_can_be_made_of_leads_nowhere(location: str) -> None:
    with pytest.raises(ProbeError, match="redirect: to nowhere"):
        build_request("http://a.example/").redirect_to(location.encode(), 302)
