"""Replies of a key exchange of SSH, spoilt: each is proven or judged."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.probes.ssh.key_exchange import KeyExchange
from tests.probes.mutations import FUZZ_FACTOR, MUTATIONS, Mutation, assert_reads_or_fails, mutate
from tests.probes.recordings import ssh_mpint, ssh_string

if TYPE_CHECKING:
    from collections.abc import Callable


_RSA = rsa.generate_private_key(65537, 2048)
_CURVES = [ec.generate_private_key(curve()) for curve in (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)]


def _host_keys() -> dict[str, tuple[bytes, Callable[[bytes], bytes]]]:
    """Give host keys, and what signs by them."""
    numbers = _RSA.public_key().public_numbers()
    blob = ssh_string(b"ssh-rsa") + ssh_mpint(numbers.e.to_bytes(3)) + ssh_mpint(numbers.n.to_bytes(256))
    found: dict[str, tuple[bytes, Callable[[bytes], bytes]]] = {
        "rsa": (
            blob,
            lambda data: ssh_string(b"rsa-sha2-256") + ssh_string(_RSA.sign(data, padding.PKCS1v15(), hashes.SHA256())),
        )
    }
    for key, bits, digest in zip(_CURVES, (256, 384, 521), (hashes.SHA256, hashes.SHA384, hashes.SHA512), strict=True):
        name = f"nistp{bits}".encode()
        point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

        def sign(data: bytes, key: Any = key, name: bytes = name, digest: Any = digest) -> bytes:
            r, s = decode_dss_signature(key.sign(data, ec.ECDSA(digest())))
            return ssh_string(b"ecdsa-sha2-" + name) + ssh_string(ssh_mpint(r.to_bytes(66)) + ssh_mpint(s.to_bytes(66)))

        found[f"nistp{bits}"] = (ssh_string(b"ecdsa-sha2-" + name) + ssh_string(name) + ssh_string(point), sign)
    return found


HOST_KEYS = _host_keys()


def _reply(kind: str, exchange: KeyExchange, said: bytes) -> tuple[bytes, str]:
    blob, sign = HOST_KEYS[kind]
    secret = X25519PrivateKey.generate()
    public = ssh_string(secret.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
    shared = secret.exchange(X25519PublicKey.from_public_bytes(exchange.encoded_public_key[4:]))
    digest = hashlib.sha256(said + ssh_string(blob) + exchange.encoded_public_key + public + ssh_mpint(shared)).digest()
    fingerprint = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return ssh_string(blob) + public + ssh_string(sign(digest)), f"SHA256:{fingerprint}"


@pytest.mark.parametrize("kind", HOST_KEYS)
@settings(max_examples=100 * FUZZ_FACTOR)
@given(spoils=st.one_of(st.just([]), MUTATIONS))
def test_a_host_key_is_proven_by_a_good_signature_and_by_no_other(kind: str, spoils: list[Mutation]) -> None:
    exchange = KeyExchange(b"a", b"b", b"c", b"d")
    good, fingerprint = _reply(kind, exchange, b"".join(map(ssh_string, (b"a", b"b", b"c", b"d"))))
    reply = mutate(good, spoils)
    if reply.startswith(good):
        assert exchange.verify_reply(reply) == fingerprint
    else:
        assert_reads_or_fails(lambda: exchange.verify_reply(reply))
