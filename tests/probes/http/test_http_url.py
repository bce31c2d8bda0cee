"""URLs as written: what is sent for ``url`` and for ``Location`` is what a browser sends."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from monitor.model import Outcome
from monitor.probes.http.request import build_request
from monitor.probes.http.settings import HttpSettings
from monitor.probes.http.url import location_text, parse_url
from tests.probes.scripted_server import PageServer, ScriptedServer, page

if TYPE_CHECKING:
    import asyncio

    from tests.probes.conftest import AttemptFunction

KEPT = [
    "/a%2Cb.txt?to=https%3A%2F%2Fwww.acme.example%2F&user=probe%40acme.example",
    "/a%2Fb/%26?x=%26&y=%3D",
    "/A_&_B",
    "/A_%26_B",
    "/%C5%9F/%fe%FE?%c5",
    "/100%/%zz/%",
    "/a;b=c,d/(e)!$'*~@:x",
    "/q?a=b+c&d=e%20f&&g",
    "/?https://b.example/?x/../y",
    "/?",
    "/a//b///",
    "/[x]|y?[x]|^`{y}",
    "/X-Amz-Signature?X-Amz-Credential=AKIA%2F20261001%2Feu-central-1%2Fs3%2Faws4_request&X-Amz-SignedHeaders=host",
    "/?sv=2024-11-04&sig=a%2Bb%2Fc%3D&se=2026-12-01T00%3A00%3A00Z",
]
"""What stands in links and is sent byte for byte."""

ENCODED = [
    ("/ş?ğ", "/%C5%9F?%C4%9F"),
    ("/a b?c d", "/a%20b?c%20d"),
    ('/"<>?"<>', "/%22%3C%3E?%22%3C%3E"),
    ("/`{}^?'", "/%60%7B%7D%5E?%27"),
    ("/a\x7f\x01b", "/a%7F%01b"),
    ("\\a\\b?c\\d", "/a/b?c\\d"),
    ("/a/../b/./c", "/b/c"),
    ("/a/%2e%2E/b/%2e/c", "/b/c"),
    ("/a/b/..", "/a/"),
    ("/../../a", "/a"),
    ("/a/.", "/a/"),
    ("/a\tb\r\nc", "/abc"),
    ("/a#b?c", "/a"),
    ("", "/"),
    ("?x", "/?x"),
]
"""What browsers write otherwise."""


def target_of(url: str) -> str:
    return build_request(url).start_lines.decode().split(" ")[1]


@pytest.mark.parametrize("target", KEPT)
def test_a_url_is_sent_as_written(target: str) -> None:
    assert target_of(f"http://a.example{target}") == target
    redirected = build_request("http://a.example/x").redirect_to(target.encode(), 302)
    assert redirected.start_lines.decode().split(" ")[1] == target
    assert target_of(redirected.url) == target


@pytest.mark.parametrize(("written", "target"), ENCODED)
def test_what_cannot_stand_in_a_request_is_written_as_browsers_do(written: str, target: str) -> None:
    assert target_of(f"http://a.example{written}") == target
    assert target_of(f"http://a.example{target}") == target


@pytest.mark.parametrize("encoding", ["utf-8", "cp1254", "cp857", "shift_jis_2004"])
def test_bytes_beyond_ascii_in_a_redirect_are_sent_as_the_bytes_that_they_are(encoding: str) -> None:
    place = "/ü/ö?à".encode(encoding)
    expected = "".join(chr(byte) if 0x20 < byte < 0x80 else f"%{byte:02X}" for byte in place)
    assert target_of("http://a.example" + location_text(place)) == expected


@pytest.mark.parametrize(
    ("location", "url"),
    [
        (b"next", "http://a.example/x/next"),
        (b"./next?q", "http://a.example/x/next?q"),
        (b"../up", "http://a.example/up"),
        (b"", "http://a.example/x/y?q"),
        (b"#part", "http://a.example/x/y?q"),
        (b"?r", "http://a.example/x/y?r"),
        (b"  /blank \t", "http://a.example/blank"),
        (b"//b.example", "http://b.example/"),
        (b"\\\\b.example\\c", "http://b.example/c"),
        (b"/\\b.example/c", "http://b.example/c"),
        (b"http:next", "http://a.example/x/next"),
        (b"https:b.example", "https://b.example/"),
        (b"https:///b.example/", "https://b.example/"),
        (b"HTTPS://B.Example:443/C", "https://b.example/C"),
        (b"http://b.example:0080?x", "http://b.example/?x"),
        (b"http://user:p@ss@b.example/", "http://b.example/"),
        ("http://straße.example/ß".encode(), "http://xn--strae-oqa.example/%C3%9F"),
        (b"http://stra%C3%9Fe.example/", "http://xn--strae-oqa.example/"),
        ("http://i❤.ws/".encode(), "http://xn--i-7iq.ws/"),
        (b"http://0xC6336401/", "http://198.51.100.1/"),
        (b"http://198.51.25601/", "http://198.51.100.1/"),
        (b"http://[2001:DB8:0::1]:8080/", "http://[2001:db8::1]:8080/"),
    ],
)
def test_a_redirect_leads_where_browsers_go(location: bytes, url: str) -> None:
    assert build_request("http://a.example/x/y?q").redirect_to(location, 302).url == url


@pytest.mark.parametrize(
    "text",
    [
        *("", "a.example", "//a.example/", "http:a.example", "http:/a.example/", "mailto:a@b", "ftp://a.example/"),
        *("http://", "http:///", "http://:80/", "http://a b/", "http://a%20b/", "http://a%00b/", "http://a%zz/"),
        *("http://a^b/", "http://a|b/", "http://a:b/", "http://a:80:90/", "http://a:65536/", "http://a:-1/"),
        *("http://[::1/", "http://[::1]x/", "http://[1.2.3.4]/", "http://[::1%25e th]/", "http://%FE.example/"),
        *("http://xn--\u00df\ud800/", "http://a..b/", f"http://{'ş' * 80}/", f"http://{'a.' * 2000}/"),
    ],
)
def test_what_no_request_can_be_made_of_is_no_url(text: str) -> None:
    with pytest.raises(ValueError, match=r"\A[\s\S]*\Z"):
        parse_url(text)


@pytest.mark.parametrize(
    ("url", "is_allowed"),
    [
        ("http://a.example/a%2Cb?c=d%26", True),
        ("http://straße.example/ş?ğ", True),
        ("http://a.example/@b?mail=c@d", True),
        ("http://user@a.example/", False),
        ("http://user:pw@a.example\\x", False),
        ("http://a.example/a b", False),
        ("http://127.1/", False),
        ("http://a.example:0/", False),
        ("https://a.example/", False),
    ],
)
def test_a_configured_url_is_one_that_names_a_page_and_nothing_else(url: str, *, is_allowed: bool) -> None:
    check = HttpSettings.__dataclass_fields__["url"].metadata["check"]
    assert check(url) is is_allowed


async def test_a_signed_link_is_valid_also_behind_a_redirect(attempt: AttemptFunction) -> None:
    link = "/get/a%2Cb%26c.txt?to=https%3A%2F%2Fwww.acme.example%2F&user=probe%40acme.example&n=%c5%9F"

    def signature(text: str) -> str:
        return hashlib.sha256(b"key" + text.encode()).hexdigest()

    async def site(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = (await reader.readuntil(b"\r\n\r\n")).decode().split(" ")[1]
        rest, _, sign = asked.partition("&sig=")
        if asked == "/":
            writer.write(page(b"", "302 Found", f"Location: {link}&sig={signature(link)}\r\n"))
        else:
            writer.write(page(b"secret") if sign == signature(rest) else page(b"", "403 Forbidden"))

    async with ScriptedServer(site) as server:
        straight = await attempt("http", url=server.url(f"{link}&sig={signature(link)}"), expect="secret")
        redirected = await attempt("http", url=server.url(), expect="secret")
    assert (straight.outcome, straight.reason) == (Outcome.OK, "")
    assert (redirected.outcome, redirected.reason) == (Outcome.OK, "")


async def test_a_name_that_redirects_to_its_encoded_self_is_no_loop(attempt: AttemptFunction) -> None:
    site = PageServer({"/A_&_B": page(b"", "301 Moved", "Location: /A_%26_B\r\n"), "/A_%26_B": page(b"here")})
    async with ScriptedServer(site) as server:
        seen = await attempt("http", url=server.url("/A_&_B"), expect="here")
    assert (seen.outcome, seen.reason) == (Outcome.OK, "")
