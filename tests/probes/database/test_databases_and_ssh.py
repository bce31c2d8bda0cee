"""Databases and SSH by recorded bytes: what cannot be had of a real server at will, and what none runs here of."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import pytest

from monitor.model import Outcome
from tests.probes.database.recorded_replies import mssql_reply, plays
from tests.probes.scripted_server import ScriptedServer

if TYPE_CHECKING:
    import asyncio
    from pathlib import Path

    from tests.probes.conftest import AttemptFunction

GREETING = (
    b"\x0a8.0.36\0" + bytes(4) + b"12345678\0" + b"\xff\xf7" + b"\x21\x02\x00" + b"\xff\xdf" + b"\x15" + bytes(10)
) + b"123456789012\0caching_sha2_password\0"


def packet(number: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes([number]) + payload


def mysql_error(code: int) -> bytes:
    return b"\xff" + struct.pack("<H", code) + b"#08004Host 'x' is blocked\0secret"


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        ((packet(0, mysql_error(1129)),), "host_blocked"),
        ((packet(0, mysql_error(1040)),), "too_many_connections"),
        ((packet(0, mysql_error(1130)),), ""),
        ((packet(0, mysql_error(1053)),), "status: 1053"),
        ((packet(0, GREETING), packet(2, mysql_error(1045))), ""),
        ((packet(0, GREETING), packet(2, mysql_error(1040))), "too_many_connections"),
        (
            (
                packet(0, GREETING),
                packet(2, b"\xfemysql_native_password\0" + b"n" * 20 + b"\0"),
                packet(4, mysql_error(1045)),
            ),
            "",
        ),
        ((packet(0, GREETING), packet(2, b"\0\0\0\2\0\0\0")), ""),
        ((packet(0, b"\x09old"),), "protocol"),
        ((packet(1, GREETING),), "protocol"),
        ((packet(0, GREETING), packet(7, b"\0\0\0\2\0\0\0")), "protocol"),
        ((packet(0, GREETING), packet(2, b"\x07what")), "protocol"),
    ],
)
async def test_a_mysql_is_judged_by_what_it_says(
    attempt: AttemptFunction, says: tuple[bytes, ...], reason: str
) -> None:
    async with ScriptedServer(plays(*says)) as server:
        seen = await attempt("mysql", 2.0, port=server.port)
    assert (seen.outcome, seen.reason) == (Outcome.FAIL if reason else Outcome.OK, reason), seen.steps


@pytest.mark.parametrize("keys", [{"user": "sla"}, {"starttls": True}])
async def test_a_mysql_that_lets_nobody_in_from_here_serves_no_login_and_no_certificate(
    attempt: AttemptFunction, tmp_path: Path, keys: dict[str, Any]
) -> None:
    password = tmp_path / "password"
    password.write_text("gizli")
    login = {"password_file": password} if "user" in keys else {}
    async with ScriptedServer(plays(packet(0, mysql_error(1130)))) as server:
        seen = await attempt("mysql", 2.0, port=server.port, **keys, **login)
    assert (seen.outcome, seen.reason) == (Outcome.FAIL, "login")


@pytest.mark.parametrize(
    ("further", "outcome", "reason"),
    [
        ((packet(2, b"\1\3"), packet(3, b"\0\0\0\2\0\0\0")), Outcome.OK, ""),
        ((packet(2, b"\1\4"),), Outcome.UNKNOWN, "login needs starttls"),
        ((packet(2, b"\xfedialog\0"),), Outcome.UNKNOWN, "login method not known"),
        ((packet(2, mysql_error(1045)),), Outcome.FAIL, "login"),
    ],
)
async def test_a_mysql_that_wants_the_password_itself_does_not_get_it_in_clear(
    attempt: AttemptFunction, tmp_path: Path, further: tuple[bytes, ...], outcome: Outcome, reason: str
) -> None:
    password = tmp_path / "password"
    password.write_text("gizli")
    async with ScriptedServer(plays(packet(0, GREETING), b"".join(further))) as server:
        seen = await attempt("mysql", 2.0, port=server.port, user="sla", password_file=password)
    assert (seen.outcome, seen.reason) == (outcome, reason), seen.steps
    assert not [step for step in seen.steps if "gizli" in step.text]


@pytest.mark.parametrize(
    ("encryption", "wanted", "reason"),
    [
        (0, "any", ""),
        (2, "any", ""),
        (0, "available", ""),
        (2, "available", "tls: encryption not supported"),
        (0, "required", "tls: encryption available"),
        (3, "required", ""),
        (9, "any", "protocol"),
    ],
)
async def test_an_mssql_tells_its_version_and_what_it_offers_of_encryption(
    attempt: AttemptFunction, encryption: int, wanted: str, reason: str
) -> None:
    heard: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(4096))
        writer.write(mssql_reply(encryption))
        await reader.read()

    async with ScriptedServer(script) as server:
        seen = await attempt("mssql", 2.0, port=server.port, encryption=wanted)
    assert (seen.outcome, seen.reason) == (Outcome.FAIL if reason else Outcome.OK, reason)
    assert heard[0][:2] == b"\x12\x01"
    assert int.from_bytes(heard[0][2:4]) == len(heard[0])
    if reason != "protocol":
        assert seen.steps[-1].text.startswith("version 15.0.2000, encryption ")


def postgresql_error(code: bytes) -> bytes:
    body = b"SFATAL\0VFATAL\0C" + code + b"\0Msorry, too many clients already\0\0"
    return b"E" + (len(body) + 4).to_bytes(4) + body


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"R\0\0\0\x08\0\0\0\0", ""),
        (b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0", ""),
        (postgresql_error(b"28000"), ""),
        (postgresql_error(b"3D000"), ""),
        (postgresql_error(b"53300"), "too_many_connections"),
        (postgresql_error(b"57P03"), "status: 57P03"),
        (b"E\0\0\0\x08none", "protocol"),
        (b"N\0\0\0\x08none", "protocol"),
        (b"R\x7f\0\0\0none", "protocol"),
        (b"R\0\0\0\x08\0\0\0\x63", "protocol"),  # a way to ask that there is not
        (b"R\0\0\0\x0c\0\0\0\0more", "protocol"),
    ],
)
async def test_a_postgresql_that_looks_at_who_asks_is_up(attempt: AttemptFunction, answer: bytes, reason: str) -> None:
    async with ScriptedServer(plays(b"", answer)) as server:
        seen = await attempt("postgresql", 2.0, port=server.port)
    assert (seen.outcome, seen.reason) == (Outcome.FAIL if reason else Outcome.OK, reason)


async def test_a_postgresql_without_tls_is_a_failure_where_tls_is_asked_for(attempt: AttemptFunction) -> None:
    async with ScriptedServer(plays(b"", b"N")) as server:
        seen = await attempt("postgresql", 2.0, port=server.port, starttls=True)
    assert (seen.outcome, seen.reason) == (Outcome.FAIL, "tls: not offered")


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "timeout"),
        (b"Not so fast\r\nSSH-2.0-x y\r\n" + b"\0\0\0\x10\x0a\x01" + struct.pack("!I", 12) + bytes(10), "status: 12"),
        (b"SSH-1.5-old\r\n", "protocol"),
        (b"\r\n" * 60, "protocol"),
        (b"Exceeded MaxStartups\r\n", "timeout"),
    ],
)
async def test_an_ssh_that_does_not_get_to_its_offer_is_a_failure(
    attempt: AttemptFunction, says: bytes, reason: str
) -> None:
    async with ScriptedServer(plays(says)) as server:
        seen = await attempt("ssh", 0.5, port=server.port)
    assert (seen.outcome, seen.reason) == (Outcome.FAIL, reason), seen.steps


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (("expect ^READY$",), ""),
        (("expect ^READY", "send STATUS", "expect ^OK [0-9]+$"), ""),
        (("expect ^NEVER",), "timeout"),
        (("expect ^READY", "starttls"), "tls"),
    ],
)
async def test_a_script_runs_through_or_says_where_it_stopped(
    attempt: AttemptFunction, script: tuple[str, ...], reason: str
) -> None:
    async with ScriptedServer(plays(b"hello\nREADY\r\n", b"wait\r\nOK 42\r\n")) as server:
        seen: Any = await attempt("tcp", 0.5, port=server.port, script=script)
    assert (seen.outcome, seen.reason.partition(":")[0]) == (Outcome.FAIL if reason else Outcome.OK, reason), seen.steps
