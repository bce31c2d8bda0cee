from __future__ import annotations

import asyncio
import gc
import gzip
import socket
import time
from typing import TYPE_CHECKING

import pytest

from monitor.clock import SystemClock
from monitor.model import Outcome
from monitor.probes.check_types import CHECK_TYPES
from monitor.probes.http.client import HttpClient
from monitor.probes.http.probe import MAX_BODY_SIZE
from monitor.probes.http.response import HttpResponse
from monitor.probes.net.address import Address
from monitor.probes.net.resolver import Resolver
from monitor.probes.probe import Target
from monitor.probes.resources import ProbeResources
from tests.fakes import cert_expiry
from tests.probes.scripted_server import (
    PageServer,
    ScriptedServer,
    closed_port,
    drips,
    full_backlog,
    page,
    redirect,
    resets,
    sends,
    sends_and_hangs,
)

if TYPE_CHECKING:
    from tests.probes.conftest import AttemptFunction
    from tests.probes.scripted_server import Script

SHORT = 0.15
"""Seconds: a timeout for servers of which nothing more is to be expected."""


def failed(reason: str) -> tuple[Outcome, str]:
    return (Outcome.FAIL, reason)


async def test_a_page_that_comes_whole_is_ok(attempt: AttemptFunction) -> None:
    async with ScriptedServer(PageServer({"/": page()})) as server:
        before = time.monotonic()
        seen = await attempt("http", url=server.url())
        after = time.monotonic()
    assert (seen.outcome, seen.reason, cert_expiry(seen)) == (Outcome.OK, "", None)
    assert before <= seen.at <= after
    assert seen.latency_us is not None
    assert 0 < seen.latency_us <= (after - before) * 1_000_000
    assert [(step.name, step.text.partition("\n")[0]) for step in seen.steps] == [
        ("connect", f"127.0.0.1 port {server.port}"),
        ("send", "GET / HTTP/1.1"),
        ("first-byte", "HTTP 200"),
        ("body", "5 bytes"),
    ]


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal", b"nonsense\r\n\r\n"])
async def test_a_visit_that_fails_leaves_nothing_to_a_search_for_garbage(attempt: AttemptFunction, said: bytes) -> None:
    gc.collect()
    gc.disable()
    try:
        async with ScriptedServer(sends_and_hangs(said)) as server:
            assert (await attempt("http", url=server.url(), timeout=SHORT)).outcome is Outcome.FAIL
        assert not [each for each in gc.get_objects() if isinstance(each, HttpResponse)]
    finally:
        gc.enable()


async def test_the_request_says_who_asks_and_asks_for_no_more_than_an_answer(attempt: AttemptFunction) -> None:
    site = PageServer({"/a?b=c": page()})
    async with ScriptedServer(site) as server:
        assert (await attempt("http", url=server.url("/a?b=c"))).outcome is Outcome.OK
    lines = site.requests[0].split("\r\n")
    assert lines[0] == "GET /a?b=c HTTP/1.1"
    headers = {line.partition(": ")[0].lower(): line.partition(": ")[2] for line in lines[1:] if line}
    assert headers["user-agent"].startswith("sla-monitor/")
    assert headers["connection"] == "close"
    assert headers["host"] == f"127.0.0.1:{server.port}"


