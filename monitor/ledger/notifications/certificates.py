"""Queues warnings before certificates expire: one for each threshold of days that the checks configure.

A certificate that several checks and servers present is one certificate: each customer gets one mail that names all of
them. A new certificate gets warnings of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from monitor.ledger.notifications.mail_queue import queue_mail
from monitor.mail.compose import compose
from monitor.mail.content import CertificateMail, ExpiringCertificate
from monitor.store import notification_log

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlite_utils import Database

    from monitor.ledger.context import LedgerContext
    from monitor.model import CheckKey, Millis

_DAY: Millis = 86_400_000
KIND = "certificate"


class CertificateId(NamedTuple):
    """The identity of a certificate in the stored warnings."""

    fingerprint: str
    expiry: int
    """Unix seconds, the earliest of the chain; an intermediate certificate can be renewed on its own."""


class _ExpiryWarning(NamedTuple):
    """A certificate to warn a customer about."""

    certificate: CertificateId
    threshold: int
    checks: tuple[CheckKey, ...]


def days_left(expiry: int, at: Millis) -> int:
    """Return the whole days from ``at`` to an expiry in Unix seconds; negative once it is over."""
    return (expiry * 1000 - at) // _DAY


def reached_threshold(expiry: int, warn_days: Iterable[int], at: Millis) -> int | None:
    """Return the last threshold that has been reached; None if none has."""
    left = days_left(expiry, at)
    return min((days for days in warn_days if left <= days), default=None)


def queue_expiry_warnings(
    db: Database, context: LedgerContext, due: Mapping[CertificateId, Mapping[CheckKey, tuple[int, ...]]], at: Millis
) -> tuple[int, ...]:
    """Queue one mail for each customer to whom a reached threshold, or a later one, was not mailed yet.

    ``due`` contains the checks that present each certificate, with their thresholds in days. The recipients are those
    of a check's outages; the operators get a copy. Return the ids of the mails.
    """
    sent = notification_log.sent_certificate_warnings(db)
    warnings: dict[str | None, list[_ExpiryWarning]] = {}
    for certificate, warn_days in due.items():
        for customer, keys in context.checks_by_customer(warn_days, at).items():
            threshold = reached_threshold(certificate.expiry, (days for key in keys for days in warn_days[key]), at)
            if threshold is not None and sent.get((customer, *certificate), threshold + 1) > threshold:
                warnings.setdefault(customer, []).append(_ExpiryWarning(certificate, threshold, tuple(keys)))
    mail_ids = (_queue(db, context, customer, own_warnings, at) for customer, own_warnings in warnings.items())
    return tuple(mail_id for mail_id in mail_ids if mail_id is not None)


def _queue(
    db: Database, context: LedgerContext, customer: str | None, warnings: list[_ExpiryWarning], at: Millis
) -> int | None:
    by_expiry = sorted(warnings, key=lambda warning: warning.certificate.expiry)
    content = CertificateMail(
        context.recipient(customer),
        tuple(
            ExpiringCertificate(
                certificate.fingerprint, certificate.expiry * 1000, days_left(certificate.expiry, at), checks
            )
            for certificate, _, checks in by_expiry
        ),
    )
    body = {
        "certificates": [
            {**certificate._asdict(), "days": threshold, "checks": [list(key) for key in checks]}
            for certificate, threshold, checks in by_expiry
        ]
    }
    return queue_mail(db, context, KIND, at=at, customer=customer, body=body, rendered=compose(content))
