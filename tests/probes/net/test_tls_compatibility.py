"""TLS as browsers speak it: ciphers, versions, keys, partial chains, revocation lists, client certificates."""

from __future__ import annotations

import contextlib
import datetime as dt
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from monitor.model import Outcome
from monitor.probes.net.tls import TlsContexts, handshake_failure
from tests.probes.scripted_server import ScriptedServer, page

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator
    from pathlib import Path

    from tests.probes.conftest import AttemptFunction

CHROMIUM = [
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-RSA-AES256-SHA",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
    "AES128-SHA",
    "AES256-SHA",
]
NOT_OFFERED = [
    "DHE-RSA-AES128-GCM-SHA256",
    "AES128-SHA256",
    "CAMELLIA128-SHA",
    "AES128-CCM",
    "ECDHE-RSA-CAMELLIA128-SHA256",
]


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    made = trustme.CA()
    made.cert_pem.write_to_path(tmp_path / "ca.pem")
    return made


def server_context(authority: trustme.CA, **settings: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", key_type=trustme.KeyType.RSA).configure_cert(context)
    for name, value in settings.items():
        setattr(context, name, value)
    return context


async def listens(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


@contextlib.contextmanager
def tls_server(context: ssl.SSLContext) -> Iterator[int]:
    """Serve one caller over TLS on the port given, with the alert that asyncio's servers do not send."""

    def serve() -> None:
        with listener.accept()[0] as plain, contextlib.suppress(OSError):
            plain.settimeout(20)
            try:
                with context.wrap_socket(plain.dup(), server_side=True) as sock:
                    sock.recv(4096)
                    sock.sendall(page())
            except ssl.SSLError:
                plain.shutdown(socket.SHUT_WR)
                while plain.recv(4096):
                    pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


@pytest.mark.parametrize("cipher", [*CHROMIUM, *NOT_OFFERED])
async def test_the_ciphers_of_browsers_are_spoken_and_no_others(
    attempt: AttemptFunction, authority: trustme.CA, tmp_path: Path, cipher: str
) -> None:
    context = server_context(authority, maximum_version=ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(f"{cipher}:@SECLEVEL=0")
    with tls_server(context) as port:
        seen = await attempt("tls", port=port, ca_file=tmp_path / "ca.pem")
    wanted = (Outcome.OK, "") if cipher in CHROMIUM else (Outcome.FAIL, "tls: no common cipher")
    assert (seen.outcome, seen.reason) == wanted, seen.steps
    if cipher in NOT_OFFERED:
        assert "alert handshake failure" in seen.steps[-1].text


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize("lowest", ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("kind", ["tls", "https", "smtps", "redis", "tcp"])
async def test_each_type_over_tls_knows_a_lowest_version(
    attempt: AttemptFunction, authority: trustme.CA, tmp_path: Path, kind: str, lowest: str
) -> None:
    context = server_context(authority, minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_2)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    keys: dict[str, Any] = {"tls": True} if kind in ("redis", "tcp") else {}
    with tls_server(context) as port:
        where = {"url": f"https://127.0.0.1:{port}/"} if kind == "https" else {"port": port}
        seen = await attempt(kind, 1.0, ca_file=tmp_path / "ca.pem", lowest_version=lowest, **where, **keys)
    if lowest == "TLSv1.3":
        assert (seen.outcome, seen.reason) == (Outcome.FAIL, "tls: no common version"), seen.steps
    else:  # the handshake stands; whether the server speaks is another matter
        assert any("TLSv1.2" in step.text for step in seen.steps if step.name == "tls")


@pytest.mark.parametrize(
    ("said", "agreed", "reason"),
    [
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", False, "tls: no common cipher"),
        ("ssl/tls alert handshake failure", False, "tls: no common cipher"),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", True, "tls: client certificate required"),
        ("TLSV1_ALERT_INSUFFICIENT_SECURITY", False, "tls: no common cipher"),
        ("TLSV1_ALERT_PROTOCOL_VERSION", False, "tls: no common version"),
        ("UNSUPPORTED_PROTOCOL", False, "tls: no common version"),
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", True, "tls: client certificate required"),
        ("TLSV1_ALERT_UNKNOWN_CA", True, "tls: client certificate not accepted"),
        ("SSLV3_ALERT_BAD_CERTIFICATE", True, "tls: client certificate not accepted"),
        ("TLSV1_UNRECOGNIZED_NAME", False, "tls: name not known"),
        ("WRONG_VERSION_NUMBER", False, "tls: wrong version number"),
        ("TLSV1_ALERT_INTERNAL_ERROR", False, "tls: alert internal error"),
        (None, False, "tls"),
    ],
)
def test_openssls_reasons_have_words_that_do_not_change(said: str | None, reason: str, *, agreed: bool) -> None:
    error = ssl.SSLError(1, "said")
    error.reason = said  # type: ignore[assignment]
    failure = handshake_failure(error, cipher_agreed=agreed)
    assert failure.reason == reason
    assert failure.explanation == (said or "").lower().replace("_", " ")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("given", ["none", "one file", "two files", "of a stranger", "expired"])
async def test_a_server_may_ask_for_a_client_certificate(
    attempt: AttemptFunction, authority: trustme.CA, tmp_path: Path, given: str, version: ssl.TLSVersion
) -> None:
    context = server_context(authority, maximum_version=version, verify_mode=ssl.CERT_REQUIRED)
    authority.configure_trust(context)
    issuer = trustme.CA() if given == "of a stranger" else authority
    until = dt.datetime(2020, 1, 1, tzinfo=dt.UTC) if given == "expired" else None
    mine = issuer.issue_cert("monitor@example.com", not_after=until)
    keys: dict[str, Path] = {}
    if given != "none":
        keys["certificate_file"] = tmp_path / "mine.pem"
        mine.private_key_and_cert_chain_pem.write_to_path(tmp_path / "mine.pem")
    if given == "two files":
        mine.cert_chain_pems[0].write_to_path(tmp_path / "mine.pem")
        mine.private_key_pem.write_to_path(tmp_path / "mine.key")
        keys["key_file"] = tmp_path / "mine.key"
    with tls_server(context) as port:
        seen = await attempt("https", url=f"https://127.0.0.1:{port}/", ca_file=tmp_path / "ca.pem", **keys)
    reason = {"none": "tls: client certificate required", "one file": "", "two files": ""}.get(
        given, "tls: client certificate not accepted"
    )
    assert (seen.outcome, seen.reason) == (Outcome.FAIL if reason else Outcome.OK, reason), seen.steps


@pytest.mark.parametrize("defect", ["missing", "no key", "another key", "passphrase", "garbage"])
async def test_a_client_certificate_of_no_use_is_the_monitors_fault(
    attempt: AttemptFunction, authority: trustme.CA, tmp_path: Path, defect: str
) -> None:
    file, key = tmp_path / "mine.pem", tmp_path / "mine.key"
    mine = authority.issue_cert("monitor@example.com")
    mine.cert_chain_pems[0].write_to_path(file)
    secret = serialization.load_pem_private_key(mine.private_key_pem.bytes(), None)
    if defect == "missing":
        file.unlink()
    elif defect == "another key":
        authority.issue_cert("x@example.com").private_key_pem.write_to_path(key)
    elif defect == "passphrase":
        form = serialization.PrivateFormat.PKCS8
        locked = serialization.BestAvailableEncryption(b"gizli")
        key.write_bytes(secret.private_bytes(serialization.Encoding.PEM, form, locked))
    elif defect == "garbage":
        key.write_text("garbage")
    keys = {"certificate_file": file} | ({"key_file": key} if key.exists() else {})
    async with ScriptedServer(listens, server_context(authority)) as server:
        seen = await attempt("tls", port=server.port, ca_file=tmp_path / "ca.pem", **keys)
    assert (seen.outcome, seen.reason) == (Outcome.UNKNOWN, "client certificate not readable")


async def test_an_intermediate_authority_is_trusted_by_itself(attempt: AttemptFunction, tmp_path: Path) -> None:
    middle = trustme.CA().create_child_ca()
    middle.cert_pem.write_to_path(tmp_path / "middle.pem")
    async with ScriptedServer(listens, server_context(middle)) as server:
        seen = await attempt("tls", port=server.port, ca_file=tmp_path / "middle.pem")
    assert (seen.outcome, seen.reason) == (Outcome.OK, ""), seen.steps


def test_the_flags_are_the_same_on_every_python() -> None:
    flags = TlsContexts().get(verify=True, ca_file=None).verify_flags
    assert flags == ssl.VerifyFlags.VERIFY_X509_TRUSTED_FIRST | ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN


NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


class RevokingAuthority:
    """An authority of its own with lists of revoked certificates."""

    def __init__(self, folder: Path, bits: int = 2048) -> None:
        self._folder = folder
        self._key = rsa.generate_private_key(65537, 2048)
        self._name = name("authority")
        self.certificate = self._sign(self._key, self._name, 1, x509.BasicConstraints(ca=True, path_length=None))
        self.server_key = rsa.generate_private_key(65537, bits)
        self.server = self._sign(
            self.server_key, name("server"), 2, x509.SubjectAlternativeName([x509.DNSName("server.example")])
        )

    def _sign(
        self, key: rsa.RSAPrivateKey, subject: x509.Name, number: int, extension: x509.ExtensionType
    ) -> x509.Certificate:
        builder = x509.CertificateBuilder(self._name, subject, key.public_key(), number, NOW - DAY, NOW + DAY)
        return builder.add_extension(extension, critical=False).sign(self._key, hashes.SHA256())

    def revocation_list(self, *revoked: int, until: dt.datetime, issuer: x509.Name | None = None) -> bytes:
        builder = x509.CertificateRevocationListBuilder(issuer or self._name, NOW - 2 * DAY, until)
        for number in revoked:
            entry = x509.RevokedCertificateBuilder(number, NOW - DAY).build()
            builder = builder.add_revoked_certificate(entry)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def context(self) -> ssl.SSLContext:
        file = self._folder / "server.pem"
        plain = serialization.NoEncryption()
        key = self.server_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, plain
        )
        file.write_bytes(key + self.server.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.load_cert_chain(file)
        return context


@pytest.mark.parametrize(
    ("revoked", "until", "issuer", "outcome", "reason"),
    [
        (None, NOW, None, Outcome.OK, ""),
        ((), NOW + DAY, None, Outcome.OK, ""),
        ((3, 4), NOW + DAY, None, Outcome.OK, ""),
        ((2,), NOW + DAY, None, Outcome.FAIL, "tls_revoked"),
        ((1, 2, 3), NOW + DAY, None, Outcome.FAIL, "tls_revoked"),
        ((3,), NOW - DAY, None, Outcome.UNKNOWN, "revocation list not usable"),
        ((3,), NOW + DAY, "stranger", Outcome.UNKNOWN, "revocation list not usable"),
    ],
)
async def test_a_revocation_list_beside_the_authority_counts(
    attempt: AttemptFunction,
    tmp_path: Path,
    revoked: tuple[int, ...] | None,
    until: dt.datetime,
    issuer: str | None,
    outcome: Outcome,
    reason: str,
) -> None:
    authority = RevokingAuthority(tmp_path)
    trusted = authority.certificate.public_bytes(serialization.Encoding.PEM)
    if revoked is not None:
        trusted += authority.revocation_list(*revoked, until=until, issuer=name(issuer) if issuer else None)
    (tmp_path / "ca.pem").write_bytes(trusted)
    async with ScriptedServer(listens, authority.context()) as server:
        seen = await attempt("tls", port=server.port, server_name="server.example", ca_file=tmp_path / "ca.pem")
    assert (seen.outcome, seen.reason) == (outcome, reason), seen.steps


async def test_a_short_key_that_browsers_accept_is_accepted(attempt: AttemptFunction, tmp_path: Path) -> None:
    authority = RevokingAuthority(tmp_path, bits=1024)
    (tmp_path / "ca.pem").write_bytes(authority.certificate.public_bytes(serialization.Encoding.PEM))
    async with ScriptedServer(listens, authority.context()) as server:
        seen = await attempt("tls", port=server.port, server_name="server.example", ca_file=tmp_path / "ca.pem")
    assert (seen.outcome, seen.reason) == (Outcome.OK, ""), seen.steps
