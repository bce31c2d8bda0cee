"""What a TLS handshake says about certificates: when they expire, and why one was refused."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import ssl
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from monitor.model import Certificate, Outcome, Reason
from monitor.probes.failures import ProbeError, monitor_failure
from monitor.probes.redaction import printable

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.model import Millis

# OpenSSL's X509_V_ERR_* numbers
_REASON_BY_VERIFY_CODE = {
    9: Reason.TLS_EARLY,
    10: Reason.TLS_EXPIRED,
    23: Reason.TLS_REVOKED,
    62: Reason.TLS_NAME,
    64: Reason.TLS_NAME,
}


_ATTRIBUTE_ABBREVIATIONS = {
    "commonName": "CN",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "stateOrProvinceName": "ST",
    "localityName": "L",
}


_REVOCATION_LIST_CODES = frozenset({3, 11, 12, 13, 14, 33, 44, 54})
"""What is wrong with a list of revoked certificates: none of this authority, expired, not valid yet, not readable."""
REVOCATION_LIST_UNUSABLE = "revocation list not usable"


def verification_failure(error: ssl.SSLCertVerificationError) -> ProbeError:
    """Judge a certificate that was not accepted; a list of revoked ones that is of no use is the monitor's fault."""
    if error.verify_code in _REVOCATION_LIST_CODES:
        return ProbeError(Outcome.UNKNOWN, REVOCATION_LIST_UNUSABLE, error.verify_message)
    return ProbeError(Outcome.FAIL, str(verification_reason(error)), error.verify_message)


def verification_reason(error: ssl.SSLCertVerificationError) -> Reason:
    """Say why a certificate was not accepted."""
    return _REASON_BY_VERIFY_CODE.get(error.verify_code, Reason.TLS_UNTRUSTED)


_NO_COMMON_CIPHER, _NO_COMMON_VERSION = "no common cipher", "no common version"
_CLIENT_CERTIFICATE_REQUIRED, _CLIENT_CERTIFICATE_REFUSED = (
    "client certificate required",
    "client certificate not accepted",
)
_HANDSHAKE_DETAILS = {
    "alert handshake failure": _NO_COMMON_CIPHER,
    "no shared cipher": _NO_COMMON_CIPHER,
    "no ciphers available": _NO_COMMON_CIPHER,
    "alert insufficient security": _NO_COMMON_CIPHER,
    "alert protocol version": _NO_COMMON_VERSION,
    "unsupported protocol": _NO_COMMON_VERSION,
    "version too low": _NO_COMMON_VERSION,
    "alert certificate required": _CLIENT_CERTIFICATE_REQUIRED,
    "alert bad certificate": _CLIENT_CERTIFICATE_REFUSED,
    "alert certificate expired": _CLIENT_CERTIFICATE_REFUSED,
    "alert certificate revoked": _CLIENT_CERTIFICATE_REFUSED,
    "alert certificate unknown": _CLIENT_CERTIFICATE_REFUSED,
    "alert unsupported certificate": _CLIENT_CERTIFICATE_REFUSED,
    "alert unknown ca": _CLIENT_CERTIFICATE_REFUSED,
    "unrecognized name": "name not known",
}
"""Details by the end of OpenSSL's reason, whose beginning names a version of TLS and differs between releases."""
_ALERT_PREFIX = re.compile(
    r"(?:sslv3|tlsv1|tlsv13|ssl/tls) (?=alert )|tlsv1 (?=unrecognized)|ssl/tls (?:alert )?(?=unrecog)"
)


def handshake_failure(error: ssl.SSLError, *, cipher_agreed: bool = False) -> ProbeError:
    """Say why no TLS came about: ``tls: no common cipher``, ``tls: wrong version number`` where none is spoken.

    In TLS 1.2 the alert for no common cipher also means that a client certificate is missing, once a cipher is agreed.
    """
    said = (error.reason or "").lower().replace("_", " ")
    detail = _ALERT_PREFIX.sub("", said)
    detail = _HANDSHAKE_DETAILS.get(detail, detail)
    if cipher_agreed and detail == _NO_COMMON_CIPHER:
        detail = _CLIENT_CERTIFICATE_REQUIRED
    return ProbeError(Outcome.FAIL, Reason.TLS.with_detail(detail), said)


_MAX_LINE_LENGTH = 500
"""Characters of a line that tells of a certificate: who made it can write what they like."""
_MAX_DISPLAYED_CERTIFICATES = 10
_NAMES = ("DNS", "IP Address")
_DER = 2
"""What the ssl module's own C code calls that encoding."""
_DAY = 86_400_000


class _CertificateText(NamedTuple):
    """One certificate that was presented, in the words that a person is told it in."""

    subject: str
    names: str
    issuer: str
    validity: str
    fingerprint: str
    expires: int | None
    """Unix seconds; None for a date that no calendar has."""


