"""SSH: the identification, the server's offer of key exchange, and its host key where one is pinned.

Without a pin the conversation ends with the server's offer. With one a key exchange is held (``key_exchange.py``),
because only its signature shows that the server has the key and not just a copy of its public half.
"""

from __future__ import annotations

import os
import re
import struct
from typing import TYPE_CHECKING

from monitor.model import Reason
from monitor.probes.failures import server_failure
from monitor.probes.net.connection import ConnectionProbe
from monitor.probes.ssh.strings import encode_string, read_string

if TYPE_CHECKING:
    from monitor.probes.net.connection import Session
    from monitor.probes.ssh.kex_methods import KexMethod
    from monitor.probes.ssh.settings import SshSettings

IDENTIFICATION = b"SSH-2.0-sla_monitor"
_ED25519 = ("ssh-ed25519",)
_ECDSA = ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
_RSA = ("rsa-sha2-512", "rsa-sha2-256")
HOST_KEY_ALGORITHMS = {"any": (*_ED25519, *_ECDSA, *_RSA), "ed25519": _ED25519, "ecdsa": _ECDSA, "rsa": _RSA}
"""The algorithms of host keys by the key ``key_type``, the preferred first."""

_AEAD_CIPHERS = ("chacha20-poly1305@openssh.com", "aes128-gcm@openssh.com", "aes256-gcm@openssh.com")
"""Ciphers that need no MAC."""
_CIPHERS = (*_AEAD_CIPHERS, "aes128-ctr", "aes192-ctr", "aes256-ctr")
_MACS = (
    "umac-64-etm@openssh.com",
    "umac-128-etm@openssh.com",
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha1-etm@openssh.com",
    "umac-64@openssh.com",
    "umac-128@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
    "hmac-sha1",
)
_COMPRESSIONS = ("none", "zlib@openssh.com")
"""What OpenSSH's client offers. The conversation ends before any of it is used, so none of it is implemented here."""

_MAX_PACKET_SIZE = 35_000
"""Bytes of a packet, as RFC 4253 has it (6.1)."""
_MAX_PACKETS = 20
_MAX_BANNER_LINES = 50
_DISCONNECT, _IGNORE, _UNIMPLEMENTED, _DEBUG, _KEXINIT = 1, 2, 3, 4, 20
_GROUP_REQUEST, _GROUP = 34, 31
_NAME_LIST_COUNT = 10
_MAX_DISCONNECT_CODE = 15
"""Of the reasons of a disconnection (RFC 4253, 11.1)."""
_IDENTIFICATION_LINE = re.compile(rb"SSH-(2\.0|1\.99)-[\x20-\x7e]{1,246}")


class SshProbe(ConnectionProbe["SshSettings"]):
    """Reads the banner and, where a key is pinned, verifies it."""

    __slots__ = ()

    async def run_session(self, session: Session[SshSettings]) -> None:
        """Exchange identifications, read the offer, and prove the host key where one is pinned."""
        settings, wire = session.settings, session.connection
        version = await _read_identification(session)
        await wire.send(IDENTIFICATION + b"\r\n", IDENTIFICATION.decode())
        offer = await _read_packet(session, _KEXINIT)
        lists = parse_kexinit(offer)
        wire.end_answer(f"key exchange {', '.join(lists[0])}\nhost keys {', '.join(lists[1])}")
        if not settings.fingerprints:
            return
        fingerprint = await _prove_host_key(session, version, offer, lists)
        wire.end_answer(fingerprint)
        if fingerprint not in settings.fingerprints:
            raise server_failure(Reason.HOST_KEY)


async def _prove_host_key(session: Session[SshSettings], version: bytes, offer: bytes, lists: list[list[str]]) -> str:
    """Hold a key exchange and return the fingerprint of the key that it proves. Raises ``ProbeError``."""
    # a check without a pinned key does not load the library
    from monitor.probes.ssh.kex_methods import (  # noqa: PLC0415
        GROUP_EXCHANGE,
        GROUP_REQUEST,
        KEX_METHODS,
        GroupExchange,
    )
    from monitor.probes.ssh.key_exchange import KeyExchange  # noqa: PLC0415

    wire = session.connection
    ours = ((*KEX_METHODS, GROUP_EXCHANGE), HOST_KEY_ALGORITHMS[session.settings.key_type])
    kexinit = _build_kexinit(*ours)
    name = _negotiate(ours, lists)
    await wire.send(_build_packet(kexinit), "key exchange")
    if name == GROUP_EXCHANGE:
        await wire.send(_build_packet(bytes([_GROUP_REQUEST]) + GROUP_REQUEST), name)
        group = (await _read_packet(session, _GROUP))[1:]
        wire.end_answer("group")
        try:
            method: KexMethod = GroupExchange(group)
        except ValueError:
            raise server_failure(Reason.PROTOCOL) from None
    else:
        method = KEX_METHODS[name]()
    exchange = KeyExchange(IDENTIFICATION, version, kexinit, offer, method)
    await wire.send(_build_packet(bytes([method.init_message]) + exchange.encoded_public_key), name)
    return exchange.verify_reply((await _read_packet(session, method.reply_message))[1:])


