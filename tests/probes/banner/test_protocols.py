"""The banner protocols: one test over all of the table, against a server that plays the other part."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from monitor.model import Outcome
from monitor.probes.banner.protocols import BANNER_PROTOCOLS, BannerProtocol, ExchangeCondition
from monitor.probes.banner.settings import settings_type
from tests.fakes import cert_expiry
from tests.probes.scripted_server import ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.probes.conftest import AttemptFunction

USER, PASSWORD = "sla", 'çok "gizli" 42'
SASL = "AHNsYQDDp29rICJnaXpsaSIgNDI="
MULTI = b"250-mail.example\r\n250-PIPELINING\r\n250 STARTTLS"


@dataclass
class Part:
    """What a server says to what it hears, by the first words; it remembers what it heard."""

    greeting: bytes
    replies: Mapping[str, bytes]
    tls: ssl.SSLContext | None = None
    heard: list[str] = field(default_factory=list)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.greeting:
            writer.write(self.greeting + b"\r\n")
        while line := (await reader.readline()).decode().rstrip("\r\n"):
            self.heard.append(line)
            reply = next(reply for start, reply in self.replies.items() if line.startswith(start))
            writer.write(reply + b"\r\n")
            await writer.drain()
            if reply.endswith(b"go") and self.tls is not None:
                await writer.start_tls(self.tls)


PARTS: dict[str, tuple[bytes, dict[str, bytes]]] = {
    "smtp": (
        b"220-mail.example\r\n220 ESMTP",
        {"EHLO [127.0.0.1]": MULTI, "STARTTLS": b"220 go", f"AUTH PLAIN {SASL}": b"235 ok", "QUIT": b"221 bye"},
    ),
    "imap": (
        b"* OK ready",
        {
            "m1 CAPABILITY": b"* CAPABILITY IMAP4rev1\r\nm1 OK done",
            "m2 STARTTLS": b"m2 OK go",
            "m3 CAPABILITY": b"* CAPABILITY IMAP4rev1\r\nm3 OK done",
            'm4 LOGIN "sla" "çok \\"gizli\\" 42"': b"m4 OK in",
            "m5 LOGOUT": b"* BYE\r\nm5 OK done",
        },
    ),
    "pop3": (
        b"+OK ready <1@x>",
        {
            "CAPA": b"+OK\r\nTOP\r\nSTLS\r\n.",
            "STLS": b"+OK go",
            "USER sla": b"+OK",
            f"PASS {PASSWORD}": b"+OK in",
            "QUIT": b"+OK bye",
        },
    ),
    "ftp": (
        b"220-hello\r\n  all of you\r\n220 ready",
        {"AUTH TLS": b"234 go", "USER sla": b"331 and?", f"PASS {PASSWORD}": b"230 in", "QUIT": b"221 bye"},
    ),
    "redis": (
        b"",
        {'AUTH "sla" "çok \\"gizli\\" 42"': b"+OK", "PING": b"+PONG", "QUIT": b"+OK"},
    ),
}
PARTS |= {"submission": PARTS["smtp"], "smtps": PARTS["smtp"], "imaps": PARTS["imap"], "pop3s": PARTS["pop3"]}
PARTS |= {"ftps": PARTS["ftp"]}
BAD = {"smtp": b"421 no", "imap": b"* BYE no", "pop3": b"-ERR no", "ftp": b"421 no", "redis": b"-LOADING no"}
BAD |= {"submission": BAD["smtp"], "smtps": BAD["smtp"], "imaps": BAD["imap"], "pop3s": BAD["pop3"], "ftps": BAD["ftp"]}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def keys(authority: trustme.CA, tmp_path: Path) -> dict[str, Any]:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    return {"ca_file": tmp_path / "ca.pem", "user": USER, "password_file": tmp_path / "password"}


def part(dialogue: BannerProtocol, tls: ssl.SSLContext | None = None, **other: bytes) -> Part:
    greeting, replies = PARTS[dialogue.name]
    return Part(other.pop("greeting", greeting), replies | other, tls)


def server(played: Part, dialogue: BannerProtocol, tls: ssl.SSLContext | None) -> ScriptedServer:
    return ScriptedServer(played, tls if dialogue.implicit_tls else None)


dialogues = pytest.mark.parametrize("dialogue", BANNER_PROTOCOLS, ids=lambda dialogue: dialogue.name)


@dialogues
async def test_a_server_that_plays_its_part_is_ok(
    attempt: AttemptFunction, dialogue: BannerProtocol, tls: ssl.SSLContext
) -> None:
    played = part(dialogue)
    plain = {"starttls": False} if dialogue.starttls_default is not None else {}
    async with server(played, dialogue, tls) as started:
        seen = await attempt(dialogue.name, port=started.port, verify_certificate=False, **plain)
    assert (seen.outcome, seen.reason) == (Outcome.OK, ""), (seen.steps, played.heard)
    assert len(played.heard) == sum(
        turn.send is not None
        for turn in dialogue.exchanges
        if turn.condition in (ExchangeCondition.ALWAYS, ExchangeCondition.ANONYMOUS)
    )
    assert (cert_expiry(seen) is not None) is dialogue.implicit_tls
    assert [step.name for step in seen.steps].count("first-byte") == 1


@dialogues
async def test_tls_and_a_login_go_through_and_the_password_is_not_seen(
    attempt: AttemptFunction, dialogue: BannerProtocol, tls: ssl.SSLContext, keys: dict[str, Any]
) -> None:
    played = part(dialogue, tls)
    upgrade = {"starttls": True} if dialogue.starttls_default is not None else {}
    async with server(played, dialogue, tls) as started:
        seen = await attempt(dialogue.name, port=started.port, **keys, **upgrade)
    assert (seen.outcome, seen.reason) == (Outcome.OK, ""), (seen.steps, played.heard)
    assert any("gizli" in line or SASL in line for line in played.heard)
    assert not [step for step in seen.steps if "gizli" in step.text or SASL in step.text]
    assert (cert_expiry(seen) is not None) is (dialogue.implicit_tls or dialogue.starttls_default is not None)


@dialogues
async def test_every_reply_is_judged(
    attempt: AttemptFunction, dialogue: BannerProtocol, tls: ssl.SSLContext, keys: dict[str, Any]
) -> None:
    upgrade = {"starttls": True} if dialogue.starttls_default is not None else {}
    _, replies = PARTS[dialogue.name]
    for said in replies:
        # a server may hang up instead of saying goodbye, but not refuse to
        bad = b"m%c NO" % said[1].encode() if dialogue.name.startswith("imap") else BAD[dialogue.name]
        played = part(dialogue, tls, **{said: bad})
        async with server(played, dialogue, tls) as started:
            seen = await attempt(dialogue.name, port=started.port, **keys, **upgrade)
        if said == "CAPA" or not any(line.startswith(said) for line in played.heard):
            assert seen.outcome is Outcome.OK
            continue
        words = ("AUTH PLAIN", "m4 LOGIN", "USER", "PASS", 'AUTH "')
        word = "login" if said.startswith(words) else "tls" if said.endswith(("TLS", "STLS")) else "status"
        assert (seen.outcome, seen.reason.partition(":")[0]) == (Outcome.FAIL, word), (said, seen.steps)


@dialogues
async def test_a_greeting_that_says_no_is_a_failure_with_its_code(
    attempt: AttemptFunction, dialogue: BannerProtocol, tls: ssl.SSLContext
) -> None:
    if not PARTS[dialogue.name][0]:
        return
    bad = BAD[dialogue.name]
    async with server(part(dialogue, greeting=bad), dialogue, tls) as started:
        seen = await attempt(dialogue.name, port=started.port, verify_certificate=False)
    code = "BYE" if dialogue.name.startswith("imap") else bad.split()[0].decode()
    assert (seen.outcome, seen.reason) == (Outcome.FAIL, f"status: {code}")


@dialogues
async def test_hanging_up_instead_of_saying_goodbye_is_no_failure(
    attempt: AttemptFunction, dialogue: BannerProtocol, tls: ssl.SSLContext
) -> None:
    greeting, replies = PARTS[dialogue.name]
    goodbye = dialogue.exchanges[-1].send
    assert goodbye is not None

    class Impolite(Part):
        async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if self.greeting:
                writer.write(self.greeting + b"\r\n")
            while not (line := (await reader.readline()).decode()).startswith(goodbye or " "):
                writer.write(next(reply for start, reply in self.replies.items() if line.startswith(start)) + b"\r\n")

    plain = {"starttls": False} if dialogue.starttls_default is not None else {}
    async with server(Impolite(greeting, replies), dialogue, tls) as started:
        seen = await attempt(dialogue.name, port=started.port, verify_certificate=False, **plain)
    assert (seen.outcome, seen.reason) == (Outcome.OK, "")


async def test_what_was_said_before_tls_does_not_count_after_it(attempt: AttemptFunction, tls: ssl.SSLContext) -> None:
    smtp = next(each for each in BANNER_PROTOCOLS if each.name == "smtp")
    played = part(smtp, tls, STARTTLS=b"220 go\r\n250 injected")
    async with ScriptedServer(played) as started:
        seen = await attempt("smtp", port=started.port, starttls=True, verify_certificate=False)
    assert (seen.outcome, seen.reason) == (Outcome.FAIL, "protocol: data before TLS")


async def test_a_password_that_cannot_be_read_is_the_monitors_fault(
    attempt: AttemptFunction, tls: ssl.SSLContext, keys: dict[str, Any]
) -> None:
    imaps = next(each for each in BANNER_PROTOCOLS if each.name == "imaps")
    spoils: tuple[Callable[[Path], object], ...] = (
        lambda file: file.write_text("two\nlines\n"),
        lambda file: file.write_text(""),
        lambda file: file.unlink(),
    )
    for spoil in spoils:
        spoil(keys["password_file"])
        async with ScriptedServer(part(imaps), tls) as started:
            seen = await attempt("imaps", port=started.port, **keys)
        assert (seen.outcome, seen.reason) == (Outcome.UNKNOWN, "password not readable")


@pytest.mark.parametrize("login", [False, True])
async def test_a_redis_that_takes_no_more_clients_says_so_whoever_asks(
    attempt: AttemptFunction, tls: ssl.SSLContext, keys: dict[str, Any], *, login: bool
) -> None:
    full = b"-ERR max number of clients reached"
    played = Part(b"", dict.fromkeys(PARTS["redis"][1], full), None)
    async with ScriptedServer(played, tls if login else None) as started:
        seen = await attempt("redis", port=started.port, **({"tls": True} | keys if login else {}))
    assert (seen.outcome, seen.reason) == (Outcome.FAIL, "too_many_connections")


@pytest.mark.parametrize(
    "code",
    [
        "+PONG",
        "-NOAUTH Authentication required.",
        "-NOPERM no permissions",
        "-DENIED protected mode",
        "-ERR unknown command 'PING'",
        "-ERR operation not permitted",
    ],
)
async def test_a_redis_that_refuses_a_stranger_works(attempt: AttemptFunction, code: str) -> None:
    async with ScriptedServer(Part(b"", {"PING": code.encode(), "QUIT": b"+OK"})) as started:
        seen = await attempt("redis", port=started.port)
    assert (seen.outcome, seen.reason) == (Outcome.OK, ""), seen.steps


async def test_a_redis_in_protected_mode_may_speak_first_and_hang_up(attempt: AttemptFunction) -> None:
    async def script(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"-DENIED Redis is running in protected mode\r\n")

    async with ScriptedServer(script) as started:
        seen = await attempt("redis", port=started.port)
    assert (seen.outcome, seen.reason) == (Outcome.OK, ""), seen.steps


@pytest.mark.parametrize(
    ("auth", "ping", "reason"),
    [
        (b"+OK", b"-NOPERM no permissions", ""),
        (b"-DENIED protected mode", b"", "login: DENIED"),
        (b"-WRONGPASS invalid", b"", "login: WRONGPASS"),
        (b"-ERR AUTH called without any password configured", b"", "login: ERR"),
        (b"+OK", b"-LOADING dataset", "status: LOADING"),
        (b"+OK", b"-CLUSTERDOWN", "status: CLUSTERDOWN"),
    ],
)
async def test_a_login_to_a_redis_is_judged(
    attempt: AttemptFunction, keys: dict[str, Any], auth: bytes, ping: bytes, reason: str
) -> None:
    login = {name: keys[name] for name in ("user", "password_file")}
    async with ScriptedServer(Part(b"", {"AUTH": auth, "PING": ping, "QUIT": b"+OK"})) as started:
        seen = await attempt("redis", port=started.port, **login)
    assert (seen.outcome, seen.reason) == (Outcome.FAIL if reason else Outcome.OK, reason), seen.steps


def conversation(greeting: bytes, replies: Mapping[str, bytes]) -> ScriptedServer:
    return ScriptedServer(Part(greeting, {"QUIT": b"221 bye", **replies}))


@pytest.mark.parametrize(
    ("ehlo", "helo", "reason"),
    [
        (b"500 what", b"250 mail", ""),
        (b"501 syntax", b"250 mail", ""),
        (b"502 Command not implemented", b"250-mail\r\n250 pleased", ""),
        (b"504 not implemented", b"250 mail", ""),
        (b"550 no", b"250 mail", ""),
        (b"502-not\r\n502 here", b"250 mail", ""),
        (b"500 what", b"502 neither", "status: 502"),
        (b"421 too busy", b"250 mail", "status: 421"),
        (b"554 go away", b"250 mail", "status: 554"),
    ],
)
async def test_a_mail_server_that_knows_helo_only_is_ok(
    attempt: AttemptFunction, ehlo: bytes, helo: bytes, reason: str
) -> None:
    async with conversation(b"220 mail", {"EHLO": ehlo, "HELO [127.0.0.1]": helo}) as started:
        seen = await attempt("smtp", port=started.port)
    assert (seen.outcome, seen.reason) == (Outcome.FAIL if reason else Outcome.OK, reason), seen.steps


@pytest.mark.parametrize("kind", ["smtp", "submission", "ftp"])
@pytest.mark.parametrize("goodbye", [b"221 bye", b"250 bye", b"200 done", b"220-see\r\n220 you", b"226 closing"])
async def test_any_positive_goodbye_is_one(attempt: AttemptFunction, kind: str, goodbye: bytes) -> None:
    async with conversation(b"220 here", {"EHLO": MULTI, "QUIT": goodbye}) as started:
        seen = await attempt(kind, port=started.port, starttls=False)
    assert (seen.outcome, seen.reason) == (Outcome.OK, ""), seen.steps


@pytest.mark.parametrize("kind", ["smtp", "ftp"])
@pytest.mark.parametrize(
    "greeting",
    [
        b"220-Welcome\r\n150 users are online\r\n220 ready",
        b"220-Welcome\r\n421 of 500 places are free\r\n220 ready",
        b"220-\r\n530 Main Street\r\n220-more\r\n220 ",
        b"220-a\r\n 220 b\r\n220c\r\n220",
        b"220-a\r\n221 b\r\n\r\n\xff\xfe\r\n220 ready",
    ],
)
async def test_a_reply_ends_with_its_own_code(attempt: AttemptFunction, kind: str, greeting: bytes) -> None:
    async with conversation(greeting, {"EHLO": MULTI}) as started:
        seen = await attempt(kind, port=started.port)
    assert (seen.outcome, seen.reason) == (Outcome.OK, ""), seen.steps


@pytest.mark.parametrize(
    ("greeting", "reason"),
    [
        (b"120 ready in 1 minute\r\n220 ready", ""),
        (b"120-ready\r\n120 soon\r\n220-hello\r\n220 ready", ""),
        (b"120 soon\r\n120 sooner\r\n220 ready", ""),
        (b"120 soon\r\n230 logged in", ""),
        (b"120 soon\r\n421 too many users", "status: 421"),
        (b"120 1\r\n120 2\r\n120 3\r\n120 4\r\n120 5\r\n120 6", "status: 120"),
        (b"150 what", "status: 150"),
    ],
)
async def test_a_file_server_may_say_that_it_is_ready_soon(
    attempt: AttemptFunction, greeting: bytes, reason: str
) -> None:
    async with conversation(greeting, {}) as started:
        seen = await attempt("ftp", port=started.port)
    assert (seen.outcome, seen.reason) == (Outcome.FAIL if reason else Outcome.OK, reason), seen.steps


@pytest.mark.parametrize(
    "pieces",
    [
        (b"220-postscreen\r\n", b"220 mail\r\n"),
        (b"2", b"20 mail\r\n"),
        (b"220-mail\r", b"\n220 mail\r\n"),
        (b"220-a\r\n22", b"0-b\r\n220 c\r\n"),
        (b"220 ma", b"il\r\n"),
    ],
)
async def test_a_greeting_may_pause_and_nothing_is_said_meanwhile(
    attempt: AttemptFunction, pieces: tuple[bytes, ...]
) -> None:
    early: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(pieces[0])
        try:
            async with asyncio.timeout(0.2):
                early.append(await reader.read(100))
        except TimeoutError:
            pass
        await Part(pieces[1].removesuffix(b"\r\n"), {"EHLO": MULTI, "QUIT": b"221 bye"})(reader, writer)

    async with ScriptedServer(script) as started:
        seen = await attempt("smtp", port=started.port)
    assert (seen.outcome, seen.reason, early) == (Outcome.OK, "", []), seen.steps


@pytest.mark.parametrize(
    "name", ["monitor.example.com", "mx-1.example", "localhost", "a.b.c.example.org", "xn--ls8h.example"]
)
async def test_a_mail_server_is_told_the_configured_name(attempt: AttemptFunction, name: str) -> None:
    played = Part(b"220 mail", {f"EHLO {name}": b"500 no", f"HELO {name}": b"250 mail", "QUIT": b"221 bye"})
    async with ScriptedServer(played) as started:
        seen = await attempt("smtp", port=started.port, helo_name=name)
    assert (seen.outcome, seen.reason) == (Outcome.OK, ""), seen.steps


@pytest.mark.parametrize("name", ["192.0.2.1", "[192.0.2.1]", "::1", "two words", "", "x\r\nRSET"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    smtp: Any = settings_type(next(each for each in BANNER_PROTOCOLS if each.name == "smtp"))
    checks = {field.name: field.metadata["check"] for field in fields(smtp)}
    assert not checks["helo_name"](name)