class Handshake:
    """What a TLS handshake came to, perhaps nothing but the certificates that were refused."""

    def __init__(self, tls: ssl.SSLObject, now: Millis) -> None:
        """``now`` is what the days that are left are counted from."""
        self.version = tls.version() or ""
        self._cipher = (tls.cipher() or ("",))[0]
        self._now = now
        self._chain = _presented_chain(tls)
        self.certificate = _summarize_chain(self._chain, _verified_expiries(tls))
        """None where the server presented none that can be read."""

    def __str__(self) -> str:
        lines = [", ".join(filter(None, (self.version, self._cipher)))] if self._cipher else []
        for number, each in enumerate(self._chain[:_MAX_DISPLAYED_CERTIFICATES]):
            lines += self._certificate_lines(number, each)
        if len(self._chain) > _MAX_DISPLAYED_CERTIFICATES:
            lines.append(f"... {len(self._chain)} in the chain")
        return printable("\n".join(line[:_MAX_LINE_LENGTH] for line in lines))

    def _certificate_lines(self, number: int, shown: _CertificateText) -> list[str]:
        lines = [f"{number} subject {shown.subject}"]
        if number == 0:
            lines.append(f"  names {shown.names}")
        lines += [f"  issuer {shown.issuer}", f"  {shown.validity}{self._days_left(shown.expires)}"]
        return [*lines, f"  sha256 {shown.fingerprint}"]

    def _days_left(self, end: int | None) -> str:
        if end is None:
            return ""
        left = end * 1000 - self._now
        return f", days left: {left // _DAY}" if left >= 0 else ", expired"


def _presented_chain(tls: ssl.SSLObject) -> list[_CertificateText]:
    # the whole chain has a public name from Python 3.13 on only, and there only as bytes; of a handshake that was
    # refused it can be had too, from OpenSSL 3.0 on
    inner: Any = getattr(tls, "_sslobj", None)
    try:
        return [_read_certificate(certificate) for certificate in inner.get_unverified_chain() or ()]
    except (AttributeError, TypeError, ValueError, ssl.SSLError):
        return []  # one that cannot even be read: who verifies has refused it already


def _verified_expiries(tls: ssl.SSLObject) -> list[int | None]:
    """Return the expiries in the chain of trust, its authority included; none if the certificate is not trusted."""
    inner: Any = getattr(tls, "_sslobj", None)
    if tls.context.verify_mode is ssl.CERT_NONE:
        return []
    try:
        return [_read_certificate(certificate).expires for certificate in inner.get_verified_chain() or ()]
    except (AttributeError, TypeError, ValueError, ssl.SSLError):
        return []


@lru_cache(maxsize=256)
def _read_certificate(certificate: Any) -> _CertificateText:
    # a tenth of a millisecond, and the next handshake shows the same one: two are equal where all of their bytes are
    info = certificate.get_info()
    names = ", ".join(str(value) for kind, value in info.get("subjectAltName", ()) if kind in _NAMES)
    return _CertificateText(
        _format_name(info.get("subject"))[:_MAX_LINE_LENGTH],
        (names or "-")[:_MAX_LINE_LENGTH],
        _format_name(info.get("issuer"))[:_MAX_LINE_LENGTH],
        f"from {_format_date(info, 'notBefore')} until {_format_date(info, 'notAfter')}",
        hashlib.sha256(certificate.public_bytes(_DER)).hexdigest(),
        _expiry_of(info),
    )


def _expiry_of(info: dict[str, Any]) -> int | None:
    try:
        return _parse_certificate_time(str(info["notAfter"]))
    except (KeyError, ValueError):
        return None


_parse_certificate_time = lru_cache(maxsize=1024)(ssl.cert_time_to_seconds)
"""It costs more than all else that is read of a certificate, and the same certificates come every minute."""


def _summarize_chain(presented: list[_CertificateText], trusted: list[int | None]) -> Certificate | None:
    ends = [each.expires for each in presented if each.expires is not None]
    if not ends:
        return None
    leaf = presented[0]
    first = leaf.expires if leaf.expires is not None else ends[0]
    relied_on = [end for end in trusted if end is not None] or [first]
    return Certificate(leaf.fingerprint, expiry=min(relied_on), earliest_expiry=min(ends))


def _format_date(info: dict[str, Any], which: str) -> str:
    """Write a certificate's date as ISO 8601 has it, where a calendar has it."""
    given = str(info.get(which, "?"))
    try:
        return f"{dt.datetime.fromtimestamp(_parse_certificate_time(given), dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError):
        return given


