"""What a TLS handshake says about certificates: when they expire, and why one was refused."""

from __future__ import annotations

import datetime as dt
import hashlib
import ssl
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from monitor.model import Certificate, Reason
from monitor.probes.failures import monitor_failure, server_failure
from monitor.probes.redaction import printable

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.model import Millis
    from monitor.probes.failures import ProbeError

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


def verification_reason(error: ssl.SSLCertVerificationError) -> Reason:
    """Say why a certificate was not accepted."""
    return _REASON_BY_VERIFY_CODE.get(error.verify_code, Reason.TLS_UNTRUSTED)


def handshake_failure(error: ssl.SSLError) -> ProbeError:
    """Say why no TLS came about, in OpenSSL's words: ``tls: wrong version number`` where none is spoken."""
    return server_failure(Reason.TLS, (error.reason or "").lower().replace("_", " "))


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


_CIPHERS = "@SECLEVEL=2:ECDH+AESGCM:ECDH+CHACHA20:ECDH+AES:!aNULL:!eNULL:!aDSS:!SHA1:!AESCCM"
"""The same on every Python, whose own default differs between builds; those of TLS 1.3 are OpenSSL's.

Without key exchange in finite fields (DHE): the server chooses how large those are, up to a quarter of a second of
computing in which nothing else runs. Browsers have dropped them too.
"""
_CIPHERS_BELOW_TLS_1_2 = "DEFAULT:!DHE:!kDHEPSK:@SECLEVEL=0"
"""Their signatures are too weak for a higher level."""


class TlsContexts:
    """Gives contexts by what they verify; a changed file of authorities is read anew."""

    def __init__(self) -> None:
        self._cache: dict[tuple[bool, Path | None, str], tuple[int, ssl.SSLContext]] = {}

    def get(self, *, verify: bool, ca_file: Path | None, lowest_version: str = "TLSv1.2") -> ssl.SSLContext:
        """Return a context for clients. Raises ``ProbeError``, unknown, where the authorities cannot be read."""
        try:
            stamp = ca_file.stat().st_mtime_ns if ca_file else 0
            kept = self._cache.get((verify, ca_file, lowest_version))
            if kept is not None and kept[0] == stamp:
                return kept[1]
            context = ssl.create_default_context(cafile=ca_file)
        except OSError:
            raise monitor_failure(CA_FILE_UNREADABLE) from None
        below = TLS_VERSIONS[lowest_version] < ssl.TLSVersion.TLSv1_2
        context.set_ciphers(_CIPHERS_BELOW_TLS_1_2 if below else _CIPHERS)
        # Python 3.13 adds strict checks that browsers do not make
        context.verify_flags = ssl.VerifyFlags.VERIFY_X509_TRUSTED_FIRST
        context.minimum_version = TLS_VERSIONS[lowest_version]
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        self._cache[verify, ca_file, lowest_version] = (stamp, context)
        return context
