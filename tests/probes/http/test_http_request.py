"""What is sent, and where redirects may lead."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

from monitor.clock import SystemClock
from monitor.model import Outcome
from monitor.probes.check_types import CHECK_TYPES
from monitor.probes.http.client import HttpClient
from monitor.probes.http.request import build_request, headers_of, is_reachable_by_redirect
from monitor.probes.http.settings import HttpSettings
from monitor.probes.net.address import Address
from monitor.probes.net.resolver import Resolver
from monitor.probes.probe import Target
from monitor.probes.redaction import MASK, Redactor
from monitor.probes.resources import ProbeResources
from tests.probes.scripted_server import PageServer, ScriptedServer, page, redirect

if TYPE_CHECKING:
    import asyncio

    from tests.probes.conftest import AttemptFunction


def address(host: str) -> Address:
    return Address(socket.AF_INET6 if ":" in host else socket.AF_INET, host)


@pytest.mark.parametrize(
    ("to", "origin", "is_reachable"),
    [
        ("198.51.100.1", "192.0.2.1", True),
        ("10.0.0.1", "192.0.2.1", True),
        ("127.0.0.1", "192.0.2.1", False),
        ("127.8.9.1", "10.0.0.1", False),
        ("::1", "2001:db8::1", False),
        ("::ffff:127.0.0.1", "192.0.2.1", False),
        ("169.254.169.254", "192.0.2.1", False),
        ("fe80::1", "2001:db8::1", False),
        ("169.254.169.254", "127.0.0.1", False),
        ("127.0.0.1", "169.254.1.1", False),
        ("127.0.0.1", "127.0.0.2", True),
        ("::1", "127.0.0.1", True),
        ("169.254.1.2", "169.254.1.1", True),
        ("198.51.100.1", "127.0.0.1", True),
    ],
)
def test_a_redirect_leads_to_a_local_address_only_from_one_of_its_kind(
    to: str, origin: str, *, is_reachable: bool
) -> None:
    assert is_reachable_by_redirect(address(to), address(origin)) is is_reachable


@pytest.mark.parametrize("to", ["http://169.254.169.254/meta-data/", "http://0xA9FEA9FE/", "//[::ffff:a9fe:a9fe]/"])
async def test_a_redirect_to_an_address_of_the_link_is_the_servers_fault(attempt: AttemptFunction, to: str) -> None:
    async with ScriptedServer(PageServer({"/": redirect(to)})) as server:
        seen = await attempt("http", url=server.url())
    assert (seen.outcome, seen.reason) == (Outcome.FAIL, "redirect: to nowhere")


async def test_a_name_of_an_address_of_the_link_is_refused_too(instruments: ProbeResources) -> None:
    async with ScriptedServer(PageServer({"/": redirect("http://metadata.example/")})) as server:
        resolver = Resolver(SystemClock(), lambda _: (address("169.254.169.254"),))
        client = HttpClient(resolver)
        tools = ProbeResources(instruments.clock, instruments.pinger, resolver, client)
        check_type = CHECK_TYPES["http"]
        probe = check_type.build(check_type.settings(url=server.url()), tools)
        seen = await probe.attempt(Target("127.0.0.1"), 5.0)
        await client.aclose()
    assert (seen.outcome, seen.reason) == (Outcome.FAIL, "redirect: to nowhere")


async def test_a_post_sends_its_body_and_headers_replace_the_checks_own(attempt: AttemptFunction) -> None:
    requests = []

    async def site(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        requests.append((head.decode(), (await reader.readexactly(11)).decode()))
        writer.write(page(b"your key is top-secret-key"))

    async with ScriptedServer(site) as server:
        seen = await attempt(
            "http",
            url=server.url(),
            method="POST",
            body='{"a": "ş"}',
            headers=("User-Agent: Mozilla/5.0 (ş)", "content-type: application/json", "X-Api-Key: top-secret-key"),
        )
    [(head, body)] = requests
    assert (seen.outcome, body) == (Outcome.OK, '{"a": "ş"}')
    lines = head.split("\r\n")
    assert {"User-Agent: Mozilla/5.0 (ş)", "content-type: application/json", "X-Api-Key: top-secret-key"} < set(lines)
    assert "Content-Length: 11" in lines
    assert sum(line.lower().startswith("user-agent") for line in lines) == 1
    shown = "\n".join(step.text for step in seen.steps)
    assert "Mozilla/5.0 (ş)" in shown
    assert "X-Api-Key: ********" in shown
    assert "top-secret-key" not in shown


@pytest.mark.parametrize(
    ("status", "method", "has_body"), [(302, "GET", False), (303, "GET", False), (307, "POST", True)]
)
def test_a_redirect_keeps_the_body_with_the_method(status: int, method: str, *, has_body: bool) -> None:
    request = build_request("http://a.example/", "POST", body="hello").redirect_to(b"/b", status)
    assert request.encoded.startswith(method.encode())
    assert request.encoded.endswith(b"hello") is has_body


@pytest.mark.parametrize(
    ("location", "has_key"), [(b"/b", True), (b"https://a.example/", False), (b"//b.example/", False)]
)
def test_private_headers_do_not_go_to_another_origin(location: bytes, *, has_key: bool) -> None:
    headers = headers_of((("X-Api-Key", "secret"), ("User-Agent", "Me")))
    request = build_request("http://a.example/", headers=headers).redirect_to(location, 302)
    assert (b"X-Api-Key: secret\r\n" in request.encoded) is has_key
    assert b"User-Agent: Me\r\n" in request.encoded


@pytest.mark.parametrize(
    ("text", "is_allowed"),
    [
        ("User-Agent: Mozilla/5.0", True),
        ("X-Empty:", True),
        ("X-Name: ş", True),
        ("Authorization: Bearer x", True),
        ("Host: b.example", False),
        ("cookie: a=b", False),
        ("Content-Length: 5", False),
        ("Transfer-Encoding: chunked", False),
        ("no colon", False),
        ("X Y: z", False),
        ("X: a\r\nY: b", False),
        ("X: a\nY: b", False),
    ],
)
def test_a_header_is_one_line_that_leaves_the_request_whole(text: str, *, is_allowed: bool) -> None:
    assert HttpSettings.__dataclass_fields__["headers"].metadata["check"]((text,)) is is_allowed


@pytest.mark.parametrize(
    ("keys", "at_fault"),
    [
        ({"body": "x"}, "body"),
        ({"body": "x", "method": "HEAD"}, "body"),
        ({"body": "x", "method": "POST"}, None),
        ({"headers": ("Authorization: Bearer x",)}, "headers"),
        ({"headers": ("Authorization: Bearer x",), "address": "127.0.0.1"}, None),
        ({"headers": ("authorization: x",), "address": "127.0.0.1", "user": "x", "password_file": "p"}, "headers"),
    ],
)
def test_keys_that_do_not_fit_each_other_are_refused(keys: dict[str, Any], at_fault: str | None) -> None:
    refused = HttpSettings(url="http://a.example/", **keys).validate("192.0.2.1")
    assert (refused and refused[0]) == at_fault


@pytest.mark.parametrize("secret", ["50% off|x[1]^{y}", "a b\\c\"d'e", "ş%20&+?", "x`y~z"])
@pytest.mark.parametrize("place", ["/{}", "/?{}"])
def test_a_secret_that_a_redirect_repeats_is_hidden_in_the_request(secret: str, place: str) -> None:
    redactor = Redactor()
    redactor.add_secrets(secret)
    request = build_request("http://a.example/").redirect_to(place.format(secret).encode(), 302)
    [shown] = redactor(request.displayed).splitlines()[:1]
    assert shown == f"GET {place.format(MASK)} HTTP/1.1"
