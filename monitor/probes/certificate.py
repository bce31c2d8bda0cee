"""What a TLS handshake says about certificates: when they expire, and why one was refused."""

from __future__ import annotations

import ssl
from typing import Any

EXPIRED = "certificate expired"
NOT_YET_VALID = "certificate not yet valid"
OTHER_NAME = "certificate for another name"
NOT_TRUSTED = "certificate not trusted"

# OpenSSL's X509_V_ERR_* numbers
_REASONS = {
    9: NOT_YET_VALID,
    10: EXPIRED,
    23: "certificate revoked",
    62: OTHER_NAME,
    64: OTHER_NAME,
}


def refusal(error: ssl.SSLCertVerificationError) -> str:
    """Word why a certificate was not accepted."""
    return _REASONS.get(error.verify_code, NOT_TRUSTED)


def earliest_expiry(tls: ssl.SSLObject) -> int | None:
    """Give the Unix seconds at which the first certificate of the presented chain expires; None where unknown."""
    # the whole chain has a public name from Python 3.13 on only, and there only as bytes
    inner: Any = getattr(tls, "_sslobj", None)
    try:
        infos = [certificate.get_info() for certificate in inner.get_unverified_chain()]
    except (AttributeError, TypeError):
        infos = [tls.getpeercert()]
    ends = [ssl.cert_time_to_seconds(str(info["notAfter"])) for info in infos if info and "notAfter" in info]
    return min(ends, default=None)
