"""The methods of key exchange that OpenSSH offers, as far as the proof of a host key needs them.

The conversation ends with the server's signature, and nothing is ever encrypted by the secret that was agreed on. So
secrets need not be hard to guess here, only valid: exponents are short, and the key of sntrup761 is a trivial one.
"""

from __future__ import annotations

import hashlib
import secrets
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from monitor.probes.ssh import sntrup761
from monitor.probes.ssh.strings import encode_mpint, encode_string, read_string

if TYPE_CHECKING:
    from collections.abc import Callable

_X25519_SIZE = 32


class KexMethod(Protocol):
    """One side of a key exchange. ``shared_secret`` raises ``ValueError`` for a public value that is not valid."""

    hash_name: str
    public: bytes
    """The own public value, encoded as it is sent and hashed."""
    hash_prefix: bytes
    """What is hashed before the two public values."""
    init_message: int
    reply_message: int

    def shared_secret(self, public: bytes) -> bytes:
        """Return the secret, encoded as it is hashed, from the server's encoded public value."""


class _Agreement:
    """What the methods have in common."""

    hash_prefix = b""
    init_message, reply_message = 30, 31

    def __init__(self, hash_name: str) -> None:
        self.hash_name = hash_name


class Curve25519(_Agreement):
    """Curve25519 (RFC 8731)."""

    def __init__(self, hash_name: str = "sha256") -> None:
        super().__init__(hash_name)
        self._private = X25519PrivateKey.generate()
        self.raw_public = self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.public = encode_string(self.raw_public)

    def raw_secret(self, point: bytes) -> bytes:
        """Return the 32 bytes that are agreed on."""
        return self._private.exchange(X25519PublicKey.from_public_bytes(point))

    def shared_secret(self, public: bytes) -> bytes:
        """Return the secret; see ``KexMethod``."""
        return encode_mpint(int.from_bytes(self.raw_secret(read_string(public, 0)[0])))


class NistCurve(_Agreement):
    """ECDH on a curve of NIST (RFC 5656)."""

    def __init__(self, curve: ec.EllipticCurve, hash_name: str) -> None:
        super().__init__(hash_name)
        self._curve = curve
        self._private = ec.generate_private_key(curve)
        point = self._private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.public = encode_string(point)

    def shared_secret(self, public: bytes) -> bytes:
        """Return the secret; see ``KexMethod``."""
        point = ec.EllipticCurvePublicKey.from_encoded_point(self._curve, read_string(public, 0)[0])
        return encode_mpint(int.from_bytes(self._private.exchange(ec.ECDH(), point)))


_EXPONENT_BITS = 128
"""Of a private exponent, see above: a longer one takes tens of milliseconds in the largest group."""


class FiniteField(_Agreement):
    """Diffie-Hellman in a finite field (RFC 4253, 8; RFC 8268)."""

    def __init__(self, prime: int, hash_name: str, generator: int = 2) -> None:
        super().__init__(hash_name)
        self._prime = prime
        self._exponent = secrets.randbits(_EXPONENT_BITS) | 1 << _EXPONENT_BITS
        self.public = encode_mpint(pow(generator, self._exponent, prime))

    def shared_secret(self, public: bytes) -> bytes:
        """Return the secret; see ``KexMethod``."""
        value = int.from_bytes(read_string(public, 0)[0])
        if not 1 < value < self._prime - 1:
            raise ValueError(value)
        return encode_mpint(pow(value, self._exponent, self._prime))


_GROUP_SIZES = (2048, 3072, 8192)
"""Bits of the group that the server is to choose: at least, best, at most."""
GROUP_REQUEST = b"".join(size.to_bytes(4) for size in _GROUP_SIZES)


class GroupExchange(FiniteField):
    """Diffie-Hellman in a group that the server chose (RFC 4419)."""

    init_message, reply_message = 32, 33

    def __init__(self, group: bytes) -> None:
        """``group`` is the server's message without its number; raises ``ValueError`` where it is none."""
        modulus, place = read_string(group, 0)
        base, place = read_string(group, place)
        prime, generator = int.from_bytes(modulus), int.from_bytes(base)
        if (
            not _GROUP_SIZES[0] <= prime.bit_length() <= _GROUP_SIZES[2]
            or not 1 < generator < prime - 1
            or not prime & 1
        ):
            raise ValueError(prime)
        super().__init__(prime, "sha256", generator)
        self.hash_prefix = GROUP_REQUEST + group[:place]


