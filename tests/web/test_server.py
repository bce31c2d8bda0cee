"""The web server, asked over a real socket."""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
import pytest
from multidict import CIMultiDict

from monitor.engine.live.state import CheckEntry, LiveState
from monitor.engine.live.telemetry import Telemetry
from monitor.errors import InputError
from monitor.web.metrics.exposition import ExpositionFormat
from monitor.web.server import DEFAULT_HEADERS, WebState, serve
from tests.fakes import FakeClock, replace_config
from tests.web.page_fixtures import make_result, metrics_page, parse_page, populated_state

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LOOPBACK = ("127.0.0.1", 0)
PUBLIC = "https://sla.example.com/"


class Visit:
    """A running site and somebody who asks it."""

    def __init__(self, board: LiveState, telemetry: Telemetry, url: str, session: aiohttp.ClientSession) -> None:
        self.board, self.telemetry, self.url, self.session = board, telemetry, url, session

    async def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        headers = {"Accept-Encoding": "identity", **headers}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(method, self.url + path, headers=named, allow_redirects=False) as answer:
            return answer.status, {str(name): value for name, value in answer.headers.items()}, await answer.read()


@asynccontextmanager
async def visit(
    listen: tuple[str, int] = LOOPBACK, picture: tuple[LiveState, Telemetry] | None = None
) -> AsyncIterator[Visit]:
    board, telemetry = picture or populated_state()
    async with (
        serve(WebState(board, telemetry, FakeClock()), listen, PUBLIC) as url,
        aiohttp.ClientSession(auto_decompress=False) as session,
    ):
        yield Visit(board, telemetry, url, session)


async def test_the_loop_turns() -> None:
    async with visit() as site:
        status, _, body = await site.ask("healthz")
        assert (status, body) == (200, b"alive\n")


async def test_readiness_is_a_status_and_a_list_of_remedies() -> None:
    async with visit() as site:
        site.telemetry.last_sweep_monotonic = None
        assert (await site.ask("readyz"))[0] == 200
        site.board.set_problem("store", "The disk is full: free some of it.")
        status, _, body = await site.ask("readyz")
        assert (status, body) == (503, b"not ready\nstore: The disk is full: free some of it.\n")


async def test_a_scrape_is_plain_text_unless_openmetrics_is_asked_for() -> None:
    async with visit() as site:
        for accept, form in (
            ("*/*", ExpositionFormat.TEXT),
            ("application/openmetrics-text; version=1.0.0", ExpositionFormat.OPENMETRICS),
        ):
            status, headers, body = await site.ask("metrics", Accept=accept)
            assert (status, headers["Content-Type"]) == (200, form.value)
            text = body.decode()
            assert text.startswith(metrics_page(site.board, site.telemetry, form).removesuffix("# EOF\n"))
            assert "process_cpu_seconds" in {family.name for family in parse_page(text, form)}


@pytest.mark.parametrize(
    ("wish", "encoding"),
    [
        ("gzip", "gzip"),
        ("deflate, GZIP;q=0.5", "gzip"),
        ("gzip;q=0", None),
        ("gzip;q=0.000, *", None),
        ("identity", None),
        ("xgzip", None),
        ("x-gzip", "gzip"),
        ("", None),
        ("gzip;q=0.1, identity;q=1", None),
        ("gzip;q=0.5, identity;q=0.2", "gzip"),
        ("gzip;q=0.5, *;q=1", None),
        ("identity;q=0, *", "gzip"),
    ],
)
async def test_a_scrape_is_compressed_for_those_who_ask(wish: str, encoding: str | None) -> None:
    async with visit() as site:
        _, headers, body = await site.ask("metrics", Accept_Encoding=wish)
        assert headers.get("Content-Encoding") == encoding
        text = (gzip.decompress(body) if encoding else body).decode()
        assert text.startswith(metrics_page(site.board, site.telemetry))


async def test_wishes_may_come_on_several_lines() -> None:
    async with visit() as site:
        lines = CIMultiDict([("Accept", "text/plain;q=0.5"), ("Accept", "application/openmetrics-text")])
        lines.extend([("Accept-Encoding", "identity;q=0.5"), ("Accept-Encoding", "gzip")])
        async with site.session.get(f"{site.url}metrics", headers=lines) as answer:
            assert answer.headers["Content-Type"] == ExpositionFormat.OPENMETRICS.value
            assert answer.headers["Content-Encoding"] == "gzip"
            assert answer.headers.getall("Vary") == ["Accept", "Accept-Encoding"]


async def test_the_loop_turns_while_a_large_scrape_is_made() -> None:
    board = LiveState()
    replace_config(board, [CheckEntry(f"server-{number}", "ping", "icmp", "::1") for number in range(20_000)], [])
    for key in board.checks:
        board.set_check_result(make_result(key))
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async with visit(picture=(board, Telemetry())) as site:
        turning = asyncio.create_task(turn())
        _, _, body = await site.ask("metrics")
        turning.cancel()
        assert body.count(b"\n") > 60_000
        assert turns >= 20


@pytest.mark.parametrize("path", ["", "metrics", "healthz", "readyz"])
async def test_every_answer_carries_the_headers_that_protect(path: str) -> None:
    async with visit() as site:
        for method in ("GET", "HEAD", "POST"):
            _, headers, _ = await site.ask(path, method)
            assert {name for name in DEFAULT_HEADERS if name not in headers} == set()
            assert headers["Server"] == "monitor"


