"""What a TLS handshake says about certificates: when they expire, and why one was refused."""

from __future__ import annotations

import datetime as dt
import hashlib
import ssl
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from monitor.model import Certificate, Reason
from monitor.probes.failures import failed
from monitor.probes.redaction import printable

if TYPE_CHECKING:
    from monitor.model import Millis
    from monitor.probes.failures import NotOkError

# OpenSSL's X509_V_ERR_* numbers
_REASONS = {
    9: Reason.TLS_EARLY,
    10: Reason.TLS_EXPIRED,
    23: Reason.TLS_REVOKED,
    62: Reason.TLS_NAME,
    64: Reason.TLS_NAME,
}


_SHORT = {
    "commonName": "CN",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "stateOrProvinceName": "ST",
    "localityName": "L",
}


def refusal(error: ssl.SSLCertVerificationError) -> Reason:
    """Say why a certificate was not accepted."""
    return _REASONS.get(error.verify_code, Reason.TLS_UNTRUSTED)


def broken(error: ssl.SSLError) -> NotOkError:
    """Say why no TLS came about, in OpenSSL's words: ``tls: wrong version number`` where none is spoken."""
    return failed(Reason.TLS, (error.reason or "").lower().replace("_", " "))


_LONGEST = 500
"""Characters of a line that tells of a certificate: who made it can write what they like."""
_MOST_SHOWN = 10
_NAMES = ("DNS", "IP Address")
_DER = 2
"""What the ssl module's own C code calls that encoding."""
_DAY = 86_400_000


class _Shown(NamedTuple):
    """One certificate that was presented, in the words that a person is told it in."""

    subject: str
    names: str
    issuer: str
    span: str
    fingerprint: str
    end: int | None
    """Unix seconds; None for a date that no calendar has."""


class Handshake:
    """What a TLS handshake came to, perhaps nothing but the certificates that were refused."""

    def __init__(self, tls: ssl.SSLObject, now: Millis) -> None:
        """``now`` is what the days that are left are counted from."""
        self.version = tls.version() or ""
        self._cipher = (tls.cipher() or ("",))[0]
        self._now = now
        self._chain = _presented(tls)
        self.certificate = _judged(self._chain, _trusted(tls))
        """None where the server presented none that can be read."""

    def __str__(self) -> str:
        lines = [", ".join(filter(None, (self.version, self._cipher)))] if self._cipher else []
        for number, each in enumerate(self._chain[:_MOST_SHOWN]):
            lines += self._told(number, each)
        if len(self._chain) > _MOST_SHOWN:
            lines.append(f"... {len(self._chain)} in the chain")
        return printable("\n".join(line[:_LONGEST] for line in lines))

    def _told(self, number: int, shown: _Shown) -> list[str]:
        lines = [f"{number} subject {shown.subject}"]
        if number == 0:
            lines.append(f"  names {shown.names}")
        lines += [f"  issuer {shown.issuer}", f"  {shown.span}{self._left(shown.end)}"]
        return [*lines, f"  sha256 {shown.fingerprint}"]

    def _left(self, end: int | None) -> str:
        if end is None:
            return ""
        left = end * 1000 - self._now
        return f", days left: {left // _DAY}" if left >= 0 else ", expired"


def _presented(tls: ssl.SSLObject) -> list[_Shown]:
    # the whole chain has a public name from Python 3.13 on only, and there only as bytes; of a handshake that was
    # refused it can be had too, from OpenSSL 3.0 on
    inner: Any = getattr(tls, "_sslobj", None)
    try:
        return [_read(certificate) for certificate in inner.get_unverified_chain() or ()]
    except (AttributeError, TypeError, ValueError, ssl.SSLError):
        return []  # one that cannot even be read: who verifies has refused it already


def _trusted(tls: ssl.SSLObject) -> list[int | None]:
    """Give the ends of the chain by which the certificate is trusted, its authority included; none where it is not."""
    inner: Any = getattr(tls, "_sslobj", None)
    if tls.context.verify_mode is ssl.CERT_NONE:
        return []
    try:
        return [_read(certificate).end for certificate in inner.get_verified_chain() or ()]
    except (AttributeError, TypeError, ValueError, ssl.SSLError):
        return []


@lru_cache(maxsize=256)
def _read(certificate: Any) -> _Shown:
    # a tenth of a millisecond, and the next handshake shows the same one: two are equal where all of their bytes are
    info = certificate.get_info()
    names = ", ".join(str(value) for kind, value in info.get("subjectAltName", ()) if kind in _NAMES)
    return _Shown(
        _name(info.get("subject"))[:_LONGEST],
        (names or "-")[:_LONGEST],
        _name(info.get("issuer"))[:_LONGEST],
        f"from {_instant(info, 'notBefore')} until {_instant(info, 'notAfter')}",
        hashlib.sha256(certificate.public_bytes(_DER)).hexdigest(),
        _end(info),
    )


def _end(info: dict[str, Any]) -> int | None:
    try:
        return _seconds(str(info["notAfter"]))
    except (KeyError, ValueError):
        return None


_seconds = lru_cache(maxsize=1024)(ssl.cert_time_to_seconds)
"""It costs more than all else that is read of a certificate, and the same certificates come every minute."""


def _judged(presented: list[_Shown], trusted: list[int | None]) -> Certificate | None:
    ends = [each.end for each in presented if each.end is not None]
    if not ends:
        return None
    leaf = presented[0]
    first = leaf.end if leaf.end is not None else ends[0]
    relied_on = [end for end in trusted if end is not None] or [first]
    return Certificate(leaf.fingerprint, expiry=min(relied_on), earliest_expiry=min(ends))


def _instant(info: dict[str, Any], which: str) -> str:
    """Write a certificate's date as ISO 8601 has it, where a calendar has it."""
    given = str(info.get(which, "?"))
    try:
        return f"{dt.datetime.fromtimestamp(_seconds(given), dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError):
        return given


def _name(parts: Any) -> str:
    """Write a distinguished name as people do: ``CN=www.example.com, O=Example``."""
    pairs = [pair for part in parts or () for pair in part]
    return ", ".join(f"{_SHORT.get(kind, kind)}={value}" for kind, value in reversed(pairs)) or "-"