@pytest.mark.parametrize(
    ("status", "accepted", "result"),
    [
        ("200 OK", ("200-399",), (Outcome.OK, "")),
        ("399 Odd", ("200-399",), (Outcome.OK, "")),
        ("400 Bad Request", ("200-399",), failed("status: 400")),
        ("500 Internal Server Error", ("200-399",), failed("status: 500")),
        ("404 Not Found", ("200", "404"), (Outcome.OK, "")),
        ("204 No Content", ("200",), failed("status: 204")),
    ],
)
async def test_the_status_must_be_among_those_that_are_ok(
    attempt: AttemptFunction, status: str, accepted: tuple[str, ...], result: tuple[Outcome, str]
) -> None:
    async with ScriptedServer(PageServer({"/": page(b"", status)})) as server:
        seen = await attempt("http", url=server.url(), status=accepted)
    assert (seen.outcome, seen.reason) == result


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (sends_and_hangs(b""), "timeout"),
        (sends_and_hangs(b"HTTP/1.1 200 OK\r\nContent-Type: text/pl"), "timeout"),
        (sends_and_hangs(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc"), "timeout"),
        (drips(b"HTTP/1.1 200 OK\r\nX: "), "timeout"),
        (drips(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"), "timeout"),
        (sends(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc"), "protocol: incomplete body"),
        (sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"), "protocol: incomplete body"),
        (sends(bytes(range(256)) * 4), "protocol"),
        (sends(b"220 mail.example ESMTP\r\n"), "protocol"),
        (sends(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12"), "protocol: two lengths"),
        (sends(b""), "closed"),
        (resets, "reset"),
    ],
)
async def test_what_is_no_whole_page_is_a_fail(attempt: AttemptFunction, script: Script, reason: str) -> None:
    timeout = SHORT if reason == "timeout" else 5.0
    async with ScriptedServer(script) as server:
        seen = await attempt("http", timeout, url=server.url())
    assert (seen.outcome, seen.reason, seen.latency_us) == (Outcome.FAIL, reason, None)


async def test_one_attempt_is_one_request(attempt: AttemptFunction) -> None:
    async with ScriptedServer(sends(b"")) as server:
        await attempt("http", url=server.url())
        assert server.connections == 1


async def test_every_attempt_has_a_connection_of_its_own(attempt: AttemptFunction) -> None:
    async with ScriptedServer(PageServer({"/": page(headers="Connection: keep-alive\r\n")})) as server:
        for _ in range(3):
            assert (await attempt("http", url=server.url())).outcome is Outcome.OK
        assert server.connections == 3


async def test_many_attempts_at_once_keep_their_trails_apart(attempt: AttemptFunction) -> None:
    pages = {f"/{n}": page(status=f"{500 + n} Odd") for n in range(50)}
    async with ScriptedServer(PageServer(pages)) as server:
        seen = await asyncio.gather(*(attempt("http", url=server.url(path)) for path in pages))
    assert [each.reason for each in seen] == [f"status: {500 + n}" for n in range(50)]
    assert {len(each.steps) for each in seen} == {4}


async def test_nobody_who_listens_is_a_fail(attempt: AttemptFunction) -> None:
    with closed_port() as port:
        seen = await attempt("http", url=f"http://127.0.0.1:{port}/")
    assert (seen.outcome, seen.reason) == failed("refused")


async def test_a_connection_that_is_never_taken_is_a_fail(attempt: AttemptFunction) -> None:
    with full_backlog() as port:
        seen = await attempt("http", SHORT, url=f"http://127.0.0.1:{port}/")
    assert (seen.outcome, seen.reason) == failed("timeout")
    assert seen.steps[-1].name == "connect"


async def test_redirects_are_followed_to_the_page(attempt: AttemptFunction) -> None:
    async with ScriptedServer(
        PageServer({"/": redirect("/next"), "/next": redirect("last"), "/last": page(b"here")})
    ) as server:
        seen = await attempt("http", url=server.url(), expect="here")
    assert seen.outcome is Outcome.OK
    assert [step.name for step in seen.steps].count("connect") == 3


async def test_a_redirect_that_is_not_followed_is_judged_by_its_own_status(attempt: AttemptFunction) -> None:
    async with ScriptedServer(PageServer({"/": redirect("/next")})) as server:
        seen = await attempt("http", url=server.url(), follow_redirects=False, status=("200",))
    assert (seen.outcome, seen.reason) == failed("status: 302")


@pytest.mark.parametrize(
    ("to", "reason"),
    [("/", "redirect: too many"), ("mailto:me", "redirect: to nowhere"), ("http://:x/", "redirect: to nowhere")],
)
async def test_a_redirect_that_leads_nowhere_is_a_fail(attempt: AttemptFunction, to: str, reason: str) -> None:
    async with ScriptedServer(PageServer({"/": redirect(to)})) as server:
        seen = await attempt("http", url=server.url())
    assert (seen.outcome, seen.reason) == failed(reason)


async def test_ten_redirects_are_followed_and_an_eleventh_is_not(attempt: AttemptFunction) -> None:
    pages = {f"/{n}": redirect(f"/{n + 1}") for n in range(11)} | {"/11": page()}
    async with ScriptedServer(PageServer(pages)) as server:
        seen = await attempt("http", url=server.url("/1"))
        assert (await attempt("http", url=server.url("/0"))).reason == "redirect: too many"
    assert seen.outcome is Outcome.OK


async def test_a_proxy_of_the_environment_is_not_used(
    attempt: AttemptFunction, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ScriptedServer(PageServer({"/": page()})) as server, ScriptedServer(resets) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url())
        assert (await attempt("http", url=server.url())).outcome is Outcome.OK
        assert proxy.connections == 0


async def test_headers_may_be_long(attempt: AttemptFunction) -> None:
    async with ScriptedServer(
        PageServer({"/": page(headers=f"Content-Security-Policy: {'a' * 20_000}\r\n")})
    ) as server:
        assert (await attempt("http", url=server.url())).outcome is Outcome.OK


@pytest.mark.parametrize(
    ("body", "headers", "found"),
    [
        (b"all is well", "", True),
        (b"all is ill", "", False),
        (b"", "", False),
        ("doğru: all is well".encode(), "", True),
        (gzip.compress(b"all is well", mtime=0), "Content-Encoding: gzip\r\n", True),
        (b"-" * (MAX_BODY_SIZE - 11) + b"all is well" + b"-" * 10, "", True),
        (b"-" * MAX_BODY_SIZE + b"all is well", "", False),
    ],
)
async def test_the_expected_text_must_stand_in_the_body(
    attempt: AttemptFunction, body: bytes, headers: str, *, found: bool
) -> None:
    async with ScriptedServer(PageServer({"/": page(body, headers=headers)})) as server:
        seen = await attempt("http", url=server.url(), expect="all is well")
    assert (seen.outcome, seen.reason) == ((Outcome.OK, "") if found else failed("content: text not found"))


@pytest.mark.parametrize(
    ("encoding", "headers"),
    [
        ("utf-8", ""),
        ("cp1254", ""),
        ("utf-16-le", "Content-Type: text/html; charset=utf-16-le\r\n"),
        ("utf-8", "Content-Type: text/html; charset=unheard-of\r\n"),
    ],
)
async def test_the_expected_text_is_found_in_the_encodings_of_turkish_pages(
    attempt: AttemptFunction, encoding: str, headers: str
) -> None:
    async with ScriptedServer(
        PageServer({"/": page("Hoş geldiniz, iyi günler".encode(encoding), headers=headers)})
    ) as server:
        assert (await attempt("http", url=server.url(), expect="Hoş geldiniz")).outcome is Outcome.OK


async def test_a_body_without_end_is_read_to_the_most_that_is_read(attempt: AttemptFunction) -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(bytes(65536))
            await writer.drain()

    async with ScriptedServer(endless) as server:
        assert (await attempt("http", url=server.url())).outcome is Outcome.OK


async def test_a_name_is_looked_up_by_our_resolver_and_stays_the_name_that_is_asked_for(
    instruments: ProbeResources,
) -> None:
    site = PageServer({"/": page()})
    async with ScriptedServer(site) as server:
        resolver = Resolver(SystemClock(), lambda _: (Address(socket.AF_INET, "127.0.0.1"),))
        client = HttpClient(resolver)
        tools = ProbeResources(instruments.clock, instruments.pinger, resolver, client)
        check_type = CHECK_TYPES["http"]
        url = server.url(host="www.acme.example")
        seen = await check_type.build(check_type.settings(url=url), tools).attempt(Target("127.0.0.2"), 5.0)
        await client.aclose()
    assert seen.outcome is Outcome.OK
    assert [step.name for step in seen.steps] == ["resolve", "connect", "send", "first-byte", "body"]
    assert f"Host: www.acme.example:{server.port}\r\n" in site.requests[0]


async def test_a_name_that_nobody_knows_is_the_monitors_fault(instruments: ProbeResources) -> None:
    resolver = Resolver(SystemClock(), lambda _: ())
    client = HttpClient(resolver)
    tools = ProbeResources(instruments.clock, instruments.pinger, resolver, client)
    check_type = CHECK_TYPES["http"]
    probe = check_type.build(check_type.settings(url="http://www.acme.example/"), tools)
    seen = await probe.attempt(Target("127.0.0.1"), 5.0)
    await client.aclose()
    assert (seen.outcome, seen.reason) == (Outcome.UNKNOWN, "name not resolved")


async def test_an_exchange_that_ends_after_its_caller_was_cancelled_reports_to_nobody(
    instruments: ProbeResources, attempt: AttemptFunction, caplog: pytest.LogCaptureFixture
) -> None:
    asked = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()

    async with ScriptedServer(silent) as server:
        caller = asyncio.ensure_future(attempt("http", url=server.url()))
        await asked.wait()
        caller.cancel()
        await instruments.http.aclose()
        with pytest.raises(asyncio.CancelledError):
            await caller
    assert caplog.messages == []
