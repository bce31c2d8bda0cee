"""Databases and SSH by recorded bytes: what cannot be had of a real server at will, and what none runs here of."""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

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


REFUSES_ONE_CALLER = [1045, 1130, 1251, 1275, 1524, 1698, 1820, 1862, 3118, 3159, 3955, 4151]


@pytest.mark.parametrize("login", [False, True])
@pytest.mark.parametrize("code", REFUSES_ONE_CALLER)
async def test_a_mysql_that_refuses_one_caller_works_and_fails_a_login(
    attempt: AttemptFunction, tmp_path: Path, code: int, *, login: bool
) -> None:
    (tmp_path / "password").write_text("gizli")
    keys = {"user": "sla", "password_file": tmp_path / "password"} if login else {}
    for says in ((packet(0, GREETING), packet(2, mysql_error(code))), (packet(0, mysql_error(code)),)):
        async with ScriptedServer(plays(*says)) as server:
            seen = await attempt("mysql", 2.0, port=server.port, **keys)
        wanted = (Outcome.FAIL, "login") if login else (Outcome.OK, "")
        assert (seen.outcome, seen.reason) == wanted, seen.steps


METHODS = [
    (b"dialog\0", b"\4Password: "),
    (b"auth_gssapi_client\0mariadb@EXAMPLE\0", b"\1x"),
    (b"client_ed25519\0" + b"n" * 32, b""),
    (b"parsec\0" + b"n" * 32, b"\1P\0" + b"s" * 18),
    (b"sha256_password\0" + b"n" * 20 + b"\0", b""),
    (b"mysql_clear_password\0", b""),
    (b"authentication_webauthn_client\0" + b"n" * 60, b"\1more"),
    (b"", b""),
]


@pytest.mark.parametrize(("method", "further"), METHODS)
@pytest.mark.parametrize("end", [mysql_error(1045), mysql_error(1835), b""])
async def test_whatever_method_a_mysql_picks_for_a_stranger_it_works(
    attempt: AttemptFunction, method: bytes, further: bytes, end: bytes
) -> None:
    known = method.startswith((b"client_ed25519", b"parsec"))
    if known and not end.startswith(b"\xff\x15\x04"):
        end = mysql_error(1045)
    says = [packet(0, GREETING), packet(2, b"\xfe" + method)]
    says += [packet(4, further)] if further else []
    number = 2 * len(says)

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for what in [*says, packet(number, end)] if end else says:
            writer.write(what)
            await reader.read(4096)

    async with ScriptedServer(script) as server:
        seen = await attempt("mysql", 2.0, port=server.port)
    assert (seen.outcome, seen.reason) == (Outcome.OK, ""), seen.steps


@pytest.mark.parametrize(
    "method", [b"dialog\0", b"auth_gssapi_client\0x", b"sha256_password\0n", b"authentication_ldap\0"]
)
async def test_a_login_by_an_unknown_method_is_brought_to_its_end_and_is_unknown(
    attempt: AttemptFunction, tmp_path: Path, method: bytes
) -> None:
    (tmp_path / "password").write_text("gizli")
    heard: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for what in (packet(0, GREETING), packet(2, b"\xfe" + method)):
            writer.write(what)
            heard.append(await reader.read(4096))
        writer.write(packet(4, mysql_error(1045)))

    async with ScriptedServer(script) as server:
        seen = await attempt("mysql", 2.0, port=server.port, user="sla", password_file=tmp_path / "password")
    assert (seen.outcome, seen.reason) == (Outcome.UNKNOWN, "login method not known")
    assert heard[1] == packet(3, b"\0")


@pytest.mark.parametrize("password", ["gizli", "p" * 32, "ş" * 40, "a", "0" * 200])
async def test_a_login_by_ed25519_or_parsec_signs_the_nonce(
    attempt: AttemptFunction, tmp_path: Path, password: str
) -> None:
    (tmp_path / "password").write_text(password)
    nonce, salt = bytes(range(32)), b"P\1" + b"s" * 18
    heard: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        says = [packet(0, GREETING), packet(2, b"\xfeclient_ed25519\0" + nonce)]
        says += [packet(4, b"\xfeparsec\0" + nonce), packet(6, salt), packet(8, b"\0\0\0\2\0\0\0")]
        for what in says:
            writer.write(what)
            heard.append((await reader.read(4096))[4:])

    async with ScriptedServer(script) as server:
        seen = await attempt("mysql", 2.0, port=server.port, user="sla", password_file=tmp_path / "password")
    assert (seen.outcome, seen.reason) == (Outcome.OK, ""), seen.steps
    _, ed25519, empty, parsec, _ = heard
    assert (len(ed25519), empty, len(parsec)) == (64, b"", 96)
    if len(password) == 32:  # where the password has the length of a key, the method is EdDSA itself
        Ed25519PrivateKey.from_private_bytes(password.encode()).public_key().verify(ed25519, nonce)
    seed = hashlib.pbkdf2_hmac("sha512", password.encode(), salt[2:], 2048, 32)
    Ed25519PrivateKey.from_private_bytes(seed).public_key().verify(parsec[32:], nonce + parsec[:32])


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


