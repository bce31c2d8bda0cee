"""The stages of every check type's conversation, as data: at each of them a server can begin to misbehave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.probes.misbehaving_server import Action, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.probes.misbehaving_server import Steps

    StageFactory = Callable[..., Iterator[Stage]]

RECEIVE, TLS, HALF_HANDSHAKE = Action.RECEIVE, Action.TLS, Action.HALF_HANDSHAKE
TRUST = {"ca_file": "CA"}
LOGIN = {"user": "sla", "password_file": "PASSWORD"}
RECORD = b"\x16\x03\x03\x40\x00\x02"
"""How 16 KiB of a handshake begin."""
BEFORE = "before the first byte"
STARTTLS_ACCEPTED = "after the go-ahead for TLS"
HANDSHAKE = "within the handshake"
TLS_ESTABLISHED = "after TLS stands"
AFTER_LOGIN = "after the login"


def mysql_packet(number: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes([number]) + payload


MYSQL_GREETING = mysql_packet(
    0,
    b"\x0a8.0.36\0"
    + bytes(4)
    + b"12345678\0"
    + b"\xff\xff\x21\x02\x00\xff\xdf\x15"
    + bytes(10)
    + b"123456789012\0mysql_native_password\0",
)
MYSQL_START = b"\x00\xf0\x00"
SSH_OFFER = (
    b"\x14"
    + bytes(16)
    + b"".join(
        len(names).to_bytes(4) + names
        for names in (
            b"curve25519-sha256",
            b"ssh-ed25519",
            *[b"aes128-ctr"] * 2,
            *[b"hmac-sha2-256"] * 2,
            *[b"none"] * 2,
        )
    )
    + bytes(8 + 5)
)
SSH_PACKET = (len(SSH_OFFER) + 5).to_bytes(4) + b"\x04" + SSH_OFFER + bytes(4)
SSH_START = (30_000).to_bytes(4) + b"\x04\x14"


def handshake_stages(steps: Steps, **keys: Any) -> Iterator[Stage]:
    """Give the stages of a handshake that comes after those moves."""
    name = STARTTLS_ACCEPTED if steps else BEFORE
    yield Stage(name, steps, RECORD, RECORD, keys=keys)
    yield Stage(HANDSHAKE, (*steps, HALF_HANDSHAKE), b"", RECORD, keys=keys)


def _smtp(greeting: Steps, keys: dict[str, Any], *, starttls: bool) -> Iterator[Stage]:
    start, line = b"250-mo", b"250-more\r\n"
    said: Steps = (*greeting, b"220 mail ESMTP\r\n", RECEIVE)
    yield Stage("after the greeting", said, start, line, keys=keys)
    if starttls:
        asked: Steps = (*said, b"250-mail\r\n250 STARTTLS\r\n", RECEIVE, b"220 go\r\n")
        yield from handshake_stages(asked, **keys)
        said = (*asked, TLS, RECEIVE)
        yield Stage(TLS_ESTABLISHED, said, start, line, keys=keys)
    known: Steps = (*said, b"250-mail\r\n250 AUTH PLAIN\r\n", RECEIVE)
    yield Stage("at the login", known, b"235-we", b"235-more\r\n", keys=keys)
    yield Stage(
        AFTER_LOGIN, (*known, b"235 welcome\r\n", RECEIVE), b"221-by", b"221-more\r\n", complete=True, keys=keys
    )


def _imap(greeting: Steps, keys: dict[str, Any], *, starttls: bool) -> Iterator[Stage]:
    start, line = b"* CAPABILITY IMAP4", b"* OK more\r\n"
    said: Steps = (*greeting, b"* OK ready\r\n", RECEIVE)
    yield Stage("after the greeting", said, start, line, keys=keys)
    if starttls:
        asked: Steps = (*said, b"* CAPABILITY IMAP4rev1 STARTTLS\r\nm1 OK\r\n", RECEIVE, b"m2 OK\r\n")
        yield from handshake_stages(asked, **keys)
        said = (*asked, TLS, RECEIVE)
        yield Stage(TLS_ESTABLISHED, said, start, line, keys=keys)
    known: Steps = (*said, b"m3 OK\r\n", RECEIVE)
    yield Stage("at the login", known, b"m4 O", line, keys=keys)
    yield Stage(AFTER_LOGIN, (*known, b"m4 OK\r\n", RECEIVE), b"* BY", line, complete=True, keys=keys)


def _pop3(greeting: Steps, keys: dict[str, Any], *, starttls: bool) -> Iterator[Stage]:
    said: Steps = (*greeting, b"+OK ready\r\n", RECEIVE)
    yield Stage("after the greeting", said, b"+OK\r\nUID", b"+OK\r\nTOP\r\n", keys=keys)
    known: Steps = (*said, b"+OK\r\nSTLS\r\n.\r\n", RECEIVE)
    if starttls:
        asked: Steps = (*known, b"+OK go\r\n")
        yield from handshake_stages(asked, **keys)
        known = (*asked, TLS, RECEIVE)
        yield Stage(TLS_ESTABLISHED, known, b"+O", b"+more\r\n", keys=keys)
    yield Stage("at the login", (*known, b"+OK\r\n", RECEIVE), b"+O", b"+more\r\n", keys=keys)
    after: Steps = (*known, b"+OK\r\n", RECEIVE, b"+OK\r\n", RECEIVE)
    yield Stage(AFTER_LOGIN, after, b"+O", b"+more\r\n", complete=True, keys=keys)


def _ftp() -> Iterator[Stage]:
    keys = {"starttls": True, **TRUST, **LOGIN}
    yield Stage(BEFORE, (), b"220-mo", b"220-more\r\n", keys=keys)
    said: Steps = (b"220 ftp\r\n", RECEIVE)
    yield Stage("after the greeting", said, b"234-go", b"more\r\n", keys=keys)
    asked: Steps = (*said, b"234 go\r\n")
    yield from handshake_stages(asked, **keys)
    yield from _ftp_login((*asked, TLS, RECEIVE), keys)


def _ftps() -> Iterator[Stage]:
    keys = {**TRUST, **LOGIN}
    yield from handshake_stages((), **keys)
    yield from _ftp_login((TLS, b"220 ftp\r\n", RECEIVE), keys)


def _ftp_login(known: Steps, keys: dict[str, Any]) -> Iterator[Stage]:
    yield Stage(TLS_ESTABLISHED, known, b"331-wh", b"331-more\r\n", keys=keys)
    yield Stage("at the login", (*known, b"331 and\r\n", RECEIVE), b"230-we", b"230-more\r\n", keys=keys)
    after: Steps = (*known, b"331 and\r\n", RECEIVE, b"230 in\r\n", RECEIVE)
    yield Stage(AFTER_LOGIN, after, b"221-by", b"221-more\r\n", complete=True, keys=keys)


def _redis(greeting: Steps, keys: dict[str, Any]) -> Iterator[Stage]:
    said: Steps = (*greeting, RECEIVE)
    yield Stage(TLS_ESTABLISHED if greeting else BEFORE, said, b"+O", b"*1\r\n", keys=keys)
    yield Stage(AFTER_LOGIN, (*said, b"+OK\r\n", RECEIVE), b"+PO", b"*1\r\n", keys=keys)
    after: Steps = (*said, b"+OK\r\n", RECEIVE, b"+PONG\r\n", RECEIVE)
    yield Stage("after the answer", after, b"+O", b"*1\r\n", complete=True, keys=keys)


def _http(greeting: Steps, keys: dict[str, Any]) -> Iterator[Stage]:
    head, more = b"HTTP/1.1 200 OK\r\n", b"X-More: more\r\n"
    asked: Steps = (*greeting, RECEIVE)

    def stage(name: str, said: bytes, start: bytes, line: bytes = more) -> Stage:
        return Stage(name, (*asked, said) if said else asked, start, line, keys=keys)

    yield stage(TLS_ESTABLISHED if greeting else BEFORE, b"", b"HTTP/1.1 2")
    yield stage("within the headers", head, b"X-More: mo")
    yield stage("within the body", head + b"Content-Length: 100000000\r\n\r\n", b"<html>", b"more\r\n")
    yield stage("within a body without an end", head + b"\r\n", b"<html>", b"more\r\n")
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n"
    yield stage("within a chunk", chunked, b"fffffff\r\nmore", b"1\r\nx\r\n")
    yield stage("within a chunk's extension", chunked + b"1", b";more", b";x=y")
    yield stage("within the trailers", chunked + b"1\r\nx\r\n0\r\n", b"X-More: mo")
    yield stage(
        "within a packed body", head + b"Content-Encoding: gzip\r\n\r\n", b"\x1f\x8b\x08\0\0\0\0\0", b"more\r\n"
    )


def _ssh() -> Iterator[Stage]:
    keys = {"fingerprints": ("SHA256:" + "A" * 43,)}
    named: Steps = (b"SSH-2.0-x\r\n", RECEIVE)
    offered: Steps = (*named, SSH_PACKET, RECEIVE)
    yield Stage(BEFORE, (), b"SSH-2.0-", b"not yet\r\n", keys=keys)
    yield Stage("after the banner", named, SSH_START, b"\0\0\0\x0c\x0a\x02" + bytes(10), keys=keys)
    yield Stage("after the offer of key exchange", offered, SSH_START, b"\0\0\0\x0c\x0a\x04" + bytes(10), keys=keys)


def _mysql() -> Iterator[Stage]:
    keys = {"starttls": True, **TRUST, **LOGIN}
    yield Stage(BEFORE, (), MYSQL_START + b"\0\x0a8.0", mysql_packet(0, b"\xff"), keys=keys)
    asked: Steps = (MYSQL_GREETING, 36)
    yield from handshake_stages(asked, **keys)
    known: Steps = (*asked, TLS, RECEIVE)
    yield Stage(TLS_ESTABLISHED, known, MYSQL_START + b"\3\1", mysql_packet(3, b"\1\3"), keys=keys)
    switched: Steps = (*known, mysql_packet(3, b"\xfecaching_sha2_password\0" + b"n" * 20 + b"\0"), RECEIVE)
    yield Stage("at the login", switched, MYSQL_START + b"\5\1", mysql_packet(5, b"\1\3"), keys=keys)
    clear: Steps = (MYSQL_GREETING, RECEIVE)
    yield Stage("after the greeting, in clear", clear, MYSQL_START + b"\2\1", mysql_packet(2, b"\1\3"))


def _postgresql() -> Iterator[Stage]:
    keys = {"starttls": True, **TRUST}
    start = b"R\0\0\x40\0\0\0"
    yield Stage(BEFORE, (RECEIVE,), b"", b"S", keys=keys)
    yield from handshake_stages((RECEIVE, b"S"), **keys)
    yield Stage(TLS_ESTABLISHED, (RECEIVE, b"S", TLS, RECEIVE), start, b"E\0\0\x40\0S", keys=keys)
    yield Stage("after the startup, in clear", (RECEIVE,), start, b"E\0\0\x40\0S")


def _tcp() -> Iterator[Stage]:
    script = ("expect ^READY", "send STATUS", "starttls", "expect ^READY", "send STATUS", "expect ^never$")
    keys = {"script": script, **TRUST}
    yield Stage(BEFORE, (), b"REA", b"more\r\n", keys=keys)
    yield from handshake_stages((b"READY\r\n", 8), **keys)
    yield Stage(TLS_ESTABLISHED, (b"READY\r\n", 8, TLS), b"REA", b"more\r\n", keys=keys)
    yield Stage("after the login", (b"READY\r\n", 8, TLS, b"READY\r\n", RECEIVE), b"nev", b"more\r\n", keys=keys)


def _over_tls(stages_of: StageFactory, start: bytes, line: bytes) -> Iterator[Stage]:
    keys = {**TRUST, **LOGIN}
    yield from handshake_stages((), **keys)
    yield Stage(TLS_ESTABLISHED, (TLS,), start, line, keys=keys)
    yield from stages_of((TLS,), keys, starttls=False)


def _upgraded(stages_of: StageFactory, start: bytes, line: bytes) -> Iterator[Stage]:
    keys = {**TRUST, **LOGIN, "starttls": True}
    yield Stage(BEFORE, (), start, line, keys=keys)
    yield from stages_of((), keys, starttls=True)


def _mssql() -> Iterator[Stage]:
    yield Stage(BEFORE, (RECEIVE,), b"\x04\x01\x0f\xff\0\0\1", b"\x04\x01\x00\x09\0\0\1\0\xff")
    yield Stage("within the packet", (RECEIVE, b"\x04\x01\x0f\xff\0\0\1\0"), b"\0\0\x1a\0\6", b"\0\0\x1a\0\6")


def _dns() -> Iterator[Stage]:
    yield Stage(BEFORE, (), keys={"query": "www.example"})
    yield Stage("within the answer over TCP", (RECEIVE,), b"\xff\xff", b"\xff\xff", keys={"query": "www.example"})


_SMTP = (_smtp, b"220-mo", b"220-more\r\n")
_IMAP = (_imap, b"* O", b"* more\r\n")
_POP3 = (_pop3, b"+O", b"+more\r\n")
_SECURE_PAGE = {"expect": "never", **TRUST}

STAGES: dict[str, tuple[Stage, ...]] = {
    "tcp": tuple(_tcp()),
    "http": tuple(_http((), {"expect": "never"})),
    "https": (*handshake_stages((), **_SECURE_PAGE), *_http((TLS,), _SECURE_PAGE)),
    "tls": tuple(handshake_stages((), **TRUST)),
    "smtp": tuple(_upgraded(*_SMTP)),
    "submission": tuple(_upgraded(*_SMTP)),
    "smtps": tuple(_over_tls(*_SMTP)),
    "imap": tuple(_upgraded(*_IMAP)),
    "imaps": tuple(_over_tls(*_IMAP)),
    "pop3": tuple(_upgraded(*_POP3)),
    "pop3s": tuple(_over_tls(*_POP3)),
    "ftp": tuple(_ftp()),
    "ftps": tuple(_ftps()),
    "redis": (
        *_redis((), dict(LOGIN)),
        *handshake_stages((), tls=True, **TRUST, **LOGIN),
        *_redis((TLS,), {"tls": True, **TRUST, **LOGIN}),
    ),
    "ssh": tuple(_ssh()),
    "dns": tuple(_dns()),
    "mysql": tuple(_mysql()),
    "mssql": tuple(_mssql()),
    "postgresql": tuple(_postgresql()),
}
"""The stages of every check type over TCP."""
