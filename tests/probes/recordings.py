"""What good servers say, to every check type, recorded: the conversations that fuzzing begins from."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.probes.protocol_stages import LOGIN, MYSQL_GREETING, RECEIVE, SSH_OFFER, SSH_PACKET, TLS, TRUST, mysql_packet

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Recording:
    """A conversation that goes well: what the server says, hears and does in turn."""

    check_type: str
    steps: tuple[Any, ...]
    """Bytes, ``RECEIVE``, so many bytes to be heard, ``TLS``, or what makes bytes of all that was heard.

    The latter raises ``ValueError`` where more must be heard.
    """
    keys: Mapping[str, Any] = field(default_factory=dict)
    """Keys of the check; ``CA`` and ``PASSWORD`` stand for the files."""


def _dialogue(*replies: str) -> tuple[Any, ...]:
    """What is said line by line, something being heard after each."""
    moves: list[Any] = []
    for each in replies:
        moves += [TLS] if each == "TLS" else [each.replace("\n", "\r\n").encode() + b"\r\n", RECEIVE]
    return tuple(moves)


_STARTTLS_KEYS = {"starttls": True, **TRUST, **LOGIN}
_TLS_KEYS = {**TRUST, **LOGIN}
_SMTP_HELLO = "250-mail.example\n250-PIPELINING\n250 STARTTLS"
_SMTP = ("250-mail.example\n250 AUTH PLAIN", "235 in", "221 bye")
_IMAP = ("* CAPABILITY IMAP4rev1\nm3 OK done", "m4 OK in", "* BYE\nm5 OK done")
_POP3 = ("+OK", "+OK in", "+OK bye")


def _preceded_by(*steps: Any, recorded: tuple[Any, ...]) -> tuple[Any, ...]:
    return (*steps, *recorded)


def _upgraded(*clear: str, then: tuple[str, ...]) -> tuple[Any, ...]:
    *_, go_ahead, _ = said = _dialogue(*clear)
    return (*said[:-2], go_ahead, TLS, RECEIVE, *_dialogue(*then))


def _page(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode() + body


def _chunks(data: bytes, size: int = 20) -> bytes:
    pieces = [data[place : place + size] for place in range(0, len(data), size)]
    return b"".join(b"%x;a=b\r\n%s\r\n" % (len(each), each) for each in pieces) + b"0\r\nX-Sum: 1\r\nX-More: x\r\n\r\n"


_TEXT = ("all is well, ığdır and more of it " * 5).encode("cp1254")
_JSON = json.dumps({"data": {"items": [{"state": "ok", "n": 1.5, "t": True}], "x": None}, "ş": "\U0001f600"}).encode()
_JSON_EXPECTATIONS = ('data.items[0].state = "ok"', "data.items[0].n = 1.5")
_PAGE_EXPECTATIONS = {
    "expect": "ığdır",
    "forbid": "error",
    "expect_pattern": "^all",
    "expect_headers": ("Content-Type: text",),
}
_HTML = "Content-Type: text/html; charset=windows-1254"
_DEFLATE = zlib.compressobj(wbits=-15)
_RAW_DEFLATED = _DEFLATE.compress(_TEXT) + _DEFLATE.flush()
PAGES: dict[str, tuple[bytes, dict[str, Any]]] = {
    "measured": (_page(_TEXT, _HTML, f"Content-Length: {len(_TEXT)}"), _PAGE_EXPECTATIONS),
    "without a length": (_page(_TEXT, _HTML), _PAGE_EXPECTATIONS),
    "in chunks": (_page(_chunks(_TEXT), _HTML, "Transfer-Encoding: chunked", "Trailer: X-Sum"), _PAGE_EXPECTATIONS),
    "gzip": (_page(gzip.compress(_TEXT), _HTML, "Content-Encoding: gzip"), _PAGE_EXPECTATIONS),
    "gzip in chunks": (
        _page(_chunks(gzip.compress(_TEXT)), _HTML, "Content-Encoding: gzip", "Transfer-Encoding: chunked"),
        _PAGE_EXPECTATIONS,
    ),
    "deflate": (_page(zlib.compress(_TEXT), _HTML, "Content-Encoding: deflate"), _PAGE_EXPECTATIONS),
    "deflate without its wrapping": (_page(_RAW_DEFLATED, _HTML, "Content-Encoding: deflate"), _PAGE_EXPECTATIONS),
    "after a word in between": (
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + _page(_TEXT, _HTML),
        _PAGE_EXPECTATIONS,
    ),
    "JSON": (_page(_JSON, "Content-Type: application/json"), {"expect_json": _JSON_EXPECTATIONS}),
    "not modified": (_page(b"", "ETag: x", status="304 Not Modified"), {}),
}
"""Answers of web servers, and what is expected of them."""

REDIRECT = _page(b"", "Location: /there?x=ş#y", "Content-Length: 0", status="302 Found")

_NATIVE = mysql_packet(2, b"\xfemysql_native_password\0" + b"n" * 20 + b"\0")
_MYSQL_OK = b"\0\0\0\2\0\0\0"
_DENIED = b"\xff" + struct.pack("<H", 1045) + b"#28000Access denied for user"
_MSSQL = bytes.fromhex("0401002b0000010000001a00060100200001020021000103002200000400220001ff0f0007d00000000000")
_AUTHENTICATION = b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0"
_NO_ACCESS = b"SFATAL\0VFATAL\0C28000\0Mno pg_hba.conf entry\0\0"
_REFUSED = b"E" + (len(_NO_ACCESS) + 4).to_bytes(4) + _NO_ACCESS

HOST_KEY = Ed25519PrivateKey.generate()
_RAW = HOST_KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def ssh_string(data: bytes) -> bytes:
    """Write a string as SSH does."""
    return len(data).to_bytes(4) + data


HOST_KEY_BLOB = ssh_string(b"ssh-ed25519") + ssh_string(_RAW)
FINGERPRINT = "SHA256:" + base64.b64encode(hashlib.sha256(HOST_KEY_BLOB).digest()).decode().rstrip("=")


def ssh_mpint(data: bytes) -> bytes:
    """Write a number as SSH does."""
    bare = data.lstrip(b"\0")
    return ssh_string(b"\0" + bare if bare and bare[0] & 0x80 else bare)


def ssh_packet(payload: bytes) -> bytes:
    """Make a packet of SSH of a payload."""
    padding = 16 - (len(payload) + 5) % 8
    return (len(payload) + padding + 1).to_bytes(4) + bytes([padding]) + payload + bytes(padding)


def ssh_reply(received: bytes) -> bytes:
    """Answer a key exchange by curve25519 as a good server does, out of all that the client said.

    Raises ``ValueError`` where that is not all of it yet.
    """
    line, _, rest = received.partition(b"\r\n")
    payloads = []
    while rest:
        length, padding = int.from_bytes(rest[:4]), rest[4]
        payloads.append(rest[5 : 4 + length - padding])
        rest = rest[4 + length :]
    offer, asked = payloads
    point = asked[5:]
    secret = X25519PrivateKey.generate()
    public = secret.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    shared = secret.exchange(X25519PublicKey.from_public_bytes(point))
    parts = (line, b"SSH-2.0-x", offer, SSH_OFFER, HOST_KEY_BLOB, point, public)
    digest = hashlib.sha256(b"".join(map(ssh_string, parts)) + ssh_mpint(shared)).digest()
    signature = ssh_string(b"ssh-ed25519") + ssh_string(HOST_KEY.sign(digest))
    return ssh_packet(b"\x1f" + ssh_string(HOST_KEY_BLOB) + ssh_string(public) + ssh_string(signature))


_SCRIPT = ("expect ^READY", "send STATUS", "starttls", "expect ^OK [0-9]+$")

RECORDINGS: dict[str, Recording] = {
    "smtp": Recording("smtp", _dialogue("220-mail\n220 ESMTP", _SMTP_HELLO, "221 bye")),
    "submission": Recording("submission", _upgraded("220 ESMTP", _SMTP_HELLO, "220 go", then=_SMTP), _STARTTLS_KEYS),
    "smtps": Recording("smtps", _preceded_by(TLS, recorded=_dialogue("220 ESMTP", *_SMTP)), _TLS_KEYS),
    "imap": Recording("imap", _upgraded("* OK", "* CAPABILITY\nm1 OK", "m2 OK go", then=_IMAP), _STARTTLS_KEYS),
    "imaps": Recording("imaps", _preceded_by(TLS, recorded=_dialogue("* OK", "m1 OK", *_IMAP[1:])), _TLS_KEYS),
    "pop3": Recording("pop3", _upgraded("+OK", "+OK\nSTLS\nTOP\n.", "+OK go", then=_POP3), _STARTTLS_KEYS),
    "pop3s": Recording("pop3s", _preceded_by(TLS, recorded=_dialogue("+OK", "-ERR", *_POP3)), _TLS_KEYS),
    "ftp": Recording(
        "ftp",
        _upgraded("220-hello\n  you\n220 ready", "234 go", then=("331 and?", "230 in", "221 bye")),
        _STARTTLS_KEYS,
    ),
    "ftps": Recording(
        "ftps", _preceded_by(TLS, recorded=_dialogue("220 ready", "331 and?", "230 in", "221")), _TLS_KEYS
    ),
    "redis": Recording("redis", (RECEIVE, *_dialogue("+PONG", "+OK"))),
    "redis over TLS": Recording("redis", (TLS, RECEIVE, *_dialogue("+OK", "+PONG", "+OK")), {"tls": True, **_TLS_KEYS}),
    "ssh": Recording("ssh", (b"hello\r\nSSH-2.0-x\r\n", RECEIVE, SSH_PACKET, RECEIVE)),
    "mysql": Recording("mysql", (MYSQL_GREETING, RECEIVE, mysql_packet(2, _DENIED), RECEIVE)),
    "mysql with a login": Recording(
        "mysql",
        (
            MYSQL_GREETING,
            36,
            TLS,
            RECEIVE,
            _NATIVE[:3] + b"\3" + _NATIVE[4:],
            RECEIVE,
            mysql_packet(5, _MYSQL_OK),
            RECEIVE,
        ),
        _STARTTLS_KEYS,
    ),
    "mysql that remembers": Recording(
        "mysql", (MYSQL_GREETING, RECEIVE, mysql_packet(2, b"\1\3") + mysql_packet(3, _MYSQL_OK), RECEIVE), LOGIN
    ),
    "mssql": Recording("mssql", (RECEIVE, _MSSQL, RECEIVE)),
    "postgresql": Recording("postgresql", (RECEIVE, _REFUSED, RECEIVE)),
    "postgresql over TLS": Recording(
        "postgresql", (RECEIVE, b"S", TLS, RECEIVE, _AUTHENTICATION, RECEIVE), {"starttls": True, **TRUST}
    ),
    "tls": Recording("tls", (TLS, RECEIVE), TRUST),
    "tls that is not verified": Recording("tls", (TLS, RECEIVE), {"verify_certificate": False}),
    "tcp": Recording("tcp", (b"READY\r\n", 8, TLS, b"wait\r\nOK 42\r\n", RECEIVE), {"script": _SCRIPT, **TRUST}),
    "ssh with a pin": Recording(
        "ssh",
        (b"SSH-2.0-x\r\n", RECEIVE, SSH_PACKET, RECEIVE, ssh_reply, RECEIVE),
        {"fingerprints": (FINGERPRINT,)},
    ),
    "a page over TLS": Recording("https", (TLS, RECEIVE, PAGES["in chunks"][0]), {**_PAGE_EXPECTATIONS, **TRUST}),
    **{f"a page, {name}": Recording("http", (RECEIVE, said), keys) for name, (said, keys) in PAGES.items()},
}