def _negotiate(ours: tuple[tuple[str, ...], tuple[str, ...]], lists: list[list[str]]) -> str:
    """Return the method of key exchange that both sides arrive at; raises ``ProbeError`` where an algorithm is missing.

    The first of the client's names that the server has is taken (RFC 4253, 7.1).
    """
    chosen: list[str] = []
    for what, names, offered in (
        ("key exchange", ours[0], lists[0]),
        ("host key", ours[1], lists[1]),
        ("cipher", _CIPHERS, lists[2]),
        ("cipher", _CIPHERS, lists[3]),
        ("MAC", _MACS, lists[4]),
        ("MAC", _MACS, lists[5]),
        ("compression", _COMPRESSIONS, lists[6]),
        ("compression", _COMPRESSIONS, lists[7]),
    ):
        found = next((name for name in names if name in offered), "")
        # with such a cipher a server may name no MAC that is known
        if not found and not (what == "MAC" and chosen[len(chosen) - 2] in _AEAD_CIPHERS):
            raise server_failure(Reason.NO_COMMON_ALGORITHM, what)
        chosen.append(found)
    return chosen[0]


async def _read_identification(session: Session[SshSettings]) -> bytes:
    """Read up to the server's identification; lines before it are allowed (RFC 4253, 4.2)."""
    wire = session.connection
    for _ in range(_MAX_BANNER_LINES):
        wire.begin_answer()
        line = await wire.read_line()
        wire.end_answer_with(line)
        if line.startswith(b"SSH-"):
            if not _IDENTIFICATION_LINE.fullmatch(line):
                break
            return line
    raise server_failure(Reason.PROTOCOL)


async def _read_packet(session: Session[SshSettings], message_number: int) -> bytes:
    """Read packets up to the one of that number, and give its payload."""
    wire = session.connection
    for _ in range(_MAX_PACKETS):
        wire.begin_answer()
        length, padding = struct.unpack("!IB", await wire.read_exactly(5))
        if not padding + 2 <= length <= _MAX_PACKET_SIZE:
            raise server_failure(Reason.PROTOCOL)
        payload = (await wire.read_exactly(length - 1))[: length - 1 - padding]
        if payload[0] == message_number:
            return payload
        wire.end_answer_with(payload[1:])
        if payload[0] == _DISCONNECT:
            code = int.from_bytes(payload[1:5])
            raise server_failure(Reason.STATUS, str(code) if code <= _MAX_DISCONNECT_CODE else "")
        if payload[0] not in (_IGNORE, _UNIMPLEMENTED, _DEBUG):
            raise server_failure(Reason.PROTOCOL)
    raise server_failure(Reason.PROTOCOL, "too long")


def parse_kexinit(payload: bytes) -> list[list[str]]:
    """Read the name-lists of a KEXINIT: methods of key exchange, host keys, ...; raises ``ProbeError``."""
    place = 17
    lists: list[list[str]] = []
    for _ in range(_NAME_LIST_COUNT):
        text, place = read_string(payload, place)
        try:
            lists.append(text.decode("ascii").split(","))
        except UnicodeError:
            raise server_failure(Reason.PROTOCOL) from None
    return lists


def _build_kexinit(kex_algorithms: tuple[str, ...], host_key_algorithms: tuple[str, ...]) -> bytes:
    both_ways = [names for names in (_CIPHERS, _MACS, _COMPRESSIONS) for _ in range(2)]
    lists = [",".join(names).encode() for names in (kex_algorithms, host_key_algorithms, *both_ways)]
    names = b"".join(encode_string(text) for text in (*lists, b"", b""))
    return bytes([_KEXINIT]) + os.urandom(16) + names + bytes(5)


def _build_packet(payload: bytes) -> bytes:
    """Make a packet of a payload; there is no cipher yet, so it is padded to eights."""
    padding = 8 - (len(payload) + 5) % 8
    padding += 8 if padding < 4 else 0  # noqa: PLR2004 - the least that there must be
    return struct.pack("!IB", len(payload) + padding + 1, padding) + payload + bytes(padding)
