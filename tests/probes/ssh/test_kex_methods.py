"""Methods of key exchange against the other side, and what two sides have in common."""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from monitor.model import Outcome
from monitor.probes.failures import ProbeError
from monitor.probes.ssh import sntrup761
from monitor.probes.ssh.kex_methods import KEX_METHODS, GroupExchange
from monitor.probes.ssh.key_exchange import KeyExchange
from monitor.probes.ssh.strings import encode_mpint, read_string
from tests.probes.database.recorded_replies import plays
from tests.probes.recordings import FINGERPRINT, HOST_KEY, HOST_KEY_BLOB, ssh_packet, ssh_string
from tests.probes.scripted_server import ScriptedServer

if TYPE_CHECKING:
    from tests.probes.conftest import AttemptFunction

CURVES = {"256": ec.SECP256R1(), "384": ec.SECP384R1(), "521": ec.SECP521R1()}


def raw_x25519(point: bytes) -> tuple[bytes, bytes]:
    private = X25519PrivateKey.generate()
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return public, private.exchange(X25519PublicKey.from_public_bytes(point))


def encapsulate(public: bytes) -> tuple[bytes, bytes]:
    """Encrypt to the trivial public key of ``sntrup761``, of which all coefficients but the first are 0."""
    assert public == sntrup761.PUBLIC_KEY
    small = [1] * 143 + [-1] * 143 + [0] * (761 - 286)
    random.Random(1).shuffle(small)
    rounded = [(each * -1530 + 2295) // 3 for each in small]
    ciphertext = sntrup761._encode(rounded, [1531] * 761) + b"c" * 32
    padded = [each + 1 for each in small] + [0] * 3
    packed = bytes(sum(padded[place + step] << 2 * step for step in range(4)) for place in range(0, 764, 4))
    inner = hashlib.sha512(b"\3" + packed).digest()[:32]
    return ciphertext, hashlib.sha512(b"\1" + inner + ciphertext).digest()[:32]


def serve(name: str, public: bytes, prime: int) -> tuple[bytes, bytes]:
    """Return the server's public value and the secret, both encoded."""
    said = read_string(public, 0)[0]
    if name.startswith("curve25519"):
        point, secret = raw_x25519(said)
        return ssh_string(point), encode_mpint(int.from_bytes(secret))
    if name.startswith("ecdh"):
        curve = CURVES[name[-3:]]
        private = ec.generate_private_key(curve)
        point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        secret = private.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(curve, said))
        return ssh_string(point), encode_mpint(int.from_bytes(secret))
    if name.startswith("diffie"):
        value = int.from_bytes(said)
        assert value.bit_count() > 4  # what OpenSSH demands
        return encode_mpint(pow(2, 12345678901, prime)), encode_mpint(pow(value, 12345678901, prime))
    if name.startswith("mlkem"):
        mlkem = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.mlkem")
        secret, ciphertext = mlkem.MLKEM768PublicKey.from_public_bytes(said[:-32]).encapsulate()
        digest = "sha256"
    else:
        ciphertext, secret = encapsulate(said[:-32])
        digest = "sha512"
    point, classical = raw_x25519(said[-32:])
    return ssh_string(ciphertext + point), ssh_string(hashlib.new(digest, secret + classical).digest())


@pytest.mark.parametrize("name", KEX_METHODS)
def test_both_sides_come_to_one_secret_and_the_signature_of_it_proves_the_key(name: str) -> None:
    method = KEX_METHODS[name]()
    exchange = KeyExchange(b"a", b"b", b"c", b"d", method)
    public, secret = serve(name, exchange.encoded_public_key, getattr(method, "_prime", 0))
    parts = b"".join(map(ssh_string, (b"a", b"b", b"c", b"d", HOST_KEY_BLOB))) + method.public + public + secret
    signed = ssh_string(b"ssh-ed25519") + ssh_string(HOST_KEY.sign(hashlib.new(method.hash_name, parts).digest()))
    reply = ssh_string(HOST_KEY_BLOB) + public + ssh_string(signed)
    assert exchange.verify_reply(reply) == FINGERPRINT
    with pytest.raises(ProbeError, match="host_key: bad signature"):
        KeyExchange(b"a", b"b", b"c", b"x", method).verify_reply(reply)


