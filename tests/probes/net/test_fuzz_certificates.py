"""Certificates whose DER is spoilt, and signed all the same: each is read or judged."""

from __future__ import annotations

import contextlib
import datetime as dt
import ssl
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtensionOID, NameOID
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from monitor.model import Reason
from monitor.probes.net.tls import Handshake, TlsContexts, verification_reason
from tests.probes.mutations import FUZZ_FACTOR

if TYPE_CHECKING:
    from pathlib import Path

KEY = ec.generate_private_key(ec.SECP256R1())
NOW = 1_800_000_000_000
_ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")


def der(tag: int, body: bytes) -> bytes:
    """Write a value with its tag and its length."""
    size = len(body)
    if size < 128:
        return bytes([tag, size]) + body
    width = (size.bit_length() + 7) // 8
    return bytes([tag, 128 | width]) + size.to_bytes(width) + body


def signed(body: bytes) -> str:
    """Make a certificate in PEM of what is to be signed."""
    signature = KEY.sign(body, ec.ECDSA(hashes.SHA256()))
    return ssl.DER_cert_to_PEM_cert(der(0x30, body + _ECDSA_SHA256 + der(3, b"\0" + signature)))


def _body(names: bytes) -> bytes:
    """Give what is to be signed of a certificate with those names."""
    whose = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, "www.ığdır.example"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Acme\nLtd"),
            x509.NameAttribute(NameOID.COUNTRY_NAME, "TR"),
        ]
    )
    builder = x509.CertificateBuilder(whose, whose, KEY.public_key(), 1)
    builder = builder.not_valid_before(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    builder = builder.not_valid_after(dt.datetime(2060, 1, 1, tzinfo=dt.UTC))
    extension = x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, names)
    return builder.add_extension(extension, critical=False).sign(KEY, hashes.SHA256()).tbs_certificate_bytes


NAMES = der(
    0x30,
    b"".join(
        (
            der(0x82, b"www.example.com"),
            der(0x87, bytes([127, 0, 0, 1])),
            der(0x87, bytes(16)),
            der(0x81, b"me@example.com"),
            der(0x86, b"http://example.com/"),
            der(0x88, bytes.fromhex("2a0304")),
            der(0xA0, bytes.fromhex("06032a0304") + der(0xA0, der(0x0C, b"other"))),
        )
    ),
)
BODY = _body(NAMES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("certificates")
    key = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (place / "key.pem").write_bytes(key)
    (place / "good.pem").write_text(signed(BODY))
    return place


def shake_hands(folder: Path, client: ssl.SSLContext, certificate: str) -> None:
    """Shake hands with a server that has it, and tell of it; what no server could present is not tried."""
    (folder / "certificate.pem").write_text(certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    except ssl.SSLError:
        assume(condition=False)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(to_server, to_client, server_side=True)
    tls = client.wrap_bio(to_client, to_server, server_hostname="www.example.com")
    refusals: list[Reason] = []
    try:
        for _ in range(3):
            for side in (tls, server):
                with contextlib.suppress(ssl.SSLWantReadError):
                    side.do_handshake()
    except ssl.SSLCertVerificationError as error:
        refusals.append(verification_reason(error))
    except ssl.SSLError:
        pass
    assert set(refusals) <= set(Reason)
    handshake = Handshake(tls, NOW)
    assert all(each.isprintable() or each == "\n" for each in str(handshake))
    if handshake.certificate is not None:
        assert len(handshake.certificate.fingerprint) == 64
        assert handshake.certificate.earliest_expiry <= handshake.certificate.expiry


def other_bytes(data: bytes, changes: list[tuple[int, int]]) -> bytes:
    """Put other bytes in those places, so that no length changes."""
    changed = bytearray(data)
    for place, byte in changes:
        changed[place % len(data)] = byte
    return bytes(changed)


_CHANGES = st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=3)


@settings(max_examples=150 * FUZZ_FACTOR, suppress_health_check=list(HealthCheck))
@given(changes=_CHANGES, verify=st.booleans())
def test_a_certificate_with_other_bytes_in_it_is_told_of_or_refused(
    folder: Path, changes: list[tuple[int, int]], *, verify: bool
) -> None:
    client = TlsContexts().get(verify=verify, ca_file=folder / "good.pem")
    shake_hands(folder, client, signed(other_bytes(BODY, changes)))


@settings(max_examples=100 * FUZZ_FACTOR, suppress_health_check=list(HealthCheck))
@given(names=st.one_of(st.binary(max_size=60), _CHANGES.map(lambda changes: other_bytes(NAMES, changes))))
def test_a_certificate_with_any_names_is_told_of_or_refused(folder: Path, names: bytes) -> None:
    client = TlsContexts().get(verify=False, ca_file=folder / "good.pem")
    shake_hands(folder, client, signed(_body(names)))
