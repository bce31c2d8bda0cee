"""A key exchange of SSH (RFC 4253, 8), up to the proof that the server has its host key."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from monitor.model import Reason
from monitor.probes.failures import server_failure
from monitor.probes.ssh.kex_methods import Curve25519
from monitor.probes.ssh.strings import encode_string, read_string

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.probes.ssh.kex_methods import KexMethod

_CURVES: dict[bytes, tuple[ec.EllipticCurve, hashes.HashAlgorithm]] = {
    b"ecdsa-sha2-nistp256": (ec.SECP256R1(), hashes.SHA256()),
    b"ecdsa-sha2-nistp384": (ec.SECP384R1(), hashes.SHA384()),
    b"ecdsa-sha2-nistp521": (ec.SECP521R1(), hashes.SHA512()),
}
_RSA_HASHES: dict[bytes, hashes.HashAlgorithm] = {b"rsa-sha2-512": hashes.SHA512(), b"rsa-sha2-256": hashes.SHA256()}


class KeyExchange:
    """One exchange: send ``client_kexinit`` and ``encoded_public_key``, then ``verify_reply`` with what comes back."""

    def __init__(
        self,
        client_version: bytes,
        server_version: bytes,
        client_kexinit: bytes,
        server_kexinit: bytes,
        method: KexMethod | None = None,
    ) -> None:
        """``client_kexinit`` and ``server_kexinit`` are KEXINIT payloads; versions come without line ends."""
        self._hash_prefix = b"".join(
            map(encode_string, (client_version, server_version, client_kexinit, server_kexinit))
        )
        self._method = method or Curve25519()
        self.encoded_public_key = self._method.public

    def verify_reply(self, reply: bytes) -> str:
        """Return the fingerprint of the host key out of the reply; raises ``ProbeError`` where it is not proven."""
        host_key, place = read_string(reply, 0)
        _, end = read_string(reply, place)
        public = reply[place:end]
        signature, _ = read_string(reply, end)
        method = self._method
        try:
            secret = method.shared_secret(public)
        except ValueError:
            raise server_failure(Reason.PROTOCOL) from None
        parts = self._hash_prefix + encode_string(host_key) + method.hash_prefix + method.public + public + secret
        try:
            _verifier(host_key, signature)(hashlib.new(method.hash_name, parts).digest())
        except (InvalidSignature, UnsupportedAlgorithm, ValueError):
            raise server_failure(Reason.HOST_KEY, "bad signature") from None
        digest = base64.b64encode(hashlib.sha256(host_key).digest()).decode()
        return f"SHA256:{digest.rstrip('=')}"


def _verifier(host_key: bytes, signature: bytes) -> Callable[[bytes], None]:
    """Return what verifies a signature by a host key; it raises ``InvalidSignature``, this ``ValueError``."""
    kind, place = read_string(host_key, 0)
    method, after = read_string(signature, 0)
    proof, _ = read_string(signature, after)
    if kind == b"ssh-ed25519":
        raw, _ = read_string(host_key, place)
        return lambda data: ed25519.Ed25519PublicKey.from_public_bytes(raw).verify(proof, data)
    if kind in _CURVES:
        curve, digest = _CURVES[kind]
        _, place = read_string(host_key, place)
        point, _ = read_string(host_key, place)
        public = ec.EllipticCurvePublicKey.from_encoded_point(curve, point)
        r, place = read_string(proof, 0)
        s, _ = read_string(proof, place)
        dss = encode_dss_signature(int.from_bytes(r), int.from_bytes(s))
        return lambda data: public.verify(dss, data, ec.ECDSA(digest))
    if kind == b"ssh-rsa" and method in _RSA_HASHES:
        exponent, place = read_string(host_key, place)
        modulus, _ = read_string(host_key, place)
        key = rsa.RSAPublicNumbers(int.from_bytes(exponent), int.from_bytes(modulus)).public_key()
        return lambda data: key.verify(proof, data, padding.PKCS1v15(), _RSA_HASHES[method])
    raise ValueError(kind)
