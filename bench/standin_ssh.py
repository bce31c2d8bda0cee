"""The part of an SSH server that a check needs: identification, offer, and a key exchange by curve25519."""

from __future__ import annotations

import base64
import hashlib
import os
import struct
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from monitor.probes.ssh.strings import encode_string, read_string

if TYPE_CHECKING:
    import asyncio

IDENTIFICATION = b"SSH-2.0-StandIn_1.0"
_KEY = Ed25519PrivateKey.from_private_bytes(b"a key that opens nothing at all.")
_PUBLIC = encode_string(b"ssh-ed25519") + encode_string(_KEY.public_key().public_bytes_raw())
FINGERPRINT = "SHA256:" + base64.b64encode(hashlib.sha256(_PUBLIC).digest()).decode().rstrip("=")
_KEXINIT, _ECDH_REPLY = 20, 31
_LISTS = (
    b"curve25519-sha256,curve25519-sha256@libssh.org",
    b"ssh-ed25519",
    *(b"aes128-ctr,aes256-ctr",) * 2,
    *(b"hmac-sha2-256,hmac-sha2-512",) * 2,
    *(b"none",) * 2,
    b"",
    b"",
)


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one connection until the client closes it."""
    offer = bytes([_KEXINIT]) + os.urandom(16) + b"".join(map(encode_string, _LISTS)) + bytes(5)
    writer.write(IDENTIFICATION + b"\r\n")
    version = (await reader.readuntil(b"\n")).rstrip(b"\r\n")
    writer.write(_packet(offer))
    theirs = await _read(reader)
    request = await _read(reader)
    point, _ = read_string(request, 1)
    secret = X25519PrivateKey.generate()
    own = secret.public_key().public_bytes_raw()
    shared = secret.exchange(X25519PublicKey.from_public_bytes(point)).lstrip(b"\0")
    number = b"\0" + shared if shared[0] & 0x80 else shared
    exchanged = (version, IDENTIFICATION, theirs, offer, _PUBLIC, point, own, number)
    signature = _KEY.sign(hashlib.sha256(b"".join(map(encode_string, exchanged))).digest())
    proof = encode_string(encode_string(b"ssh-ed25519") + encode_string(signature))
    writer.write(_packet(bytes([_ECDH_REPLY]) + encode_string(_PUBLIC) + encode_string(own) + proof))
    await reader.read()


async def _read(reader: asyncio.StreamReader) -> bytes:
    """Return the payload of the next packet."""
    length, padding = struct.unpack("!IB", await reader.readexactly(5))
    return (await reader.readexactly(length - 1))[: length - 1 - padding]


def _packet(payload: bytes) -> bytes:
    padding = 8 - (len(payload) + 5) % 8
    padding += 8 if padding < 4 else 0  # noqa: PLR2004 - the least padding
    return struct.pack("!IB", len(payload) + padding + 1, padding) + payload + bytes(padding)