def postgresql_error(code: bytes, words: bytes = b"sorry, too many clients already") -> bytes:
    body = b"SFATAL\0VFATAL\0C" + code + b"\0M" + words + b"\0\0"
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


@pytest.mark.parametrize(
    ("code", "words", "reason"),
    [
        # PgBouncer
        (b"08P01", b"no more connections allowed (max_client_conn)", "too_many_connections"),
        (b"08P01", b"client connections exceeded (max_db_client_connections)", "too_many_connections"),
        (b"08P01", b"no such database: monitor", ""),
        (b"08P01", b"no such user: monitor", ""),
        (b"08P01", b"password authentication failed", ""),
        (b"08P01", b"login rejected", ""),
        (b"08P01", b"SSL required", ""),
        (b"08P01", b'database "postgres" is disabled', ""),
        (b"08P01", b"pgbouncer cannot connect to server", "status: 08P01"),
        (b"08P01", b"client_login_timeout (server down)", "status: 08P01"),
        (b"08P01", b"server login has been failing, cached error: no such user", "status: 08P01"),
        (b"08P01", b"pooler is shutting down", "status: 08P01"),
        # Pgpool-II, PgCat, Supavisor, Odyssey
        (b"53300", b"Sorry, too many clients already", "too_many_connections"),
        (b"XX000", b"all backend nodes are down, pgpool requires at least one valid node", "status: XX000"),
        (b"58000", b"No pool configured for database: x, user: y", ""),
        (b"58000", b"could not get connection from the pool - AllServersDown", "status: 58000"),
        (b"XX000", b"Max client connections reached", "too_many_connections"),
        (b"XX000", b"(EMAXCONN) max client connections reached, limit: 200", "too_many_connections"),
        (b"XX000", b"Tenant or user not found", ""),
        (b"XX000", b"SSL connection is required for user: monitor", ""),
        (b"53300", b"too many client tcp connections (global client_max)", "too_many_connections"),
        (b"08006", b"failed to get remote server connection", "status: 08006"),
        # the words of a server do not count where its code is exact
        (b"57P03", b"no such user", "status: 57P03"),
        (b"42501", b"permission denied for database", ""),
        (b"55000", b'database "template0" is not currently accepting connections', ""),
    ],
)
async def test_a_pooler_is_judged_by_its_words(
    attempt: AttemptFunction, code: bytes, words: bytes, reason: str
) -> None:
    async with ScriptedServer(plays(b"", postgresql_error(code, words))) as server:
        seen = await attempt("postgresql", 2.0, port=server.port)
    assert (seen.outcome, seen.reason) == (Outcome.FAIL if reason else Outcome.OK, reason)


AUTHENTICATED, READY = b"R\0\0\0\x08\0\0\0\0", b"Z\0\0\0\5I"


@pytest.mark.parametrize(
    ("further", "reason", "farewell"),
    [
        (b"S\0\0\0\x09a\x001\0\0" + READY, "", b"X\0\0\0\4"),
        (postgresql_error(b"28000", b'role "monitor" does not exist'), "", b""),
        (postgresql_error(b"3D000", b'database "x" does not exist'), "", b""),
        (postgresql_error(b"53300"), "too_many_connections", b""),
        (postgresql_error(b"57P03", b"the database system is starting up"), "status: 57P03", b""),
    ],
)
async def test_a_postgresql_without_a_password_is_left_when_its_session_is_ready(
    attempt: AttemptFunction, further: bytes, reason: str, farewell: bytes
) -> None:
    heard: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(AUTHENTICATED + further)
        heard.append(await reader.read())

    async with ScriptedServer(script) as server:
        seen = await attempt("postgresql", 2.0, port=server.port)
    assert (seen.outcome, seen.reason) == (Outcome.FAIL if reason else Outcome.OK, reason)
    assert heard == [farewell]


@pytest.mark.parametrize("method", [b"\x08\0\0\0\3", b"\x0c\0\0\0\5salt", b"\x17\0\0\0\x0aSCRAM-SHA-256\0\0"])
async def test_a_postgresql_that_asks_for_a_password_is_left_without_a_word(
    attempt: AttemptFunction, method: bytes
) -> None:
    heard: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(b"R\0\0\0" + method)
        heard.append(await reader.read())

    async with ScriptedServer(script) as server:
        seen = await attempt("postgresql", 2.0, port=server.port)
    assert (seen.outcome, heard) == (Outcome.OK, [b""])


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