async def test_the_page_may_use_its_own_style_and_nothing_else() -> None:
    async with visit() as site:
        _, headers, body = await site.ask("")
        assert headers["Content-Type"] == "text/html; charset=utf-8"
        assert "style-src 'sha256-" in headers["Content-Security-Policy"]
        assert b"web-01" in body


@pytest.mark.parametrize("path", ["", "metrics", "healthz", "readyz"])
async def test_a_head_is_the_answer_without_its_body(path: str) -> None:
    async with visit() as site:
        status, _, body = await site.ask(path, "HEAD")
        assert (status, body) == (200, b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_nothing_can_be_changed_from_outside(method: str) -> None:
    async with visit() as site:
        status, headers, _ = await site.ask("", method)
        assert (status, headers["Allow"]) == (405, "GET,HEAD")


@pytest.mark.parametrize("path", ["nothing", "metrics/", "..%2f..%2fetc%2fpasswd", "templates/page.html"])
async def test_what_is_not_there_is_told_in_a_few_words(path: str) -> None:
    async with visit() as site:
        status, _, body = await site.ask(path)
        assert (status, body) == (404, b"404: Not Found")


async def test_a_foreign_name_gets_nothing_but_a_sign_of_life() -> None:
    async with visit() as site:
        answers = [(await site.ask(path, Host="evil.example"))[0] for path in ("", "metrics", "healthz", "readyz")]
        assert answers == [421, 421, 200, 421]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1.evil.example:9809"}, 403),
        ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"}, 403),
        ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}, 200),
        ({"Sec_Fetch_Site": "same-origin", "Sec_Fetch_Mode": "cors"}, 200),
        ({"Origin": "http://localhost:9809"}, 200),
        ({"Origin": "https://sla.example.com"}, 200),
    ],
)
@pytest.mark.parametrize("path", ["", "metrics", "readyz"])
async def test_the_scripts_of_another_site_get_nothing(path: str, headers: dict[str, str], status: int) -> None:
    async with visit() as site:
        assert (await site.ask(path, **headers))[0] == status


async def test_metrics_and_health_are_for_other_machines_and_proxies_too() -> None:
    async with visit() as site:
        answers = [(await site.ask(path, X_Forwarded_For="198.51.100.9"))[0] for path in ("metrics", "readyz")]
        assert answers == [200, 200]


async def test_a_proxy_gets_no_page() -> None:
    async with visit() as site:
        status, _, body = await site.ask("", X_Forwarded_For="198.51.100.9")
        assert status == 403
        assert b"ssh -L" in body


async def test_what_leaves_the_configuration_leaves_every_page() -> None:
    async with visit() as site:
        replace_config(site.board, [], [])
        pages = [(await site.ask(path))[2] for path in ("", "metrics")]
        assert [name for name in (b"web-01", b"mail-01", b"acme", b"zeta") if name in pages[0] + pages[1]] == []


async def test_a_port_that_is_taken_is_an_error_that_names_the_setting() -> None:
    with socket.create_server(LOOPBACK) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=rf'^\[web\] listen = "127\.0\.0\.1:{port}": the address is in use'):
            async with visit(("127.0.0.1", port)):
                pass


@pytest.mark.parametrize(
    ("host", "why"),
    [("192.0.2.1", "this machine has no such address"), ("fe80::1%nowhere", "the name is not known")],
)
async def test_an_address_that_is_not_ours_is_an_error_that_names_the_setting(host: str, why: str) -> None:
    with pytest.raises(InputError) as raised:
        async with visit((host, 9809)):
            pass
    named = f"[{host}]" if ":" in host else host
    assert str(raised.value) == f'[web] listen = "{named}:9809": {why}'


async def test_the_port_is_free_again_afterwards() -> None:
    async with visit() as site:
        port = int(site.url.rsplit(":", 1)[1].rstrip("/"))
    async with visit(("127.0.0.1", port)) as again:
        assert (await again.ask("healthz"))[0] == 200


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize("path", ["/metrics", "/", "/readyz"])
@pytest.mark.parametrize("pause", [0.0, 0.005, 0.05])
async def test_a_client_that_hangs_up_early_leaves_no_error(
    path: str, pause: float, caplog: pytest.LogCaptureFixture
) -> None:
    board, telemetry = LiveState(), Telemetry()
    replace_config(board, [CheckEntry(f"web-{number:05d}", "ping", "icmp", "192.0.2.1") for number in range(5_000)], [])
    async with visit(picture=(board, telemetry)) as site:
        for reset in (True, False):
            client = socket.create_connection(("127.0.0.1", int(site.url.rsplit(":", 1)[1].strip("/"))))
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            await asyncio.sleep(pause)
            if reset:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
        assert (await site.ask("healthz"))[0] == 200
    assert [record.getMessage() for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []


async def test_every_address_means_ipv4_as_well() -> None:
    async with visit(("::", 0)) as site:
        port = site.url.rsplit(":", 1)[1]
        for host in ("127.0.0.1", "[::1]"):
            site.url = f"http://{host}:{port}"
            assert (await site.ask(""))[0] == 200