def _format_name(parts: Any) -> str:
    """Write a distinguished name as people do: ``CN=www.example.com, O=Example``."""
    pairs = [pair for part in parts or () for pair in part]
    return ", ".join(f"{_ATTRIBUTE_ABBREVIATIONS.get(kind, kind)}={value}" for kind, value in reversed(pairs)) or "-"


# --- TLS contexts, cached: creating one costs more than a check -------------------------------------------------------

TLS_VERSIONS = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}
CA_FILE_UNREADABLE = "authorities not readable"
CLIENT_CERTIFICATE_UNREADABLE = "client certificate not readable"

_CIPHERS = ":".join(
    (
        "@SECLEVEL=1",
        *("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
        *("ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384"),
        *("ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305"),
        *("ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES256-SHA"),
        *("AES128-GCM-SHA256", "AES256-GCM-SHA384", "AES128-SHA", "AES256-SHA"),
        *("ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA"),
        *(
            "ECDHE-ECDSA-AES128-SHA256",
            "ECDHE-RSA-AES128-SHA256",
            "ECDHE-ECDSA-AES256-SHA384",
            "ECDHE-RSA-AES256-SHA384",
        ),
    )
)
"""What Chromium offers for TLS 1.2, in its order, then four kinds with CBC that it offered until lately.

It is the same on every Python, whose own default differs between builds; the suites of TLS 1.3 are OpenSSL's. Like
Chromium: keys of RSA from 1,024 bits on, no signatures by SHA-1 in certificates (level 1 of OpenSSL 3), and no key
exchange in finite fields (DHE): the server chooses how large those are, up to a quarter of a second of computing in
which nothing else runs.
"""
_CIPHERS_BELOW_TLS_1_2 = "DEFAULT:!DHE:!kDHEPSK:@SECLEVEL=0"
"""Their signatures are too weak for a higher level."""
_LEGACY_SERVER_CONNECT = ssl.Options(0x4)
"""OpenSSL's SSL_OP_LEGACY_SERVER_CONNECT: a server without secure renegotiation is served by browsers too."""
_VERIFY_FLAGS = ssl.VerifyFlags.VERIFY_X509_TRUSTED_FIRST | ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
"""Every certificate of ``ca_file`` is trusted, an intermediate authority's too. Python 3.13 would add strict checks."""
_REVOCATION_LIST = b"-----BEGIN X509 CRL-----"


class TlsFiles(NamedTuple):
    """What a context is made of."""

    verify: bool = True
    ca_file: Path | None = None
    lowest_version: str = "TLSv1.2"
    certificate_file: Path | None = None
    """The client's certificate with its chain; the key too, unless ``key_file`` has it."""
    key_file: Path | None = None


class TlsContexts:
    """Gives contexts by what they verify; a changed file is read anew."""

    def __init__(self) -> None:
        self._cache: dict[TlsFiles, tuple[tuple[int, ...], ssl.SSLContext]] = {}

    def get(self, **keys: Any) -> ssl.SSLContext:
        """Return a context for clients; the keys are those of ``TlsFiles``.

        Raises ``ProbeError``, unknown, where the authorities or the client's certificate cannot be read.
        """
        files = TlsFiles(**keys)
        stamp = (
            _changed_at(files.ca_file, CA_FILE_UNREADABLE),
            _changed_at(files.certificate_file, CLIENT_CERTIFICATE_UNREADABLE),
            _changed_at(files.key_file, CLIENT_CERTIFICATE_UNREADABLE),
        )
        kept = self._cache.get(files)
        if kept is not None and kept[0] == stamp:
            return kept[1]
        context = _make_context(files)
        self._cache[files] = (stamp, context)
        return context


def _changed_at(file: Path | None, reason: str) -> int:
    try:
        return file.stat().st_mtime_ns if file else 0
    except OSError:
        raise monitor_failure(reason) from None


def _make_context(files: TlsFiles) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=files.ca_file)
        has_revocation_list = files.ca_file is not None and _REVOCATION_LIST in files.ca_file.read_bytes()
    except OSError:
        raise monitor_failure(CA_FILE_UNREADABLE) from None
    below = TLS_VERSIONS[files.lowest_version] < ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS_BELOW_TLS_1_2 if below else _CIPHERS)
    context.options |= _LEGACY_SERVER_CONNECT
    context.verify_flags = _VERIFY_FLAGS
    if has_revocation_list:
        context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
    context.minimum_version = TLS_VERSIONS[files.lowest_version]
    context.maximum_version = ssl.TLSVersion.MAXIMUM_SUPPORTED
    if not files.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if files.certificate_file is not None:
        try:
            # a key with a passphrase is refused: OpenSSL would ask for it at the terminal
            context.load_cert_chain(files.certificate_file, files.key_file, password="")
        except (OSError, ValueError):
            raise monitor_failure(CLIENT_CERTIFICATE_UNREADABLE) from None
    return context