class _Hybrid(_Agreement):
    """A method against quantum computers, and curve25519 beside it."""

    def __init__(self, hash_name: str, kem_public: bytes, kem_size: int, decapsulate: Callable[[bytes], bytes]) -> None:
        super().__init__(hash_name)
        self._curve = Curve25519()
        self._kem_size = kem_size
        self._decapsulate = decapsulate
        self.public = encode_string(kem_public + self._curve.raw_public)

    def shared_secret(self, public: bytes) -> bytes:
        """Return the secret; see ``KexMethod``."""
        both = read_string(public, 0)[0]
        if len(both) != self._kem_size + _X25519_SIZE:
            raise ValueError(len(both))
        secret = self._decapsulate(both[: self._kem_size]) + self._curve.raw_secret(both[self._kem_size :])
        return encode_string(hashlib.new(self.hash_name, secret).digest())


def _sntrup761() -> KexMethod:
    return _Hybrid("sha512", sntrup761.PUBLIC_KEY, sntrup761.CIPHERTEXT_SIZE, sntrup761.decapsulate)


_MLKEM768_CIPHERTEXT_SIZE = 1088


def _mlkem768() -> KexMethod:
    private = _mlkem_module().MLKEM768PrivateKey.generate()
    public: bytes = private.public_key().public_bytes_raw()
    return _Hybrid("sha256", public, _MLKEM768_CIPHERTEXT_SIZE, private.decapsulate)


def _mlkem_module() -> Any:
    from cryptography.hazmat.primitives.asymmetric import mlkem  # noqa: PLC0415 - older versions of the library lack it

    return mlkem


def _has_mlkem() -> bool:
    try:
        _mlkem_module().MLKEM768PrivateKey.generate()
    except (ImportError, UnsupportedAlgorithm, AttributeError):
        return False
    return True


@lru_cache
def _modp_prime(bits: int, offset: int) -> int:
    """Return a prime of RFC 3526: its 64 highest and lowest bits are ones, between them are digits of pi."""
    return (1 << bits) - (1 << bits - 64) - 1 + (_pi_bits(bits - 130) + offset << 64)


def _pi_bits(bits: int) -> int:
    """Return pi times 2 ** ``bits``, rounded down."""
    guard = 64
    one = 1 << bits + guard
    total = 0
    for factor, base in ((16, 5), (-4, 239)):  # Machin's formula
        power, sign, number = one // base, 1, 1
        while power:
            total += factor * sign * (power // number)
            power //= base * base
            sign, number = -sign, number + 2
    return total >> guard


GROUP_EXCHANGE = "diffie-hellman-group-exchange-sha256"
KEX_METHODS: dict[str, Callable[[], KexMethod]] = {
    "curve25519-sha256": Curve25519,
    "curve25519-sha256@libssh.org": Curve25519,
    "ecdh-sha2-nistp256": lambda: NistCurve(ec.SECP256R1(), "sha256"),
    "ecdh-sha2-nistp384": lambda: NistCurve(ec.SECP384R1(), "sha384"),
    "ecdh-sha2-nistp521": lambda: NistCurve(ec.SECP521R1(), "sha512"),
    **({"mlkem768x25519-sha256": _mlkem768} if _has_mlkem() else {}),
    "sntrup761x25519-sha512": _sntrup761,
    "sntrup761x25519-sha512@openssh.com": _sntrup761,
    "diffie-hellman-group14-sha256": lambda: FiniteField(_modp_prime(2048, 124476), "sha256"),
    "diffie-hellman-group16-sha512": lambda: FiniteField(_modp_prime(4096, 240904), "sha512"),
    "diffie-hellman-group18-sha512": lambda: FiniteField(_modp_prime(8192, 4743158), "sha512"),
}
"""All but the group exchange, the cheapest first: the server takes the first that it has."""
