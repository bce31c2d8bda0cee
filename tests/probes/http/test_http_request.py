"""Where redirects may lead."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from monitor.clock import SystemClock
from monitor.model import Outcome
from monitor.probes.check_types import CHECK_TYPES
from monitor.probes.http.client import HttpClient
from monitor.probes.http.request import is_reachable_by_redirect
from monitor.probes.net.address import Address
from monitor.probes.net.resolver import Resolver
from monitor.probes.probe import Target
from monitor.probes.resources import ProbeResources
from tests.probes.scripted_server import PageServer, ScriptedServer, redirect

if TYPE_CHECKING:
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
