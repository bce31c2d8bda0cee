"""What a TLS handshake says about certificates: when they expire, and why one was refused."""

from __future__ import annotations

import ssl
from typing import Any

from monitor.model import Reason
from monitor.probes.trail import printable

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


_LONGEST = 500
"""Characters of a line that tells of a certificate: who made it can write what they like."""


class Handshake:
    """What a TLS handshake came to."""

    def __init__(self, tls: ssl.SSLObject) -> None:
        self.version = tls.version() or ""
        self._cipher = (tls.cipher() or ("",))[0]
        self._chain = _presented(tls)
        self.expiry = _first_end(self._chain)
        """Unix seconds at which the first certificate of the presented chain expires; None where unknown."""

    def __str__(self) -> str:
        leaf = self._chain[0] if self._chain else {}
        names = ", ".join(str(value) for kind, value in leaf.get("subjectAltName", ()) if kind in ("DNS", "IP Address"))
        lines = [f"{self.version} {self._cipher}", f"subject {_name(leaf.get('subject'))}; names {names or '-'}"]
        lines.append(f"issuer {_name(leaf.get('issuer'))}; {len(self._chain)} in the chain")
        lines.append(f"from {leaf.get('notBefore', '?')} until {leaf.get('notAfter', '?')}")
        return printable("\n".join(line[:_LONGEST] for line in lines))


def _presented(tls: ssl.SSLObject) -> list[dict[str, Any]]:
    # the whole chain has a public name from Python 3.13 on only, and there only as bytes
    inner: Any = getattr(tls, "_sslobj", None)
    try:
        infos = [certificate.get_info() for certificate in inner.get_unverified_chain()]
    except (AttributeError, TypeError):
        infos = [tls.getpeercert()]
    except (ValueError, ssl.SSLError):  # one that cannot even be read: who verifies has refused it already
        infos = []
    return [info for info in infos if info]


def _first_end(chain: list[dict[str, Any]]) -> int | None:
    try:
        ends = [ssl.cert_time_to_seconds(str(info["notAfter"])) for info in chain if "notAfter" in info]
    except ValueError:  # a date that no calendar has: who verifies has refused it already
        return None
    return min(ends, default=None)


def _name(parts: Any) -> str:
    """Write a distinguished name as people do: ``CN=www.example.com, O=Example``."""
    pairs = [pair for part in parts or () for pair in part]
    return ", ".join(f"{_SHORT.get(kind, kind)}={value}" for kind, value in reversed(pairs)) or "-"
