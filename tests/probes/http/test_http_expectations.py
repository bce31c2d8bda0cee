"""What is asked of a web server beyond a page that comes, and what is expected of its answer."""

from __future__ import annotations

import asyncio
import base64
import socket
from typing import TYPE_CHECKING, Any

import pytest

from monitor.clock import SystemClock
from monitor.model import Outcome
from monitor.probes.check_types import CHECK_TYPES
from monitor.probes.http.client import HttpClient
from monitor.probes.net.address import Address
from monitor.probes.net.resolver import Resolver
from monitor.probes.probe import Target
from monitor.probes.resources import ProbeResources
from tests.probes.scripted_server import PageServer, ScriptedServer, page, redirect

if TYPE_CHECKING:
    from pathlib import Path

    from tests.probes.conftest import AttemptFunction

BODY = b'{"data": {"items": [{"state": "ok", "count": 3, "up": true}]}, "note": "line one\\nREADY 42"}'
TYPED = page(BODY, headers="Content-Type: application/json; charset=utf-8\r\nX-Cache: MISS\r\nX-Cache: HIT\r\n")


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"forbid": "Fatal error"}, ""),
        ({"forbid": "READY"}, "content: forbidden text"),
        ({"expect": "READY", "forbid": "Fatal"}, ""),
        ({"expect_headers": ("Content-Type: application/json",)}, ""),
        ({"expect_headers": ("content-type: charset=utf-8", "X-CACHE: HIT")}, ""),
        ({"expect_headers": ("X-Cache: STALE",)}, "content: header not found"),
        ({"expect_headers": ("X-Other: ",)}, "content: header not found"),
        ({"expect_json": ('data.items[0].state = "ok"', "data.items[0].count = 3", "$.data.items[0].up = true")}, ""),
        ({"expect_json": ("data.items[0].state = ok",)}, ""),
        ({"expect_json": ("data.items[0].count = 4",)}, "content: JSON differs"),
        ({"expect_json": ("data.items[0].up = 1",)}, "content: JSON differs"),
        ({"expect_json": ("data.items[1].up = true",)}, "content: JSON differs"),
        ({"expect_json": ("data[0] = 1",)}, "content: JSON differs"),
        ({"expect_json": ("note.x = 1",)}, "content: JSON differs"),
        ({"expect_pattern": "READY [0-9]+"}, ""),
        ({"expect_pattern": "READY [a-z]+"}, "content: pattern not found"),
        ({"expect_pattern": "READY", "status": ("404",)}, "status: 200"),
    ],
)
async def test_what_is_expected_is_there_or_it_is_a_failure_with_that_word(
    attempt: AttemptFunction, keys: dict[str, Any], reason: str
) -> None:
    async with ScriptedServer(PageServer({"/": TYPED})) as server:
        seen = await attempt("http", url=server.url(), **keys)
    assert (seen.outcome, seen.reason) == (Outcome.FAIL if reason else Outcome.OK, reason)
    assert (seen.latency_us is None) is bool(reason)


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff"])
async def test_text_is_found_in_a_page_whose_mark_tells_the_order_of_bytes(
    attempt: AttemptFunction, mark: bytes
) -> None:
    body = mark + "sunucu çalışıyor".encode("utf-16-le" if mark == b"\xff\xfe" else "utf-16-be")
    async with ScriptedServer(
        PageServer({"/": page(body, headers="Content-Type: text/html; charset=utf-16\r\n")})
    ) as server:
        seen = await attempt("http", url=server.url(), expect="çalışıyor")
    assert (seen.outcome, seen.reason) == (Outcome.OK, "")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[" * 100_000, b"\xff\xfe\x00"])
async def test_a_body_that_is_no_json_is_a_failure(attempt: AttemptFunction, body: bytes) -> None:
    async with ScriptedServer(PageServer({"/": page(body)})) as server:
        seen = await attempt("http", url=server.url(), expect_json=("a = 1",))
    assert (seen.outcome, seen.reason) == (Outcome.FAIL, "content: no JSON")


async def test_a_search_without_end_is_the_expressions_fault_and_holds_nobody_up(attempt: AttemptFunction) -> None:
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.005)
            beats += 1

    heart = asyncio.create_task(beat())
    async with ScriptedServer(PageServer({"/": page(b"a" * 50_000 + b"!")})) as server:
        seen = await attempt("http", url=server.url(), expect_pattern="(a|aa)+$")
    heart.cancel()
    assert (seen.outcome, seen.reason) == (Outcome.UNKNOWN, "expression too slow")
    assert beats > 5


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("OPTIONS", page(b"")),
        ("POST", page(b"done")),
    ],
)
async def test_another_method_is_asked_with_and_a_head_has_no_body(
    attempt: AttemptFunction, method: str, answer: bytes
) -> None:
    site = PageServer({"/": answer})
    async with ScriptedServer(site) as server:
        seen = await attempt("http", url=server.url(), method=method)
    assert (seen.outcome, seen.reason) == (Outcome.OK, "")
    assert site.requests[0].startswith(f"{method} / HTTP/1.1\r\n")
    assert ("Content-Length: 0\r\n" in site.requests[0]) is (method == "POST")