@pytest.mark.parametrize("name", KEX_METHODS)
@pytest.mark.parametrize("public", [b"", b"\0", b"\1", b"\xff" * 32, b"\4" + bytes(64), bytes(1120), bytes(1071)])
def test_a_public_value_that_is_none_breaks_the_protocol(name: str, public: bytes) -> None:
    exchange = KeyExchange(b"a", b"b", b"c", b"d", KEX_METHODS[name]())
    with pytest.raises(ProbeError, match=r"protocol|host_key: bad signature"):
        exchange.verify_reply(ssh_string(HOST_KEY_BLOB) + ssh_string(public) + ssh_string(ssh_string(b"x") * 2))


PRIME = (1 << 2048) - 1  # its size and oddness are all that is looked at


@pytest.mark.parametrize(
    ("prime", "generator"),
    [((1 << 1024) - 1, 2), ((1 << 9000) - 1, 2), (PRIME - 1, 2), (PRIME, 1), (PRIME, PRIME - 1), (PRIME, 0)],
)
def test_a_group_that_is_none_is_refused(prime: int, generator: int) -> None:
    with pytest.raises(ValueError, match=r"[0-9]"):
        GroupExchange(encode_mpint(prime) + encode_mpint(generator))
    method = GroupExchange(encode_mpint(PRIME) + encode_mpint(2) + b"rest")
    assert method.hash_prefix == b"\0\0\x08\0\0\0\x0c\0\0\0\x20\0" + encode_mpint(PRIME) + encode_mpint(2)


def offer(**other: bytes) -> bytes:
    lists = {
        "kex": b"curve25519-sha256",
        "host_key": b"ssh-ed25519",
        "cipher": b"aes128-ctr",
        "mac": b"hmac-sha2-256",
        "compression": b"none",
    } | other
    both = [lists[name] for name in ("cipher", "mac", "compression") for _ in range(2)]
    names = b"".join(map(ssh_string, (lists["kex"], lists["host_key"], *both, b"", b"")))
    return b"SSH-2.0-x\r\n" + ssh_packet(b"\x14" + bytes(16) + names + bytes(5))


@pytest.mark.parametrize(
    ("lists", "reason"),
    [
        ({"kex": b"diffie-hellman-group1-sha1"}, "no_common_algorithm: key exchange"),
        ({"kex": b"ecdh-sha2-1.3.132.0.10,kex-strict-s-v00@openssh.com"}, "no_common_algorithm: key exchange"),
        ({"host_key": b"ssh-dss"}, "no_common_algorithm: host key"),
        ({"host_key": b"ssh-rsa"}, "no_common_algorithm: host key"),
        ({"cipher": b"aes256-cbc,3des-cbc"}, "no_common_algorithm: cipher"),
        ({"mac": b"hmac-md5,hmac-ripemd160"}, "no_common_algorithm: MAC"),
        ({"compression": b"zlib"}, "no_common_algorithm: compression"),
        ({"mac": b"hmac-md5", "cipher": b"aes256-gcm@openssh.com"}, "timeout"),
        ({"mac": b"", "cipher": b"chacha20-poly1305@openssh.com"}, "timeout"),
        ({"mac": b"hmac-sha2-512-etm@openssh.com"}, "timeout"),
        ({"mac": b"umac-128-etm@openssh.com"}, "timeout"),
        ({"cipher": b"aes128-gcm@openssh.com"}, "timeout"),
        ({"kex": b"ecdh-sha2-nistp384", "host_key": b"ecdsa-sha2-nistp384"}, "timeout"),
        ({"kex": b"sntrup761x25519-sha512@openssh.com"}, "timeout"),
        ({"kex": b"diffie-hellman-group-exchange-sha256"}, "timeout"),
    ],
)
async def test_a_missing_common_algorithm_is_a_reason_of_its_own(
    attempt: AttemptFunction, lists: dict[str, bytes], reason: str
) -> None:
    """A server that says no more after its offer times out where the check goes on."""
    async with ScriptedServer(plays(offer(**lists))) as server:
        seen = await attempt("ssh", 0.7, port=server.port, fingerprints=(FINGERPRINT,))
        unpinned = await attempt("ssh", 5.0, port=server.port)
    assert (seen.outcome, seen.reason) == (Outcome.FAIL, reason), seen.steps
    assert unpinned.outcome is Outcome.OK
