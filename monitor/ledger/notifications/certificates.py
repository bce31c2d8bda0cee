"""Certificates that are about to expire: who is told, once for each of the days that checks name.

A certificate is itself wherever it is shown: one that several checks and servers show is named in one mail to each
customer, with all of them. A new one, renewed or not, starts afresh.
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
    """A certificate, as the mails that tell of it know it again."""

    fingerprint: str
    expiry: int
    """Unix seconds; an authority on the way that ends sooner can be renewed while the certificate stays."""


class _ExpiryWarning(NamedTuple):
    """A certificate to warn a customer about."""

    certificate: CertificateId
    threshold: int
    checks: tuple[CheckKey, ...]


def days_left(expiry: int, at: Millis) -> int:
    """Return the whole days from ``at`` to an expiry in Unix seconds; negative once it is over."""
    return (expiry * 1000 - at) // _DAY


def reached_threshold(expiry: int, warn_days: Iterable[int], at: Millis) -> int | None:
    """Return the last of the days to be warned on that has been reached; None while none has."""
    left = days_left(expiry, at)
    return min((days for days in warn_days if left <= days), default=None)


def queue_expiry_warnings(
    db: Database, context: LedgerContext, due: Mapping[CertificateId, Mapping[CheckKey, tuple[int, ...]]], at: Millis
) -> tuple[int, ...]:
    """Queue one mail for each customer who was not yet told of a step, or a later one, of some certificates.

    ``due`` has the checks that show each of them, with the days at which those want it told. Everybody is told who is
    told of a check's outages; the operators get a copy. Gives the numbers of the mails.
    """
    told = notification_log.sent_certificate_warnings(db)
    news: dict[str | None, list[_ExpiryWarning]] = {}
    for seen, watched in due.items():
        for customer, keys in context.checks_by_customer(watched, at).items():
            step = reached_threshold(seen.expiry, (days for key in keys for days in watched[key]), at)
            if step is not None and told.get((customer, *seen), step + 1) > step:
                news.setdefault(customer, []).append(_ExpiryWarning(seen, step, tuple(keys)))
    queued = (_queue(db, context, customer, their_news, at) for customer, their_news in news.items())
    return tuple(number for number in queued if number is not None)


def _queue(
    db: Database, context: LedgerContext, customer: str | None, news: list[_ExpiryWarning], at: Millis
) -> int | None:
    nearest_first = sorted(news, key=lambda each: each.certificate.expiry)
    letter = CertificateMail(
        context.recipient(customer),
        tuple(
            ExpiringCertificate(seen.fingerprint, seen.expiry * 1000, days_left(seen.expiry, at), checks)
            for seen, _, checks in nearest_first
        ),
    )
    body = {
        "certificates": [
            {**seen._asdict(), "days": step, "checks": [list(key) for key in checks]}
            for seen, step, checks in nearest_first
        ]
    }
    return queue_mail(db, context, KIND, at=at, customer=customer, body=body, letter=compose(letter))
