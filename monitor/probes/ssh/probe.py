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
from monitor.probes.failures import server_failure
from monitor.probes.net.connection import ConnectionProbe
from monitor.probes.ssh.strings import encode_string, read_string

if TYPE_CHECKING:
    from monitor.probes.net.connection import Session
    from monitor.probes.ssh.settings import SshSettings

IDENTIFICATION = b"SSH-2.0-sla_monitor"
KEX_ALGORITHMS = frozenset({"curve25519-sha256", "curve25519-sha256@libssh.org"})
_ED25519 = ("ssh-ed25519",)
_ECDSA = ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
_RSA = ("rsa-sha2-512", "rsa-sha2-256")
HOST_KEY_ALGORITHMS = {"any": (*_ED25519, *_ECDSA, *_RSA), "ed25519": _ED25519, "ecdsa": _ECDSA, "rsa": _RSA}
"""The algorithms of host keys by the key ``key_type``, the preferred first."""

_MAX_PACKET_SIZE = 35_000
"""Bytes of a packet, as RFC 4253 has it (6.1)."""
_MAX_PACKETS = 20
_MAX_BANNER_LINES = 50
_DISCONNECT, _IGNORE, _UNIMPLEMENTED, _DEBUG, _KEXINIT, _ECDH_INIT, _ECDH_REPLY = 1, 2, 3, 4, 20, 30, 31
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
        # who pins no key does not wait for the library
        from monitor.probes.ssh.key_exchange import KeyExchange  # noqa: PLC0415

        names = HOST_KEY_ALGORITHMS[settings.key_type]
        exchange = KeyExchange(IDENTIFICATION, version, _build_kexinit(names), offer)
        if KEX_ALGORITHMS.isdisjoint(lists[0]) or not set(names) & set(lists[1]):
            raise server_failure(Reason.HOST_KEY, "no such key")
        await wire.send(_build_packet(exchange.client_kexinit), "key exchange")
        await wire.send(_build_packet(bytes([_ECDH_INIT]) + exchange.encoded_public_key), "curve25519")
        fingerprint = exchange.verify_reply((await _read_packet(session, _ECDH_REPLY))[1:])
        wire.end_answer(fingerprint)
        if fingerprint not in settings.fingerprints:
            raise server_failure(Reason.HOST_KEY)


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


def _build_kexinit(host_key_algorithms: tuple[str, ...]) -> bytes:
    ciphers, codes = "aes128-ctr,aes256-ctr,chacha20-poly1305@openssh.com", "hmac-sha2-256,hmac-sha2-512"
    lists = (
        ",".join(sorted(KEX_ALGORITHMS)),
        ",".join(host_key_algorithms),
        ciphers,
        ciphers,
        codes,
        codes,
        "none",
        "none",
    )
    names = b"".join(encode_string(text.encode()) for text in (*lists, "", ""))
    return bytes([_KEXINIT]) + os.urandom(16) + names + bytes(5)


def _build_packet(payload: bytes) -> bytes:
    """Make a packet of a payload; there is no cipher yet, so it is padded to eights."""
    padding = 8 - (len(payload) + 5) % 8
    padding += 8 if padding < 4 else 0  # noqa: PLR2004 - the least that there must be
    return struct.pack("!IB", len(payload) + padding + 1, padding) + payload + bytes(padding)
