"""The login methods of MySQL and MariaDB that prove the knowledge of a password without sending it."""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from typing import NamedTuple

NATIVE, CACHING_SHA2, ED25519, PARSEC = "mysql_native_password", "caching_sha2_password", "client_ed25519", "parsec"
SUPPORTED_METHODS = frozenset({NATIVE, CACHING_SHA2, ED25519, PARSEC})
_EMPTY_PASSWORD = {NATIVE: b"", ED25519: b"", PARSEC: b""}
"""How a method says that there is no password; the others send an empty text with its terminator."""

_PARSEC_NONCE_SIZE = 32
_PARSEC_MAX_ITERATION_EXPONENT = 6
"""A server chooses the cost of PARSEC: 1024 rounds, or at most 2 ** 6 times as many, about 40 ms."""


def no_password(method: str) -> bytes:
    """Return the response of a caller that has no password."""
    return _EMPTY_PASSWORD.get(method, b"\0")


def scramble(method: str, password: bytes, nonce: bytes) -> bytes:
    """Return the first response to the server's nonce by one of ``SUPPORTED_METHODS``."""
    if method == PARSEC:  # asks for the salt
        return b""
    if method == ED25519:
        return _sign_with_password(password, nonce)
    if method == CACHING_SHA2:
        secret = hashlib.sha256(password).digest()
        mask = hashlib.sha256(hashlib.sha256(secret).digest() + nonce).digest()
    else:  # the protocol prescribes SHA-1
        secret = _sha1(password)
        mask = _sha1(nonce + _sha1(secret))
    return bytes(left ^ right for left, right in zip(secret, mask, strict=True))


def parsec_response(password: bytes, nonce: bytes, extended_salt: bytes) -> bytes | None:
    """Return the response to the salt of PARSEC; None if it has an unknown form or costs too much."""
    if len(nonce) != _PARSEC_NONCE_SIZE or len(extended_salt) <= 2 or extended_salt[:1] != b"P":  # noqa: PLR2004 - method, exponent
        return None
    exponent, salt = extended_salt[1], extended_salt[2:]
    if exponent > _PARSEC_MAX_ITERATION_EXPONENT:
        return None
    # a check without this method does not load the library
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    seed = hashlib.pbkdf2_hmac("sha512", password, salt, 1024 << exponent, 32)
    own_nonce = os.urandom(_PARSEC_NONCE_SIZE)
    return own_nonce + Ed25519PrivateKey.from_private_bytes(seed).sign(nonce + own_nonce)


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()


# --- client_ed25519: EdDSA (RFC 8032) with the password itself, of any length, in place of the 32 bytes of a key ------
#
# No library takes a private key of another length, so the arithmetic is here. It takes about 3 ms.

_PRIME = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_CURVE_D = -121665 * pow(121666, -1, _PRIME) % _PRIME


class _Point(NamedTuple):
    """A point of edwards25519 in extended coordinates (RFC 8032, 5.1.4)."""

    x: int
    y: int
    z: int
    t: int


_IDENTITY = _Point(0, 1, 1, 0)
_BASE_X = 15112221349535400772501151409588531511454012693041857206046113283949847762202
_BASE_Y = 4 * pow(5, -1, _PRIME) % _PRIME
_BASE = _Point(_BASE_X, _BASE_Y, 1, _BASE_X * _BASE_Y % _PRIME)


def _add(left: _Point, right: _Point) -> _Point:
    a = (left.y - left.x) * (right.y - right.x) % _PRIME
    b = (left.y + left.x) * (right.y + right.x) % _PRIME
    c = 2 * left.t * right.t * _CURVE_D % _PRIME
    d = 2 * left.z * right.z % _PRIME
    e, f, g, h = b - a, d - c, d + c, b + a
    return _Point(e * f % _PRIME, g * h % _PRIME, f * g % _PRIME, e * h % _PRIME)


@lru_cache(maxsize=1)
def _base_multiples() -> tuple[tuple[_Point, ...], ...]:
    """Return a row of 16 multiples of the base point for each of the 64 hexadecimal digits of a scalar."""
    rows: list[tuple[_Point, ...]] = []
    unit = _BASE
    for _ in range(64):
        row = [_IDENTITY]
        for _ in range(16):
            row.append(_add(row[-1], unit))
        unit = row.pop()
        rows.append(tuple(row))
    return tuple(rows)


def _multiply_base(scalar: int) -> bytes:
    """Return the encoded product of ``scalar``, of at most 256 bits, and the base point."""
    total = _IDENTITY
    for row in _base_multiples():
        total = _add(total, row[scalar & 15])
        scalar >>= 4
    inverse = pow(total.z, -1, _PRIME)
    x, y = total.x * inverse % _PRIME, total.y * inverse % _PRIME
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _sign_with_password(password: bytes, message: bytes) -> bytes:
    digest = hashlib.sha512(password).digest()
    secret = int.from_bytes(digest[:32], "little") & (1 << 254) - 8 | 1 << 254
    public = _multiply_base(secret)
    nonce = int.from_bytes(hashlib.sha512(digest[32:] + message).digest(), "little") % _ORDER
    commitment = _multiply_base(nonce)
    challenge = int.from_bytes(hashlib.sha512(commitment + public + message).digest(), "little") % _ORDER
    return commitment + ((nonce + challenge * secret) % _ORDER).to_bytes(32, "little")