@pytest.mark.parametrize(("status", "then"), [("302 Found", "GET"), ("307 Temporary Redirect", "POST")])
async def test_a_redirect_keeps_the_method_where_it_says_so(attempt: AttemptFunction, status: str, then: str) -> None:
    site = PageServer({"/": page(b"", status, "Location: /there\r\n"), "/there": page()})
    async with ScriptedServer(site) as server:
        await attempt("http", url=server.url(), method="POST")
    assert [request.split()[0] for request in site.requests] == ["POST", then]


async def test_the_login_is_sent_to_the_pages_own_place_alone(attempt: AttemptFunction, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("çok gizli\n")
    other = PageServer({"/": page()})
    async with ScriptedServer(other) as elsewhere:
        site = PageServer({"/": redirect("/inside"), "/inside": redirect(elsewhere.url())})
        async with ScriptedServer(site) as server:
            seen = await attempt("http", url=server.url(), user="sla", password_file=password)
    assert seen.outcome is Outcome.OK
    login = f"Authorization: Basic {base64.b64encode('sla:çok gizli'.encode()).decode()}\r\n"
    assert [login in request for request in [*site.requests, *other.requests]] == [True, True, False]
    assert not [step for step in seen.steps if "gizli" in step.text or "Basic" in step.text]


async def test_without_its_password_a_page_is_not_asked_for(attempt: AttemptFunction, tmp_path: Path) -> None:
    async with ScriptedServer(PageServer({"/": page()})) as server:
        seen = await attempt("http", url=server.url(), user="sla", password_file=tmp_path / "missing")
        assert server.connections == 0
    assert (seen.outcome, seen.reason) == (Outcome.UNKNOWN, "password not readable")


async def test_the_address_is_connected_to_and_the_urls_host_is_asked_for(attempt: AttemptFunction) -> None:
    site = PageServer({"/": redirect("/there"), "/there": page()})
    async with ScriptedServer(site) as server:
        url = server.url(host="www.acme.invalid")
        seen = await attempt("http", url=url, address="127.0.0.1")
    assert (seen.outcome, seen.reason) == (Outcome.OK, "")
    assert [f"Host: www.acme.invalid:{server.port}\r\n" in request for request in site.requests] == [True, True]


def both_families(_host: str) -> tuple[Address, ...]:
    return (Address(socket.AF_INET6, "::1"), Address(socket.AF_INET, "127.0.0.1"))


@pytest.mark.parametrize("kind", ["http", "tcp"])
@pytest.mark.parametrize(("family", "works"), [("any", True), ("4", True), ("6", False)])
async def test_a_family_that_is_pinned_is_the_only_one_that_is_tried(
    instruments: ProbeResources, kind: str, family: str, *, works: bool
) -> None:
    async with ScriptedServer(PageServer({"/": page()})) as server:  # which listens on IPv4
        resolver = Resolver(SystemClock(), both_families)
        tools = ProbeResources(instruments.clock, instruments.pinger, resolver, HttpClient(resolver))
        keys: dict[str, Any] = {"port": server.port} if kind == "tcp" else {"url": server.url(host="both.example")}
        probe = CHECK_TYPES[kind].build(CHECK_TYPES[kind].settings(family=family, **keys), tools)
        seen = await probe.attempt(Target("both.example"), 5.0)
    assert (seen.outcome is Outcome.OK) is works
    if not works:
        assert seen.reason in {"refused", "no local address", "no route", "address family not supported"}


async def test_a_name_without_an_address_of_the_family_says_nothing_about_the_server(attempt: AttemptFunction) -> None:
    seen = await attempt("tcp", server="127.0.0.1", port=1, family="6")
    assert (seen.outcome, seen.reason) == (Outcome.UNKNOWN, "no address of that family")
