"""Cookies, for the length of one attempt: where browsers send them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model import Outcome
from monitor.probes.http.cookies import MAX_COOKIES, CookieJar, parse_date
from monitor.probes.http.url import parse_url
from tests.probes.scripted_server import PageServer, ScriptedServer, page, redirect

if TYPE_CHECKING:
    import asyncio

    from tests.probes.conftest import AttemptFunction

NOW = 1_790_000_000.0


def sent(url: str, *headers: str, origin: str = "https://www.acme.example/shop/cart", later: float = 0) -> str:
    """Return what a request for ``url`` says after a response of ``origin`` with these headers."""
    jar = CookieJar()
    for header in headers:
        jar.store([header.encode("latin-1")], parse_url(origin), NOW)
    return jar.header(parse_url(url), NOW + later).decode("latin-1")


HERE = "https://www.acme.example/shop/cart"


@pytest.mark.parametrize(
    ("header", "url", "value"),
    [
        ("a=1", HERE, "a=1"),
        ("a=1", "https://www.acme.example/shop/", "a=1"),
        ("a=1", "https://www.acme.example/", ""),
        ("a=1", "https://www.acme.example/shopping", ""),
        ("a=1; Path=/", "https://www.acme.example/x", "a=1"),
        ("a=1; path=/shop", "https://www.acme.example/shop", "a=1"),
        ("a=1; path=/shop", "https://www.acme.example/shop/x?y", "a=1"),
        ("a=1; path=/shop", "https://www.acme.example/shops", ""),
        ("a=1; Path=x", HERE, "a=1"),
        ("a=1; Path=/", "https://acme.example/", ""),
        ("a=1; Path=/", "https://x.www.acme.example/", ""),
        ("a=1; Path=/; Domain=acme.example", "https://acme.example/", "a=1"),
        ("a=1; Path=/; Domain=.ACME.example", "https://x.acme.example/", "a=1"),
        ("a=1; Path=/; Domain=acme.example", "https://notacme.example/", ""),
        ("a=1; Path=/; Domain=other.example", HERE, ""),
        ("a=1; Path=/; Domain=x.www.acme.example", "https://x.www.acme.example/", ""),
        ("a=1; Path=/; Domain=example", "https://b.example/", ""),
        ("a=1; Path=/; Domain=", HERE, "a=1"),
        ("a=1; Path=/", "http://www.acme.example/", "a=1"),
        ("a=1; Path=/", "https://www.acme.example:8443/", "a=1"),
        ("a=1; Path=/; Secure", "http://www.acme.example/", ""),
        ("a=1; Path=/; secure; HttpOnly; SameSite=Lax", HERE, "a=1"),
        ("a=1; Max-Age=0", HERE, ""),
        ("a=1; Max-Age=-5", HERE, ""),
        ("a=1; Max-Age=60", HERE, "a=1"),
        ("a=1; Max-Age=soon", HERE, "a=1"),
        ("a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", HERE, ""),
        ("a=1; Expires=Thu, 01-Jan-70 00:00:01 GMT", HERE, ""),
        ("a=1; Expires=Thu, 31 Dec 2099 23:59:59 GMT", HERE, "a=1"),
        ("a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60", HERE, "a=1"),
        ("a=1; Expires=never", HERE, "a=1"),
        ('a="x y=z"; Path=/', HERE, 'a="x y=z"'),
        (" a = 1 ;Path = /", HERE, "a=1"),
        ("a=", HERE, "a="),
        ("a", HERE, "a"),
        ("=a", HERE, "a"),
        ("", HERE, ""),
        (";Path=/", HERE, ""),
        ("a=\xfe\xfd", HERE, "a=\xfe\xfd"),
        ("a=1\x01", HERE, ""),
        ("a=" + "x" * 5000, HERE, ""),
        ("__Host-a=1; Path=/; Secure", HERE, "__Host-a=1"),
        ("__Host-a=1; Path=/shop; Secure", HERE, ""),
        ("__Host-a=1; Path=/; Secure; Domain=acme.example", HERE, ""),
        ("__Secure-a=1", HERE, ""),
        ("__Secure-a=1; Secure", HERE, "__Secure-a=1"),
    ],
)
def test_a_cookie_is_sent_where_browsers_send_it(header: str, url: str, value: str) -> None:
    assert sent(url, header) == value


def test_a_secure_cookie_is_not_set_in_clear_but_on_this_machine() -> None:
    assert sent("https://a.example/", "a=1; Secure", origin="http://a.example/") == ""
    assert sent("http://127.0.0.1:81/", "a=1; Secure", origin="http://127.0.0.1/") == "a=1"


def test_a_domain_does_not_match_the_end_of_an_address() -> None:
    assert sent("http://198.51.100.1/", "a=1; Domain=100.1", origin="http://198.51.100.1/") == ""
    assert sent("http://198.51.100.1/", "a=1; Domain=198.51.100.1", origin="http://198.51.100.1/") == "a=1"


def test_cookies_are_replaced_deleted_and_sorted_by_their_paths() -> None:
    assert sent(HERE, "a=1", "a=2") == "a=2"
    assert sent(HERE, "a=1", "b=2", "a=; Max-Age=0") == "b=2"
    assert sent(HERE, "a=1; Path=/", "a=2") == "a=2; a=1"
    assert sent(HERE, "a=1", "b=2") == "a=1; b=2"
    assert sent(HERE, "a=1; Max-Age=60", later=61) == ""
    assert sent(HERE, *(f"a{n}=1" for n in range(MAX_COOKIES + 5))).count(";") == MAX_COOKIES - 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777),
        ("Sun Nov  6 08:49:37 1994", 784_111_777),
        ("6 november 1994 8:49:37", 784_111_777),
        ("Wed, 09-Jun-69 00:00:00 GMT", 3_137_961_600),
        ("Thu, 01-Jan-70 00:00:00", 0),
        ("Thu, 01 Jan 1600 00:00:00 GMT", None),
        ("Thu, 31 Feb 2030 00:00:00 GMT", None),
        ("Thu, 01 Jan 2030 24:00:00 GMT", None),
        ("Thu, 01 Jan 2030", None),
        ("0", None),
        ("", None),
    ],
)
def test_a_date_is_read_in_each_of_its_formats(text: str, seconds: float | None) -> None:
    assert parse_date(text) == seconds


@given(st.lists(st.binary(max_size=80) | st.from_regex(rb"[a-z]=1; (Domain|Path|Expires|Max-Age)=.{0,20}"), max_size=5))
def test_any_header_is_stored_or_ignored(headers: list[bytes]) -> None:
    jar = CookieJar()
    url = parse_url("https://a.example/x/y")
    jar.store(headers, url, NOW)
    assert not set(jar.header(url, NOW)) & set(b"\r\n\0")


async def test_a_page_that_sets_a_cookie_and_redirects_to_itself_is_ok(attempt: AttemptFunction) -> None:
    requests = []

    async def site(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
        if "Cookie: seen=1\r\n" in requests[-1]:
            writer.write(page(b"hello"))
        else:
            writer.write(redirect("/", "Set-Cookie: seen=1; Path=/\r\n"))

    async with ScriptedServer(site) as server:
        for _ in range(2):
            seen = await attempt("http", url=server.url(), expect="hello")
            assert (seen.outcome, seen.reason) == (Outcome.OK, "")
    assert ["Cookie" in each for each in requests] == [False, True, False, True]
    [_, shown] = [step.text for step in seen.steps if step.name == "send"]
    assert shown.endswith("\nCookie: seen=1")


async def test_cookies_are_collected_and_deleted_along_redirects(attempt: AttemptFunction) -> None:
    site = PageServer(
        {
            "/": redirect("/b", "Set-Cookie: a=1\r\nSet-Cookie: b=2; Path=/other\r\n"),
            "/b": redirect("/c", "Set-Cookie: c=3\r\n"),
            "/c": redirect("/d", "Set-Cookie: a=; Max-Age=0\r\n"),
            "/d": page(headers="Set-Cookie: d=4\r\n"),
        }
    )
    async with ScriptedServer(site) as server:
        assert (await attempt("http", url=server.url())).outcome is Outcome.OK
    said = [[line for line in request.split("\r\n") if line.startswith("Cookie")] for request in site.requests]
    assert said == [[], ["Cookie: a=1"], ["Cookie: a=1; c=3"], ["Cookie: c=3"]]


async def test_cookies_do_not_go_to_another_host(attempt: AttemptFunction) -> None:
    other = PageServer({"/": page()})
    async with ScriptedServer(other) as there:
        site = PageServer({"/": redirect(f"http://localhost:{there.port}/", "Set-Cookie: a=1\r\n")})
        async with ScriptedServer(site) as here:
            await attempt("http", url=here.url(), family="4")
    assert ["Cookie" in request for request in other.requests] == [False]
