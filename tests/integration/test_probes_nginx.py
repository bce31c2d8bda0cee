"""Pages of a real nginx on the other side of a cable."""

from __future__ import annotations

import asyncio
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from monitor.clock import SystemClock
from monitor.model import Outcome
from monitor.probes.check_types import CHECK_TYPES
from monitor.probes.probe import Attempt, Target
from monitor.probes.resources import open_resources
from tests.fakes import cert_expiry
from tests.integration.network_lab import WAIT_TIMEOUT, NetworkLab, lab, skip_reason

if TYPE_CHECKING:
    from collections.abc import Iterator

_REASON = skip_reason("nginx")
pytestmark = [pytest.mark.integration, pytest.mark.skipif(bool(_REASON), reason=_REASON or "can run")]

_CONFIGURATION = """
daemon off; worker_processes 1; user root; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 128; }}
http {{
  access_log {folder}/access.log;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  gzip on; gzip_min_length 1;
  server {{
    listen 80; listen [::]:80; listen 443 ssl; listen [::]:443 ssl;
    ssl_certificate {folder}/chain.pem; ssl_certificate_key {folder}/chain.pem;
    root {folder}/www;
    location /500 {{ return 500; }}
    location /redirect {{ return 302 /index.html; }}
    location /secure {{ return 301 https://$host/; }}
    location /empty {{ return 204; }}
    location /drop {{ return 444; }}
  }}
}}
"""


@dataclass(frozen=True)
class Web:
    """A network whose server 0 runs nginx."""

    net: NetworkLab
    ca_file: Path
    process: subprocess.Popen[bytes]

    def attempt(self, kind: str, url: str, timeout: float = 10.0, **keys: Any) -> Attempt:
        async def once() -> Attempt:
            async with open_resources(SystemClock()) as instruments:
                check_type = CHECK_TYPES[kind]
                probe = check_type.build(check_type.settings(url=url, **keys), instruments)
                return await probe.attempt(Target(self.net.address(1)), timeout)

        return self.net.run_in_namespace(once())


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    folder = tmp_path_factory.mktemp("nginx")
    (folder / "www").mkdir()
    (folder / "www" / "index.html").write_text("<p>Hoş geldiniz</p>")
    with lab(servers=2) as net:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        certificate = authority.issue_cert(net.address(0), net.address6(0))
        certificate.private_key_and_cert_chain_pem.write_to_path(str(folder / "chain.pem"))
        (folder / "nginx.conf").write_text(_CONFIGURATION.format(folder=folder))
        command = net.server_command("nginx", "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log"))
        with subprocess.Popen(command) as process:
            made = Web(net, folder / "ca.pem", process)
            until = time.monotonic() + WAIT_TIMEOUT
            while made.attempt("http", f"http://{net.address(0)}/").outcome is not Outcome.OK:
                assert time.monotonic() < until, (folder / "error.log").read_text()
            yield made
            process.terminate()


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def judged(seen: Attempt) -> tuple[Outcome, str]:
    return (seen.outcome, seen.reason)


@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_a_page_comes_by_http_and_https(web: Web, family: str) -> None:
    host = web.net.address(0) if family == "IPv4" else f"[{web.net.address6(0)}]"
    plain = web.attempt("http", f"http://{host}/", expect="Hoş geldiniz")
    secure = web.attempt("https", f"https://{host}/", expect="Hoş geldiniz", ca_file=web.ca_file)
    assert judged(plain) == judged(secure) == (Outcome.OK, "")
    assert cert_expiry(plain) is None
    expiry = cert_expiry(secure)
    assert expiry is not None
    assert expiry > time.time()


@pytest.mark.parametrize(
    ("path", "result"),
    [
        ("/500", (Outcome.FAIL, "status: 500")),
        ("/missing", (Outcome.FAIL, "status: 404")),
        ("/redirect", (Outcome.OK, "")),
        ("/empty", (Outcome.OK, "")),
        ("/drop", (Outcome.FAIL, "closed")),
        ("/secure", (Outcome.FAIL, "tls_untrusted")),
    ],
)
def test_what_nginx_answers_is_what_is_seen(web: Web, path: str, result: tuple[Outcome, str]) -> None:
    assert judged(web.attempt("http", f"http://{web.net.address(0)}{path}")) == result


def test_a_text_that_is_not_on_the_page_is_a_fail(web: Web) -> None:
    seen = web.attempt("http", f"http://{web.net.address(0)}/", expect="bakımdayız")
    assert judged(seen) == (Outcome.FAIL, "content: text not found")


def test_a_server_that_stands_still_is_a_fail_though_it_takes_the_connection(web: Web) -> None:
    pids = subprocess.run(
        ["ip", "netns", "pids", web.net.servers], capture_output=True, text=True, check=True
    ).stdout.split()
    subprocess.run(["kill", "-STOP", *pids], check=True)
    seen = web.attempt("http", f"http://{web.net.address(0)}/", timeout=0.5)
    subprocess.run(["kill", "-CONT", *pids], check=True)
    assert judged(seen) == (Outcome.FAIL, "timeout")
    assert seen.steps[-1].name == "first-byte"
    assert judged(web.attempt("http", f"http://{web.net.address(0)}/")) == (Outcome.OK, "")


def test_many_checks_at_once_leave_no_descriptor_behind(web: Web) -> None:
    async def rounds() -> tuple[int, int, set[Outcome]]:
        async with open_resources(SystemClock()) as instruments:
            check_type = CHECK_TYPES["https"]
            settings = check_type.settings(url=f"https://{web.net.address(0)}/", ca_file=web.ca_file)
            probe = check_type.build(settings, instruments)
            target = Target(web.net.address(0))
            await probe.attempt(target, 10.0)
            before = descriptors()
            seen = await asyncio.gather(*(probe.attempt(target, 30.0) for _ in range(60)))
            await asyncio.sleep(0)
            return before, descriptors(), {each.outcome for each in seen}

    before, after, outcomes = web.net.run_in_namespace(rounds())
    assert outcomes == {Outcome.OK}
    assert after <= before
