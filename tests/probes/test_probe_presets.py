"""Presets for software that does not run here, by bytes as the documents of its protocols have them.

HTTP is that of RFC 9110 and 9112, SMTP that of RFC 5321, TDS that of [MS-TDS] 2.2.6.5; headers and statuses are such as
these products answer by.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from monitor.model import Outcome
from monitor.probes.presets import PRESETS
from tests.probes.database.recorded_replies import mssql_reply, plays
from tests.probes.scripted_server import ScriptedServer, page

if TYPE_CHECKING:
    import asyncio
    from pathlib import Path

    from tests.probes.conftest import AttemptFunction
    from tests.probes.scripted_server import Script

BY_NAME = {preset.name: preset for preset in PRESETS}


def chunked(body: bytes, headers: str, status: str = "200 OK") -> bytes:
    head = f"HTTP/1.1 {status}\r\nTransfer-Encoding: chunked\r\n{headers}\r\n".encode()
    return head + f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"


def until_the_end(body: bytes, status: str, headers: str) -> bytes:
    """Give an answer without a length: its end is that of the connection."""
    return f"HTTP/1.1 {status}\r\n{headers}Connection: close\r\n\r\n".encode() + body


IIS = "Server: Microsoft-IIS/10.0\r\nX-Powered-By: ASP.NET\r\n"
KERNEL = "Content-Type: text/html; charset=us-ascii\r\nServer: Microsoft-HTTPAPI/2.0\r\nConnection: close\r\n"
LITESPEED = 'Server: LiteSpeed\r\nalt-svc: h3=":443"; ma=2592000\r\n'
CPANEL = 'Server: cpsrvd\r\nContent-Type: text/html; charset="utf-8"\r\nCache-Control: no-cache, no-store\r\n'
PLESK = "Server: sw-cp-server\r\nExpires: Fri, 28 May 1999 00:00:00 GMT\r\n"
DIRECTADMIN = "Server: DirectAdmin Daemon v1.650 Registered to Acme\r\nX-Frame-Options: sameorigin\r\n"

PAGES: dict[str, list[tuple[str, dict[str, bytes], str]]] = {
    "iis": [
        ("a page", {"/": page(b"<html>iisstart.png</html>", headers=f'{IIS}ETag: "7d9e:0"\r\n')}, ""),
        ("a page of an application", {"/": chunked(b"<html>", f"{IIS}X-AspNet-Version: 4.0.30319\r\n")}, ""),
        (
            "a redirect to the default document",
            {"/": page(b"", "302 Found", f"{IIS}Location: /Default.aspx\r\n"), "/Default.aspx": page(headers=IIS)},
            "",
        ),
        ("a stopped application pool", {"/": page(b"<h2>", "503 Service Unavailable", KERNEL)}, "status: 503"),
        ("no site of that name", {"/": page(b"<h2>", "400 Bad Request", KERNEL)}, "status: 400"),
        ("an application that fails", {"/": page(b"<h1>", "500 Internal Server Error", IIS)}, "status: 500"),
        (
            "nobody without a login",
            {"/": page(b"", "401 Unauthorized", f"{IIS}WWW-Authenticate: NTLM\r\n")},
            "status: 401",
        ),
    ],
    "litespeed": [
        ("a page", {"/": chunked(b"<html>", LITESPEED)}, ""),
        ("a resource limit", {"/": page(b"", "508 Resource Limit Is Reached", LITESPEED)}, "status: 508"),
        ("no PHP", {"/": page(b"", "503 Service Unavailable", LITESPEED)}, "status: 503"),
    ],
    "cpanel": [
        ("the login page", {"/": until_the_end(b"<html>cPanel Login", "200 OK", CPANEL)}, ""),
        (
            "a redirect to the login page",
            {
                "/": page(b"", "301 Moved", f"{CPANEL}Location: /login/\r\n"),
                "/login/": until_the_end(b"<", "200 OK", CPANEL),
            },
            "",
        ),
        ("access denied", {"/": until_the_end(b"<html>", "401 Access Denied", CPANEL)}, "status: 401"),
        ("a failing service", {"/": until_the_end(b"", "500 Internal Server Error", CPANEL)}, "status: 500"),
    ],
    "cpanel-whm": [
        ("the login page", {"/": until_the_end(b"<html>WHM Login", "200 OK", CPANEL)}, ""),
        ("forbidden", {"/": until_the_end(b"<html>", "403 Forbidden", CPANEL)}, "status: 403"),
    ],
    "plesk": [
        (
            "a redirect to the login page",
            {
                "/": page(b"", "303 See Other", f"{PLESK}Location: /login_up.php\r\n"),
                "/login_up.php": chunked(b"<html>Plesk", PLESK),
            },
            "",
        ),
        ("no engine behind it", {"/": page(b"<html>", "502 Bad Gateway", PLESK)}, "status: 502"),
        ("a panel that is being upgraded", {"/": page(b"", "503 Service Unavailable", PLESK)}, "status: 503"),
    ],
    "directadmin": [
        ("the login page", {"/": page(b"<html>DirectAdmin Login", headers=DIRECTADMIN)}, ""),
        (
            "a redirect to the login page",
            {"/": page(b"", "302 Found", f"{DIRECTADMIN}Location: /evo/\r\n"), "/evo/": page(headers=DIRECTADMIN)},
            "",
        ),
        ("an address on the blacklist", {"/": b""}, "closed"),
        ("an internal error", {"/": page(b"", "500 Internal Server Error", DIRECTADMIN)}, "status: 500"),
    ],
}
"""By preset: what it is, the answer by path, the reason."""

GREETING = b"220 mail.acme.example ESMTP MailEnable Service, Version: 10.44 ready at 11/24/26 09:12:24\r\n"
KNOWN = (
    b"250-mail.acme.example [127.0.0.1], this server offers 5 extensions\r\n"
    b"250-AUTH LOGIN CRAM-MD5\r\n250-SIZE 40960000\r\n250-HELP\r\n250-AUTH=LOGIN\r\n250 STARTTLS\r\n"
)
TALKS: dict[str, list[tuple[str, tuple[bytes, ...], str]]] = {
    "mailenable": [
        ("a mail server", (GREETING, KNOWN, b"221 2.0.0 Service closing transmission channel\r\n"), ""),
        ("too many connections", (b"421 Service not available, too many connections\r\n",), "status: 421"),
        (
            "an address that is blocked",
            (b"554 Transaction failed. Listed in connection control list\r\n",),
            "status: 554",
        ),
        ("what knows HELO only", (GREETING, b"502 Command not implemented\r\n", b"250 mail\r\n", b"221 bye\r\n"), ""),
        ("what knows no HELO either", (GREETING, *[b"502 Command not implemented\r\n"] * 2), "status: 502"),
    ],
    "mssql": [
        ("encryption is possible", (b"", mssql_reply(0)), ""),
        ("encryption is not supported", (b"", mssql_reply(2)), ""),
        ("encryption is required", (b"", mssql_reply(3)), ""),
        ("a token stream instead", (b"", b"\x04\x01\x00\x15\x00\x34\x01\x00" + b"\xfd" + bytes(12)), "protocol"),
    ],
}
"""By preset: what it is, what is said in turn, the reason."""


def by_path(answers: dict[str, bytes]) -> Script:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        writer.write(answers[request.split(" ")[1]])
        await writer.drain()

    return script


@pytest.mark.parametrize(
    ("name", "answers", "reason"),
    [
        pytest.param(name, answers, reason, id=f"{name} {what}")
        for name, cases in PAGES.items()
        for what, answers, reason in cases
    ],
)
async def test_a_panel_or_web_server_is_judged_by_its_page(
    attempt: AttemptFunction, tmp_path: Path, name: str, answers: dict[str, bytes], reason: str
) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    keys: dict[str, Any] = {**dict(BY_NAME[name].keys), "ca_file": tmp_path / "ca.pem"}
    async with ScriptedServer(by_path(answers), context) as server:
        seen = await attempt(BY_NAME[name].type, **{**keys, "url": server.url(scheme="https")})
    assert (seen.outcome, seen.reason) == (Outcome.FAIL if reason else Outcome.OK, reason), seen.steps


@pytest.mark.parametrize(
    ("name", "says", "reason"),
    [
        pytest.param(name, says, reason, id=f"{name} {what}")
        for name, cases in TALKS.items()
        for what, says, reason in cases
    ],
)
async def test_a_server_is_judged_by_what_it_says(
    attempt: AttemptFunction, name: str, says: tuple[bytes, ...], reason: str
) -> None:
    async with ScriptedServer(plays(*says)) as server:
        seen = await attempt(BY_NAME[name].type, **{**dict(BY_NAME[name].keys), "port": server.port})
    assert (seen.outcome, seen.reason) == (Outcome.FAIL if reason else Outcome.OK, reason), seen.steps


def test_every_preset_whose_software_does_not_run_here_is_tried_by_bytes() -> None:
    run_here = {"apache", "exim", "mysql"}
    assert {*PAGES, *TALKS} == {preset.name for preset in PRESETS} - run_here
