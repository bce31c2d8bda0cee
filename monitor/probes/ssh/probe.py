"""SSH: the identification, the server's offer of key exchange, and its host key where one is pinned.

Without a pin the conversation ends with the server's offer. With one a key exchange is held (``ssh_exchange``), because
only its signature shows that the server has the key and not just a copy of its public half.
"""

from __future__ import annotations

import os
import re
import struct
from typing import TYPE_CHECKING

from monitor.model import Reason
from monitor.probes.failures import failed
from monitor.probes.ssh.strings import read_string, string

if TYPE_CHECKING:
    from monitor.probes.dial import Call
    from monitor.probes.ssh.settings import SshSettings

IDENTIFICATION = b"SSH-2.0-sla_monitor"
METHODS = frozenset({"curve25519-sha256", "curve25519-sha256@libssh.org"})
_ED25519 = ("ssh-ed25519",)
_ECDSA = ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
_RSA = ("rsa-sha2-512", "rsa-sha2-256")
KEY_TYPES = {"any": (*_ED25519, *_ECDSA, *_RSA), "ed25519": _ED25519, "ecdsa": _ECDSA, "rsa": _RSA}
"""The algorithms of host keys by the key ``key_type``, the preferred first."""

_LONGEST = 35_000
"""Bytes of a packet, as RFC 4253 has it (6.1)."""
_MOST_PACKETS = 20
_MOST_LINES = 50
_DISCONNECT, _IGNORE, _UNIMPLEMENTED, _DEBUG, _KEXINIT, _ECDH_INIT, _ECDH_REPLY = 1, 2, 3, 4, 20, 30, 31
_LISTS = 10
_HIGHEST_CODE = 15
"""Of the reasons of a disconnection (RFC 4253, 11.1)."""
_VERSION = re.compile(rb"SSH-(2\.0|1\.99)-[\x20-\x7e]{1,246}")


async def converse(call: Call[SshSettings]) -> None:
    """Exchange identifications, read the offer, and prove the host key where one is pinned."""
    settings, wire = call.settings, call.wire
    version = await _identification(call)
    await wire.send(IDENTIFICATION + b"\r\n", IDENTIFICATION.decode())
    offer = await _packet(call, _KEXINIT)
    lists = read_offer(offer)
    wire.heard(f"key exchange {', '.join(lists[0])}\nhost keys {', '.join(lists[1])}")
    if not settings.fingerprints:
        return
    # who pins no key does not wait for the library
    from monitor.probes.ssh.key_exchange import Exchange  # noqa: PLC0415

    names = KEY_TYPES[settings.key_type]
    exchange = Exchange(IDENTIFICATION, version, _own_offer(names), offer)
    if METHODS.isdisjoint(lists[0]) or not set(names) & set(lists[1]):
        raise failed(Reason.HOST_KEY, "no such key")
    await wire.send(_wrapped(exchange.own_offer), "key exchange")
    await wire.send(_wrapped(bytes([_ECDH_INIT]) + exchange.public), "curve25519")
    fingerprint = exchange.finish((await _packet(call, _ECDH_REPLY))[1:])
    wire.heard(fingerprint)
    if fingerprint not in settings.fingerprints:
        raise failed(Reason.HOST_KEY)


async def _identification(call: Call[SshSettings]) -> bytes:
    """Read up to the server's identification; lines before it are allowed (RFC 4253, 4.2)."""
    wire = call.wire
    for _ in range(_MOST_LINES):
        wire.await_answer()
        line = await wire.line()
        wire.heard_bytes(line)
        if line.startswith(b"SSH-"):
            if not _VERSION.fullmatch(line):
                break
            return line
    raise failed(Reason.PROTOCOL)


async def _packet(call: Call[SshSettings], wanted: int) -> bytes:
    """Read packets up to the one of that number, and give its payload."""
    wire = call.wire
    for _ in range(_MOST_PACKETS):
        wire.await_answer()
        length, padding = struct.unpack("!IB", await wire.exactly(5))
        if not padding + 2 <= length <= _LONGEST:
            raise failed(Reason.PROTOCOL)
        payload = (await wire.exactly(length - 1))[: length - 1 - padding]
        if payload[0] == wanted:
            return payload
        wire.heard_bytes(payload[1:])
        if payload[0] == _DISCONNECT:
            code = int.from_bytes(payload[1:5])
            raise failed(Reason.STATUS, str(code) if code <= _HIGHEST_CODE else "")
        if payload[0] not in (_IGNORE, _UNIMPLEMENTED, _DEBUG):
            raise failed(Reason.PROTOCOL)
    raise failed(Reason.PROTOCOL, "too long")


def read_offer(payload: bytes) -> list[list[str]]:
    """Read the name-lists of a KEXINIT: methods of key exchange, host keys, ...; raises ``NotOkError``."""
    place = 17
    lists: list[list[str]] = []
    for _ in range(_LISTS):
        text, place = read_string(payload, place)
        try:
            lists.append(text.decode("ascii").split(","))
        except UnicodeError:
            raise failed(Reason.PROTOCOL) from None
    return lists


def _own_offer(key_types: tuple[str, ...]) -> bytes:
    ciphers, codes = "aes128-ctr,aes256-ctr,chacha20-poly1305@openssh.com", "hmac-sha2-256,hmac-sha2-512"
    lists = (",".join(sorted(METHODS)), ",".join(key_types), ciphers, ciphers, codes, codes, "none", "none")
    names = b"".join(string(text.encode()) for text in (*lists, "", ""))
    return bytes([_KEXINIT]) + os.urandom(16) + names + bytes(5)


def _wrapped(payload: bytes) -> bytes:
    """Make a packet of a payload; there is no cipher yet, so it is padded to eights."""
    padding = 8 - (len(payload) + 5) % 8
    padding += 8 if padding < 4 else 0  # noqa: PLR2004 - the least that there must be
    return struct.pack("!IB", len(payload) + padding + 1, padding) + payload + bytes(padding)
